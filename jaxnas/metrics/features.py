"""Scores from the features themselves: zen score and local intrinsic dimension."""

import jax
import jax.numpy as jnp

from jaxnas.metrics.base import Metric, Probe, Signature, scalar
from jaxnas.metrics.gradient_matching import cosine
from jaxnas.metrics.weights import is_weight
from jaxnas.nets.network import Network
from jaxnas.spaces.base import SearchSpace
from jaxnas.types import Array, Key, Params

NEIGHBOURS = 20  # of an image, for its local intrinsic dimension
STEP = 0.01  # of the perturbation of the zen score


def zen(network: Network, space: SearchSpace) -> Metric:
    """How far a small step in the input moves the last features, of Gaussian weights (Zen-NAS, ICCV 2021).

    As NASLib computes it, once: weights of convolutions and classifier from N(0, 1), inputs x and z from N(0, 1) of
    the batch's shape, log of the mean over images of sum |f(x) - f(x + .01 z)|, plus for every norm the log of its mean
    deviation, which undoes what it scaled away; norms by batch statistics.
    """
    del space

    def measure(probe: Probe) -> Array:
        weight_key, image_key, step_key = jax.random.split(probe.key, 3)
        params = _gaussian(weight_key, probe.params)
        images = jax.random.normal(image_key, probe.images.shape)
        moved = images + STEP * jax.random.normal(step_key, images.shape)
        first, second = (network.watch(params, x, probe.choice) for x in (images, moved))
        distance = jnp.abs(first.nodes[-1][-1, -1] - second.nodes[-1][-1, -1]).sum((0, 2, 3)).mean()
        return jnp.log(distance) + _log_deviations(second.stats)

    return scalar(measure, dead=-100.0)


def intrinsic_dimension(network: Network, space: SearchSpace) -> Metric:
    """Profile of local intrinsic dimensions, one for the output of every cell and reduction (NAS-LID, AAAI 2023).

    Compared by cosine. Batch statistics; the estimator is `local_intrinsic_dimension` with 20 neighbours.
    """
    del space

    def measure(probe: Probe) -> Signature:
        seen = network.watch(probe.params, probe.images, probe.choice)
        outputs = [features for stage in seen.nodes for features in stage[:, -1]]
        outputs += [output for _, _, output in seen.reductions]
        rows = [x.swapaxes(0, 1).reshape(x.shape[1], -1) for x in outputs]
        return jnp.stack([local_intrinsic_dimension(points) for points in rows])

    return Metric(measure, cosine, dead=0.0)


def local_intrinsic_dimension(points: Array, neighbours: int = NEIGHBOURS) -> Array:
    """Mean over the points [B, d] of - k / sum over the k nearest of log(distance / that of the k-th). -> [].

    The maximum likelihood estimate of Amsaleg et al. (KDD 2015) as NAS-LID's code has it: k in the numerator though
    the k-th term is 0, so that small dimensions come out k / (k - 2) times too large. Fewer points than k + 1 lower k.
    """
    k = min(neighbours, len(points) - 1)
    centred = points - points.mean(0, keepdims=True)  # distances lose less to rounding
    squares = jnp.square(centred).sum(1)
    squared = jnp.maximum(squares[:, None] + squares[None, :] - 2 * centred @ centred.T, 0.0)
    nearest = jnp.sqrt(jnp.sort(squared + jnp.diag(jnp.full(len(points), jnp.inf)), axis=1)[:, :k])
    tiny = 1e-6
    ratios = jnp.log(jnp.maximum(nearest, tiny) / (nearest[:, -1:] + tiny))
    return jnp.mean(-k / (ratios.sum(1) - tiny))


def _gaussian(key: Key, params: Params) -> Params:
    leaves, structure = jax.tree_util.tree_flatten_with_path(params)
    keys = jax.random.split(key, len(leaves))
    drawn = [
        jax.random.normal(k, leaf.shape) if is_weight(path) else leaf
        for k, (path, leaf) in zip(keys, leaves, strict=True)
    ]
    return jax.tree.unflatten(structure, drawn)


def _log_deviations(stats: Array) -> Array:
    """Sum over norms of log of the root of the mean variance.

    Norms that did not run report 1 and add nothing, nor do those of operations that nothing reaches: they scaled zeros.
    """
    pairs = jax.tree.leaves(stats, is_leaf=lambda node: isinstance(node, tuple))
    means = jnp.concatenate([variance.mean(-1).reshape(-1) for _, variance in pairs])
    return 0.5 * jnp.sum(jnp.log(jnp.where(means > 0, means, 1.0)))
