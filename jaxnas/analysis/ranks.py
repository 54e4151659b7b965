"""How well scores rank architectures; numpy, all resamplings at once.

A measure is None where a ranking is constant or has fewer than two entries. Intervals are percentiles over 1,000
resamplings of the architectures, the same draws for every call; arrays of A x A numbers limit A to some thousands.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from jaxnas.analysis.intervals import LEVEL, Interval

RESAMPLES = 1000
FEWEST = 5  # below this many architectures resampling says nothing, and no interval is given
Statistic = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]  # (counts [R, A], x [A], y [A]) -> [R]


class RankCorrelation(NamedTuple):
    """Agreement of two rankings; None where a ranking is constant or has fewer than two entries."""

    kendall: Interval | None  # tau-b, exact with ties
    spearman: Interval | None
    n: int


class SplitKendall(NamedTuple):
    """Kendall's tau-b of a split space, by what pairs of architectures it counts."""

    whole: Interval | None
    within: Interval | None  # only pairs in one sub-supernet
    between: Interval | None  # only pairs in two: ordering the sub-supernets rightly does most of this
    between_part: Interval | None  # what pairs in two sub-supernets add to `whole`; the rest is of pairs in one


def rank_correlation(scores: np.ndarray, truth: np.ndarray) -> RankCorrelation:
    """Kendall tau-b and Spearman of scores [A] against the truth [A], with intervals."""
    return RankCorrelation(kendall(scores, truth), spearman(scores, truth), len(scores))


def kendall(scores: np.ndarray, truth: np.ndarray) -> Interval | None:
    """Kendall's tau-b of scores [A] against the truth [A], exact with ties."""
    return _with_interval(_kendall, scores, truth)


def kendall_tau(scores: np.ndarray, truth: np.ndarray) -> float | None:
    """The same number without an interval, for many calls."""
    return _value(_kendall, scores, truth)


def spearman(scores: np.ndarray, truth: np.ndarray) -> Interval | None:
    """Spearman's rho of scores [A] against the truth [A]; equal entries share the mean of their ranks."""
    return _with_interval(_spearman, scores, truth)


def pearson(scores: np.ndarray, truth: np.ndarray) -> Interval | None:
    """Pearson's correlation of scores [A] with the truth [A]."""
    return _with_interval(_pearson, scores, truth)


def sparse_kendall(scores: np.ndarray, truth: np.ndarray, width: float = 0.1) -> Interval | None:
    """Kendall's tau-b of scores [A] against the truth [A], percent, in bins of `width` points: [0, .1), [.1, .2), ...

    Sparse Kendall of Yu et al., "An Analysis of Super-Net Heuristics in Weight-Sharing NAS" (TPAMI 2021): what differs
    by less than a repetition of the training is a tie. Their code breaks ties of scores by position; here they count
    as ties, too.
    """
    return kendall(scores, np.floor(np.round(np.asarray(truth, float) / width, 6)))


def top_kendall(scores: np.ndarray, truth: np.ndarray, share: float) -> Interval | None:
    """Kendall's tau-b among the best by truth: the top `share` of [A], ties included."""
    top = top_share(truth, share)
    return kendall(scores[top], truth[top])


def split_kendall(scores: np.ndarray, truth: np.ndarray, leaf: np.ndarray) -> SplitKendall:
    """How much of tau-b comes from ordering the sub-supernets. scores, truth float [A]; leaf int [A].

    tau-b = (S_within + S_between) / D, where S is concordant minus discordant pairs and D the geometric mean of the
    untied ones of all pairs: `between_part` is S_between / D. `within` and `between` have D of their own pairs.
    """
    same = leaf[:, None] == leaf[None]

    def measure(pairs: np.ndarray | bool, of: np.ndarray | bool) -> Interval | None:
        return _with_interval(lambda counts, x, y: _kendall(counts, x, y, pairs, of), scores, truth)

    return SplitKendall(measure(True, True), measure(same, same), measure(~same, ~same), measure(~same, True))


def top_share(truth: np.ndarray, share: float) -> np.ndarray:
    """Which architectures are at least as good as the one of rank round(share * A); ties included. -> bool [A]."""
    rank = max(1, round(share * len(truth)))
    return truth >= np.sort(truth)[-rank]


def _value(statistic: Statistic, x: np.ndarray, y: np.ndarray) -> float | None:
    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    value = float(statistic(np.ones((1, len(x))), x, y)[0])
    return None if np.isnan(value) else value  # NaN: no untied pair of the wanted kind


def _with_interval(statistic: Statistic, x: np.ndarray, y: np.ndarray) -> Interval | None:
    n, value = len(x), _value(statistic, x, y)
    if value is None:
        return None
    if n < FEWEST:
        return Interval(value, None, None, n)
    draws = np.random.default_rng(0).integers(n, size=(RESAMPLES, n))
    counts = np.stack([np.bincount(row, minlength=n) for row in draws])
    # A resampling in which a ranking is constant has no correlation.
    low, high = np.nanquantile(statistic(counts, x, y), [0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
    return Interval(value, float(low), float(high), n)


def _kendall(
    counts: np.ndarray, x: np.ndarray, y: np.ndarray, pairs: np.ndarray | bool = True, of: np.ndarray | bool = True
) -> np.ndarray:
    """Tau-b of R samples [R] in which entry i occurs counts[r, i] times; NaN where a ranking is constant.

    Counts the pairs in `pairs`, and measures by the untied ones in `of`; bool [A, A], True: all.
    """
    order_x, order_y = np.sign(x[:, None] - x[None]), np.sign(y[:, None] - y[None])

    def total(weights: np.ndarray) -> np.ndarray:
        return ((counts @ weights) * counts).sum(1)

    return _ratio(total(order_x * order_y * pairs), total(order_x**2 * of) * total(order_y**2 * of))


def _spearman(counts: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Spearman's rho of the same samples: Pearson's correlation of ranks, equal entries sharing the mean rank."""

    def ranks(values: np.ndarray) -> np.ndarray:
        # The rank of i, up to a constant: how many entries are smaller, and half of those that are equal.
        return counts @ (np.sign(values[None] - values[:, None]) / 2 + 0.5)

    return _pearson(counts, ranks(x), ranks(y))


def _pearson(counts: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Pearson's correlation of the same samples; x, y [A] or [R, A]. NaN where one is constant."""

    def centred(values: np.ndarray) -> np.ndarray:
        return values - (counts * values).sum(1, keepdims=True) / counts.sum(1, keepdims=True)

    a, b = centred(x), centred(y)
    return _ratio((counts * a * b).sum(1), (counts * a * a).sum(1) * (counts * b * b).sum(1))


def _ratio(product: np.ndarray, squares: np.ndarray) -> np.ndarray:
    """product / sqrt(squares), within -1 .. 1 whatever rounding does."""
    root = np.sqrt(np.where(squares > 0, squares, np.nan))
    return np.clip(product / root, -1.0, 1.0)
