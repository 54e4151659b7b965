"""Power of a paired t-test against published numbers of pairs and against simulation."""

import numpy as np
import pytest
from scipy import stats

from jaxnas.analysis.power import power_of, seeds_needed


@pytest.mark.parametrize(("effect", "pairs"), [(1.0, 10), (0.5, 34), (0.2, 199), (0.8, 15)])
def test_seeds_are_those_of_published_tables(effect: float, pairs: int) -> None:
    """G*Power, matched pairs, two-sided at 5 %, power .8."""
    assert seeds_needed(1 / effect) == seeds_needed(3.0, 3 * effect) == pairs


def test_power_is_how_often_a_paired_test_tells_a_simulated_difference() -> None:
    rng = np.random.default_rng(0)
    for seeds, deviation in ((3, 0.5), (5, 1.0), (20, 1.5)):
        drawn = rng.normal(1.0, deviation, (40_000, seeds))
        told = stats.ttest_1samp(drawn, 0.0, axis=1).pvalue < 0.05
        assert power_of(seeds, deviation) == pytest.approx(told.mean(), abs=0.01)


def test_the_fewest_are_found_from_one_end_to_the_other() -> None:
    assert seeds_needed(0.0) == seeds_needed(1e-6) == 2 and seeds_needed(1e6) is None
    for deviation in np.geomspace(0.01, 100, 60):
        seeds = seeds_needed(deviation)
        assert seeds is not None and power_of(seeds, deviation) >= 0.8
        assert seeds == 2 or power_of(seeds - 1, deviation) < 0.8
    assert seeds_needed(1.0, power=0.9) == 13 and (seeds_needed(1.0, level=0.99) or 0) > 10
