"""DSNAS and REINFORCE: paths drawn from softmax(alpha), whose probabilities follow what they cost."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxnas.search.alpha import AlphaState, Logits, begin, descend, open_softmax
from jaxnas.search.base import Forwards, SearchAlgorithm, StepContext, mean_of, one
from jaxnas.search.sampling import CLOSED
from jaxnas.spaces.base import SearchSpace
from jaxnas.types import Array, Key, Params

ON_ITS_OWN = Logits(mean=1.0, deviation=0.01)  # as both codes begin


class DsnasState(NamedTuple):
    """Logits, their optimizer, and the operations that are still in play."""

    logits: AlphaState
    left: Array  # bool [E, O]


def dsnas(space: SearchSpace, fix_at: float | None = 0.3, logits: Logits | None = None) -> SearchAlgorithm:
    """One path a step; alpha by the cost of each of its operations (Hu et al., CVPR 2020, eq. 10).

    The gradient is, edge by edge, dL/dZ . Z times that of log softmax(alpha)[Z], Z the one-hot draw: credit by a first
    order expansion around removing the operation, not the loss itself. An edge whose two largest probabilities lie
    `fix_at` apart keeps the larger operation only (None: never); tried at every step, there once an epoch. Bilevel: Z
    and cost are of the validation batch; in the original one draw and one training batch serve both.
    """
    settings = logits or ON_ITS_OWN

    def init(key: Key, mask: Array, params: Params) -> DsnasState:
        del params
        return DsnasState(begin(key, space, settings), jnp.asarray(mask))

    def forwards(key: Key, state: DsnasState, mask: Array, context: StepContext) -> Forwards:
        del context
        return one(draw_path(key, state.logits.alpha, in_play(state.left, mask)))

    def update(key: Key, state: DsnasState, mask: Array, context: StepContext) -> DsnasState:
        left, alpha = in_play(state.left, mask), state.logits.alpha
        drawn = jax.nn.one_hot(draw_path(key, alpha, left), mask.shape[-1])
        cost = jax.grad(context.valid_loss, 1)(context.params, drawn) * drawn  # [E, O]
        gradient = path_gradient(alpha, left, drawn, cost.sum(-1))
        new = descend(state.logits, left & (left.sum(-1, keepdims=True) > 1), gradient, settings)
        return DsnasState(new, left if fix_at is None else decided(new.alpha, left, fix_at))

    def probabilities(state: DsnasState, mask: Array) -> Array:
        return open_softmax(state.logits.alpha, in_play(state.left, mask))

    return SearchAlgorithm(init, forwards, update, probabilities)


def reinforce(space: SearchSpace, samples: int = 5, logits: Logits | None = None) -> SearchAlgorithm:
    """Paths drawn from softmax(alpha); alpha by REINFORCE, each loss against the mean of the others (leave one out).

    Unbiased for the gradient of the expected validation loss (Kool et al., 2019); the metric-driven few-shot study ran
    this under the name DSNAS. `samples` paths share a validation batch, fresh ones train the weights by the mean loss.
    Raises ValueError for fewer than two samples.
    """
    if samples < 2:
        raise ValueError(f"leaving one out takes two samples or more, not {samples}")
    settings = logits or ON_ITS_OWN

    def paths(key: Key, state: AlphaState, mask: Array) -> Array:
        return jax.vmap(lambda k: draw_path(k, state.alpha, mask))(jax.random.split(key, samples))

    def init(key: Key, mask: Array, params: Params) -> AlphaState:
        del mask, params
        return begin(key, space, settings)

    def forwards(key: Key, state: AlphaState, mask: Array, context: StepContext) -> Forwards:
        del context
        return mean_of(paths(key, state, mask))

    def update(key: Key, state: AlphaState, mask: Array, context: StepContext) -> AlphaState:
        drawn = paths(key, state, mask)
        losses = lax.map(lambda path: context.valid_loss(context.params, path), drawn)  # [S]
        one_hot = jax.nn.one_hot(drawn, mask.shape[-1])
        return descend(state, mask, leave_one_out(one_hot, losses), settings)

    return SearchAlgorithm(init, forwards, update, lambda state, mask: open_softmax(state.alpha, mask), 2 * samples)


def in_play(left: Array, mask: Array) -> Array:
    """Operations left that the mask holds, [E, O]; all of an edge's where the mask holds none of them."""
    inside = left & mask
    return jnp.where(inside.any(-1, keepdims=True), inside, mask)


def draw_path(key: Key, alpha: Array, mask: Array) -> Array:
    """op_ids int [E] from softmax(alpha) over the open operations, connected or not; the key is consumed."""
    return jax.random.categorical(key, jnp.where(mask, alpha, CLOSED)).astype(jnp.int32)


def path_gradient(alpha: Array, mask: Array, drawn: Array, costs: Array) -> Array:
    """Gradient [E, O] of sum over edges of cost times log probability of what was drawn, one-hot [E, O]; costs [E]."""
    return costs[:, None] * (drawn - open_softmax(alpha, mask))


def leave_one_out(drawn: Array, losses: Array) -> Array:
    """Estimate [E, O] of the gradient of the expected loss; draws one-hot [S, E, O], losses [S].

    The sample covariance of draw and loss: the probabilities cancel, since centred losses sum to 0.
    """
    return jnp.tensordot(losses - losses.mean(), drawn, 1) / (len(losses) - 1)


def decided(alpha: Array, left: Array, gap: float) -> Array:
    """Operations left [E, O] when an edge keeps only its likeliest once that leads the next by `gap`."""
    probabilities = open_softmax(alpha, left)
    first, second = jax.lax.top_k(probabilities, 2)[0].T
    only = jax.nn.one_hot(probabilities.argmax(-1), left.shape[-1], dtype=bool)
    return jnp.where((first - second >= gap)[:, None], left & only, left)
