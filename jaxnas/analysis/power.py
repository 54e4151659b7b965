"""How many seeds a difference needs to be told; numpy, scipy."""

import numpy as np

from jaxnas.analysis.intervals import LEVEL

MOST = 1 << 20  # seeds that are looked at
AT, WEIGHTS = np.polynomial.legendre.leggauss(100)  # of the quadrature


def power_of(seeds: int, deviation: float, difference: float = 1.0, level: float = LEVEL) -> float:
    """Probability that a paired t-test over so many seeds tells a difference, two-sided at 1 - `level`.

    deviation: of the differences between seeds, in the unit of `difference`. For normal differences: the noncentral t
    distribution (Cohen, Statistical Power Analysis, 1988, chapter 2), as a mean over the deviation that is measured;
    scipy's own fails where one tail is very small.
    """
    from scipy import stats

    if deviation == 0:
        return 1.0
    degrees, shift = seeds - 1, difference / deviation * seeds**0.5
    measured = np.sqrt(stats.chi2.ppf((1 + AT) / 2, degrees) / degrees)  # as a multiple of the true one
    bound = stats.t.ppf(0.5 + level / 2, degrees) * measured
    return float(WEIGHTS / 2 @ (stats.norm.sf(bound - shift) + stats.norm.cdf(-bound - shift)))


def seeds_needed(deviation: float, difference: float = 1.0, power: float = 0.8, level: float = LEVEL) -> int | None:
    """Fewest seeds, at least 2, with which `power_of` is at least `power`; None if that takes more than a million."""
    low, high = 1, 2
    while power_of(high, deviation, difference, level) < power:
        low, high = high, 2 * high
        if high > MOST:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power_of(middle, deviation, difference, level) >= power else (middle, high)
    return high
