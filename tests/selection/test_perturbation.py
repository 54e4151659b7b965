"""Discretising by removals: hand-worked chains of two edges, and a plain loop that shares no code with it."""

import numpy as np
import pytest

from jaxnas.selection import SELECTORS
from jaxnas.selection.discretise import ORDERS, Removals, mixture, undecided
from jaxnas.selection.perturbation import CRITERIA
from jaxnas.spaces import NAS_BENCH_201, TOY, SearchSpace
from jaxnas.testing import TRIANGLE
from jaxnas.testing.selectors import MASKS, additive, expected, index, only, planted
from tests.selection.planted import connected, dirichlet, uniform


def toy_table(*cells: tuple[int, int, float], others: float = 0.0) -> np.ndarray:
    table = np.full(9, others)
    for first, second, accuracy in cells:
        table[3 * first + second] = accuracy
    return table


def run(name, trained, mask, budget=1000, seed=0, **settings):
    untuned = {"tune": False} if name == "perturbation" else {}
    return SELECTORS[name](**untuned | settings)(np.random.default_rng(seed), trained, mask, budget)


# Operations only work together: what is decided first settles what goes with it.
TOGETHER = toy_table((1, 1, 64), (1, 2, 16), (2, 1, 48), (2, 2, 80))
HALF = np.array([[0.5, 0.25, 0.25], [0.5, 0.25, 0.25]])


@pytest.mark.parametrize(
    ("order", "cell", "criteria"),
    [
        # Whole: 64/16 + 16/16 + 48/16 + 80/16 = 13. Edge 0: skip is worth 5 of it, conv 8; then of 32: 12 and 20.
        ("forward", [2, 2], [[13, 8, 5], [32, 20, 12]]),
        # Edge 1: skip is worth 7, conv 6; then of 28: skip 16, conv 12.
        ("reverse", [1, 1], [[13, 6, 7], [28, 12, 16]]),
    ],
)
@pytest.mark.parametrize("criterion", CRITERIA)
def test_a_chain_by_hand(order, cell, criteria, criterion) -> None:
    trained, calls = planted(TOY, TOGETHER, HALF)
    chosen = run("perturbation", trained, TOY.full_mask(), 6, order=order, criterion=criterion)
    assert chosen.op_ids.tolist() == cell and chosen.evaluations == 6
    seen = [expected(TOGETHER, TOY, choices).tolist() for choices in calls.choices]
    assert seen == criteria
    mean = (min(criteria[0]) + min(criteria[1])) / 2
    assert chosen.score == (-mean if criterion == "accuracy" else 100 - mean)


def test_one_weight_is_zeroed_at_a_time_and_the_others_are_kept() -> None:
    trained, calls = planted(TOY, TOGETHER, HALF)
    run("perturbation", trained, TOY.full_mask(), order="forward")
    assert calls.choices[0][:, 0].tolist() == [[0, 0.25, 0.25], [0.5, 0, 0.25], [0.5, 0.25, 0]]
    assert (calls.choices[0][:, 1] == HALF[1]).all()
    assert (calls.choices[1][:, 0] == [0, 0, 1]).all()  # decided
    assert calls.choices[1][:, 1].tolist() == [[0, 0.25, 0.25], [0.5, 0, 0.25], [0.5, 0.25, 0]]


def test_equals_go_to_the_first_operation() -> None:
    alike = toy_table((1, 1, 40), (1, 2, 40), (2, 1, 40), (2, 2, 40))
    for order in ORDERS:
        chosen = run("perturbation", planted(TOY, alike, uniform(TOY.full_mask()))[0], TOY.full_mask(), order=order)
        assert chosen.op_ids.tolist() == [1, 1]
    everywhere = np.full(27, 40.0)  # `none` is the first, and may be taken until that would cut the last path
    mask = TRIANGLE.full_mask()
    chosen = run("perturbation", planted(TRIANGLE, everywhere, uniform(mask))[0], mask, order="forward")
    assert chosen.op_ids.tolist() == [0, 1, 0]


def test_none_is_passed_over_only_where_it_would_cut_the_last_path() -> None:
    table = toy_table((1, 1, 10), (1, 2, 12), (2, 1, 11), (2, 2, 13), others=90.0)
    trained, calls = planted(TOY, table, HALF)
    chosen = run("perturbation", trained, TOY.full_mask(), order="forward")
    # Without `none` there is least, but only the other two may be decided: of 70.375 they are worth 12.625 and 12.75,
    # then of 51, 2.75 and 3.25.
    seen = [expected(table, TOY, choices).tolist() for choices in calls.choices]
    assert seen == [[25.375, 57.75, 57.625], [6, 48.25, 47.75]]
    assert chosen.op_ids.tolist() == [2, 2] and chosen.score == -(57.625 + 47.75) / 2


def test_probabilities_can_hide_the_better_operation() -> None:
    # A weight is not a worth: half of 40 is missed more than a quarter of 60. As published, and on purpose.
    table = np.repeat([0.0, 40.0, 60.0], 3)
    heavy = np.array([[0.25, 0.5, 0.25], [0.0, 1.0, 0.0]])
    mask = np.array([[True] * 3, [False, True, False]])
    chosen = run("perturbation", planted(TOY, table, heavy)[0], mask)
    assert chosen.op_ids.tolist() == [1, 1] and chosen.evaluations == 3
    assert run("enumeration", planted(TOY, table, heavy)[0], mask).op_ids.tolist() == [2, 1]


def test_tuning_lies_between_decisions_and_frozen_probabilities_do_not_follow_it() -> None:
    space, mask = TOY, TOY.full_mask()
    table = toy_table((1, 1, 50), (1, 2, 50), (2, 1, 40), (2, 2, 40))
    before, later = np.array([[0.5, 0.25, 0.25], [0.25, 0.5, 0.25]]), np.array([[0.2, 0.4, 0.4], [0.25, 0.25, 0.5]])
    for settings, cell, tunings in (
        ({"tune": False}, [1, 1], 0),
        ({"tune": True}, [1, 2], 1),
        ({"tune": True, "frozen": True}, [1, 1], 1),
    ):
        trained, calls = planted(space, table, before, later=later)
        assert run("perturbation", trained, mask, order="forward", **settings).op_ids.tolist() == cell
        assert [narrow.tolist() for narrow in calls.tuned] == [[[False, True, False], [True] * 3]] * tunings


def test_tuning_is_not_spent_on_edges_that_are_decided() -> None:
    space, mask = MASKS["leaf"]
    mask = mask & only((0,), (2, 3, 4), (4,), (0, 3), (1,), (4,))
    trained, calls = planted(space, additive(space, 0), uniform(mask))
    chosen = run("perturbation", trained, mask, tune=True)
    assert chosen.evaluations == 5 and len(calls.tuned) == 1 and len(calls.shapes) == 2


def test_what_is_not_a_number_is_decided_last() -> None:
    ranked = Removals(np.arange(8).reshape(4, 2), np.array([np.nan, 2.0, -np.inf, 2.0])).ranked()
    assert ranked.pairs[:, 0].tolist() == [4, 2, 6, 0]


def test_mixtures_are_renormalised_over_what_is_left() -> None:
    mask = only((0, 2), (1,), (0, 1), ops=3)
    mixed = mixture(np.array([[0.25, 0.5, 0.25], [0.5, 0.25, 0.25], [0.0, 0.0, 1.0]], np.float32), mask)
    assert mixed.tolist() == [[0.5, 0, 0.5], [0, 1, 0], [0.5, 0.5, 0]]


def plain(space: SearchSpace, mask, order, probabilities, value, rng) -> tuple[list[int], int]:
    """The loop of the papers, written out: op_ids, and how often `value([[weights]])` was asked."""
    alive = [np.flatnonzero(row).tolist() for row in mask]
    asked = 0

    def look(edges):
        nonlocal asked
        pairs, stack = [], []
        for e in edges:
            for o in alive[e]:
                weights = np.zeros(space.shape)
                for f, left in enumerate(alive):
                    weights[f, left] = probabilities[f, left] / probabilities[f, left].sum()
                weights[e, o] = 0
                pairs.append((e, o))
                stack.append(weights)
        asked += len(pairs)
        return dict(zip(pairs, value(np.array(stack)), strict=True))

    def survives(e, o):
        rows = [[o] if f == e else left for f, left in enumerate(alive)]
        return len(connected(space, only(*map(tuple, rows), ops=space.shape[1]))) > 0

    def mean(losses, e):
        return np.mean([loss for (f, _), loss in losses.items() if f == e])

    open_edges = [e for e, left in enumerate(alive) if len(left) > 1]
    queue = {
        "random": lambda: rng.permutation(open_edges).tolist(),
        "forward": lambda: open_edges,
        "reverse": lambda: sorted(open_edges, reverse=True),
    }.get(order, lambda: None)()
    if order.endswith("once"):
        start = look(open_edges)
        if order == "global_op_once":
            queue = sorted(open_edges, key=lambda e: min(loss for (f, _), loss in start.items() if f == e))
        else:
            queue = sorted(open_edges, key=lambda e: mean(start, e))
    while left := [e for e in open_edges if len(alive[e]) > 1]:
        if order == "global_op_greedy":
            losses = look(left)
        elif order == "global_edge_greedy":
            losses = look(left)
            edge = min(left, key=lambda e: mean(losses, e))
            losses = {pair: loss for pair, loss in losses.items() if pair[0] == edge}
        else:
            losses = look([queue[len(open_edges) - len(left)]])
        e, o = min((pair for pair in losses if survives(*pair)), key=losses.__getitem__)
        alive[e] = [o]
    return [left[0] for left in alive], asked


@pytest.mark.parametrize("where", ["full", "leaf", "mostly disconnected", "toy", "triangle"])
@pytest.mark.parametrize("order", ORDERS)
def test_every_order_does_as_a_plain_loop(order, where) -> None:
    space, mask = MASKS[where]
    rng = np.random.default_rng(1)
    table = rng.random(space.size) * 100
    table[~space.connected(space.enumerate())] += 100.0  # so that many decisions have to be passed over
    for seed, probabilities in enumerate((uniform(mask), dirichlet(mask, 1), dirichlet(mask, 2))):
        trained, calls = planted(space, table, probabilities)
        chosen = run("perturbation", trained, mask, seed=seed, order=order)
        spent, value = calls.evaluations, trained.accuracy
        cell, asked = plain(space, mask, order, probabilities, value, np.random.default_rng(seed))
        assert chosen.op_ids.tolist() == cell and chosen.evaluations == asked == spent
        assert asked <= ORDERS[order].most(mask.sum(1)[undecided(mask)].tolist())


@pytest.mark.parametrize(
    ("order", "full", "triangle"),
    [("random", 30, 9), ("reverse", 30, 9), ("global_op_once", 60, 18), ("global_edge_greedy", 105, 18)],
)
def test_the_most_that_an_order_can_need(order, full, triangle) -> None:
    for space, most in ((NAS_BENCH_201, full), (TRIANGLE, triangle)):
        mask = space.full_mask()
        trained, _ = planted(space, additive(space, 0), uniform(mask))
        assert ORDERS[order].most(mask.sum(1).tolist()) == most
        assert run("perturbation", trained, mask, most, order=order).evaluations == most


def test_a_greedy_order_can_need_all_that_is_foreseen() -> None:
    mask = only((1, 2), (0, 1, 2), (2,), ops=3)
    table = np.zeros(27)
    table[index(TRIANGLE, connected(TRIANGLE, mask))] = 50
    # Edge 0, which has the fewest, is decided first: 5 removals and 3 more.
    table[index(TRIANGLE, np.array([1, 1, 2]))] = 95
    trained, _ = planted(TRIANGLE, table, np.array([[0, 0.9, 0.1], [0.34, 0.33, 0.33], [0, 0, 1.0]]))
    assert run("perturbation", trained, mask, 8, order="global_op_greedy").evaluations == 8
    assert ORDERS["global_op_greedy"].most([2, 3]) == 8


def test_once_orders_take_the_edge_of_the_lowest_value_and_of_the_lowest_mean_first() -> None:
    # Three edges of a space without cuts; values of removals by edge, means 5, 4, 6, lowest 3, 4, 1.
    values = {(0, 1): 3.0, (0, 2): 7.0, (1, 1): 4.0, (1, 2): 4.0, (2, 1): 1.0, (2, 2): 11.0}
    mask = only((1, 2), (1, 2), (1, 2), ops=3)
    for order, edges in (("global_op_once", [2, 0, 1]), ("global_edge_once", [1, 0, 2])):
        looked = []

        def accuracy(weights, looked=looked):
            removed = [(int(e), int(o)) for w in weights for e, o in np.argwhere(mask & (w == 0)) if w[e].max() < 1]
            looked.append(sorted({e for e, _ in removed}))
            return np.array([values[pair] for pair in removed])

        trained, _ = planted(TRIANGLE, np.zeros(27), uniform(mask))
        run("perturbation", trained._replace(accuracy=accuracy), mask, order=order)
        assert looked == [[0, 1, 2], *([edge] for edge in edges)]
