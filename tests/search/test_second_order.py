"""DARTS against the bilevel objective itself: numpy in double precision, by differences, through the real optimizer."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxnas.config import OptimizerConfig
from jaxnas.search import StepContext
from jaxnas.search.darts import by_differences, exact
from jaxnas.training import build_optimizer, new_state
from jaxnas.training.step import build_descent
from tests.search.small import ALPHA, one_hot, softmax

CONFIG = OptimizerConfig(rate=1.2, final_rate=0.1, momentum=0.9, weight_decay=0.03, clip=100.0)
CLIPS = {"free": 100.0, "clipped": 0.5}
RNG = np.random.default_rng(5)
WEIGHTS, FIRST_GRADIENT = RNG.normal(size=(2, 2, 3, 4))  # each [E, O, 4]
TRAIN, VALID = RNG.normal(size=(2, 7, 5))  # four inputs and a target
STEPS = 10
MASK = np.array([[True, True, True], [True, True, False]])


def batch_loss(weights, op_weights, batch, xp):
    """Two mixed layers: of three linear units, then of three units of their tanh."""
    inputs, targets = batch[:, :4], batch[:, 4]
    units = xp.tanh(inputs @ weights[0].T) @ op_weights[0]  # [B]
    scaled = xp.stack([units, units**2, units**3, xp.sin(units)], -1)
    outputs = xp.tanh(scaled @ weights[1].T) @ op_weights[1]
    return xp.mean((outputs - targets) ** 2)


def slope(function, at: np.ndarray) -> np.ndarray:
    """Gradient of an analytic function of numpy by complex steps: exact to rounding."""
    gradient = np.empty_like(at)
    for index in np.ndindex(at.shape):
        moved = at.astype(complex)
        moved[index] += 1e-30j
        gradient[index] = function(moved).imag / 1e-30
    return gradient


def sgd(weights, gradient, buffer, step: int, clip: float):
    """Clipping, decay, Nesterov momentum and the cosine as PyTorch has them."""
    g = gradient * min(1.0, clip / np.linalg.norm(gradient)) + CONFIG.weight_decay * weights
    buffer = CONFIG.momentum * buffer + g
    rate = 0.1 + 0.5 * 1.1 * (1 + np.cos(np.pi * step / STEPS))
    return weights - rate * (g + CONFIG.momentum * buffer), buffer


def objective(alpha: np.ndarray, weights: np.ndarray, buffer: np.ndarray, clip: float) -> float:
    """Validation loss of the weights after their second step, as a function of alpha."""
    p = softmax(alpha, MASK)
    gradient = slope(lambda w: batch_loss(w, p, TRAIN, np), weights)
    return batch_loss(sgd(weights, gradient, buffer, 1, clip)[0], p, VALID, np)


def by_hand(clip: float) -> np.ndarray:
    """Gradient [E, O] of the objective, central differences of fourth order."""
    weights, buffer = sgd(WEIGHTS, FIRST_GRADIENT, np.zeros_like(WEIGHTS), 0, clip)
    gradient = np.empty((2, 3))
    for index in np.ndindex(2, 3):
        h = 1e-3 * one_hot([index[1]]) * (np.arange(2) == index[0])[:, None]
        values = [objective(ALPHA + n * h, weights, buffer, clip) for n in (-2, -1, 1, 2)]
        gradient[index] = np.dot([1, -8, 8, -1], values) / 12e-3
    return gradient


@jax.jit
def gradients(clip) -> list:
    """Of jaxnas: exact, by differences, and without the second-order part."""
    config = replace(CONFIG, clip=clip)
    descend = build_descent(config)
    state = new_state(jax.random.key(0), MASK, jnp.asarray(WEIGHTS), build_optimizer(config), STEPS)
    params, opt = descend(state, jnp.asarray(FIRST_GRADIENT))  # momentum is not 0 any more
    state = state.replace(params=params, opt=opt, step=state.step + 1)
    whole = StepContext(
        train_loss=lambda w, p: batch_loss(w, p, TRAIN, jnp),
        valid_loss=lambda w, p: batch_loss(w, p, VALID, jnp),
        valid_accuracy=lambda w, p: jnp.zeros(()),  # unused
        train_logits=lambda w, p: jnp.zeros((1, 2)),  # unused
        train_labels=jnp.zeros(1, jnp.int32),  # unused
        params=params,
        unrolled=lambda gradients: descend(state, gradients)[0],
        progress=jnp.zeros(()),
    )
    constant = whole._replace(unrolled=lambda gradients: lax.stop_gradient(whole.unrolled(gradients)))
    alpha = jnp.asarray(ALPHA)
    return [exact(alpha, MASK, whole), by_differences(alpha, MASK, whole), exact(alpha, MASK, constant)]


@pytest.mark.parametrize("clip", CLIPS.values(), ids=CLIPS)
def test_second_order_is_the_gradient_of_the_bilevel_objective(clip: float) -> None:
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):  # rates stay float32
        exactly, differences, halved = map(np.asarray, gradients(clip))
    expected = by_hand(clip)
    np.testing.assert_allclose(exactly, expected, atol=1e-8)
    second_order = np.abs(exactly - halved).max()
    assert second_order > 0.05 * np.abs(expected).max()  # it is no small part
    np.testing.assert_allclose(differences, exactly, atol=1e-3 * second_order)
    assert exactly[1, 2] == differences[1, 2] == 0
