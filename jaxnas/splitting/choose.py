"""How one node is split: by the similarity of its operations, or at random."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from jaxnas.config import SplitConfig
from jaxnas.spaces.base import SearchSpace
from jaxnas.spaces.tree import Node, Split, as_mask, child_masks
from jaxnas.splitting.edges import EDGE_RULES, Candidate, looked_at
from jaxnas.splitting.objectives import OBJECTIVES, Groups, cross_sum
from jaxnas.splitting.partition import best_partition, set_partitions
from jaxnas.splitting.settings import check_settings
from jaxnas.splitting.ties import TIES, Tie
from jaxnas.splitting.trust import Trust, bootstrap, repeats_needed
from jaxnas.types import Mask

Similarity = Callable[[Node], np.ndarray]
"""node -> [E, O, O], or [E, R, O, O] of R batches, whose mean decides; rows of closed operations are not read,
nor edges that the rule does not look at"""
Measure = Callable[[Node, int, int], np.ndarray]
"""(node, first batch, end) -> similarities of these batches, [E, end - first, O, O]; what is read is as above"""
Choose = Callable[[Node, int], Split | str | None]
"""(node, number of groups) -> how to split it; text: why it stays whole; None: it cannot be split"""


def by_similarity(
    space: SearchSpace,
    similarity: Similarity,
    settings: SplitConfig | None = None,
    rng: np.random.Generator | None = None,
) -> Choose:
    """The edge and grouping that the settings name; `similarity(node)` scores the edges of one node.

    `rng` draws what the settings leave to chance, and the resamplings of batches; None: seeded 0. How many batches
    there are is the caller's: `settings.stability` is not read. Raises UserError for settings that cannot be.
    """
    settings, rng = settings or SplitConfig(), rng or np.random.default_rng(0)
    check_settings(space, settings)
    return lambda node, parts: choose_split(space, as_mask(node), similarity(node), parts, settings, rng)


def by_batches(space: SearchSpace, measure: Measure, settings: SplitConfig, rng: np.random.Generator) -> Choose:
    """As `by_similarity`, measuring what it needs: all `settings.batches`, or with `settings.stability` as many of
    them as settle the split (`repeats_needed`)."""
    check_settings(space, settings)

    def choose(node: Node, parts: int) -> Split | str | None:
        mask, level = as_mask(node), settings.stability
        if level is None:
            return choose_split(space, mask, measure(node, 0, settings.batches), parts, settings, rng)
        seed = int(rng.integers(2**63))  # the same dice at every look, so that only the batches can change its mind

        def decide(similarity: np.ndarray) -> Split | str | None:
            return choose_split(space, mask, similarity, parts, settings, np.random.default_rng(seed))

        found = repeats_needed(partial(measure, node), decide, level, settings.batches)
        decided = found.decision
        return replace(decided, settled=found.settled) if isinstance(decided, Split) else decided

    return choose


def choose_split(
    space: SearchSpace,
    mask: Mask,
    similarity: np.ndarray,
    parts: int,
    settings: SplitConfig,
    rng: np.random.Generator,
) -> Split | str | None:
    """The edge and grouping of one node; similarity [E, O, O], or [E, R, O, O] of R batches.

    A grouping is allowed only if each child still holds a connected architecture. Exact ties, counted over all edges
    that the rule leaves and their groupings, are decided by the policy `settings.ties`, which goes on record; under
    `keep` the reason not to split is returned. None if nothing can be split.
    """
    found = candidates(space, mask, similarity.mean(1) if similarity.ndim == 4 else similarity, parts, settings)
    left = EDGE_RULES[settings.edges](settings, rng)(mask, found) if found else []
    if not left:
        return None
    tied = [Tie(candidate, groups) for candidate in left for groups in candidate.partition.tied]
    taken = TIES[settings.ties](tied, rng) if len(tied) > 1 else tied[0]
    if taken is None:
        edges = ", ".join(space.edge_name(candidate.edge) for candidate in left)
        return f"{len(tied)} groupings of {edges} scored exactly alike"
    (edge, partition, _), groups = taken
    trust = None
    if similarity.ndim == 4:
        trust = trust_in(space, mask, edge, groups, similarity[edge], settings, rng)
    return Split(
        edge=edge,
        groups=groups,
        value=partition.value,
        margin=partition.margin,
        ties=len(tied),
        decided=settings.ties if len(tied) > 1 else None,
        margin_low=None if trust is None else trust.margin_low,
        margin_high=None if trust is None else trust.margin_high,
        stability=None if trust is None else trust.stability,
        batches=similarity.shape[1] if similarity.ndim == 4 else None,
    )


def candidates(space: SearchSpace, mask: Mask, mean: np.ndarray, parts: int, settings: SplitConfig) -> list[Candidate]:
    """Of every edge that can be split and that the rule looks at, its best allowed grouping; mean [E, O, O]."""
    objective, looked, found = OBJECTIVES[settings.objective], looked_at(settings, mask), []
    for edge, operations in _splittable(mask, parts):
        if edge not in looked:
            continue
        allowed = partial(keeps_cells, space, mask, edge)
        best = best_partition(mean[edge], operations, parts, objective, settings.min_size, allowed)
        if best is not None:
            found.append(Candidate(edge, best, cross_sum(mean[edge], best.groups)))
    return found


def trust_in(
    space: SearchSpace,
    mask: Mask,
    edge: int,
    groups: Groups,
    batches: np.ndarray,
    settings: SplitConfig,
    rng: np.random.Generator,
) -> Trust | None:
    """The `bootstrap` of a grouping of one edge among those that are allowed there; batches [R, O, O]."""
    allowed, operations = partial(keeps_cells, space, mask, edge), np.flatnonzero(mask[edge]).tolist()
    return bootstrap(batches, operations, groups, rng, OBJECTIVES[settings.objective], settings.min_size, allowed)


def at_random(space: SearchSpace, rng: np.random.Generator) -> Choose:
    """A uniform draw of an edge that can be split and of one of its allowed groupings: the control of a metric."""

    def choose(node: Node, parts: int) -> Split | None:
        mask = as_mask(node)
        options = {
            edge: [groups for groups in set_partitions(operations, parts) if keeps_cells(space, mask, edge, groups)]
            for edge, operations in _splittable(mask, parts)
        }
        edges = [edge for edge, groupings in options.items() if groupings]
        if not edges:
            return None
        edge = int(rng.choice(edges))
        return Split(edge, options[edge][rng.integers(len(options[edge]))], value=None, margin=None, ties=1)

    return choose


def _splittable(mask: Mask, parts: int) -> Iterator[tuple[int, list[int]]]:
    """Edges with at least `parts` open operations, and these."""
    return ((edge, np.flatnonzero(row).tolist()) for edge, row in enumerate(mask) if row.sum() >= parts)


def keeps_cells(space: SearchSpace, mask: Mask, edge: int, groups: Groups) -> bool:
    """Whether every child still holds a connected architecture."""
    return all(bool(space.viable(child)) for child in child_masks(mask, edge, groups))
