"""Precision, best rank and regret at k, against every way to break the ties."""

import itertools

import numpy as np
import pytest

from jaxnas.analysis import top_k
from jaxnas.types import UserError


def by_hand(scores: np.ndarray, truth: np.ndarray, k: int) -> tuple[float, float, float]:
    """Means over all sets of k that hold everything with a higher score than what they leave out."""
    good = truth >= sorted(truth, reverse=True)[k - 1]
    rows = []
    for kept in itertools.combinations(range(len(scores)), k):
        rest = [i for i in range(len(scores)) if i not in kept]
        if rest and min(scores[list(kept)]) < max(scores[rest]):
            continue
        best = truth[list(kept)].max()
        rows.append((good[list(kept)].mean(), 1 + (truth > best).sum(), truth.max() - best))
    return tuple(np.mean(rows, 0))


@pytest.mark.parametrize("levels", [None, 4, 2], ids=["no ties", "some ties", "many ties"])
@pytest.mark.parametrize("k", [1, 3, 9, 10])
def test_they_are_means_over_all_ways_to_break_ties(levels, k) -> None:
    rng = np.random.default_rng(k)
    truth = rng.integers(0, 8, 10) / 4
    scores = truth + rng.normal(size=10)
    scores = scores if levels is None else np.floor(levels * scores / 4)
    assert top_k(scores, truth, k) == pytest.approx(by_hand(scores, truth, k))


def test_scores_that_are_all_equal_are_a_draw_without_replacement() -> None:
    found = top_k(np.zeros(15_625), np.arange(15_625.0), 10)
    assert found.precision == pytest.approx(10 / 15_625)
    # The expected smallest of k of the ranks 1 .. n is (n + 1) / (k + 1).
    assert found.best_rank == pytest.approx(15_626 / 11)
    assert found.regret == pytest.approx(15_626 / 11 - 1)


def test_a_perfect_order_has_no_regret() -> None:
    truth = np.random.default_rng(0).permutation(50) / 7
    assert top_k(np.exp(truth), truth, 5) == (1.0, 1.0, 0.0)
    assert top_k(-truth, truth, 5) == pytest.approx((0.0, 46.0, 45 / 7))


@pytest.mark.parametrize("k", [0, 4])
def test_a_k_that_there_is_not_is_told(k) -> None:
    with pytest.raises(UserError, match=f"k must be 1 to 3, the number of architectures, not {k}"):
        top_k(np.arange(3.0), np.arange(3.0), k)
