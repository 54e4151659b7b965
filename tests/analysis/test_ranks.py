"""Rank correlations and their intervals against brute force; what counts as the top."""

import math

import numpy as np
import pytest
from scipy import stats

from jaxnas.analysis import (
    RankCorrelation,
    pearson,
    rank_correlation,
    sparse_kendall,
    split_kendall,
    top_kendall,
    top_share,
)


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


def product_moment(x: np.ndarray, y: np.ndarray) -> float:
    x, y = x - x.mean(), y - y.mean()
    return float(x @ y / np.sqrt((x @ x) * (y @ y)))


@pytest.mark.parametrize("levels", [3, 8, None], ids=["many ties", "some ties", "no ties"])
def test_correlations_are_those_of_brute_force(levels):
    rng = np.random.default_rng(0)
    truth = rng.normal(size=40)
    scores = truth + rng.normal(size=40)
    if levels is not None:
        scores, truth = np.floor(scores * levels / 4), np.floor(truth * levels / 4)
        assert len(np.unique(scores)) < 40 and len(np.unique(truth)) < 40
    found = rank_correlation(scores, truth)
    assert found.kendall.value == pytest.approx(kendall_tau_b(scores, truth))
    assert found.spearman.value == pytest.approx(product_moment(average_ranks(scores), average_ranks(truth)))
    for interval in (found.kendall, found.spearman):
        assert -1 <= interval.low < interval.value < interval.high <= 1
        assert interval.n == found.n == 40


def test_correlations_and_resamplings_are_those_of_scipy():
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 20, 30).astype(float)
    scores = np.floor(truth / 3 + rng.normal(size=30))
    found, draws = rank_correlation(scores, truth), np.random.default_rng(0).integers(30, size=(1000, 30))
    for interval, statistic in ((found.kendall, stats.kendalltau), (found.spearman, stats.spearmanr)):
        values = [statistic(scores[row], truth[row]).statistic for row in draws]
        low, high = np.quantile(values, [0.025, 0.975])
        assert interval == pytest.approx((statistic(scores, truth).statistic, low, high, 30))


def test_a_case_with_a_tie_worked_by_hand():
    found = rank_correlation(np.array([1.0, 2.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0, 4.0]))
    assert found.kendall == pytest.approx((5 / np.sqrt(5 * 6), None, None, 4))  # too few for an interval
    assert found.spearman == pytest.approx((4.5 / np.sqrt(4.5 * 5), None, None, 4))


def test_intervals_are_percentiles_over_resampled_architectures():
    rng = np.random.default_rng(1)
    truth = rng.normal(size=12)
    scores = truth + rng.normal(size=12)
    found = rank_correlation(scores, truth)
    assert rank_correlation(scores, truth) == found
    other = np.random.default_rng(99)  # other draws than the function's
    taus = []
    for _ in range(2000):
        drawn = other.integers(12, size=12)
        if np.ptp(scores[drawn]) > 0:
            taus.append(kendall_tau_b(scores[drawn], truth[drawn]))
    assert (found.kendall.low, found.kendall.high) == pytest.approx(tuple(np.quantile(taus, [0.025, 0.975])), abs=0.08)


def test_more_architectures_make_narrower_intervals():
    rng = np.random.default_rng(2)
    truth = rng.normal(size=200)
    scores = truth + rng.normal(size=200)
    few, many = (rank_correlation(scores[:n], truth[:n]).kendall for n in (20, 200))
    assert few.high - few.low > 2 * (many.high - many.low) > 0


@pytest.mark.parametrize("sign", [1, -1], ids=["same order", "reversed"])
def test_only_the_order_counts(sign):
    truth = np.random.default_rng(0).permutation(30).astype(float)
    found = rank_correlation(sign * np.exp(truth / 5), truth)
    for interval in (found.kendall, found.spearman):
        assert interval == pytest.approx((sign, sign, sign, 30))
        assert {type(value) for value in interval} == {float, int}  # JSON takes them as they are


@pytest.mark.parametrize(
    ("scores", "truth"),
    [
        ([2.0, 2.0, 2.0], [1.0, 2.0, 3.0]),
        ([1.0, 2.0, 3.0], [2.0, 2.0, 2.0]),
        ([0.0] * 6, [5.0] * 6),
        ([1.0], [2.0]),
        ([], []),
    ],
    ids=["constant scores", "constant truth", "both constant", "one entry", "no entry"],
)
def test_nothing_to_rank_gives_none(scores, truth):
    assert rank_correlation(np.array(scores), np.array(truth)) == RankCorrelation(None, None, len(scores))


def test_a_resampling_without_two_values_does_not_count():
    truth = np.arange(5.0)
    scores = np.array([0.0, 0, 0, 0, 1])  # a third of the resamplings have none of the last, and no correlation
    found = rank_correlation(scores, truth)
    assert found.kendall.value == pytest.approx(kendall_tau_b(scores, truth))
    assert 0 < found.kendall.low <= found.kendall.high <= 1


@pytest.mark.parametrize(
    ("truth", "share", "expected"),
    [
        ([5, 1, 4, 2, 3], 0.4, [5, 4]),
        ([5, 1, 4, 2, 3], 0.1, [5]),
        ([5, 4, 4, 4, 3], 0.4, [5, 4, 4, 4]),  # all that are as good as the second
        ([1, 1, 1], 0.1, [1, 1, 1]),
        ([3], 0.1, [3]),
        (list(range(200)), 0.1, list(range(180, 200))),
    ],
)
def test_the_top_is_a_share_and_its_ties(truth, share, expected):
    truth = np.array(truth, float)
    assert sorted(truth[top_share(truth, share)].tolist()) == sorted(map(float, expected))


def sample(n: int = 40, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = np.round(rng.normal(70, 10, n), 2)
    return np.round(truth + rng.normal(0, 12, n)), truth


def test_pearson_and_its_resamplings_are_those_of_scipy():
    scores, truth = sample(30)
    draws = np.random.default_rng(0).integers(30, size=(1000, 30))
    low, high = np.quantile([stats.pearsonr(scores[row], truth[row]).statistic for row in draws], [0.025, 0.975])
    assert pearson(scores, truth) == pytest.approx((stats.pearsonr(scores, truth).statistic, low, high, 30))
    assert pearson(scores, np.ones(30)) is None


def test_sparse_kendall_counts_what_lies_in_one_tenth_of_a_point_as_tied():
    scores, truth = sample()
    near = truth[:20] + 0.001  # a repetition of each of the first
    scores, truth = np.concatenate([scores, scores[:20] - 50]), np.concatenate([truth, near])
    bins = np.array([math.floor(round(t * 10, 6)) for t in truth])
    assert sparse_kendall(scores, truth).value == pytest.approx(kendall_tau_b(scores, bins))
    assert sparse_kendall(scores, truth).value != pytest.approx(kendall_tau_b(scores, truth))
    # 93.3 is in the bin of 93.39 and not of 93.29, though 93.3 / 0.1 is less than 933 in floating point
    assert 93.3 / 0.1 < 933
    assert sparse_kendall(np.array([1.0, 2.0, 2.0]), np.array([93.29, 93.3, 93.39])).value == 1
    assert sparse_kendall(np.array([1.0, 2.0]), np.array([93.31, 93.32])) is None
    assert sparse_kendall(np.array([1.0, 2.0]), np.array([93.31, 93.32]), width=0.01).value == 1


def test_tau_of_the_top_is_that_of_the_best_by_truth_alone():
    scores, truth = sample(60)
    best = np.argsort(-truth)[:12]
    assert top_kendall(scores, truth, 0.2).value == pytest.approx(kendall_tau_b(scores[best], truth[best]))
    assert top_kendall(scores, truth, 0.2).n == 12


@pytest.mark.parametrize("seed", range(3))
def test_tau_within_and_between_sub_supernets_counts_its_pairs_and_adds_up(seed):
    scores, truth = sample(seed=seed)
    leaf = np.random.default_rng(seed).integers(0, 4, 40)
    scores = scores + 10 * leaf  # leaves of their own levels
    sums = {True: [0, 0, 0], False: [0, 0, 0]}
    for i in range(40):
        for j in range(i):
            a, b = np.sign(scores[i] - scores[j]), np.sign(truth[i] - truth[j])
            for at, value in enumerate((a * b, a * a, b * b)):
                sums[bool(leaf[i] == leaf[j])][at] += value
    found = split_kendall(scores, truth, leaf)
    for got, (agree, x, y) in ((found.within, sums[True]), (found.between, sums[False])):
        assert got.value == pytest.approx(agree / math.sqrt(x * y))
        assert got.low < got.value < got.high
    (s, x, y), (t, u, v) = sums[True], sums[False]
    assert found.whole.value == pytest.approx(kendall_tau_b(scores, truth))
    assert found.between_part.value == pytest.approx(t / math.sqrt((x + u) * (y + v)))
    assert found.whole.value - found.between_part.value == pytest.approx(s / math.sqrt((x + u) * (y + v)))


def test_scores_that_only_order_the_leaves_have_no_tau_within_them():
    truth = np.arange(12.0)
    found = split_kendall(np.repeat([0.0, 1, 2], 4), truth, np.repeat([0, 1, 2], 4))
    assert found.within is None and found.between.value == 1
    assert found.between_part.value == found.whole.value == pytest.approx(48 / math.sqrt(48 * 66))
    alone = split_kendall(truth, truth, np.zeros(12, int))
    assert alone.between is None and alone.within.value == 1 and alone.between_part.value == 0
