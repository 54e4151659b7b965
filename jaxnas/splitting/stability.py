"""How far the noise between batches reaches into a grouping: bootstrap, agreement, and how many batches it takes."""

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from jaxnas.spaces.tree import Split
from jaxnas.splitting.objectives import Groups, Objective, size_normalised_cut
from jaxnas.splitting.partition import Allowed, groupings
from jaxnas.splitting.reading import EdgeReading
from jaxnas.types import UserError

RESAMPLES = 1000
TAILS = (2.5, 97.5)  # percentiles of an interval of 95 %
FEWEST = 4  # batches; of 3, more than 2.5 % of the resamplings repeat a single one, which then is the interval's end


class Stability(NamedTuple):
    """Bootstrap over batches of the grouping that was chosen on one edge; percentile intervals of 95 %.

    The margin is the value of the best other grouping minus that of the chosen one, below 0 where another one wins.
    Intervals of few batches are too narrow, by about 1 / (2 R): a flag is safe, its absence is not.
    """

    value_low: float  # of the objective
    value_high: float
    margin_low: float
    margin_high: float
    stability: float  # share of the resamplings in which the chosen grouping wins

    @property
    def stable(self) -> bool:
        """Whether the whole interval of the margin lies above 0."""
        return self.margin_low > 0


def bootstrap(
    reading: EdgeReading,
    operations: Sequence[int],
    chosen: Groups,
    rng: np.random.Generator,
    objective: Objective = size_normalised_cut,
    min_size: int = 1,
    allowed: Allowed = lambda groups: True,
) -> Stability | None:
    """The trust in the grouping `chosen` of some operations of an edge.

    Batches are drawn with replacement, whole, so that operations stay paired, and what is measured of a resampling is
    pooled as that of all batches is: scores are averaged before they are compared (Efron & Tibshirani 1993, percentile
    method). None for fewer than 4 batches that count, or where no other grouping is allowed.
    """
    others = [parts for parts in groupings(operations, len(chosen), min_size, allowed) if parts != chosen]
    repeats = reading.counted or 0
    if repeats < FEWEST or not others:
        return None
    counts = rng.multinomial(repeats, np.full(repeats, 1 / repeats), RESAMPLES)
    # Of few batches most resamplings are the same, and each is looked at once.
    drawn, place = np.unique(counts, axis=0, return_inverse=True)
    means = reading.pool(drawn / repeats)
    values = np.array([objective(mean, chosen) for mean in means])
    margins = np.array([min(objective(mean, parts) for parts in others) for mean in means]) - values
    values, margins = values[place], margins[place]
    ends = np.percentile([values, margins], TAILS, axis=1)  # [tail, value and margin]
    return Stability(
        value_low=float(ends[0, 0]),
        value_high=float(ends[1, 0]),
        margin_low=float(ends[0, 1]),
        margin_high=float(ends[1, 1]),
        stability=float((margins > 0).mean()),
    )


def adjusted_rand_index(partitions: Sequence[Groups]) -> float:
    """Mean adjusted Rand index over pairs of groupings of the same operations, say one for each initialisation.

    1: all alike; 0: as alike as chance makes groupings of these sizes (Hubert & Arabie 1985). Raises UserError for
    fewer than two groupings, or for other operations in one than in another.
    """
    from sklearn.metrics import adjusted_rand_score

    members = {tuple(sorted(op for group in parts for op in group)) for parts in partitions}
    if len(partitions) < 2 or len(members) > 1:
        raise UserError(
            f"agreement compares two or more groupings of the same operations, not {len(partitions)} of "
            f"{sorted(map(list, members))}"
        )
    labels = [[g for _, g in sorted((op, g) for g, group in enumerate(parts) for op in group)] for parts in partitions]
    return float(np.mean([adjusted_rand_score(a, b) for a, b in combinations(labels, 2)]))


class Repeats(NamedTuple):
    """What was decided of a node, how many batches that took, and whether they settled it."""

    decision: Split | str | None
    batches: int
    settled: bool  # False: the cap was reached first


def repeats_needed(
    measure: Callable[[int], Any],
    decide: Callable[[Any], Split | str | None],
    level: float = 0.95,
    most: int = 64,
    step: int = FEWEST,
) -> Repeats:
    """Batches added, `step` at a time and `most` in all, until the split of a node is settled.

    `measure(R)` gives what the first R batches say, `decide` makes of that the split, or text: why the node stays
    whole. Settled: edge and groups are those of the last look, and the grouping wins in a share of at least `level` of
    the resamplings, or has no other beside it. Looking again and again makes a false end likelier than 1 - level; that
    the winner must have been the same before makes up for some of that. Raises UserError for a step or a cap below 1.
    """
    if step < 1 or most < 1:
        raise UserError(f"step and most must be at least 1 batch, not {step} and {most}")
    count, last = 0, None
    while True:
        count = min(count + step, most)
        found = decide(measure(count))
        settled = found is None or _settles(found, last, level)  # None: no similarity can make it be split
        if settled or count == most:
            return Repeats(found, count, settled)
        last = found


def _settles(found: Split | str, last: Split | str | None, level: float) -> bool:
    if not isinstance(found, Split) or not isinstance(last, Split):
        return False
    same = (found.edge, found.groups) == (last.edge, last.groups)
    return same and (found.margin is None or (found.stability is not None and found.stability >= level))
