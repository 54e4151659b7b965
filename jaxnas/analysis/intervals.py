"""Intervals of 95 % for means, shares and differences, and what random choice gives; numpy and scipy."""

from typing import NamedTuple

import numpy as np

LEVEL = 0.95


class Interval(NamedTuple):
    """A value with its interval of 95 %: low and high are None where n does not allow one, n where it is not known."""

    value: float
    low: float | None = None
    high: float | None = None
    n: int | None = None


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


def sample_mean(values: np.ndarray, members: int) -> Interval:
    """Mean of a population of so many members from values [A] of some, drawn at random without replacement.

    Student's interval with the finite-population correction (Cochran, Sampling Techniques, chapter 2).
    """
    found, drawn = mean_interval(values), len(values)
    if drawn == members:
        return found._replace(low=found.value, high=found.value)
    if found.low is None or found.high is None:
        return found
    half = (found.high - found.value) * (1 - drawn / members) ** 0.5
    return found._replace(low=found.value - half, high=found.value + half)


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
