"""DSNAS and REINFORCE in expectation, against enumeration of the nine paths; how DSNAS decides."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnas.search.alpha import Logits
from jaxnas.search.scored_paths import decided, dsnas, reinforce
from jaxnas.spaces import TOY
from jaxnas.testing.algorithms import FULL, MASKS, NARROW, context, loss
from tests.search.small import ALPHA, DRAWS, PLAIN, assert_expected, estimates, one_hot, slope, softmax

TWO, FIVE, CREDIT = reinforce(TOY, 2, PLAIN), reinforce(TOY, 5, PLAIN), dsnas(TOY, None, PLAIN)
PATHS = one_hot(TOY.enumerate())  # [9, 2, 3]


def start(algorithm, mask: np.ndarray):
    state = algorithm.init(jax.random.key(0), mask, None)
    alpha = jnp.asarray(ALPHA, jnp.float32)
    return state._replace(alpha=alpha) if hasattr(state, "alpha") else state._replace(
        logits=state.logits._replace(alpha=alpha)
    )  # fmt: skip


def chances(mask: np.ndarray) -> np.ndarray:
    """Probability of each path, [9]."""
    return (PATHS * softmax(ALPHA, mask)).sum(-1).prod(-1)


@pytest.mark.parametrize("algorithm", [TWO, FIVE], ids=["two", "five"])
@pytest.mark.parametrize("mask", [FULL, NARROW], ids=["full", "narrow"])
def test_reinforce_is_unbiased_for_the_gradient_of_the_expected_loss(mask: np.ndarray, algorithm) -> None:
    losses = np.array([loss(path) for path in PATHS])
    # d p(path) / d alpha = p(path) (path - p), since both edges' log probabilities add up
    by_hand = np.tensordot(chances(mask) * losses, PATHS - softmax(ALPHA, mask), 1)

    def expected(alpha):
        p = jax.nn.softmax(jnp.where(mask, alpha, -1e9))
        return jnp.prod((PATHS * p[None]).sum(-1), -1) @ losses

    np.testing.assert_allclose(jax.grad(expected)(ALPHA.astype(np.float32)), by_hand, atol=1e-5)
    got = estimates(algorithm, start(algorithm, mask), mask)
    assert_expected(got, by_hand)
    assert (got[:, ~mask] == 0).all()


@pytest.mark.parametrize("mask", [FULL, NARROW], ids=["full", "narrow"])
def test_dsnas_credits_every_edge_with_the_slope_of_its_own_operation(mask: np.ndarray) -> None:
    costs = np.array([(slope(path) * path).sum(-1) for path in PATHS])  # [9, 2]
    expected = np.tensordot(chances(mask), costs[:, :, None] * (PATHS - softmax(ALPHA, mask)), 1)
    got = estimates(CREDIT, start(CREDIT, mask), mask)
    assert_expected(got, expected)
    assert (got[:, ~mask] == 0).all() and np.abs(costs[:, 0] - costs[:, 1]).max() > 1  # edges differ


@pytest.mark.parametrize("algorithm", [TWO, CREDIT], ids=["reinforce", "dsnas"])
def test_paths_follow_the_probabilities(algorithm) -> None:
    state = start(algorithm, FULL)
    draw = jax.jit(jax.vmap(lambda key: algorithm.forwards(key, state, FULL, context()).choices))
    drawn = one_hot(draw(jax.random.split(jax.random.key(3), DRAWS))[:, 0])
    assert_expected(drawn, softmax(ALPHA))
    assert_expected(np.einsum("no,np->nop", drawn[:, 0], drawn[:, 1]), np.outer(*softmax(ALPHA)))


def test_an_edge_is_decided_when_its_best_leads_by_the_gap() -> None:
    probabilities = np.array([[0.6, 0.25, 0.15], [0.5, 0.25, 0.25]])
    only = [[True, False, False], [True, True, True]]
    np.testing.assert_array_equal(decided(np.log(probabilities), FULL, 0.3), only)
    # With its second operation closed, edge 1 has 2/3 against 1/3; with all but one closed, that one.
    left = np.array([[False, True, True], [True, False, True]])
    np.testing.assert_array_equal(
        decided(np.log(probabilities), left, 0.3), [[False, True, True], [True, False, False]]
    )
    np.testing.assert_array_equal(decided(np.log(probabilities), MASKS["single"], 0.3), MASKS["single"])


def test_an_edge_once_decided_never_moves_again_and_the_other_goes_on() -> None:
    algorithm = dsnas(TOY, 0.3, Logits(rate=0.05, decay=1e-3))
    state = algorithm.init(jax.random.key(0), FULL, None)
    state = state._replace(logits=state.logits._replace(alpha=jnp.array([[2.0, 0, 0], [0.3, 0, 0]])))
    update = jax.jit(lambda key, state: algorithm.update(key, state, FULL, context()))
    state = update(jax.random.key(0), state)
    fixed, other = np.asarray(state.logits.alpha)
    np.testing.assert_array_equal(state.left, [[True, False, False], [True, True, True]])
    for key in jax.random.split(jax.random.key(1), 3):
        before, state = state, update(key, state)
        np.testing.assert_array_equal(state.logits.alpha[0], fixed)
        assert (state.left <= before.left).all() and state.left.any(-1).all()
    assert (np.asarray(state.logits.alpha[1]) != other).any()
    np.testing.assert_array_equal(algorithm.probabilities(state, FULL)[0], [1, 0, 0])
    drawn = [int(algorithm.forwards(key, state, FULL, context()).choices[0, 0]) for key in
             jax.random.split(jax.random.key(2), 3)]  # fmt: skip
    assert drawn == [0, 0, 0]


def test_one_sample_cannot_be_left_out() -> None:
    with pytest.raises(ValueError, match="two samples or more, not 1"):
        reinforce(TOY, samples=1)
