"""Gradient matching: operations are alike if they pull the shared weights the same way (Hu et al., ICLR 2022)."""

from collections.abc import Callable

import jax.numpy as jnp
import optax

from jaxnas.metrics.base import Metric, Probe, Signature
from jaxnas.metrics.weights import layers, loss_gradient, masked
from jaxnas.nets.network import Network
from jaxnas.spaces.base import SearchSpace
from jaxnas.types import Array


def gradient_matching(network: Network, space: SearchSpace) -> Metric:
    """Cosine of the loss gradients on the weights that all operations of the edge share.

    Follows the released code rather than sums of logits: cross-entropy with labels, batch statistics, and of the
    weights the two reductions and every other edge of every cell (GM-NAS, shared set of NAS-Bench-201). A zero
    gradient, as of a disconnected network, has similarity 0 to everything.
    """
    del space  # the network knows which weights are shared
    return Metric(_shared_gradient(network), cosine, disconnected_value=0.0)


def gradient_matching_by_filter(network: Network, space: SearchSpace) -> Metric:
    """Mean over the filters of shared convolutions of the cosine of each filter's gradients.

    Every filter that has a gradient on either side counts alike, however large it is; one that has none on the other
    side counts as 0, and norms take no part (after the released code of GM-NAS, which offers it unused and sums).
    Weights as in `gradient_matching`.
    """
    del space

    def compare(a: Signature, b: Signature) -> Array:
        parts = [_filter_cosines(*pair) for pair in zip(layers(a), layers(b), strict=True)]
        cosines, counted = (sum(part[i] for part in parts) for i in range(2))
        return cosines / jnp.maximum(counted, 1).astype(cosines.dtype)

    return Metric(_shared_gradient(network), compare, disconnected_value=0.0)


def gradient_distance(network: Network, space: SearchSpace) -> Metric:
    """Minus the squared Euclidean distance of the gradients of `gradient_matching`."""
    del space

    def compare(a: Signature, b: Signature) -> Array:
        return -optax.tree.norm(optax.tree.sub(a, b), squared=True)

    return Metric(_shared_gradient(network), compare, disconnected_value=0.0)


def cosine(a: Signature, b: Signature) -> Array:
    """Cosine of two pytrees, leaf by leaf and never flattened; 0 if either is zero."""
    product = optax.tree.norm(a) * optax.tree.norm(b)
    return jnp.where(product > 0, optax.tree.vdot(a, b) / jnp.where(product > 0, product, 1.0), 0.0)


def _shared_gradient(network: Network) -> Callable[[Probe], Signature]:
    gradient = loss_gradient(network)
    return lambda probe: masked(gradient(probe), network.shared(probe.params, probe.edge))


def _filter_cosines(a: Array, b: Array) -> tuple[Array, Array]:
    """[layers, fan in, outputs] twice -> sum of the filters' cosines, and how many filters have a gradient."""
    left, right = jnp.linalg.norm(a, axis=1), jnp.linalg.norm(b, axis=1)
    product = left * right
    cosines = jnp.where(product > 0, (a * b).sum(1) / jnp.where(product > 0, product, 1.0), 0.0)
    return cosines.sum(), ((left > 0) | (right > 0)).sum()
