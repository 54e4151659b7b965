"""What similarities say of every edge of a node: its best grouping, how far to trust it, which edge each rule takes."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from jaxnas.config import SplitConfig
from jaxnas.spaces.base import SearchSpace
from jaxnas.splitting.choose import candidates, completions, stability_of
from jaxnas.splitting.edges import EDGE_RULES, Candidate
from jaxnas.splitting.objectives import Groups
from jaxnas.splitting.partition import groupings
from jaxnas.splitting.reading import Readings, as_readings
from jaxnas.splitting.stability import Stability
from jaxnas.types import Mask


class Grouped(NamedTuple):
    """The best grouping of one edge, and how far to trust it."""

    candidate: Candidate
    trust: Stability | None  # None: too few batches, or no other grouping
    counted: int | None  # batches that count on it; None: not by batches
    backgrounds: int | None  # distinct ones among them


def rank_edges(
    space: SearchSpace,
    mask: Mask,
    given: np.ndarray | Readings,
    parts: int,
    settings: SplitConfig,
    rng: np.random.Generator,
) -> list[Grouped]:
    """Every edge that can be split, whatever the edge rule, from what `as_readings` takes.

    `rng` draws the resamplings of batches. Raises UserError for similarities of comparable operations that are not
    finite.
    """
    readings = as_readings(given)
    found = []
    for of in candidates(space, mask, readings, parts, replace(settings, edges="best")):
        reading = readings[of.edge]
        assert reading is not None  # or it was no candidate
        trust = stability_of(space, mask, of.edge, of.partition.groups, reading, settings, rng)
        found.append(Grouped(of, trust, reading.counted, reading.backgrounds))
    return found


def edges_by_rule(
    space: SearchSpace, mask: Mask, found: Sequence[Grouped], settings: SplitConfig, rng: np.random.Generator
) -> dict[str, int | None]:
    """The edge that each of EDGE_RULES takes, the lowest of exact ties; None where a rule takes none.

    Where the settings name no order, `fixed` takes edges in the order of the space.
    """
    ordered = replace(settings, order=settings.order or tuple(range(len(space.edges))))
    every, taken = [of.candidate for of in found], {}
    for name, rule in EDGE_RULES.items():
        left = rule(ordered, rng)(mask, every) if every else []
        taken[name] = min((candidate.edge for candidate in left), default=None)
    return taken


def possible(space: SearchSpace, mask: Mask, edge: int, parts: int, min_size: int) -> list[Groups]:
    """All groupings of the comparable operations that an edge allows."""
    operations = np.flatnonzero(space.comparable(mask)[edge]).tolist()
    return groupings(operations, parts, 1, lambda groups: bool(completions(space, mask, edge, groups, min_size)))
