"""Zero-Cost-PT: its proposals against the plain loop, their judgement, and what the budget allows."""

import numpy as np
import pytest

from jaxnas.selection import SELECTORS
from jaxnas.selection.discretise import ORDERS
from jaxnas.spaces import NAS_BENCH_201
from jaxnas.testing import TRIANGLE
from jaxnas.testing.selectors import MASKS, additive, index, planted
from tests.selection.planted import dirichlet, uniform
from tests.selection.test_perturbation import plain


def run(trained, mask, budget, seed=0, **settings):
    return SELECTORS["zero_cost_perturbation"](**settings)(np.random.default_rng(seed), trained, mask, budget)


@pytest.mark.parametrize("where", ["leaf", "triangle"])
@pytest.mark.parametrize("order", ORDERS)
def test_proposals_and_their_judgement_are_those_of_plain_loops(order, where) -> None:
    space, mask = MASKS[where]
    table = np.random.default_rng(1).random(space.size) * 10
    trained, calls = planted(space, table, dirichlet(mask, 2), noise=2.0)
    chosen = run(trained, mask, 1000, seed=3, order=order, proposals=4, rounds=6)
    spent = calls.evaluations

    rng = np.random.default_rng(3)
    proposed, asked = [], 0
    for _ in range(4):
        cell, n = plain(space, mask, order, trained.probabilities, lambda weights: trained.score(rng, weights), rng)
        proposed += [cell] if cell not in proposed else []
        asked += n
    totals = np.zeros(len(proposed))
    for _ in range(6):
        totals += trained.score(rng, np.array(proposed))
    assert chosen.op_ids.tolist() == proposed[int(np.argmax(totals))]
    assert chosen.score == pytest.approx(totals.max() / 6)
    assert chosen.evaluations == asked + 6 * len(proposed) == spent


def test_equal_proposals_are_judged_once_and_different_ones_on_the_same_batches() -> None:
    mask = TRIANGLE.full_mask()
    trained, calls = planted(TRIANGLE, additive(TRIANGLE, 0), uniform(mask))  # without noise every proposal is the same
    chosen = run(trained, mask, 1000, order="forward", proposals=5, rounds=7)
    assert chosen.evaluations == 5 * 9 + 7 == calls.evaluations
    assert calls.shapes[-7:] == [(1, 3)] * 7 and calls.shapes[-8] == (3, 3, 3)
    trained, calls = planted(TRIANGLE, additive(TRIANGLE, 0), uniform(mask), noise=100.0)
    run(trained, mask, 1000, order="forward", proposals=5, rounds=7)
    paths = calls.choices[-1]
    assert len(paths) == len({tuple(row) for row in paths.tolist()}) > 1
    assert all((choices == paths).all() for choices in calls.choices[-7:])


@pytest.mark.parametrize(("budget", "made"), [(14, 1), (27, 1), (28, 2), (69, 4), (70, 5), (1000, 5)])
def test_as_many_proposals_as_the_budget_holds(budget, made) -> None:
    trained, calls = planted(TRIANGLE, additive(TRIANGLE, 0), uniform(TRIANGLE.full_mask()), noise=1.0)
    chosen = run(trained, TRIANGLE.full_mask(), budget, proposals=5, rounds=5)
    assert sum(len(shape) == 3 for shape in calls.shapes) == 3 * made  # three looks, of 3 removals each
    assert chosen.evaluations == calls.evaluations <= budget


def test_the_best_proposal_wins_over_many_batches_and_not_over_one() -> None:
    mask, table = TRIANGLE.full_mask(), np.random.default_rng(0).permutation(27) * 4.0
    best = {1: 0, 400: 0}
    for seed in range(8):
        for rounds in best:
            trained, calls = planted(TRIANGLE, table, uniform(mask), noise=20.0)
            chosen = run(trained, mask, 10_000, seed, rounds=rounds, proposals=8)
            best[rounds] += table[index(TRIANGLE, chosen.op_ids)] == table[index(TRIANGLE, calls.choices[-1])].max()
    assert best[400] == 8 > best[1]


def test_all_proposals_of_the_whole_space_fit_their_published_sizes() -> None:
    mask = NAS_BENCH_201.full_mask()
    trained, calls = planted(NAS_BENCH_201, additive(NAS_BENCH_201, 0), uniform(mask), noise=5.0)
    chosen = run(trained, mask, 1300)
    assert sum(len(shape) == 3 for shape in calls.shapes) == 60  # ten proposals of six edges
    assert 300 + 100 <= chosen.evaluations <= 1300
