"""Crossed intervals against simulations with known expectations, and their numbers against scipy."""

import numpy as np
import pytest
from scipy import stats

from jaxnas.analysis import crossed_difference, crossed_kendall, mean_interval, reliability

ARCHITECTURES = 60


def simulate(
    rng: np.random.Generator, repetitions: int, seeds: int, spread: float, noise: float, cells: int = ARCHITECTURES
) -> tuple[np.ndarray, np.ndarray]:
    """Qualities [R, A] and scores [R, S, A]: quality times the slope of the seed, plus noise."""
    quality = rng.standard_normal((repetitions, cells))
    slope = 1 + spread * rng.standard_normal((repetitions, seeds, 1))
    return quality, quality[:, None] * slope + noise * rng.standard_normal((repetitions, seeds, cells))


def covered(found: list, true: float) -> float:
    return float(np.mean([of.low <= true <= of.high for of in found]))


@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize(("spread", "noise"), [(0.0, 1.0), (0.2, 1.0), (0.5, 1.5)])
def test_the_mean_over_seeds_lies_in_its_interval_as_often_as_it_says(seeds: int, spread: float, noise: float) -> None:
    rng = np.random.default_rng(seeds)
    # tau is unbiased in architectures, so small tables tell its expectation.
    quality, scores = simulate(rng, 20_000, 1, spread, noise, 20)
    order = np.sign(quality[:, :, None] - quality[:, None]) * np.sign(scores[:, 0, :, None] - scores[:, 0, None])
    true = float(order.sum() / (len(order) * 20 * 19))
    truths, scores = simulate(rng, 700, seeds, spread, noise)
    found = [crossed_kendall(s, q) for s, q in zip(scores, truths, strict=True)]
    assert 0.92 <= covered(found, true) <= 0.985


@pytest.mark.parametrize("seeds", [3, 5])
def test_a_paired_difference_lies_in_its_interval_as_often_as_it_says(seeds: int) -> None:
    rng = np.random.default_rng(10 + seeds)
    found, paired, unpaired = [], [], []
    for _ in range(500):
        quality, shared = simulate(rng, 1, seeds, 0.2, 1.0)
        a, b = (shared[0] + 0.3 * rng.standard_normal(shared[0].shape) for _ in range(2))
        found.append(crossed_difference(a, b, quality[0]))
        paired.append(found[-1].high - found[-1].low)
        alone = crossed_kendall(a, quality[0])
        unpaired.append(alone.high - alone.low)
    assert 0.92 <= covered(found, 0.0) <= 0.985  # both are alike
    assert np.mean(paired) < np.mean(unpaired) / 2  # what they share leaves the difference


@pytest.mark.parametrize("seeds", [3, 5])
def test_the_reliability_lies_in_its_interval_as_often_as_it_says(seeds: int) -> None:
    rng = np.random.default_rng(20 + seeds)
    scores = simulate(rng, 20_000, 2, 0.2, 1.0, 20)[1]
    order = np.sign(scores[..., :, None] - scores[..., None, :]).prod(1)
    true = float(order.sum() / (len(order) * 20 * 19))
    found = [reliability(s) for s in simulate(rng, 500, seeds, 0.2, 1.0)[1]]
    assert 0.92 <= covered(found, true) <= 0.985


def test_values_are_means_of_tau_b() -> None:
    rng = np.random.default_rng(0)
    truth, scores, others = rng.integers(6, size=12), rng.integers(6, size=(3, 12)), rng.integers(6, size=(3, 12))
    taus = np.array([stats.kendalltau(s, truth).statistic for s in scores])
    found = crossed_kendall(scores, truth)
    assert found.value == pytest.approx(taus.mean(), abs=1e-12)
    assert (found.seeds, found.n) == (3, 12)
    less = np.mean([stats.kendalltau(s, truth).statistic for s in others])
    assert crossed_difference(scores, others, truth).value == pytest.approx(taus.mean() - less, abs=1e-12)
    pairs = [stats.kendalltau(scores[i], scores[j]).statistic for i, j in ((0, 1), (0, 2), (1, 2))]
    assert reliability(scores).value == pytest.approx(np.mean(pairs), abs=1e-12)


def test_of_seeds_that_order_all_pairs_alike_only_architectures_are_uncertain() -> None:
    rng = np.random.default_rng(1)
    truth, scores = rng.standard_normal(40), rng.standard_normal(40)
    one = crossed_kendall(scores[None], truth)
    left = [stats.kendalltau(np.delete(scores, a), np.delete(truth, a)).statistic for a in range(40)]
    half = stats.t.ppf(0.975, 39) * np.sqrt(39 / 40 * ((left - np.mean(left)) ** 2).sum())
    assert one.high - one.value == pytest.approx(half, abs=1e-12)
    assert one.seeds == 1
    assert crossed_kendall(np.stack([scores] * 4), truth)[1:3] == pytest.approx(one[1:3], abs=1e-9)
    assert reliability(np.stack([scores, truth])).seeds == 2


def test_with_very_many_architectures_only_seeds_are_uncertain() -> None:
    rng = np.random.default_rng(2)
    truth = rng.standard_normal(1500)
    scores = truth + np.array([0.5, 1.0, 2.0])[:, None] * rng.standard_normal((3, 1500))
    found = crossed_kendall(scores, truth)
    of_seeds = mean_interval(np.array([stats.kendalltau(s, truth).statistic for s in scores]))
    assert found.high - found.low == pytest.approx(of_seeds.high - of_seeds.low, rel=0.01)


def test_what_cannot_be_told_is_none() -> None:
    truth = np.arange(10.0)
    assert crossed_kendall(np.stack([truth, np.zeros(10)]), truth) is None
    few = crossed_kendall(truth[None, :4], truth[:4])
    assert (few.value, few.low, few.high, few.n) == (1.0, None, None, 4)
    with pytest.raises(ValueError, match="two seeds"):
        reliability(truth[None])
