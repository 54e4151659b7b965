"""One-shot: all operations summed, some of them dropped (Bender et al., ICML 2018)."""

import jax
import jax.numpy as jnp
import optax

from jaxnas.search.base import Forwards, Schedule, SearchAlgorithm, StepContext, one
from jaxnas.search.sampling import CLOSED
from jaxnas.search.uniform import uniform
from jaxnas.spaces.base import SearchSpace
from jaxnas.types import Array, Key


def one_shot(space: SearchSpace, rate: Schedule | None = None) -> SearchAlgorithm:
    """The sum of all open operations, each of them dropped with probability `rate`; nothing else is learnt.

    op_weights are 0 and 1, so that a path weighs here what it weighs alone. An edge that would lose all keeps a random
    one. The paper's rate grows linearly to r^(1/k), k operations a sum; here to .5, about r = .03 of five, by our
    choice.
    """
    schedule = rate or optax.linear_schedule(0.0, 0.5, 1)

    def forwards(key: Key, state: tuple[()], mask: Array, context: StepContext) -> Forwards:
        del state
        luck = jnp.where(mask, jax.random.uniform(key, mask.shape), CLOSED)
        kept = (luck >= schedule(context.progress)) | (luck == luck.max(-1, keepdims=True))
        return one((kept & mask).astype(jnp.float32))

    return uniform(space)._replace(forwards=forwards)
