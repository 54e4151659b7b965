"""Intervals against closed formulas, published numbers, enumeration, and how often they hold the truth."""

import itertools
import math

import numpy as np
import pytest

from jaxnas.analysis import (
    Interval,
    best_of_random,
    draws_worth,
    expected_best,
    mean_interval,
    sample_mean,
    share_interval,
)

Z = 1.959963984540054  # the 97.5 % point of the normal distribution


@pytest.mark.parametrize(("hits", "n"), [(0, 10), (1, 1), (15, 148), (386, 389), (5000, 10_000), (10, 10)])
def test_shares_have_wilsons_interval(hits, n) -> None:
    share = hits / n
    centre = (share + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * math.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
    found = share_interval(100 * share, n)
    assert found == pytest.approx((100 * share, 100 * (centre - half), 100 * (centre + half), n), abs=1e-9)


def test_shares_have_the_published_intervals() -> None:
    """Newcombe, Statistics in Medicine 17 (1998), table I, method 3: four shares and their Wilson limits."""
    published = {
        (81, 263): (0.2553, 0.3662),
        (15, 148): (0.0624, 0.1605),
        (0, 20): (0.0000, 0.1611),
        (1, 29): (0.0061, 0.1718),
    }
    for (hits, n), (low, high) in published.items():
        found = share_interval(100 * hits / n, n)
        assert (found.low, found.high) == pytest.approx((100 * low, 100 * high), abs=0.005)


def test_a_share_rounded_to_float32_counts_whole_cases() -> None:
    assert share_interval(float(np.float32(100 * 386 / 389)), 389)[1:] == share_interval(100 * 386 / 389, 389)[1:]


def test_means_have_students_interval_worked_by_hand() -> None:
    # mean 3; squared deviations 4 + 1 + 0 + 1 + 4 = 10, over n - 1 = 4: s = sqrt(2.5); t of 4 degrees: 2.776445
    half = 2.776445105 * math.sqrt(2.5) / math.sqrt(5)
    assert mean_interval(np.array([1, 2, 3, 4, 5])) == pytest.approx((3, 3 - half, 3 + half, 5), abs=1e-7)
    # two values: t of 1 degree is tan(0.475 pi)
    half = math.tan(0.475 * math.pi) * 1.0
    assert mean_interval(np.array([4.0, 6.0])) == pytest.approx((5, 5 - half, 5 + half, 2), abs=1e-7)


def test_one_value_has_a_mean_and_no_interval() -> None:
    assert mean_interval(np.array([7.5])) == Interval(7.5, None, None, 1)
    assert mean_interval(np.array([2.0, 2.0])) == Interval(2.0, 2.0, 2.0, 2)


def test_a_mean_from_a_part_of_the_population_is_the_textbook_formula() -> None:
    # Of 10 members 3 are drawn: mean 3, s2 (4 + 1 + 9) / 2, of which 1 - 3 / 10 remains.
    half = 4.302652729911275 * math.sqrt(7 / 3 * 0.7)
    assert sample_mean(np.array([1.0, 2.0, 6.0]), 10) == pytest.approx((3, 3 - half, 3 + half, 3))
    assert sample_mean(np.array([1.0, 2.0, 6.0]), 3) == (3, 3, 3, 3)  # all are known
    assert sample_mean(np.array([7.0]), 10) == (7, None, None, 1)
    assert sample_mean(np.array([7.0]), 1) == (7, 7, 7, 1)


def test_intervals_from_a_part_of_the_population_hold_its_mean_as_often_as_they_say() -> None:
    rng = np.random.default_rng(5)
    population = rng.normal(5, 2, 60)
    found = [sample_mean(rng.choice(population, 40, replace=False), 60) for _ in range(2000)]
    held = np.mean([of.low <= population.mean() <= of.high for of in found])
    assert 0.935 <= held <= 0.965


@pytest.mark.parametrize("k", [1, 2, 3, 5])
@pytest.mark.parametrize("values", [[3.0, 1.0, 2.0], [5.0, 5.0, 1.0, 2.0], [4.0]], ids=str)
def test_the_expected_best_is_that_of_all_draws(values, k) -> None:
    draws = list(itertools.product(values, repeat=k))
    assert expected_best(np.array(values), k) == pytest.approx(sum(map(max, draws)) / len(draws))


@pytest.mark.parametrize(("values", "k"), [([3.0, 1.0, 2.0, 7.0], 3), ([5.0, 5.0, 1.0], 5), ([4.0], 2)], ids=str)
def test_the_best_of_random_ones_has_the_quantiles_of_all_draws(values, k) -> None:
    best = np.sort([max(draw) for draw in itertools.product(values, repeat=k)])
    found = best_of_random(np.array(values), k)
    low, high = (best[math.ceil(len(best) * q - 1e-9) - 1] for q in (0.025, 0.975))
    assert found == pytest.approx((best.mean(), low, high, k))


def test_the_best_of_random_ones_is_that_of_simulation() -> None:
    rng = np.random.default_rng(0)
    values = rng.beta(6, 2, 15_625) * 100
    best = rng.choice(values, (100_000, 8)).max(1)
    assert best_of_random(values, 8) == pytest.approx((best.mean(), *np.quantile(best, [0.025, 0.975]), 8), rel=3e-3)


def test_what_a_value_is_worth_in_draws_is_the_first_that_reaches_it() -> None:
    values = np.array([1.0, 2.0, 3.0, 10.0])
    for k in (1, 2, 3, 7, 40):
        expected = expected_best(values, k)
        assert draws_worth(values, expected - 1e-9) == k and draws_worth(values, expected + 1e-9) == k + 1
    assert draws_worth(values, 0.0) == 1
    assert draws_worth(values, 10.5) is None and draws_worth(values, 9.99, most=4) is None
