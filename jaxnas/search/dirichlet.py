"""DrNAS: op_weights drawn from a Dirichlet distribution whose concentrations are learnt (Chen et al., ICLR 2021)."""

from typing import Literal

import jax
import jax.numpy as jnp
from jax.scipy.special import digamma, gammaln

from jaxnas.search.alpha import Logits, by_gradient
from jaxnas.search.base import SearchAlgorithm
from jaxnas.search.sampling import CLOSED
from jaxnas.spaces.base import SearchSpace
from jaxnas.types import Array, Key

REGULARISERS = ("decay", "divergence")


def concentrations(alpha: Array) -> Array:
    """elu(alpha) + 1 > 0; 1, the uniform distribution, at alpha 0."""
    return jax.nn.elu(alpha) + 1.0


def dirichlet(key: Key, alpha: Array, mask: Array) -> Array:
    """A draw over the open operations of every edge, [E, O], differentiable in alpha by implicit reparametrisation.

    The key is consumed.
    """
    drawn = jax.random.loggamma(key, concentrations(alpha))
    return jax.nn.softmax(jnp.where(mask, drawn, CLOSED))


def expected(alpha: Array, mask: Array) -> Array:
    """Mean of the distribution, [E, O]."""
    concentration = jnp.where(mask, concentrations(alpha), 0.0)
    return concentration / concentration.sum(-1, keepdims=True)


def divergence_from_uniform(alpha: Array, mask: Array) -> Array:
    """Kullback-Leibler divergence from the uniform distribution over the open operations, nats, sum over edges."""
    concentration = jnp.where(mask, concentrations(alpha), 1.0)  # of closed ones every term is 0
    total = jnp.where(mask, concentration, 0.0).sum(-1, keepdims=True)
    terms = -gammaln(concentration) + (concentration - 1) * (digamma(concentration) - digamma(total))
    return jnp.sum(gammaln(total[:, 0]) - gammaln(mask.sum(-1)) + terms.sum(-1))


def drnas(
    space: SearchSpace, regulariser: Literal["decay", "divergence"] = "decay", logits: Logits | None = None
) -> SearchAlgorithm:
    """The mixed form under draws from Dirichlet(elu(alpha) + 1); alpha by the pathwise gradient.

    decay: Adam's decay 1e-3, which keeps concentrations near 1. divergence: 1e-3 times the divergence from the uniform
    distribution is added to the validation loss instead (the released code adds it to the training loss too, where it
    moves nothing). Raises ValueError for another regulariser.
    """
    if regulariser not in REGULARISERS:
        raise ValueError(f"regulariser of DrNAS is one of {REGULARISERS}, not {regulariser!r}")
    logits = logits or Logits()
    if regulariser == "decay":
        return by_gradient(space, _weigh, logits, expected)

    def penalty(alpha: Array, mask: Array) -> Array:
        return 1e-3 * divergence_from_uniform(alpha, mask)

    return by_gradient(space, _weigh, logits._replace(decay=0.0), expected, regulariser=penalty)


def _weigh(key: Key, alpha: Array, mask: Array, progress: Array) -> Array:
    del progress
    return dirichlet(key, alpha, mask)
