"""PC-DARTS: edge normalisation and the gradients of both kinds of logits by hand, and the time in which none moves."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnas.search.alpha import AlphaState
from jaxnas.search.pc_darts import EdgeState, normalised, pc_darts
from jaxnas.spaces import TOY, SearchSpace
from jaxnas.testing.algorithms import context
from tests.search.small import PLAIN, softmax

# Two edges enter the last node, so that beta weighs something.
SPACE = SearchSpace("triangle", TOY.ops, ((1, 0), (2, 0), (2, 1)))
MASK = np.array([[True, True, True], [False, True, True], [True, True, False]])
ALPHA = np.array([[0.3, -0.4, 0.8], [-0.2, 0.5, 0.1], [0.7, 0.0, -0.6]])
BETA = np.array([0.9, -0.3, 0.4])
COEFFICIENTS = np.array([[1.0, -2.0, 0.5], [0.3, 0.7, -1.0], [-0.8, 1.4, 0.2]])


def at(progress: float):
    """A loss that is no linear function of the op_weights."""

    def valid_loss(params, op_weights):
        s = jnp.sum(COEFFICIENTS * op_weights)
        return s + 0.3 * s**2

    return context(jnp.float32(progress))._replace(valid_loss=valid_loss)


def start(algorithm) -> EdgeState:
    ops, edges = algorithm.init(jax.random.key(0), MASK, None)
    return EdgeState(ops._replace(alpha=jnp.float32(ALPHA)), edges._replace(alpha=jnp.float32(BETA)))


def by_hand() -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of the operations [3, 3] and weights of the edges [3]: the first edge is alone."""
    pair = np.exp(BETA[1:])
    return softmax(ALPHA, MASK), np.array([1.0, *(pair / pair.sum())])


def test_rows_sum_to_the_weights_of_the_edges_that_enter_a_node_together() -> None:
    p, b = by_hand()
    got = np.asarray(normalised(SPACE, jnp.float32(ALPHA), jnp.float32(BETA), MASK))
    np.testing.assert_allclose(got, p * b[:, None], rtol=1e-5)
    assert (got[~MASK] == 0).all() and abs(got[1:].sum() - 1) < 1e-6


def test_gradients_of_both_logits_are_those_by_hand() -> None:
    algorithm = pc_darts(SPACE, logits=PLAIN)
    new = jax.jit(lambda s: algorithm.update(jax.random.key(1), s, MASK, at(0.5)))(start(algorithm))
    p, b = by_hand()
    of_weights = (1 + 0.6 * (COEFFICIENTS * p * b[:, None]).sum()) * COEFFICIENTS
    of_alpha = b[:, None] * p * (of_weights - (p * of_weights).sum(1, keepdims=True))
    of_edges = (p * of_weights).sum(1)
    of_beta = b * (of_edges - np.array([of_edges[0], *[(b * of_edges)[1:].sum()] * 2]))
    np.testing.assert_allclose(jax.tree.leaves(new.ops.opt)[1], of_alpha, atol=1e-6)  # the first moments
    np.testing.assert_allclose(jax.tree.leaves(new.edges.opt)[1], of_beta, atol=1e-6)
    assert np.abs(of_alpha[MASK]).min() > 1e-3 and np.abs(of_beta[1:]).min() > 1e-3
    np.testing.assert_allclose(new.edges.alpha[1:], BETA[1:] - 0.1 * np.sign(of_beta[1:]), atol=1e-4)


def test_nothing_moves_in_the_first_fifteen_of_fifty_epochs() -> None:
    algorithm = pc_darts(SPACE)
    before = start(algorithm)
    update = jax.jit(lambda progress: algorithm.update(jax.random.key(1), before, MASK, at(progress)))
    for step in (0, 7, 14.999):
        jax.tree.map(np.testing.assert_array_equal, update(step / 50), before)
    after = update(15 / 50)
    assert (after.ops.alpha != before.ops.alpha)[MASK].all() and (after.edges.alpha != before.edges.alpha).all()
    assert (after.ops.alpha == before.ops.alpha)[~MASK].all()
    np.testing.assert_allclose(np.abs(after.edges.alpha - BETA)[1:], 6e-4, rtol=1e-2)  # Adam's first step is its rate


@pytest.mark.parametrize("partial", [4, 2])
def test_it_says_what_part_of_the_channels_it_trains_and_holds_operations_by_alpha_alone(partial: int) -> None:
    algorithm = pc_darts(SPACE, partial=partial)
    assert algorithm.partial == partial
    state = EdgeState(AlphaState(jnp.float32(ALPHA), None), AlphaState(jnp.float32(BETA), None))
    np.testing.assert_allclose(algorithm.probabilities(state, MASK), by_hand()[0], rtol=1e-5)
