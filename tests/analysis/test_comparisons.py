"""Average ranks and what tells them apart, against closed formulas, printed critical values, and the study's checks."""

import numpy as np
import pytest
from scipy import stats

from jaxnas.analysis import against, best_of_random, compare
from jaxnas.analysis.published import PUBLISHED, SEARCHES
from jaxnas.benchmarks import read_csv
from jaxnas.spaces import NAS_BENCH_201


@pytest.mark.parametrize(("methods", "critical"), [(3, 2.343), (4, 2.569), (5, 2.728), (10, 3.164)])
def test_critical_differences_are_those_of_the_printed_table(methods, critical) -> None:
    """Demsar, JMLR 7 (2006), table 5 (a); 4 classifiers on 14 data sets are told apart by 1.25 ranks."""
    found = compare(np.random.default_rng(0).normal(size=(14, methods))).critical_difference
    assert found == pytest.approx(critical * (methods * (methods + 1) / (6 * 14)) ** 0.5, abs=1e-3)
    if methods == 4:
        assert found == pytest.approx(1.25, abs=0.005)


def test_friedmans_test_is_its_formula() -> None:
    values = np.random.default_rng(1).normal(size=(9, 5)) + np.arange(5) / 2
    ranks = np.array([[1 + (row > v).sum() for v in row] for row in values]).mean(0)
    chi2 = 12 * 9 / (5 * 6) * ((ranks**2).sum() - 5 * 6**2 / 4)
    found = compare(values)
    assert found.ranks == pytest.approx(ranks) and found.p == pytest.approx(stats.chi2.sf(chi2, 4))
    assert compare(np.array([[3.0, 2, 2], [1, 1, 0]])).ranks.tolist() == [1.25, 2.0, 2.75]


def test_pairs_are_wilcoxons_by_counting_signs_and_holms() -> None:
    rng = np.random.default_rng(2)
    control = rng.normal(size=12)
    much, little = control + 1 + rng.random(12), control + rng.normal(size=12) / 100
    p = against(np.stack([little, control, much, control], 1), 1)
    assert p[1] == 1 and p[3] == 1  # itself, and what never differs
    assert p[2] == pytest.approx(3 * 2 / 2**12)  # all 12 signs alike, the smallest of three p
    difference = little - control
    ranks = np.array([1 + (abs(difference) < abs(d)).sum() for d in difference])
    sums = [ranks[[bool(signs >> i & 1) for i in range(12)]].sum() for signs in range(2**12)]
    lower = min(ranks[difference > 0].sum(), ranks[difference < 0].sum())
    assert p[0] == pytest.approx(min(1, 2 * 2 * np.mean(np.array(sums) <= lower)))


def test_the_published_tables_have_the_shape_and_the_extremes_that_are_printed() -> None:
    assert {name: len(rows) for name, rows in PUBLISHED.items()} == dict.fromkeys(PUBLISHED, 11)
    best = {name: max(row["DSNAS"] for row in rows.values()) for name, rows in PUBLISHED.items()}
    assert best == {"cifar10": (94.36, 0.0), "cifar100": (73.51, 0.0), "imagenet16-120": (46.85, 0.0)}
    for rows in PUBLISHED.values():
        for row in rows.values():
            assert tuple(row) == SEARCHES and row["DARTS-1"].spread is None and row["SNAS"].spread is not None


def test_the_published_tables_against_random_splits() -> None:
    splits = [s for s in PUBLISHED["cifar10"] if s != "none"]
    values = np.array(
        [[rows[s][search].accuracy for s in splits] for rows in PUBLISHED.values() for search in SEARCHES]
    )
    found, control = compare(values), splits.index("random")
    ranks = dict(zip(splits, found.ranks, strict=True))
    assert ranks["gm"] == pytest.approx(2.4, abs=0.05) and ranks["random"] == pytest.approx(6.3, abs=0.05)
    assert found.p == pytest.approx(0.07, abs=0.005)
    wins = (values > values[:, [control]]).sum(0)
    assert wins[splits.index("gm")] == 12
    p = against(values, control)
    assert p[splits.index("gm")] == pytest.approx(9 * 2 / 2**12)
    assert [s for s, of in zip(splits, p, strict=True) if of < 0.05] == ["gm"]
    worse = sum(
        rows[s]["SNAS"].accuracy < rows["none"]["SNAS"].accuracy for rows in PUBLISHED.values() for s in splits[1:]
    )
    assert worse == 13


def test_the_published_tables_against_random_cells(data_folder) -> None:
    table = read_csv(NAS_BENCH_201, data_folder / "nats_bench_tss_200epochs.csv").accuracies
    chance = {name: best_of_random(table[name], 8).value for name in PUBLISHED}
    assert chance == pytest.approx({"cifar10": 92.97, "cifar100": 69.58, "imagenet16-120": 42.99}, abs=0.005)
    below = [
        sum(
            row[search].accuracy < chance[name]
            for name, rows in PUBLISHED.items()
            for s, row in rows.items()
            if s != "none"
        )
        for search in SEARCHES
    ]
    assert below == [30, 12, 0, 3]
