"""Random architectures of a mask, drawn inside jit."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from jaxnas.spaces.base import SearchSpace
from jaxnas.types import Array, Key

CLOSED = -1e9  # finite: minus infinity times zero would be NaN


def sample_connected(key: Key, space: SearchSpace, mask: Array) -> Array:
    """A uniform draw from the connected architectures of `mask` [E, O] -> op_ids int32 [E]; the key is consumed.

    By rejection: each edge is drawn uniformly from its open operations until the input reaches the output. The mask
    must hold a connected architecture (`space.viable`), or this never returns.
    """
    return sample_until(key, mask, space.connected)


def even(mask: Array) -> Array:
    """Equal probabilities for the open operations of each edge, float32 [E, O]."""
    open_ops = jnp.asarray(mask, jnp.float32)
    return open_ops / open_ops.sum(-1, keepdims=True)


def sample_until(key: Key, mask: Array, accept: Callable[[Array], Array]) -> Array:
    """As `sample_connected`, until `accept(op_ids) -> bool []`."""

    def draw(key: Key) -> Array:
        return jax.random.categorical(key, jnp.where(mask, 0.0, CLOSED)).astype(jnp.int32)

    def retry(carry: tuple[Key, Array]) -> tuple[Key, Array]:
        key, _ = carry
        key, drawn = jax.random.split(key)
        return key, draw(drawn)

    first = retry((key, jnp.zeros(mask.shape[0], jnp.int32)))
    return lax.while_loop(lambda carry: ~accept(carry[1]), retry, first)[1]
