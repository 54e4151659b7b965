"""DARTS against closed forms on a problem of one weight, and on closed operations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnas.search import StepContext, darts
from jaxnas.search.alpha import AlphaState
from jaxnas.spaces import TOY

KEY = jax.random.key(0)
MASK = np.array([[True, True, False], [True, True, True]])
RATE, WEIGHT = 0.5, 2.0
ORDERS = ("first", "second")
COEFFICIENTS = np.array([[1.0, -2.0, 0.5], [0.3, 0.7, -1.0]])


def mixture(op_weights):
    """c(p), linear in the op_weights."""
    return jnp.sum(COEFFICIENTS * op_weights)


PROBLEM = StepContext(  # one weight w, that the training batch draws to c(p) and the validation batch to 3 c(p)
    train_loss=lambda w, p: 0.5 * (w - mixture(p)) ** 2,
    valid_loss=lambda w, p: 0.5 * (w - 3 * mixture(p)) ** 2,
    valid_accuracy=lambda w, p: jnp.zeros(()),  # unused
    train_logits=lambda w, p: jnp.zeros((1, 2)),  # unused
    train_labels=jnp.zeros(1, jnp.int32),  # unused
    params=jnp.asarray(WEIGHT),
    unrolled=lambda gradient: WEIGHT - RATE * gradient,
    progress=jnp.zeros(()),
)


def softmax(alpha: np.ndarray) -> np.ndarray:
    e = np.where(MASK, np.exp(alpha), 0.0)
    return e / e.sum(-1, keepdims=True)


def gradient_by_hand(alpha: np.ndarray, order: str) -> np.ndarray:
    p = softmax(alpha)
    c = float((COEFFICIENTS * p).sum())
    w = WEIGHT - RATE * (WEIGHT - c) if order == "second" else WEIGHT
    of_c = (w - 3 * c) * ((RATE if order == "second" else 0.0) - 3)  # dL/dc, through the weight too in second order
    of_p = of_c * COEFFICIENTS
    return p * (of_p - (p * of_p).sum(-1, keepdims=True))


def moved(order: str) -> tuple[np.ndarray, np.ndarray]:
    algorithm = darts(TOY, order)
    state = algorithm.init(KEY, MASK, None)
    return np.asarray(state.alpha), np.asarray(algorithm.update(KEY, state, MASK, PROBLEM).alpha)


@pytest.mark.parametrize("order", ORDERS)
def test_the_first_step_is_adam_on_the_gradient_by_hand(order: str) -> None:
    before, after = moved(order)
    gradient = gradient_by_hand(before.astype(np.float64), order) + 1e-3 * before
    expected = np.where(MASK, before - 3e-4 * gradient / (np.abs(gradient) + 1e-8), before)
    np.testing.assert_allclose(after, expected, atol=1e-7)


def test_the_orders_differ_where_theory_says() -> None:
    # A gradient by Adam's first step shows its sign only: take two steps' moments instead.
    states = {order: darts(TOY, order).update(KEY, darts(TOY).init(KEY, MASK, None), MASK, PROBLEM) for order in ORDERS}
    alpha = np.asarray(darts(TOY).init(KEY, MASK, None).alpha, np.float64)
    for order, state in states.items():
        moment = np.asarray(jax.tree.leaves(state.opt)[1])  # of the gradient, half of it after one step
        expected = np.where(MASK, 0.5 * (gradient_by_hand(alpha, order) + 1e-3 * alpha), 0.0)
        np.testing.assert_allclose(moment, expected, rtol=1e-4, atol=1e-7)


def test_closed_operations_have_probability_zero_and_logits_that_never_move() -> None:
    algorithm = darts(TOY)
    state = algorithm.init(KEY, MASK, None)
    start = np.asarray(state.alpha)
    for _ in range(3):
        state = algorithm.update(KEY, state, MASK, PROBLEM)
    probabilities = np.asarray(algorithm.probabilities(state, MASK))
    assert (probabilities[~MASK] == 0).all()
    np.testing.assert_allclose(probabilities.sum(-1), 1, rtol=1e-6)
    assert (np.asarray(state.alpha)[~MASK] == start[~MASK]).all()
    assert (np.asarray(state.alpha)[MASK] != start[MASK]).all()


def test_softmax_is_over_the_open_operations() -> None:
    alpha = jnp.array([[0.0, np.log(3.0), 50.0], [0.0, 0.0, 0.0]])
    got = darts(TOY).forwards(KEY, AlphaState(alpha, None), MASK, PROBLEM).choices[0]
    np.testing.assert_allclose(got, [[0.25, 0.75, 0], [1 / 3] * 3], rtol=1e-6)


def test_another_order_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"first.*second.*third"):
        darts(TOY, "third")
