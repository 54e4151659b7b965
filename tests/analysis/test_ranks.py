"""Rank correlations against brute force."""

import numpy as np
import pytest

from jaxnas.analysis import RankCorrelation, rank_correlation


def kendall_tau_b(x: np.ndarray, y: np.ndarray) -> float:
    """Over all pairs: concordant minus discordant, by the geometric mean of the pairs untied in x and in y."""
    agree, untied_x, untied_y = 0, 0, 0
    for i in range(len(x)):
        for j in range(i):
            a, b = np.sign(x[i] - x[j]), np.sign(y[i] - y[j])
            agree += a * b
            untied_x += a != 0
            untied_y += b != 0
    return agree / np.sqrt(untied_x * untied_y)


def average_ranks(x: np.ndarray) -> np.ndarray:
    """Rank of every entry; equal entries share the mean of their ranks."""
    return np.array([(x < value).sum() + ((x == value).sum() + 1) / 2 for value in x])


def pearson(x: np.ndarray, y: np.ndarray) -> float:
    x, y = x - x.mean(), y - y.mean()
    return float(x @ y / np.sqrt((x @ x) * (y @ y)))


@pytest.mark.parametrize("levels", [3, 8, None], ids=["many ties", "some ties", "no ties"])
@pytest.mark.parametrize("seed", range(3))
def test_correlations_are_those_of_brute_force(seed, levels):
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=40)
    scores = truth + rng.normal(size=40)
    if levels is not None:
        scores, truth = np.floor(scores * levels / 4), np.floor(truth * levels / 4)
        assert len(np.unique(scores)) < 40 and len(np.unique(truth)) < 40
    found = rank_correlation(scores, truth)
    assert found.kendall == pytest.approx(kendall_tau_b(scores, truth))
    assert found.spearman == pytest.approx(pearson(average_ranks(scores), average_ranks(truth)))
    assert found.n == 40


def test_a_case_with_a_tie_worked_by_hand():
    found = rank_correlation(np.array([1.0, 2.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0, 4.0]))
    assert found.kendall == pytest.approx(5 / np.sqrt(5 * 6))
    assert found.spearman == pytest.approx(4.5 / np.sqrt(4.5 * 5))


@pytest.mark.parametrize("sign", [1, -1], ids=["same order", "reversed"])
def test_only_the_order_counts(sign):
    truth = np.random.default_rng(0).permutation(30).astype(float)
    found = rank_correlation(sign * np.exp(truth / 5), truth)
    assert (found.kendall, found.spearman) == pytest.approx((sign, sign))
    assert found.n == 30
    assert {type(value) for value in found} == {float, int}


@pytest.mark.parametrize(
    ("scores", "truth"),
    [
        ([2.0, 2.0, 2.0], [1.0, 2.0, 3.0]),
        ([1.0, 2.0, 3.0], [2.0, 2.0, 2.0]),
        ([0.0, 0.0, 0.0], [5.0, 5.0, 5.0]),
        ([1.0], [2.0]),
        ([], []),
    ],
    ids=["constant scores", "constant truth", "both constant", "one entry", "no entry"],
)
def test_nothing_to_rank_gives_none(scores, truth):
    assert rank_correlation(np.array(scores), np.array(truth)) == RankCorrelation(None, None, len(scores))
