"""ProxylessNAS: one path at a time, alpha by what its gates would change (Cai et al., ICLR 2019)."""

from typing import Literal

import jax
import jax.numpy as jnp
from jax import lax

from jaxnas.search.alpha import AlphaState, Logits, by_gradient, descend, open_softmax
from jaxnas.search.base import SearchAlgorithm, StepContext
from jaxnas.search.sampling import CLOSED
from jaxnas.search.scored_paths import draw_path
from jaxnas.spaces.base import SearchSpace
from jaxnas.types import Array, Key

GATES = ("full", "two")


def proxyless(
    space: SearchSpace, gates: Literal["full", "two"] = "full", logits: Logits | None = None
) -> SearchAlgorithm:
    """A path drawn from softmax(alpha); alpha by the binary-gate gradient on a fresh one, and the validation batch.

    With G the slope of the loss in the gates [E, O] at the path and p the probabilities, the gradient of logit i is
    sum_j G_j p_j (delta_ij - p_i). full: over all open operations. two: over two of each edge, drawn without
    replacement and weighed against each other, so that only two need memory; both logits are then moved together, so
    that the probabilities of the others stay. Rate 1e-3, betas (0, .999), no decay and logits of deviation 1e-3 are
    the released code's; its warm-up and its five weight steps for each of alpha are left out. Raises ValueError for
    other gates.
    """
    if gates not in GATES:
        raise ValueError(f"gates of ProxylessNAS are one of {GATES}, not {gates!r}")
    settings = logits or Logits(rate=1e-3, decay=0.0, betas=(0.0, 0.999))

    def weigh(key: Key, alpha: Array, mask: Array, progress: Array) -> Array:
        del progress
        return _gates(key, alpha, mask)

    full = by_gradient(space, weigh, settings, one_hot=True)
    if gates == "full":
        return full

    def update(key: Key, state: AlphaState, mask: Array, context: StepContext) -> AlphaState:
        pair_key, gate_key = jax.random.split(key)
        pair = draw_pair(pair_key, state.alpha, mask)

        def loss(alpha: Array) -> Array:
            return context.valid_loss(context.params, _gates(gate_key, alpha, pair))

        new = descend(state, pair, jax.grad(loss)(state.alpha), settings)
        grown = _total(new.alpha, pair) - _total(state.alpha, pair)
        return new._replace(alpha=jnp.where(pair, new.alpha - grown, new.alpha))

    return full._replace(update=update)


def draw_pair(key: Key, alpha: Array, mask: Array) -> Array:
    """Two operations of every edge without replacement, by softmax(alpha); one where no more are open. Bool [E, O].

    The key is consumed.
    """
    noisy = jnp.where(mask, alpha + jax.random.gumbel(key, alpha.shape), CLOSED)
    return jax.nn.one_hot(lax.top_k(noisy, 2)[1], alpha.shape[-1], dtype=bool).any(-2) & mask


def _gates(key: Key, alpha: Array, mask: Array) -> Array:
    """A path, one-hot [E, O], with the derivative of the probabilities it was drawn from."""
    soft = open_softmax(alpha, mask)
    return jax.nn.one_hot(draw_path(key, alpha, mask), alpha.shape[-1]) + (soft - lax.stop_gradient(soft))


def _total(alpha: Array, pair: Array) -> Array:
    """Logarithm of the unnormalised probability of the pair, [E, 1]."""
    return jax.nn.logsumexp(jnp.where(pair, alpha, CLOSED), axis=-1, keepdims=True)
