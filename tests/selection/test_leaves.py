"""Rules that choose a sub-supernet: planted arms, hand-worked indices, and what each costs."""

import math

import numpy as np
import pytest

from jaxnas.selection.leaves import RULES, Arms, leaf_bias, mean, sized_best, successive_halving
from jaxnas.types import UserError


def arms_of(*values: list[float], sizes=None) -> Arms:
    """Arms whose pulls are uniform draws from lists of scores; the whole is their mean."""
    lists = [np.array(v, float) for v in values]
    return Arms(
        np.array(sizes or [len(v) for v in lists]),
        lambda rng, k, n: rng.choice(lists[k], n),
        lambda rng, k: float(lists[k].mean()),
    )


EASY = arms_of(*[[10.0 * k] * 4 for k in (3, 1, 4, 1, 5, 2, 0, 2)])  # constant arms, the fifth is best
TAIL = arms_of([70.0] * 10, [10.0] * 5 + [99.0] * 5)  # the better mean is not where the best is


@pytest.mark.parametrize("name", sorted(set(RULES) - {"random"}))
def test_every_rule_finds_an_arm_that_is_better_throughout(name) -> None:
    for budget in (8, 40):
        assert RULES[name](np.random.default_rng(0), EASY, budget).arm == 4


@pytest.mark.parametrize("name", RULES)
def test_budgets_are_kept_and_draws_are_deterministic(name) -> None:
    for budget in (8, 13, 80):
        first, again = (RULES[name](np.random.default_rng(7), EASY, budget) for _ in range(2))
        assert first.arm == again.arm and (first.evaluations == again.evaluations).all()
        assert first.evaluations.sum() <= max(budget, 8 if "halving" not in name else 8 + 4 + 2)
        if name not in ("whole", "random", "halving_mean", "halving_best"):
            assert first.evaluations.sum() == budget


def test_rules_of_the_tail_find_the_best_where_rules_of_the_mean_do_not() -> None:
    chosen = {name: [rule(np.random.default_rng(s), TAIL, 40).arm for s in range(40)] for name, rule in RULES.items()}
    for name in ("mean", "whole", "halving_mean"):
        assert np.mean(chosen[name]) < 0.2
    for name in ("expected_best", "upper_quantile", "sized_best", "halving_best"):
        assert np.mean(chosen[name]) > 0.95
    # It gives the second arm a second pull before the budget ends, not a third: 1 - 1/4.
    assert 0.6 < np.mean(chosen["ucb_max"]) < 0.9
    assert 0.2 < np.mean(chosen["random"]) < 0.8


def test_size_corrects_for_a_small_arm_with_a_good_mean() -> None:
    # Few draws fall into the small arm: its expected best is that of one draw, the large one's that of nine.
    values = np.array([80.0, 90.0]), np.array([60.0, 95.0])
    rule = sized_best(10)
    assert rule(values[0], 0.1) == pytest.approx(85.0)
    assert rule(values[1], 0.9) == pytest.approx(95 - 35 / 2**9)


def test_halving_keeps_the_better_half_of_every_round() -> None:
    found = successive_halving(mean)(np.random.default_rng(0), EASY, 96)
    # Three rounds of 32: 4 each of 8, 8 each of 4 (50, 40, 30 and one 20), 16 each of 2.
    assert found.evaluations.tolist() == [12, 4, 28, 4, 28, 12, 4, 4]


def test_max_ucb_pulls_by_the_published_index() -> None:
    """After one pull each, of 0 and 1: .99 + (.5 log 3)^2 for the better arm, .01 + the same for the other, so that
    the better is pulled until its bonus no longer covers the difference."""
    arms = arms_of([1.0], [0.0])
    pulls = RULES["ucb_max"](np.random.default_rng(0), arms, 30).evaluations
    n, other = 1, 1
    for t in range(3, 31):
        if 0.99 + (0.5 * math.log(t) / n) ** 2 >= 0.01 + (0.5 * math.log(t) / other) ** 2:
            n += 1
        else:
            other += 1
    assert pulls.tolist() == [n, other] and other > 1


def test_what_a_leaf_adds_to_the_truth_is_found_from_a_parent_on_any_scale() -> None:
    truth = [np.array([60.0, 62.0]), np.array([70.0, 75.0, 65.0]), np.array([40.0])]
    flattered = [truth[0] + 30, truth[1] - 5, truth[2] + 2]
    for parent in (truth, [of * 0.5 + 10 for of in truth]):  # a parent that is trained less tells less apart
        np.testing.assert_allclose(leaf_bias(flattered, parent), np.array([30.0, -5.0, 2.0]) - 9)


def test_the_slope_of_the_common_line_is_the_ratio_of_deviations_within_leaves() -> None:
    own, parent = [np.array([10.0, 14.0]), np.array([30.0, 24.0])], [np.array([5.0, 7.0]), np.array([2.0, 6.0])]
    # Squares within leaves: 8 + 18 and 2 + 8. Means 12, 27 and 6, 4.
    above = np.array([12 - 2.6**0.5 * 6, 27 - 2.6**0.5 * 4])
    np.testing.assert_allclose(leaf_bias(own, parent), above - above.mean())
    one_each = leaf_bias([np.array([50.0]), np.array([60.0])], [np.array([20.0]), np.array([26.0])])
    np.testing.assert_allclose(one_each, [-2, 2])  # nothing varies within a leaf: slope 1


@pytest.mark.parametrize("sizes", [((2, 1), (2,)), ((2, 1), (2, 2)), ((2, 0), (2, 0))], ids=["leaf", "cell", "empty"])
def test_a_parent_that_scored_something_else_is_refused(sizes) -> None:
    scores, parent = ([np.arange(float(n)) for n in of] for of in sizes)
    with pytest.raises(UserError, match="must score what the leaves scored"):
        leaf_bias(scores, parent)
