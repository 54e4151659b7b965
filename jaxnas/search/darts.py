"""DARTS: operations weighed by a softmax whose logits follow the validation loss (Liu et al., ICLR 2019)."""

from typing import Literal

import jax
import jax.numpy as jnp
import optax

from jaxnas.search.alpha import AlphaState, Logits, by_gradient, descend, open_softmax
from jaxnas.search.base import SearchAlgorithm, StepContext
from jaxnas.spaces.base import SearchSpace
from jaxnas.types import Array, Key, Params

ORDERS = ("first", "second", "differences")
RADIUS = 0.01  # of the finite differences, over the norm of the direction, as published


def darts(
    space: SearchSpace, order: Literal["first", "second", "differences"] = "first", logits: Logits | None = None
) -> SearchAlgorithm:
    """The mixed form under softmax(alpha) over the open operations; alpha by Adam on the validation loss.

    first: at the weights as they are. second: at the weights after their optimizer's next step on the training batch
    (clipping, decay, momentum and rate included), differentiated through that step: exact, by reverse over reverse.
    differences: the same, with the mixed second derivative by central differences along the gradient of the validation
    loss, as published: cheaper in memory. Unlike the released code it goes through clipping and Nesterov momentum too.
    Rate 3e-4, betas (.5, .999), decay 1e-3 and initial logits of deviation 1e-3 are the paper's. Raises ValueError for
    another order.
    """
    if order not in ORDERS:
        raise ValueError(f"order of DARTS is one of {ORDERS}, not {order!r}")
    logits = logits or Logits()
    first = by_gradient(space, lambda key, alpha, mask, progress: open_softmax(alpha, mask), logits)
    if order == "first":
        return first

    def update(key: Key, state: AlphaState, mask: Array, context: StepContext) -> AlphaState:
        del key
        gradient = exact if order == "second" else by_differences
        return descend(state, mask, gradient(state.alpha, mask, context), logits)

    # Beside validation and weight step: a gradient and its derivative, or a gradient at three places.
    return first._replace(update=update, passes=4 if order == "second" else 5)


def exact(alpha: Array, mask: Array, context: StepContext) -> Array:
    """Gradient [E, O] of the validation loss after the weights' next step, through that step."""

    def loss(alpha: Array) -> Array:
        op_weights = open_softmax(alpha, mask)
        gradients = jax.grad(context.train_loss)(context.params, op_weights)
        return context.valid_loss(context.unrolled(gradients), op_weights)

    return jax.grad(loss)(alpha)


def by_differences(alpha: Array, mask: Array, context: StepContext) -> Array:
    """As `exact`, with d/d alpha of <gradient of the training loss, v> by central differences of weights along v."""

    def train_loss(params: Params, alpha: Array) -> Array:
        return context.train_loss(params, open_softmax(alpha, mask))

    gradients = jax.grad(train_loss)(context.params, alpha)
    after, back = jax.vjp(context.unrolled, gradients)
    of_weights, of_alpha = jax.grad(lambda w, a: context.valid_loss(w, open_softmax(a, mask)), (0, 1))(after, alpha)
    (direction,) = back(of_weights)  # what a change of the training gradient does to the validation loss
    radius = RADIUS / jnp.maximum(optax.tree.norm(direction), 1e-12)
    ends = [
        jax.grad(train_loss, 1)(optax.tree.add_scale(context.params, sign * radius, direction), alpha)
        for sign in (1, -1)
    ]
    return of_alpha + (ends[0] - ends[1]) / (2 * radius)
