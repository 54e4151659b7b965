"""Which edge of a node is split: rules over the best grouping of every edge, by name."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from jaxnas.config import SplitConfig
from jaxnas.spaces.base import SearchSpace
from jaxnas.splitting.partition import Partition
from jaxnas.types import Mask


class Candidate(NamedTuple):
    """An edge that can be split, and its best grouping."""

    edge: int
    partition: Partition
    cross: float  # sum of similarities between the groups, whatever the objective


EdgeRule = Callable[[Mask, list[Candidate]], list[Candidate]]
"""(mask [E, O] of the node, candidates by edge) -> those that the rule leaves; several are an exact tie"""


def best(settings: SplitConfig, rng: np.random.Generator) -> EdgeRule:
    """The edge whose best grouping has the smallest objective; edges split before included."""
    return lambda mask, candidates: _smallest(candidates, lambda candidate: candidate.partition.value)


def fixed(settings: SplitConfig, rng: np.random.Generator) -> EdgeRule:
    """The first edge of `settings.order` that is still whole: one edge a level, the same for siblings.

    The metric-driven study's rule (Ly-Manson et al. 2024), with order (0, 1, 2). None if that edge cannot be split: no
    other takes its place, and where no background makes it live, the node stays whole.
    """
    return lambda mask, candidates: [c for c in candidates if c.edge in _in_turn(settings, mask)]


def random(settings: SplitConfig, rng: np.random.Generator) -> EdgeRule:
    """An edge drawn uniformly, its grouping by the objective: whether the choice of the edge matters."""
    return lambda mask, candidates: [candidates[rng.integers(len(candidates))]]


def cheapest_cut(settings: SplitConfig, rng: np.random.Generator) -> EdgeRule:
    """The whole edge with the smallest sum of similarities between its groups; an edge is split once on a path.

    GM-NAS (Hu et al., ICLR 2022), as its NAS-Bench-201 code does it: the largest sum of distances between groups.
    """
    return lambda mask, candidates: _smallest(_whole(mask, candidates), lambda candidate: candidate.cross)


def cheapest_cut_inverted(settings: SplitConfig, rng: np.random.Generator) -> EdgeRule:
    """The whole edge with the LARGEST sum of similarities between its groups: where parting operations costs most.

    NAS-LID's mincut rule as released (AAAI 2023): GM-NAS's rule for distances, kept for similarities. It is here to
    compare with what was published.
    """
    return lambda mask, candidates: _smallest(_whole(mask, candidates), lambda candidate: -candidate.cross)


EDGE_RULES: dict[str, Callable[[SplitConfig, np.random.Generator], EdgeRule]] = {
    "best": best,
    "fixed": fixed,
    "random": random,
    "cheapest_cut": cheapest_cut,
    "cheapest_cut_inverted": cheapest_cut_inverted,
}


def edges_read_by(settings: SplitConfig, mask: Mask) -> list[int]:
    """The edges of a node whose similarities the rule reads; as many at every node of a tree."""
    return LOOKS.get(settings.edges, lambda settings, mask: list(range(len(mask))))(settings, mask)


def scored_edges(space: SearchSpace, settings: SplitConfig, mask: Mask) -> list[int]:
    """Of the edges that the rule looks at, those with two or more operations that can be compared."""
    comparable = space.comparable(mask)
    return [edge for edge in edges_read_by(settings, mask) if comparable[edge].sum() > 1]


def passes(space: SearchSpace, mask: Mask, settings: SplitConfig, batches: int) -> int:
    """Passes, each forward and backward, that score a node: comparable operations of scored edges, times batches."""
    return int(space.comparable(mask)[scored_edges(space, settings, mask)].sum()) * batches


def _in_turn(settings: SplitConfig, mask: Mask) -> list[int]:
    return [edge for edge in settings.order if mask[edge].all()][:1]


LOOKS: dict[str, Callable[[SplitConfig, Mask], list[int]]] = {"fixed": _in_turn}
"""Which edges a rule reads; one that is not named here reads all of them"""


def _smallest(candidates: list[Candidate], of: Callable[[Candidate], float]) -> list[Candidate]:
    values = [of(candidate) for candidate in candidates]
    return [candidate for candidate, value in zip(candidates, values, strict=True) if value == min(values)]


def _whole(mask: Mask, candidates: list[Candidate]) -> list[Candidate]:
    return [candidate for candidate in candidates if mask[candidate.edge].all()]
