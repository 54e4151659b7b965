"""Synaptic flow (Tanaka et al., NeurIPS 2020): how much of a constant input the absolute weights let through."""

import jax
import jax.numpy as jnp

from jaxnas.metrics.base import Metric, Probe, scalar
from jaxnas.metrics.weights import is_weight, total
from jaxnas.nets.network import Network
from jaxnas.spaces.base import SearchSpace
from jaxnas.types import Array, Params


def synflow(network: Network, space: SearchSpace) -> Metric:
    """Log of the sum of |weight| x derivative of the summed logits, of one image of ones.

    Absolute weights, no biases, every norm the identity (as NASLib does; the reference code of zero-cost proxies
    leaves the norms of reductions in place). The sum outgrows float32 in deep networks, so features are rescaled on
    the way and the logarithm of what was divided out is added. A path or mixture is untouched: only weights lose their
    signs. A disconnected network lets nothing through; log 0 is declared as 0, which no connected network of random
    weights comes down to.
    """
    del space

    def measure(probe: Probe) -> Array:
        weights = jax.tree_util.tree_map_with_path(
            lambda path, leaf: jnp.abs(leaf) if is_weight(path) else jnp.zeros_like(leaf), probe.params
        )
        ones = jnp.ones_like(probe.images[:1])

        def flow(params: Params) -> tuple[Array, Array]:
            logits, stats = network.forward(params, ones, probe.choice, "none")
            return logits.sum(), stats["log_scale"]

        gradient, log_scale = jax.grad(flow, has_aux=True)(weights)
        return log_scale + jnp.log(total(jnp.multiply, weights, gradient))

    return scalar(measure, disconnected_value=0.0)
