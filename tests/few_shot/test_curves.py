"""Curves of the ranking on the toy space, worked by hand."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from jaxnas.few_shot.config import TruthConfig
from jaxnas.few_shot.controls import Contender, Supernets
from jaxnas.few_shot.curves import curve_rows, measures
from jaxnas.few_shot.follow import followed_cells
from jaxnas.few_shot.stages import Chosen

TRUTH = {(1, 1): 50.0, (1, 2): 80.0, (2, 1): 60.0, (2, 2): 90.0}
SCORES = {(1, 1): 20.0, (1, 2): 40.0, (2, 1): 30.0, (2, 2): 35.0}


def test_rows_join_the_scores_of_leaves_with_the_truth(context, tree) -> None:
    context = context._replace(config=replace(context.config, truth=TruthConfig(alone=4, every=1)))
    cells = followed_cells(context)
    truth = np.array([TRUTH[tuple(row)] for row in cells.tolist()])
    of_leaf = [[tuple(row) for row in cells[tree.route(cells) == k].tolist()] for k in (0, 1)]
    metrics = [
        {"stage": "warm_up", "epoch": 2, "leaf": 0, "sample": [-SCORES[tuple(row)] for row in cells.tolist()]},
        {"stage": "leaves", "epoch": 1, "leaf": 0, "loss": 1.0},
        {"stage": "search", "generation": 1, "leaf": 0},
        *(
            {"stage": "leaves", "epoch": epoch, "leaf": k, "sample": [sign * epoch * SCORES[row] for row in rows]}
            for epoch, sign in ((2, -1), (4, 1))
            for k, rows in enumerate(of_leaf)
        ),
    ]
    # 128 images an epoch: 2 of warm-up, 4 of two leaves, and 384 that scored.
    images = (2 + 2 * 4) * 128 + 384
    ours = Contender("split", "method", Chosen(0, cells[0], 1.0), images, 4, Supernets(tree, None, []))
    alone = ours._replace(name="best of 2", kind="random_alone", supernets=None)
    first, second, third = curve_rows(context, [ours, alone], metrics, truth)
    assert (first["contender"], first["stage"], first["epoch"], first["steps"], first["images"]) == (
        *("all", "warm_up", 2, 2 * 4, 2 * 128),
    )
    # Scores turned around: one pair of six in the right order; the best score is that of the worst cell.
    assert first["kendall"] == pytest.approx(-4 / 6) and first["regret"] == 90 - 50
    assert (second["contender"], second["stage"], second["steps"], second["images"]) == (
        *("method", "leaves", (2 + 2) * 4, (2 + 2 * 2) * 128 + 384),
    )
    assert (third["epoch"], third["images"], third["n"]) == (4, images, 4)
    assert third["kendall"] == pytest.approx(4 / 6) and third["kendall_half"] == pytest.approx(-1)
    # Turned around at the first look, and twice as large at the second: their mean ranks like the latter.
    assert second["kendall"] == second["kendall_of_mean"] == pytest.approx(-4 / 6)
    assert third["kendall_of_mean"] == third["kendall"] and third["kendall_half_of_mean"] == pytest.approx(-1)
    assert third["kendall_top"] is None and third["regret"] == 90 - 80
    assert [third[f"score_{n}_convolutions"] for n in range(3)] == [4 * 20, 4 * (40 + 30) / 2, 4 * 35]


def test_measures_are_those_of_scipy_on_the_parts() -> None:
    rng = np.random.default_rng(0)
    truth, scores = rng.permutation(200) / 2.0, rng.integers(20, size=200).astype(float)
    found = measures(scores, truth)
    for name, least in (("kendall", 0), ("kendall_half", 50), ("kendall_top", 90)):
        part = truth >= least
        assert found[name] == pytest.approx(stats.kendalltau(scores[part], truth[part]).statistic, abs=1e-12)
    assert found["regret"] == pytest.approx(99.5 - truth[scores == 19].mean())
