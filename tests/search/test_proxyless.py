"""ProxylessNAS in expectation, against enumeration of paths and of pairs of operations."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnas.search.proxyless import draw_pair, proxyless
from jaxnas.spaces import TOY
from jaxnas.testing.algorithms import FULL, NARROW, context
from tests.search.small import ALPHA, PLAIN, assert_expected, estimates, one_hot, slope, softmax

FULL_GATES, TWO_GATES = proxyless(TOY, logits=PLAIN), proxyless(TOY, "two", PLAIN)


def start(mask: np.ndarray):
    return FULL_GATES.init(jax.random.key(0), mask, None)._replace(alpha=jnp.asarray(ALPHA, jnp.float32))


def expected(mask: np.ndarray) -> np.ndarray:
    """Mean of sum_j G_j p_j (delta_ij - p_i) over the paths of a mask, p their probabilities."""
    p, total = softmax(ALPHA, mask), np.zeros((2, 3))
    for path in one_hot(TOY.enumerate(mask)):
        g = slope(path)
        total += (p * path).sum(-1).prod() * p * (g - (g * p).sum(-1, keepdims=True))
    return total


def pairs(row: np.ndarray, p: np.ndarray) -> list[tuple[float, np.ndarray]]:
    """(chance, bool [O]) of every pair of open operations of an edge: the first drawn by p, the second of the rest."""
    chosen = itertools.combinations(np.flatnonzero(row), 2)
    return [(p[i] * p[j] / (1 - p[i]) + p[j] * p[i] / (1 - p[j]), one_hot([i, j]).sum(0) > 0) for i, j in chosen]


@pytest.mark.parametrize("mask", [FULL, NARROW], ids=["full", "narrow"])
def test_full_gates_follow_the_slope_at_the_path(mask: np.ndarray) -> None:
    got = estimates(FULL_GATES, start(mask), mask)
    assert_expected(got, expected(mask))
    assert (got[:, ~mask] == 0).all()


@pytest.mark.parametrize("mask", [FULL, NARROW], ids=["full", "narrow"])
def test_two_gates_follow_it_within_pairs_drawn_without_replacement(mask: np.ndarray) -> None:
    p = softmax(ALPHA, mask)
    each = itertools.product(pairs(mask[0], p[0]), pairs(mask[1], p[1]))
    mean = sum(a * b * expected(np.stack([first, second])) for (a, first), (b, second) in each)
    got = estimates(TWO_GATES, start(mask), mask)
    assert_expected(got, mean)
    assert ((got != 0).sum(-1) <= 2).all()


def test_probabilities_outside_the_pair_stay() -> None:
    state, update = start(FULL), jax.jit(lambda key, state: TWO_GATES.update(key, state, FULL, context()))
    for key in jax.random.split(jax.random.key(5), 4):
        new = update(key, state)
        moved = np.asarray(new.alpha != state.alpha)
        np.testing.assert_array_equal(moved.sum(-1), 2)
        before, after = (np.asarray(TWO_GATES.probabilities(s, FULL)) for s in (state, new))
        np.testing.assert_allclose(after[~moved], before[~moved], rtol=1e-5)
        assert (np.abs(after - before)[moved] > 1e-3).all()  # the rate is .1
        state = new


def test_an_edge_with_one_open_operation_has_no_pair() -> None:
    mask = np.array([[False, True, False], [True, True, True]])
    pair = np.asarray(draw_pair(jax.random.key(0), ALPHA, mask))
    np.testing.assert_array_equal(pair.sum(-1), [1, 2])
    assert pair[0, 1]


def test_other_gates_are_an_error() -> None:
    with pytest.raises(ValueError, match=r"full.*two.*'three'"):
        proxyless(TOY, "three")
