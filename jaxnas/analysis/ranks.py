"""How well scores rank architectures; numpy, all resamplings at once."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from jaxnas.analysis.intervals import LEVEL, Interval

RESAMPLES = 1000
FEWEST = 5  # below this many architectures resampling says nothing, and no interval is given


class RankCorrelation(NamedTuple):
    """Agreement of two rankings; None where a ranking is constant or has fewer than two entries."""

    kendall: Interval | None  # tau-b, exact with ties
    spearman: Interval | None
    n: int


def rank_correlation(scores: np.ndarray, truth: np.ndarray) -> RankCorrelation:
    """Kendall tau-b and Spearman of scores [A] against the truth [A].

    Intervals are percentiles over 1,000 resamplings of the architectures, the same draws for every call.
    """
    n = len(scores)
    if n < 2 or np.ptp(scores) == 0 or np.ptp(truth) == 0:
        return RankCorrelation(None, None, n)

    def of(statistic: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]) -> Interval:
        value = float(statistic(np.ones((1, n)), scores, truth)[0])
        if n < FEWEST:
            return Interval(value, None, None, n)
        draws = np.random.default_rng(0).integers(n, size=(RESAMPLES, n))
        counts = np.stack([np.bincount(row, minlength=n) for row in draws])
        # A resampling in which a ranking is constant has no correlation.
        low, high = np.nanquantile(statistic(counts, scores, truth), [0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
        return Interval(value, float(low), float(high), n)

    return RankCorrelation(of(_kendall), of(_spearman), n)


def top_share(truth: np.ndarray, share: float) -> np.ndarray:
    """Which architectures are at least as good as the one of rank round(share * A); ties included. -> bool [A]."""
    rank = max(1, round(share * len(truth)))
    return truth >= np.sort(truth)[-rank]


def _kendall(counts: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Tau-b of R samples [R] in which entry i occurs counts[r, i] times; NaN where a ranking is constant."""
    order_x, order_y = np.sign(x[:, None] - x[None]), np.sign(y[:, None] - y[None])

    def pairs(weights: np.ndarray) -> np.ndarray:
        return ((counts @ weights) * counts).sum(1)

    return _ratio(pairs(order_x * order_y), pairs(order_x**2) * pairs(order_y**2))


def _spearman(counts: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Spearman's rho of the same samples: Pearson's correlation of ranks, equal entries sharing the mean rank."""

    def centred(values: np.ndarray) -> np.ndarray:
        # The rank of i, up to a constant: how many entries are smaller, and half of those that are equal.
        ranks = counts @ (np.sign(values[None] - values[:, None]) / 2 + 0.5)
        return ranks - (counts * ranks).sum(1, keepdims=True) / counts.sum(1, keepdims=True)

    a, b = centred(x), centred(y)
    return _ratio((counts * a * b).sum(1), (counts * a * a).sum(1) * (counts * b * b).sum(1))


def _ratio(product: np.ndarray, squares: np.ndarray) -> np.ndarray:
    """product / sqrt(squares), within -1 .. 1 whatever rounding does."""
    root = np.sqrt(np.where(squares > 0, squares, np.nan))
    return np.clip(product / root, -1.0, 1.0)
