"""SNAS and GDAS: op_weights drawn by the Gumbel-softmax, soft or hard."""

import jax
import jax.numpy as jnp
import optax
from jax import lax

from jaxnas.search.alpha import Logits, by_gradient
from jaxnas.search.base import Schedule, SearchAlgorithm
from jaxnas.search.sampling import CLOSED
from jaxnas.spaces.base import SearchSpace
from jaxnas.types import Array, Key


def gumbel_softmax(key: Key, alpha: Array, mask: Array, temperature: Array) -> Array:
    """softmax((alpha + Gumbel noise) / temperature) over the open operations, [E, O]; the key is consumed.

    Its arg-max follows softmax(alpha), whatever the temperature.
    """
    noisy = jnp.where(mask, alpha + jax.random.gumbel(key, alpha.shape), CLOSED)
    return jax.nn.softmax(noisy / temperature)


def snas(space: SearchSpace, temperature: Schedule | None = None, logits: Logits | None = None) -> SearchAlgorithm:
    """The mixed form under soft draws; alpha by the reparametrised gradient (Xie et al., ICLR 2019, eq. 4).

    Bilevel, with a fresh draw for each half of a step, as few-shot codes run it; the original takes one draw and one
    training batch for both. Temperature 1 -> .1 linearly, logits N(1, .01) as there.
    """
    temperature = temperature or optax.linear_schedule(1.0, 0.1, 1)  # over all of the training

    def weigh(key: Key, alpha: Array, mask: Array, progress: Array) -> Array:
        return gumbel_softmax(key, alpha, mask, temperature(progress))

    return by_gradient(space, weigh, logits or Logits(mean=1.0, deviation=0.01))


def gdas(space: SearchSpace, temperature: Schedule | None = None, logits: Logits | None = None) -> SearchAlgorithm:
    """The path of the largest noisy logit; alpha by the straight-through gradient (Dong & Yang, CVPR 2019, eq. 5).

    Straight-through: one-hot in value, the derivative of the soft draw. What an operation that did not run would add is
    computed here, in the mixed form of the validation batch; the released code takes its output for 1 everywhere.
    Temperature 10 -> .1 linearly and logits of deviation 1e-3 are the released code's.
    """
    temperature = temperature or optax.linear_schedule(10.0, 0.1, 1)

    def weigh(key: Key, alpha: Array, mask: Array, progress: Array) -> Array:
        soft = gumbel_softmax(key, alpha, mask, temperature(progress))
        hard = jax.nn.one_hot(soft.argmax(-1), soft.shape[-1])
        return hard + (soft - lax.stop_gradient(soft))  # exactly one-hot in value

    return by_gradient(space, weigh, logits or Logits(), one_hot=True)
