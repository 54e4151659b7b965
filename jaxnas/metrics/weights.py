"""Trees of weights as layers: one matrix for each convolution of each edge, and for the classifier."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp

from jaxnas.metrics.base import Probe
from jaxnas.nets.losses import cross_entropy
from jaxnas.nets.network import Network
from jaxnas.types import Array, Choice, Params


def layers(tree: Params) -> list[Array]:
    """The weights of convolutions and of the classifier, each [layers, fan in, outputs]; no norms, no biases.

    Arrays of a supernet's cells hold a layer for each cell and edge, others one. A tree congruent to the weights.
    """
    found = jax.tree_util.tree_leaves_with_path(tree)
    return [_matrices(leaf) for path, leaf in found if is_weight(path)]


def is_weight(path: Any) -> bool:
    """Whether a leaf is of a convolution or of the classifier, rather than a scale or a bias."""
    return not path[-1].key.endswith(("scale", "bias"))


def only_weights(tree: Params) -> Params:
    """The same tree with zeros for norms and biases."""
    return jax.tree_util.tree_map_with_path(lambda path, leaf: leaf * float(is_weight(path)), tree)


def masked(tree: Params, kept: Params) -> Params:
    """The tree with zeros where `kept`, a congruent tree of bool that broadcasts, says no."""
    return jax.tree.map(lambda leaf, of: leaf * of.astype(leaf.dtype), tree, kept)


def total(function: Callable[..., Array], *trees: Params) -> Array:
    """Sum over layers of `function(matrix, ...)`, [layers, fan in, outputs] of each tree -> [layers]. -> []."""
    return jnp.sum(jnp.stack([function(*parts).sum() for parts in zip(*map(layers, trees), strict=True)]))


def build_loss(network: Network) -> Callable[..., Array]:
    """`loss(params, images, labels, choice, norm="batch", stats=None)`: mean cross-entropy, in nats."""

    def loss(params: Params, images: Array, labels: Array, choice: Choice, *norm: Any) -> Array:
        return cross_entropy(network.forward(params, images, choice, *norm)[0], labels)

    return loss


@lru_cache(maxsize=16)  # one function for one network, by which metrics know that they share it
def loss_gradient(network: Network) -> Callable[[Probe], Params]:
    """`gradient(probe)` of the loss on all weights, batch statistics."""
    loss = build_loss(network)
    return lambda probe: jax.grad(loss)(probe.params, probe.images, probe.labels, probe.choice)


def _matrices(leaf: Array) -> Array:
    if leaf.ndim <= 4:
        return leaf.reshape(1, -1, leaf.shape[-1])
    return leaf.reshape(leaf.shape[0] * leaf.shape[1], -1, leaf.shape[-1])
