"""Every selector by one contract, and those that need no removal by brute force."""

from fractions import Fraction
from math import prod

import numpy as np
import pytest

from jaxnas.config import SearchConfig
from jaxnas.selection import SELECTORS, Evaluated, no_history, propose
from jaxnas.selection.magnitude import path_probabilities
from jaxnas.spaces import NAS_BENCH_201, TOY
from jaxnas.testing import TRIANGLE, check_selector
from jaxnas.testing.selectors import DISCONNECTED, MASKS, additive, index, only, planted
from jaxnas.types import UserError
from tests.selection.planted import connected, dirichlet, uniform

FULL = NAS_BENCH_201.full_mask()
BUDGET = {"enumeration": 15_284}  # of the others: 300
FREE = ("magnitude", "random")


def select(name, trained, mask, budget, seed=0, **settings):
    return SELECTORS[name](**settings)(np.random.default_rng(seed), trained, mask, budget)


@pytest.mark.parametrize("name", SELECTORS)
def test_every_selector_keeps_the_contract(name) -> None:
    check_selector(SELECTORS[name])


@pytest.mark.parametrize("where", MASKS)
@pytest.mark.parametrize("name", SELECTORS)
def test_only_selectors_that_ask_for_nothing_are_free(name, where) -> None:
    space, mask = MASKS[where]
    chosen = select(name, planted(space, additive(space, 1), dirichlet(mask, 2))[0], mask, BUDGET.get(name, 300))
    assert (chosen.evaluations == 0) == (name in FREE or (where == "one cell" and name.startswith("perturbation")))


@pytest.mark.parametrize("name", SELECTORS)
def test_a_mask_without_a_connected_architecture_is_refused_with_its_reason(name) -> None:
    trained, _ = planted(NAS_BENCH_201, additive(NAS_BENCH_201, 0), uniform(DISCONNECTED))
    with pytest.raises(UserError, match="no connected architecture"):
        select(name, trained, DISCONNECTED, 1000)


@pytest.mark.parametrize("name", sorted(set(SELECTORS) - set(FREE)))
def test_a_budget_that_cannot_hold_a_run_is_refused_before_any_work(name) -> None:
    trained, calls = planted(NAS_BENCH_201, additive(NAS_BENCH_201, 0), uniform(FULL))
    least = {"perturbation": 30, "perturbation_loss": 30, "zero_cost_perturbation": 130, "enumeration": 15_284}.get(
        name, 1
    )
    with pytest.raises(UserError, match=rf"needs {least} evaluations, the budget is {least - 1}"):
        select(name, trained, FULL, least - 1)
    assert not calls.shapes
    assert select(name, trained, FULL, least).evaluations == least == calls.evaluations


# Where the probabilities point at the optimum and the effects of operations add up, all but chance find it, given
# candidates enough. Where the probabilities are wrong `magnitude` does not, and where operations only work together
# removals need not (test_perturbation.py).
@pytest.mark.parametrize("name", sorted(set(SELECTORS) - {"random"}))
def test_a_planted_optimum_is_found(name) -> None:
    space, mask = MASKS["leaf"]
    for seed in range(2):
        table = additive(space, seed)
        inside = connected(space, mask)
        optimum = inside[np.argmax(table[index(space, inside)])]
        at_optimum = np.eye(5)[optimum]
        probabilities = np.where(mask, 0.01 * uniform(mask) + 0.99 * at_optimum, 0.0)
        settings = {"n": 510} if name == "best_of_sampled" else {}
        chosen = select(name, planted(space, table, probabilities, noise=0.1)[0], mask, 510, **settings)
        np.testing.assert_array_equal(chosen.op_ids, optimum)


@pytest.mark.parametrize("connected_only", [True, False])
def test_magnitude_is_the_most_probable_architecture_by_exact_products(connected_only) -> None:
    space, disconnected = TRIANGLE, 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        mask = rng.random(space.shape) < 0.8
        mask[:, 0] |= ~mask.any(1)
        if not space.viable(mask):
            continue
        # Few values, so that there are ties, also of products of other factors: 2 * 2 = 1 * 4.
        probabilities = np.where(mask, rng.choice([1.0, 2.0, 4.0], space.shape) / 8, 0.0)
        every = connected(space, mask) if connected_only else space.enumerate(mask)
        products = [prod(Fraction(probabilities[e, o]) for e, o in enumerate(row)) for row in every.tolist()]
        expected = every[products.index(max(products))]
        chosen = select(
            "magnitude", planted(space, additive(space, 0), probabilities)[0], mask, 0, connected=connected_only
        )
        np.testing.assert_array_equal(chosen.op_ids, expected)
        assert chosen.score == max(products)
        disconnected += not space.connected(probabilities.argmax(1))
    assert disconnected > 5


def test_magnitude_refuses_probabilities_that_say_nothing() -> None:
    for where in ("toy", "leaf"):
        space, mask = MASKS[where]
        with pytest.raises(UserError, match="nothing to choose by"):
            select("magnitude", planted(space, additive(space, 0), uniform(mask))[0], mask, 0)
    mask = only((1,), (1,), (2,), ops=3)
    trained, _ = planted(TRIANGLE, additive(TRIANGLE, 0), uniform(mask))
    assert select("magnitude", trained, mask, 0).op_ids.tolist() == [1, 1, 2]


def test_products_of_the_same_factors_in_another_order_tie() -> None:
    assert 0.1 * 0.2 * 0.3 != 0.3 * 0.2 * 0.1
    first, second = path_probabilities(np.array([[0.1, 0.2, 0.3]] * 3), np.array([[0, 1, 2], [2, 1, 0]]))
    assert first == second == pytest.approx(0.006)


def test_the_probable_draw_takes_the_largest_products_and_the_uniform_one_distinct_cells() -> None:
    space, mask = MASKS["leaf"]
    table, probabilities = additive(space, 4), dirichlet(mask, 5)
    inside = connected(space, mask)
    products = [-prod(Fraction(probabilities[e, o]) for e, o in enumerate(row)) for row in inside.tolist()]
    top = inside[np.argsort(np.array(products, object), kind="stable")[:7]]
    trained, calls = planted(space, table, probabilities)
    chosen = select("best_of_sampled", trained, mask, 100, n=7, draw="probable")
    np.testing.assert_array_equal(calls.choices[0], top)
    assert chosen.score == table[index(space, top)].max() and len(calls.shapes) == 1
    trained, calls = planted(space, table, probabilities)
    select("best_of_sampled", trained, mask, 9, n=200)
    assert len({tuple(row) for row in calls.choices[0].tolist()}) == 9 == calls.evaluations


def test_learnt_draws_are_scored_once_in_their_order_and_dead_ones_drawn_again() -> None:
    table, mask = np.arange(9.0), TOY.full_mask()
    trained, calls = planted(TOY, table, uniform(mask))
    asked = []

    def draw(rng, n):
        asked.append(n)
        return np.array([[0, 2], [1, 1], [2, 1], [1, 1]] if len(asked) == 1 else [[1, 2], [2, 2], [2, 2], [1, 2]])

    chosen = select("best_of_learnt", trained._replace(draw=draw), mask, 4, n=9)
    assert asked == [4, 4] and [choices.tolist() for choices in calls.choices] == [[[1, 1], [2, 1], [1, 2]]]
    assert chosen.op_ids.tolist() == [2, 1] and (chosen.score, chosen.evaluations) == (7.0, 3)


def test_where_nothing_that_is_drawn_is_connected_the_most_probable_are_taken() -> None:
    table, mask = np.arange(9.0), only((0, 1), (0, 1, 2), ops=3)
    probabilities = np.array([[1.0, 0, 0], [0, 0.4, 0.6]])  # all that is drawn is dead
    trained, calls = planted(TOY, table, probabilities)
    rounds, drawn = [], trained.draw
    trained = trained._replace(draw=lambda rng, n: rounds.append(n) or drawn(rng, n))
    chosen = select("best_of_learnt", trained, mask, 1)
    assert rounds == [1] * 20 and calls.choices[0].tolist() == [[1, 1]] == [chosen.op_ids.tolist()]
    inside = only((1,), (1, 2), ops=3)  # narrower than what is drawn
    shifted = planted(TOY, table, np.array([[0, 0.5, 0.5], [0, 0.5, 0.5]]))[0]
    assert select("best_of_learnt", shifted, inside, 50).op_ids.tolist() == [1, 2]


def test_learnt_draws_are_as_frequent_as_their_distribution_says_given_that_they_are_connected() -> None:
    probabilities = dirichlet(TRIANGLE.full_mask(), 3)
    inside = connected(TRIANGLE, TRIANGLE.full_mask())
    chances = probabilities[np.arange(3), inside].prod(1)
    trained, _ = planted(TRIANGLE, np.zeros(27), probabilities)
    rng, counts = np.random.default_rng(0), np.zeros(27)
    for _ in range(2200):
        counts[index(TRIANGLE, SELECTORS["best_of_learnt"](n=1)(rng, trained, TRIANGLE.full_mask(), 1).op_ids)] += 1
    expected = 2200 * chances / chances.sum()
    assert ((counts[index(TRIANGLE, inside)] - expected) ** 2 / expected).sum() < 46.8  # 21 degrees: 1 in 1000


def test_equal_accuracies_go_to_the_first() -> None:
    trained, calls = planted(TOY, np.full(9, 50.0), uniform(TOY.full_mask()))
    for name in ("enumeration", "best_of_sampled", "evolution", "regularised_evolution"):
        calls.choices.clear()
        chosen = select(name, trained, TOY.full_mask(), 4, seed=6)
        np.testing.assert_array_equal(chosen.op_ids, calls.choices[0][0])


@pytest.mark.parametrize(("name", "settings"), [("random", {}), ("best_of_sampled", {"n": 1})])
def test_chance_is_uniform_over_the_connected(name, settings) -> None:
    trained, _ = planted(TRIANGLE, np.zeros(27), dirichlet(TRIANGLE.full_mask(), 0))
    drawn = SELECTORS[name](**settings)
    rng = np.random.default_rng(0)
    counts = np.zeros(27)
    for _ in range(2200):
        counts[index(TRIANGLE, drawn(rng, trained, TRIANGLE.full_mask(), 1).op_ids)] += 1
    of_connected = counts[TRIANGLE.connected(TRIANGLE.enumerate())]  # 22 cells, 100 each
    assert len(of_connected) == 22 and counts.sum() == of_connected.sum()
    assert ((of_connected - 100) ** 2 / 100).sum() < 46.8  # chi-squared, 21 degrees: 1 in 1000


@pytest.mark.parametrize("budget", [40, 600])
def test_evolution_is_propose_repeated(budget) -> None:
    space, mask = MASKS["leaf"]
    table = additive(space, 8)
    config = SearchConfig(budget=budget, population=12, parents=5, mutation=0.3)
    rng, history = np.random.default_rng(9), no_history(space)
    while len(history.scores) < min(budget, 510):
        op_ids = np.concatenate([history.op_ids, propose(rng, space, mask, history, config)])
        history = Evaluated(op_ids, table[index(space, op_ids)])
    trained, calls = planted(space, table, uniform(mask))
    chosen = select("evolution", trained, mask, budget, seed=9, population=12, parents=5, mutation=0.3)
    np.testing.assert_array_equal(np.concatenate(calls.choices), history.op_ids)
    assert chosen.score == pytest.approx(history.scores.max())


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("best_of_sampled", {"draw": "biased"}, "unknown draw 'biased'"),
        ("perturbation", {"criterion": "loss_"}, "unknown criterion"),
        ("perturbation", {"order": "backward"}, "unknown order"),
        ("zero_cost_perturbation", {"order": "backward"}, "unknown order"),
        ("zero_cost_perturbation", {"rounds": 0}, "rounds must be at least 1, it is 0"),
        ("evolution", {"parents": 0}, "parents must be at least 1"),
        ("regularised_evolution", {"tournament": 0}, "tournament must be at least 1"),
        ("best_of_sampled", {"n": 0}, "n must be at least 1"),
    ],
)
def test_wrong_settings_are_refused_when_the_selector_is_made(name, settings, message) -> None:
    with pytest.raises(UserError, match=message):
        SELECTORS[name](**settings)
