"""Logits of the operations, alpha [E, O]: their start, their optimizer, and the algorithms that descend on them."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxnas.search.base import Forwards, SearchAlgorithm, StepContext, one
from jaxnas.search.sampling import CLOSED
from jaxnas.spaces.base import SearchSpace
from jaxnas.types import Array, Key, Params


class AlphaState(NamedTuple):
    """Logits and the state of their optimizer."""

    alpha: Array  # float [E, O]; or [E], of edges
    opt: optax.OptState


class Logits(NamedTuple):
    """How logits begin and move; every algorithm that has alpha takes one."""

    mean: float = 0.0
    """of the initial logits"""
    deviation: float = 1e-3
    """of the initial logits"""
    rate: float = 3e-4
    """of Adam"""
    decay: float = 1e-3
    """added to the gradient, as PyTorch's Adam does it"""
    betas: tuple[float, float] = (0.5, 0.999)
    """of Adam"""


def adam(logits: Logits) -> optax.GradientTransformation:
    """Adam with decay in its gradient, as all released codes have it."""
    return optax.chain(
        optax.add_decayed_weights(logits.decay),
        optax.scale_by_adam(*logits.betas),
        optax.scale_by_learning_rate(logits.rate),
    )


def begin(key: Key, space: SearchSpace, logits: Logits) -> AlphaState:
    """Normal logits [E, O] and a new optimizer; the key is consumed."""
    alpha = logits.mean + logits.deviation * jax.random.normal(key, space.shape)
    return AlphaState(alpha, adam(logits).init(alpha))


def descend(state: AlphaState, mask: Array, gradient: Array, logits: Logits) -> AlphaState:
    """One step of Adam on a gradient of the mask's shape; logits of what is closed do not move, not even by decay."""
    decayed = jnp.where(mask, state.alpha, 0.0)  # or the moments of closed ones would fill up
    with jax.numpy_dtype_promotion("standard"):  # optax raises the betas to a whole number of steps
        updates, opt = adam(logits).update(jnp.where(mask, gradient, 0.0), state.opt, decayed)
    return AlphaState(jnp.where(mask, state.alpha + updates, state.alpha), opt)


def open_softmax(alpha: Array, mask: Array) -> Array:
    """softmax over the open operations, exactly 0 for closed ones. [E, O], [E, O] -> [E, O]."""
    return jax.nn.softmax(jnp.where(mask, alpha, CLOSED))


Weigh = Callable[[Key, Array, Array, Array], Array]
"""(key, alpha [E, O], mask [E, O], progress []) -> op_weights [E, O], differentiable in alpha; the key is consumed"""


def by_gradient(
    space: SearchSpace,
    weigh: Weigh,
    logits: Logits,
    probabilities: Callable[[Array, Array], Array] = open_softmax,
    one_hot: bool = False,
    regulariser: Callable[[Array, Array], Array] | None = None,
) -> SearchAlgorithm:
    """Alpha by the gradient of the validation loss under op_weights that `weigh` draws; weights under a fresh draw.

    `one_hot`: the op_weights are one-hot in value, and the weight step runs the path. `regulariser(alpha, mask) -> []`
    is added to the validation loss.
    """

    def init(key: Key, mask: Array, params: Params) -> AlphaState:
        del mask, params
        return begin(key, space, logits)

    def forwards(key: Key, state: AlphaState, mask: Array, context: StepContext) -> Forwards:
        op_weights = weigh(key, state.alpha, mask, context.progress)
        return one(op_weights.argmax(-1).astype(jnp.int32) if one_hot else op_weights)

    def update(key: Key, state: AlphaState, mask: Array, context: StepContext) -> AlphaState:
        def loss(alpha: Array) -> Array:
            value = context.valid_loss(context.params, weigh(key, alpha, mask, context.progress))
            return value if regulariser is None else value + regulariser(alpha, mask)

        return descend(state, mask, jax.grad(loss)(state.alpha), logits)

    return SearchAlgorithm(init, forwards, update, lambda state, mask: probabilities(state.alpha, mask))
