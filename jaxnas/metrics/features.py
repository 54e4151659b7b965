"""Scores from the features themselves: zen score and local intrinsic dimension."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxnas.metrics.base import Metric, Probe, Signature, scalar
from jaxnas.metrics.gradient_matching import cosine
from jaxnas.metrics.weights import is_weight
from jaxnas.nets.layers import relu
from jaxnas.nets.network import Network
from jaxnas.spaces.base import SearchSpace
from jaxnas.types import Array, Key, Params, Stats

NEIGHBOURS = 20  # of an image, for its local intrinsic dimension
STEP = 0.01  # of the perturbation of the zen score
MOMENTUM = 0.1  # of the running variances of the zen score


def zen(network: Network, space: SearchSpace) -> Metric:
    """How far a small step in the input moves the last features, of Gaussian weights (Zen-NAS, ICCV 2021).

    As NASLib computes it, with one repetition: weights of convolutions and classifier from N(0, 1), norms of scale 1
    and bias 0, inputs x and z from N(0, 1) of the batch's shape. The log of the mean over images of
    sum |f(x) - f(x + .01 z)|, where f is what the pooling sees (after the last norm and rectifier; norms by batch
    statistics), plus for every norm log sqrt(mean over channels of its running variance), which undoes a part of what
    it scaled away. Both passes move the running variance from 1 with momentum .1, so that it is
    .81 + .09 var(x) + .1 var(x + .01 z): of biased variances here, unbiased ones there. A mixture counts the norms of
    operations whose weight is not 0; there are none in NASLib.
    """
    del space

    def measure(probe: Probe) -> Array:
        weight_key, image_key, step_key = jax.random.split(probe.key, 3)
        params = _gaussian(weight_key, probe.params)
        images = jax.random.normal(image_key, probe.images.shape)
        moved = images + STEP * jax.random.normal(step_key, images.shape)
        first, second = (network.watch(params, x, probe.choice) for x in (images, moved))
        distance = jnp.abs(relu(first.head) - relu(second.head)).sum((0, 2, 3)).mean()
        return jnp.log(distance) + _log_deviations(first.stats, second.stats, network.live(params, probe.choice))

    return scalar(measure, disconnected_value=-100.0)


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

    return Metric(measure, cosine, disconnected_value=0.0)


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
        jax.random.normal(k, leaf.shape) if is_weight(path) else jnp.full_like(leaf, path[-1].key.endswith("scale"))
        for k, (path, leaf) in zip(keys, leaves, strict=True)
    ]
    return jax.tree.unflatten(structure, drawn)


def _log_deviations(first: Stats, second: Stats, live: Params) -> Array:
    """Sum over norms that take part of the log of the root of the mean running variance after two passes."""

    def of_norm(path: Any, before: Array, after: Array) -> Array:
        if path[-1].idx == 0:  # the means
            return jnp.zeros(())
        running = (1 - MOMENTUM) * ((1 - MOMENTUM) + MOMENTUM * before) + MOMENTUM * after
        logs = 0.5 * jnp.log(running.mean(-1))
        if logs.ndim == 0:  # of the stem, a reduction or the head
            return logs
        stage, op = path[0].key, path[1].key
        return jnp.where(live[stage][f"{op}_kernel"].reshape(1, -1), logs, 0.0).sum()  # [cells, E]

    return jnp.sum(jnp.stack(jax.tree.leaves(jax.tree_util.tree_map_with_path(of_norm, first, second))))
