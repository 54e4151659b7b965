"""Fusion in a run: what each way takes and how it ranks, on planted scores of the chain, by hand."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from jaxnas.benchmarks import Table
from jaxnas.few_shot import fusion
from jaxnas.few_shot.controls import Contender, Supernets
from jaxnas.few_shot.fusion import FUSED, PRIORS, RANDOM, SUPERNET, Fusion, fuse, fusion_rows
from jaxnas.few_shot.judge import Part
from jaxnas.few_shot.sample import reference_cells
from jaxnas.few_shot.stages import Chosen
from jaxnas.selection import Evaluated
from jaxnas.spaces import TOY

# Ranks of the priors among the four connected cells: .125, .5, .5, .875; the scores prefer (1, 2).
CELLS = np.array([[1, 1], [1, 2], [2, 1], [2, 2]], np.int32)
SCORES = {(1, 1): 50.0, (1, 2): 80.0, (2, 1): 60.0, (2, 2): 55.0}
TRUTH = np.array([10.0, 11, 12, 13, 40, 80, 15, 60, 90])


def scored(context, supernets, op_ids):
    return np.array([SCORES[tuple(row)] for row in op_ids.tolist()])


@pytest.fixture
def contender(tree, monkeypatch) -> Contender:
    monkeypatch.setattr(fusion, "scores_of", scored)
    histories = [Evaluated(CELLS[1:2], np.array([80.0])), Evaluated(CELLS[2:3], np.array([60.0]))]
    return Contender("ours", "method", Chosen(0, CELLS[1], 80.0), 1, 2, Supernets(tree, None, histories))


def with_fusion(context, cells: int, seed: int = 0):
    return context._replace(config=replace(context.config, fusion=cells, seed=seed))


def test_the_reference_is_the_same_for_every_seed_and_no_larger_than_the_space(context) -> None:
    cells = reference_cells(with_fusion(context, 99))
    assert sorted(map(tuple, cells.tolist())) == sorted(SCORES)
    np.testing.assert_array_equal(cells[:2], reference_cells(with_fusion(context, 2, seed=7)))


def test_each_way_takes_the_best_of_the_same_cells(context, contender) -> None:
    found = fuse(with_fusion(context, 4), contender, 0)
    assert sorted(found.reference) == [50, 55, 60, 80]
    # Shares of the scores: 1,1 .125; 2,2 .375; 2,1 .625; 1,2 .875. Fused: .25, 1.25, 1.125, 1.375.
    assert {way: tuple(op_ids) for way, op_ids in found.chosen.items() if way != RANDOM} == {
        **{SUPERNET: (1, 2), FUSED: (1, 2), PRIORS: (2, 2)},
    }
    drawn = {tuple(fuse(with_fusion(context, 4, seed), contender, 0).chosen[RANDOM]) for seed in range(20)}
    assert len(drawn) > 1  # chance has a part in it


def test_rows_are_taus_and_gains_over_the_priors(context, contender) -> None:
    settings = with_fusion(context, 4)
    truth = TRUTH[CELLS @ [3, 1]]
    table = Table(TOY, "planted", {"digits": TRUTH})
    uniform = Part("uniform", CELLS, np.zeros(4, int), truth, {"ours": scored(None, None, CELLS)})
    other = contender._replace(name="best of 2 random", supernets=None)
    rows = fusion_rows(settings, [other, contender], {"ours": fuse(settings, contender, 1)}, uniform, table)
    assert [(row["contender"], row["ranked_by"]) for row in rows] == [
        ("ours", way) for way in (SUPERNET, FUSED, PRIORS, RANDOM)
    ]
    of = {row["ranked_by"]: row for row in rows}
    ranked = {SUPERNET: [50, 80, 60, 55], FUSED: [0.25, 1.375, 1.125, 1.25], PRIORS: [0.125, 0.5, 0.5, 0.875]}
    for way, values in ranked.items():
        tau = stats.kendalltau(values, truth).statistic
        assert of[way]["kendall"] == pytest.approx(tau)
        gain = tau - stats.kendalltau(ranked[PRIORS], truth).statistic
        assert of[way]["kendall_over_priors"] == (None if way == PRIORS else pytest.approx(gain))
    assert of[FUSED]["true_accuracy"] == 80 and of[FUSED]["true_accuracy_over_priors"] == 80 - 90
    assert of[PRIORS]["true_accuracy_over_priors"] == 0 and of[FUSED]["n"] == 4
    without = fusion_rows(settings, [contender], {"ours": Fusion(np.ones(1), {w: CELLS[0] for w in of})}, uniform, None)
    assert {row["true_accuracy"] for row in without} == {None}
