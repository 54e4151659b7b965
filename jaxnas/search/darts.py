"""DARTS: operations weighed by a softmax whose logits follow the validation loss (Liu et al., ICLR 2019)."""

from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxnas.search.base import Problem, SearchAlgorithm
from jaxnas.search.sampling import CLOSED
from jaxnas.spaces.base import SearchSpace
from jaxnas.types import Array, Key

ORDERS = ("first", "second")


class DartsState(NamedTuple):
    """Logits and their optimizer."""

    alpha: Array  # float [E, O]
    opt: optax.OptState


def darts(space: SearchSpace, order: Literal["first", "second"] = "first") -> SearchAlgorithm:
    """The mixed form under softmax(alpha) over the open operations; alpha by Adam on the validation loss.

    first: at the weights as they are. second: at the weights after their optimizer's next step on the training batch
    (clipping, decay, momentum and rate included), differentiated through that step: exact, by reverse over reverse,
    where the published code takes finite differences and leaves momentum unscaled. Rate 3e-4, betas (.5, .999) and
    decay 1e-3 are the paper's, as are initial logits of deviation 1e-3. Raises ValueError for another order.
    """
    if order not in ORDERS:
        raise ValueError(f"order of DARTS is one of {ORDERS}, not {order!r}")
    optimizer = optax.chain(
        optax.add_decayed_weights(1e-3), optax.scale_by_adam(b1=0.5, b2=0.999), optax.scale_by_learning_rate(3e-4)
    )

    def op_weights(alpha: Array, mask: Array) -> Array:
        return jax.nn.softmax(jnp.where(mask, alpha, CLOSED))

    def init(key: Key, mask: Array) -> DartsState:
        del mask
        alpha = 1e-3 * jax.random.normal(key, space.shape)
        return DartsState(alpha, optimizer.init(alpha))

    def choose(key: Key, state: DartsState, mask: Array) -> Array:
        del key
        return op_weights(state.alpha, mask)

    def update(key: Key, state: DartsState, mask: Array, problem: Problem) -> DartsState:
        del key

        def loss(alpha: Array) -> Array:
            weights = op_weights(alpha, mask)
            if order == "first":
                return problem.valid_loss(problem.params, weights)
            gradients = jax.grad(problem.train_loss)(problem.params, weights)
            return problem.valid_loss(problem.unrolled(gradients), weights)

        updates, opt = optimizer.update(jax.grad(loss)(state.alpha), state.opt, state.alpha)
        # Decay would move the logits of closed operations too.
        return DartsState(jnp.where(mask, state.alpha + updates, state.alpha), opt)

    def probabilities(state: DartsState, mask: Array) -> Array:
        return op_weights(state.alpha, mask)

    return SearchAlgorithm(init, choose, update, probabilities)
