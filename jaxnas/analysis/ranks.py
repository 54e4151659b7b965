"""How well scores rank architectures; numpy and scipy."""

from typing import NamedTuple

import numpy as np


class RankCorrelation(NamedTuple):
    """Agreement of two rankings; None where a ranking is constant or has fewer than two entries."""

    kendall: float | None  # tau-b, exact with ties
    spearman: float | None
    n: int


def rank_correlation(scores: np.ndarray, truth: np.ndarray) -> RankCorrelation:
    """Kendall tau-b and Spearman of scores [A] against the truth [A]."""
    from scipy import stats

    if len(scores) < 2 or np.ptp(scores) == 0 or np.ptp(truth) == 0:
        return RankCorrelation(None, None, len(scores))
    kendall = float(stats.kendalltau(scores, truth).statistic)
    spearman = float(stats.spearmanr(scores, truth).statistic)
    return RankCorrelation(kendall, spearman, len(scores))
