"""Intervals of 95 % for means, shares and differences, and what random choice gives; numpy and scipy."""

from typing import NamedTuple

import numpy as np

LEVEL = 0.95


class Interval(NamedTuple):
    """A value with its interval of 95 %; low and high are None where n does not allow one."""

    value: float
    low: float | None
    high: float | None
    n: int


def share_interval(percent: float, n: int) -> Interval:
    """Wilson's interval of a share of n independent cases, in percent."""
    from scipy import stats

    result = stats.binomtest(round(percent * n / 100), n).proportion_ci(LEVEL, method="wilson")
    return Interval(percent, 100 * float(result.low), 100 * float(result.high), n)


def mean_interval(values: np.ndarray) -> Interval:
    """Mean of independent values and Student's interval of it."""
    from scipy import stats

    values, n = np.asarray(values, float), len(values)
    mean = float(values.mean())
    if n < 2:
        return Interval(mean, None, None, n)
    half = float(stats.t.ppf(0.5 + LEVEL / 2, n - 1) * values.std(ddof=1) / n**0.5)
    return Interval(mean, mean - half, mean + half, n)


def stratified_mean(values: np.ndarray, strata: np.ndarray, sizes: np.ndarray) -> Interval:
    """Mean of a population from a random sample of each stratum. values, strata [A]; sizes [K]: members of stratum k.

    The usual estimator and its normal interval, with the finite-population correction (Cochran, Sampling Techniques,
    chapter 5). A stratum with one drawn value of several members allows no interval.
    """
    weights = sizes / sizes.sum()
    mean, variance = 0.0, 0.0
    for k, (weight, size) in enumerate(zip(weights, sizes, strict=True)):
        drawn = np.asarray(values, float)[strata == k]
        mean += weight * drawn.mean()
        if len(drawn) == size:
            continue
        spread = drawn.var(ddof=1) if len(drawn) > 1 else np.nan
        variance += weight**2 * spread / len(drawn) * (1 - len(drawn) / size)
    if np.isnan(variance):
        return Interval(float(mean), None, None, len(values))
    half = 1.959964 * variance**0.5
    return Interval(float(mean), float(mean - half), float(mean + half), len(values))


def expected_best(values: np.ndarray, k: int) -> float:
    """Expected largest of k values drawn at random with replacement; exact on the sorted values."""
    ordered, n = np.sort(np.asarray(values, float)), len(values)
    return float(ordered @ np.diff((np.arange(n + 1) / n) ** k))


def best_of_random(values: np.ndarray, k: int) -> Interval:
    """Expected best of k values drawn with replacement, and the central 95 % of what the best of k comes to."""
    ordered, n = np.sort(np.asarray(values, float)), len(values)
    # The best is at most the i-th smallest (from 1) with probability (i / n)^k; rounding must not skip one.
    ends = [ordered[int(np.ceil(n * q ** (1 / k) - 1e-9)) - 1] for q in (0.5 - LEVEL / 2, 0.5 + LEVEL / 2)]
    return Interval(expected_best(values, k), float(ends[0]), float(ends[1]), k)


def draws_worth(values: np.ndarray, value: float, most: int = 1 << 20) -> int | None:
    """The smallest k whose expected best reaches a value; None if that takes more than `most` draws."""
    low, high = 0, 1
    while expected_best(values, high) < value:
        low, high = high, 2 * high
        if high > most:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if expected_best(values, middle) >= value else (middle, high)
    return high
