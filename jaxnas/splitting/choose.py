"""How one node is split: by the similarity of its operations, or at random."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from jaxnas.config import SplitConfig
from jaxnas.spaces.base import SearchSpace
from jaxnas.spaces.tree import Node, Split, as_mask, child_masks
from jaxnas.splitting.edges import EDGE_RULES, Candidate, edges_read_by
from jaxnas.splitting.objectives import OBJECTIVES, Groups, cross_sum
from jaxnas.splitting.partition import best_partition, set_partitions
from jaxnas.splitting.reading import EdgeReading, Readings, as_readings
from jaxnas.splitting.settings import check_settings
from jaxnas.splitting.stability import Stability, bootstrap, repeats_needed
from jaxnas.splitting.ties import TIES, Tie
from jaxnas.types import Mask

Similarity = Callable[[Node], np.ndarray | Readings]
"""node -> what is known of its edges, [E]: similarities [E, O, O], or [E, R, O, O] of R batches, whose mean decides, or
readings; rows of operations that are not comparable are not read, nor edges that the rule does not look at"""
Measure = Callable[[Node, int], Readings]
"""(node, R) -> readings of its first R batches; what is read is as above"""
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
            return choose_split(space, mask, measure(node, settings.batches), parts, settings, rng)
        seed = int(rng.integers(2**63))  # the same dice at every look, so that only the batches can change its mind

        def decide(readings: Readings) -> Split | str | None:
            return choose_split(space, mask, readings, parts, settings, np.random.default_rng(seed))

        found = repeats_needed(partial(measure, node), decide, level, settings.batches)
        decided = found.decision
        return replace(decided, settled=found.settled) if isinstance(decided, Split) else decided

    return choose


def choose_split(
    space: SearchSpace,
    mask: Mask,
    given: np.ndarray | Readings,
    parts: int,
    settings: SplitConfig,
    rng: np.random.Generator,
) -> Split | str | None:
    """The edge and grouping of one node, from what `as_readings` takes.

    Operations that can be compared are grouped; a grouping is allowed only if each child still holds a connected
    architecture. Exact ties, counted over all edges that the rule leaves and their groupings, are decided by the policy
    `settings.ties`, which goes on record; under `keep` the reason not to split is returned. An open operation that
    cannot be compared then joins a group that allows it, by the same policy, and is on record as `joined`. A node whose
    edges with enough operations are dead on every background stays whole as well, and the reason names these edges.
    None if nothing can be split for another cause.
    """
    readings = as_readings(given)
    found = candidates(space, mask, readings, parts, settings)
    left = EDGE_RULES[settings.edges](settings, rng)(mask, found) if found else []
    if not left:
        return _all_dead(space, mask, parts, settings)
    tied = [Tie(candidate, groups) for candidate in left for groups in candidate.partition.tied]
    taken = TIES[settings.ties](tied, rng) if len(tied) > 1 else tied[0]
    if taken is None:
        edges = ", ".join(space.edge_name(candidate.edge) for candidate in left)
        return f"{len(tied)} groupings of {edges} scored exactly alike"
    candidate, compared = taken
    edge, partition, reading = candidate.edge, candidate.partition, readings[candidate.edge]
    assert reading is not None  # or it was no candidate
    trust = stability_of(space, mask, edge, compared, reading, settings, rng)
    whole = [Tie(candidate, groups) for groups in completions(space, mask, edge, compared, settings.min_size)]
    joined = TIES[settings.ties](whole, rng) if len(whole) > 1 else whole[0]
    assert joined is not None  # under `keep` an edge with a choice is no candidate
    return Split(
        edge=edge,
        groups=joined.groups,
        value=partition.value,
        margin=partition.margin,
        ties=len(tied),
        decided=settings.ties if len(tied) > 1 or len(whole) > 1 else None,
        margin_low=None if trust is None else trust.margin_low,
        margin_high=None if trust is None else trust.margin_high,
        stability=None if trust is None else trust.stability,
        batches=reading.scored,
        counted=reading.counted,
        backgrounds=reading.backgrounds,
        joined=tuple(sorted(set(_flat(joined.groups)) - set(_flat(compared)))),
    )


def candidates(
    space: SearchSpace, mask: Mask, readings: Readings, parts: int, settings: SplitConfig
) -> list[Candidate]:
    """Of every edge that the rule looks at and of which something is known, its best allowed grouping.

    Of the operations that can be compared there (`SearchSpace.comparable`): an edge with fewer of them than `parts` is
    no candidate, nor is, under the policy `keep`, one where another operation may join more than one of the groups.
    """
    objective, found = OBJECTIVES[settings.objective], []
    comparable = space.comparable(mask)
    for edge in edges_read_by(settings, mask):
        reading, operations = readings[edge], np.flatnonzero(comparable[edge]).tolist()
        if reading is None or reading.counted == 0 or len(operations) < parts:
            continue
        mean = reading.mean()
        allowed = _allowed(space, mask, edge, settings)
        best = best_partition(mean, operations, parts, objective=objective, allowed=allowed)
        if best is None:
            continue
        several = any(len(completions(space, mask, edge, of, settings.min_size)) > 1 for of in best.tied)
        if settings.ties != "keep" or not several:
            found.append(Candidate(edge, best, cross_sum(mean, best.groups)))
    return found


def completions(space: SearchSpace, mask: Mask, edge: int, groups: Groups, min_size: int) -> list[Groups]:
    """Groupings of all open operations of an edge that part those of `groups` as it does, and are allowed.

    Each group has `min_size` operations, and each child a connected architecture.
    """
    others = [op for op in np.flatnonzero(mask[edge]).tolist() if op not in _flat(groups)]
    found = []
    for places in itertools.product(range(len(groups)), repeat=len(others)):
        joining = [[op for op, place in zip(others, places, strict=True) if place == g] for g in range(len(groups))]
        whole = tuple(sorted(tuple(sorted([*of, *more])) for of, more in zip(groups, joining, strict=True)))
        if min(map(len, whole)) >= min_size and keeps_cells(space, mask, edge, whole):
            found.append(whole)
    return found


def stability_of(
    space: SearchSpace,
    mask: Mask,
    edge: int,
    groups: Groups,
    reading: EdgeReading,
    settings: SplitConfig,
    rng: np.random.Generator,
) -> Stability | None:
    """The `bootstrap` of a grouping of one edge's comparable operations among those that are allowed there."""
    allowed = _allowed(space, mask, edge, settings)
    return bootstrap(reading, _flat(groups), groups, rng, OBJECTIVES[settings.objective], 1, allowed)


def at_random(space: SearchSpace, rng: np.random.Generator) -> Choose:
    """A uniform draw of an edge that can be split and of one of its allowed groupings: the control of a metric.

    An edge that no background makes live is no candidate here either: its operations change nothing.
    """

    def choose(node: Node, parts: int) -> Split | None:
        mask = as_mask(node)
        live = space.comparable(mask).any(1)
        options = {
            edge: [groups for groups in set_partitions(operations, parts) if keeps_cells(space, mask, edge, groups)]
            for edge, operations in enumerate(np.flatnonzero(row).tolist() for row in mask)
            if live[edge] and len(operations) >= parts
        }
        edges = [edge for edge, groupings in options.items() if groupings]
        if not edges:
            return None
        edge = int(rng.choice(edges))
        return Split(edge, options[edge][rng.integers(len(options[edge]))], value=None, margin=None, ties=1)

    return choose


def keeps_cells(space: SearchSpace, mask: Mask, edge: int, groups: Groups) -> bool:
    """Whether every child still holds a connected architecture."""
    return all(bool(space.viable(child)) for child in child_masks(mask, edge, groups))


def _all_dead(space: SearchSpace, mask: Mask, parts: int, settings: SplitConfig) -> str | None:
    """Why a node stays whole: no background makes one of the edges live that the rule could split; None: one does."""
    several = [edge for edge in edges_read_by(settings, mask) if mask[edge].sum() >= parts]
    if not several or space.comparable(mask)[several].any():
        return None
    names = [space.edge_name(edge) for edge in several]
    if len(names) == 1:
        return f"no background makes {names[0]} live, so that its operations change nothing"
    return f"no background makes any of {', '.join(names)} live, so that their operations change nothing"


def _allowed(space: SearchSpace, mask: Mask, edge: int, settings: SplitConfig) -> Callable[[Groups], bool]:
    return lambda groups: bool(completions(space, mask, edge, groups, settings.min_size))


def _flat(groups: Groups) -> list[int]:
    return sorted(op for group in groups for op in group)
