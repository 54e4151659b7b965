"""GreedyNAS: of many uniform paths the promising ones are trained, and drawn again (You et al., CVPR 2020)."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import lax

from jaxnas.search.base import Forwards, Schedule, SearchAlgorithm, StepContext, mean_of
from jaxnas.search.sampling import even, sample_connected
from jaxnas.spaces.base import SearchSpace
from jaxnas.types import Array, Key, Params


class GreedyState(NamedTuple):
    """What trains the weights next, and the pool of candidates, the lowest loss first."""

    kept: Array  # op_ids int [S, E]
    pool: Array  # op_ids int [P, E]
    losses: Array  # [P], when they were drawn last; infinite: a free place


def greedynas(
    space: SearchSpace, paths: int = 10, kept: int = 5, pool: int = 1000, from_pool: Schedule | None = None
) -> SearchAlgorithm:
    """Of `paths` connected paths a step, the `kept` of lowest validation loss train the weights by their mean loss.

    A path comes from the pool with probability `from_pool`, 0 -> .8 linearly, and is uniform else; the pool holds the
    `pool` lowest losses of what was kept, each path once, with its newest loss. The numbers are the paper's; there the
    kept paths take a step each, one batch after the other, and the pool may end the training early. Where a space has
    few architectures, those that lead by their initial weights may be the only ones to be trained. Probabilities are
    the operations' shares of the pool.

    The paths of a step are ranked on that step's validation batch, as large as a training batch, augmented, another one
    every step; the paper ranks on a small surrogate part of the validation images. A batch of 64 orders paths of
    nearly the same loss by chance, and losses in the pool are of different batches and weights, as old as their path's
    last draw. Raises ValueError unless 1 <= kept <= paths.
    """
    if not 1 <= kept <= paths:
        raise ValueError(f"GreedyNAS keeps some of its {paths} paths, not {kept}")
    schedule = from_pool or optax.linear_schedule(0.0, 0.8, 1)

    def init(key: Key, mask: Array, params: Params) -> GreedyState:
        del params
        first = jax.vmap(lambda k: sample_connected(k, space, mask))(jax.random.split(key, kept))
        return GreedyState(first, jnp.zeros((pool, first.shape[1]), jnp.int32), jnp.full(pool, jnp.inf))

    def forwards(key: Key, state: GreedyState, mask: Array, context: StepContext) -> Forwards:
        del key, mask, context
        return mean_of(state.kept)

    def update(key: Key, state: GreedyState, mask: Array, context: StepContext) -> GreedyState:
        def draw(key: Key) -> Array:
            coin_key, pool_key, path_key = jax.random.split(key, 3)
            filled = jnp.isfinite(state.losses).sum()
            again = state.pool[jax.random.randint(pool_key, (), 0, jnp.maximum(filled, 1))]
            exploit = jax.random.bernoulli(coin_key, schedule(context.progress)) & (filled > 0)
            return jnp.where(exploit, again, sample_connected(path_key, space, mask))

        drawn = jax.vmap(draw)(jax.random.split(key, paths))
        losses = lax.map(lambda path: context.valid_loss(context.params, path), drawn)
        best = jnp.argsort(losses)[:kept]
        return merge(state, drawn[best], losses[best])

    def probabilities(state: GreedyState, mask: Array) -> Array:
        filled = jnp.isfinite(state.losses)
        shares = jnp.mean(jax.nn.one_hot(state.pool, space.shape[1]), 0, where=filled[:, None, None])
        return jnp.where(filled.any(), shares, even(mask))

    return SearchAlgorithm(init, forwards, update, probabilities, paths + kept)


def merge(state: GreedyState, kept: Array, losses: Array) -> GreedyState:
    """The pool with the paths kept [S, E] in it, in place of what it held of them; the highest losses fall out."""
    every = jnp.concatenate([kept, state.pool])
    same = (every[:, None] == kept[None]).all(-1)  # [S + P, S]
    repeated = (same & (jnp.arange(len(kept))[None, :] < jnp.arange(len(every))[:, None])).any(-1)
    values = jnp.where(repeated, jnp.inf, jnp.concatenate([losses, state.losses]))
    order = jnp.argsort(values)[: len(state.losses)]
    return GreedyState(kept, every[order], values[order])
