"""What is done where groupings score exactly alike: policies by name."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from jaxnas.splitting.edges import Candidate
from jaxnas.splitting.objectives import Groups


class Tie(NamedTuple):
    """A grouping among those that an exact tie leaves."""

    candidate: Candidate
    groups: Groups


def lowest(tied: list[Tie], rng: np.random.Generator) -> Tie | None:
    """On the lowest edge, the grouping whose smallest group is smallest, then of the lowest operations.

    The first minimum that the original study's code meets: where nothing is told apart, `none` against the rest.
    """
    return min(tied, key=lambda tie: (tie.candidate.edge, sorted((len(group), group) for group in tie.groups)))


def random(tied: list[Tie], rng: np.random.Generator) -> Tie | None:
    """One drawn uniformly."""
    return tied[rng.integers(len(tied))]


def keep(tied: list[Tie], rng: np.random.Generator) -> Tie | None:
    """None of them: a metric that cannot tell groupings apart does not split."""
    return None


TIES: dict[str, Callable[[list[Tie], np.random.Generator], Tie | None]] = {
    "keep": keep,
    "random": random,
    "lowest": lowest,
}
