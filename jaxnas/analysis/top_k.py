"""What the best by score are worth by truth; ties of scores are broken in every way, and the expectation is exact."""

from typing import NamedTuple

import numpy as np

from jaxnas.types import UserError


class TopK(NamedTuple):
    """The k architectures of the highest scores, expected over all ways to break ties of scores."""

    precision: float  # the share of them that is as good as the k-th best by truth
    best_rank: float  # rank by truth of the best of them; 1 is the best, and equal ones share the smallest rank
    regret: float  # best truth of all minus the best of them, in the units of the truth


def top_k(scores: np.ndarray, truth: np.ndarray, k: int) -> TopK:
    """Precision, best rank and regret at k. scores, truth float [A]. Raises UserError for k outside 1 .. A."""
    n = len(truth)
    if not 1 <= k <= n:
        raise UserError(f"k must be 1 to {n}, the number of architectures, not {k}")
    ordered = np.sort(truth)
    last = np.sort(scores)[-k]  # the score that may be shared by more than there are places left
    sure, tied = scores > last, scores == last
    places = k - int(sure.sum())
    good = truth >= ordered[-k]
    precision = (good[sure].sum() + places * good[tied].mean()) / k
    rank = n + 1 - np.searchsorted(ordered, truth, side="right")
    return TopK(
        precision=float(precision),
        best_rank=-_expected_best(-rank[sure].astype(float), -rank[tied].astype(float), places),
        regret=float(ordered[-1] - _expected_best(truth[sure], truth[tied], places)),
    )


def _expected_best(sure: np.ndarray, tied: np.ndarray, places: int) -> float:
    """Expected largest of `sure` and of `places` drawn from `tied` without replacement."""
    ordered, n = np.sort(np.asarray(tied, float))[::-1], len(tied)
    least = sure.max() if len(sure) else -np.inf
    # The chance that none of the best j of the tied ones was drawn, j = 0 .. n.
    missed = np.cumprod([1.0, *((n - places - np.arange(n)).clip(0) / (n - np.arange(n)))])
    weights = -np.diff(missed)  # that the j-th best is the best drawn
    return float(weights @ np.maximum(ordered, least))
