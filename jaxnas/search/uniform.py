"""Uniform paths: one at a time, or as many as there are operations so that each is trained equally often."""

import jax
import jax.numpy as jnp

from jaxnas.search.base import Forwards, SearchAlgorithm, StepContext, one
from jaxnas.search.sampling import CLOSED, even, sample_connected
from jaxnas.spaces.base import SearchSpace
from jaxnas.types import Array, Key, Params

Nothing = tuple[()]


def _init(key: Key, mask: Array, params: Params) -> Nothing:
    del key, mask, params
    return ()


def _even(state: Nothing, mask: Array) -> Array:
    del state
    return even(mask)


def uniform(space: SearchSpace) -> SearchAlgorithm:
    """One uniform connected path a step (SPOS, Guo et al., ECCV 2020; RSPS, Li & Talwalkar, UAI 2019)."""

    def forwards(key: Key, state: Nothing, mask: Array, context: StepContext) -> Forwards:
        del state, context
        return one(sample_connected(key, space, mask))

    return SearchAlgorithm(_init, forwards, None, _even, passes=1)


def fairnas(space: SearchSpace) -> SearchAlgorithm:
    """As many paths a step as an edge has open operations, none of which repeats on an edge (Chu et al., ICCV 2021).

    Path i takes the i-th operation of a permutation of each edge's; on an edge with fewer open operations than another
    they come round again. The step follows the mean loss of these paths, so that rate and clipping mean what they mean
    elsewhere; published is the sum. Paths may be disconnected, or no operation could be trained as often as the others.
    """

    def forwards(key: Key, state: Nothing, mask: Array, context: StepContext) -> Forwards:
        del state, context
        mask = jnp.asarray(mask)
        counts, operations = mask.sum(-1), jnp.arange(mask.shape[-1])
        # Open operations first, in random order.
        order = jnp.argsort(-jnp.where(mask, jax.random.uniform(key, mask.shape), CLOSED), axis=-1)  # [E, O]
        places = operations[:, None] % counts[None, :]  # [S, E]
        paths = jnp.take_along_axis(order.T, places, axis=0).astype(jnp.int32)
        most = counts.max()
        return Forwards(paths, (operations < most).astype(jnp.float32) / most.astype(jnp.float32))

    return SearchAlgorithm(_init, forwards, None, _even, passes=len(space.ops))
