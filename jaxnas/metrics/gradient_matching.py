"""Gradient matching: operations are alike if they pull the shared weights the same way (Hu et al., ICLR 2022)."""

import jax
import jax.numpy as jnp
import optax

from jaxnas.metrics.base import Metric, Probe, Signature
from jaxnas.nets.losses import cross_entropy
from jaxnas.nets.network import Network
from jaxnas.spaces.base import SearchSpace
from jaxnas.types import Array, Params


def gradient_matching(network: Network, space: SearchSpace) -> Metric:
    """Cosine of the loss gradients on the weights that all operations of the edge share.

    Follows the released code rather than sums of logits: cross-entropy with labels, batch statistics, and of the
    weights the two reductions and every other edge of every cell (GM-NAS, shared set of NAS-Bench-201). A zero
    gradient, as of a disconnected network, has similarity 0 to everything.
    """
    del space  # the network knows which weights are shared

    def loss(params: Params, probe: Probe) -> Array:
        return cross_entropy(network.forward(params, probe.images, probe.choice)[0], probe.labels)

    def measure(probe: Probe) -> Signature:
        gradient = jax.grad(loss)(probe.params, probe)
        return jax.tree.map(jnp.multiply, gradient, network.shared(probe.params, probe.edge))

    return Metric(measure, cosine, dead=0.0)


def cosine(a: Signature, b: Signature) -> Array:
    """Cosine of two pytrees, leaf by leaf and never flattened; 0 if either is zero."""
    product = optax.tree.norm(a) * optax.tree.norm(b)
    return jnp.where(product > 0, optax.tree.vdot(a, b) / jnp.where(product > 0, product, 1.0), 0.0)
