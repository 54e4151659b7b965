"""Several methods on several tasks: average ranks, and how far apart they must be to differ."""

from typing import NamedTuple

import numpy as np

from jaxnas.analysis.intervals import LEVEL


class Comparison(NamedTuple):
    """M methods on T tasks by their ranks; 1 is the best."""

    ranks: np.ndarray  # float [M], means over tasks; equal values share the mean of their ranks
    p: float  # Friedman's test that all methods are alike
    critical_difference: float  # average ranks that differ by less are not told apart (Nemenyi, 5 %)


def compare(values: np.ndarray) -> Comparison:
    """Friedman's test with ties and Nemenyi's critical difference. values float [T, M], larger is better.

    Demsar, Statistical Comparisons of Classifiers over Multiple Data Sets, JMLR 7 (2006). Tasks count as independent;
    where they are not, less is certain than it says. At least 3 methods.
    """
    from scipy import stats

    tasks, methods = values.shape
    ranks = stats.rankdata(-values, axis=1).mean(0)
    studentized = float(stats.studentized_range.ppf(LEVEL, methods, np.inf))
    difference = studentized / 2**0.5 * (methods * (methods + 1) / (6 * tasks)) ** 0.5
    return Comparison(ranks, float(stats.friedmanchisquare(*values.T).pvalue), difference)


def against(values: np.ndarray, control: int) -> np.ndarray:
    """p of the two-sided Wilcoxon signed-rank test of every method against one of them; [M], 1 for itself.

    values float [T, M], a pair for each task; pairs without a difference are left out. With Holm's correction for
    the M - 1 tests.
    """
    from scipy import stats

    others = [i for i in range(values.shape[1]) if i != control]
    differences = values[:, others] - values[:, [control]]
    p = np.array([stats.wilcoxon(d[d != 0]).pvalue if (d != 0).any() else 1.0 for d in differences.T])
    order = np.argsort(p)
    corrected = np.maximum.accumulate(np.minimum(1.0, p[order] * np.arange(len(p), 0, -1)))
    found = np.ones(values.shape[1])
    found[np.array(others)[order]] = corrected
    return found
