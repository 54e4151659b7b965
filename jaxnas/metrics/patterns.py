"""Scores from which rectifiers are active for which image."""

from collections.abc import Callable
from functools import lru_cache

import jax
import jax.numpy as jnp
from jax import lax

from jaxnas.metrics.base import Metric, Probe, halved
from jaxnas.nets.cells import is_path
from jaxnas.nets.network import Network
from jaxnas.spaces.base import SearchSpace
from jaxnas.spaces.operations import CONVOLUTIONS
from jaxnas.types import Array, Choice

Rectified = list[tuple[Array, Array]]
"""what rectifiers see, [N, H, B, W, C], and how many convolutions own each of the N, float []"""
UNITS, SETS = 8, 64  # rectifiers of one set, and sets drawn from each layer, of `linear_regions`


def naswot(network: Network, space: SearchSpace) -> Metric:
    """Log determinant of how many rectifiers two images agree in (Mellor et al., ICML 2021).

    Every convolution that runs owns a rectifier on its input, so that a node's pattern counts once for each of them;
    reductions own two, the head one. Norms with batch statistics. A single rectifier pattern for all images has
    determinant 0; a disconnected network is declared as 0, below any batch of distinct patterns.
    """

    def score(probe: Probe, rectified: Rectified) -> Array:
        kernel = sum(count * _agreement(features).sum(0) for features, count in rectified)
        return jnp.linalg.slogdet(kernel)[1]

    return halved(_rectified(network, space), score, disconnected_value=0.0)


def linear_regions(network: Network, space: SearchSpace) -> Metric:
    """Mean number of linear regions that the batch falls into, of the rectifiers taken eight at a time.

    Xiong et al. (ICML 2020) and TE-NAS (ICLR 2021) count distinct activation patterns over the whole of a network that
    is small enough; in one of usual size every image has a pattern of its own, and the count says nothing but B. Here
    64 sets of 8 units are drawn from every layer, the same for every probe of a batch, and their counts averaged, each
    layer as often as convolutions own it. A set that tells all images apart says no more than B: where all do, the
    value is not finite, which the check of connected probes refuses. Eight units have 256 patterns, so that a batch of
    more images than that never gets there.
    """

    def score(probe: Probe, rectified: Rectified) -> Array:
        regions, layers = [], []
        for place, (features, count) in enumerate(rectified):
            found = _regions(jax.random.fold_in(probe.key, place), features)  # [N]
            regions.append(count * found.sum())
            layers.append(count * len(found))
        mean = jnp.sum(jnp.stack(regions)) / jnp.sum(jnp.stack(layers))
        return jnp.where(mean < len(probe.images), mean, jnp.inf)

    return halved(_rectified(network, space), score, disconnected_value=1.0)._replace(
        not_finite=f"every set of {UNITS} units tells all images of the batch apart, so that the count says only how "
        f"many images there are; a larger batch helps, and one of more than {2**UNITS} images always does"
    )


@lru_cache(maxsize=16)
def _rectified(network: Network, space: SearchSpace) -> Callable[[Probe], Rectified]:
    def rectified(probe: Probe) -> Rectified:
        seen = network.watch(probe.params, probe.images, probe.choice)
        owners = _owners(space, probe.choice)
        one = jnp.ones(())
        sources = range(space.nodes - 1)
        found = [(_rectified_channels(network, stage[:, n]), owners[n]) for stage in seen.nodes for n in sources]
        found += [(features[None], one) for reduction in seen.reductions for features in reduction[:2]]
        return [*found, (seen.head[None], one)]

    return rectified


def _rectified_channels(network: Network, features: Array) -> Array:
    """Of the features of nodes, [..., C], those that operations see."""
    return features if network.partial == 1 else features[..., : features.shape[-1] // network.partial]


def _owners(space: SearchSpace, choice: Choice) -> list[Array]:
    """Number of convolutions that run on the edges which leave each node, float []."""
    convolutions = [o for o, op in enumerate(space.ops) if op in CONVOLUTIONS]
    runs = jax.nn.one_hot(choice, len(space.ops)) if is_path(choice) else choice
    of_edge = [sum((runs[e, o] != 0).astype(jnp.float32) for o in convolutions) for e in range(len(space.edges))]
    return [
        jnp.asarray(sum(of_edge[e] for e, (_, source) in enumerate(space.edges) if source == node), jnp.float32)
        for node in range(space.nodes - 1)
    ]


def _agreement(features: Array) -> Array:
    """Number of units in which two images are both active or both not: [N, H, B, W, C] -> [N, B, B]."""
    signs = jnp.where(features > 0, 1.0, -1.0)
    layers, height, batch, width, channels = signs.shape
    rows = signs.transpose(0, 2, 1, 3, 4).reshape(layers, batch, -1)
    return (rows @ rows.swapaxes(1, 2) + height * width * channels) / 2


def _regions(key: jax.Array, features: Array) -> Array:
    """Mean number of distinct patterns of SETS sets of UNITS units, by layer: [N, H, B, W, C] -> [N]."""
    layers, height, batch, width, channels = features.shape
    active = (features > 0).transpose(0, 2, 1, 3, 4).reshape(layers, batch, -1)
    chosen = jax.random.randint(key, (SETS, UNITS), 0, height * width * channels)
    places = jnp.arange(UNITS, dtype=jnp.int32)[None, None, None, :]
    codes = jnp.sum(active[:, :, chosen].astype(jnp.int32) << places, -1)  # [N, B, SETS]
    ordered = lax.sort(codes, dimension=1)
    return 1 + (ordered[:, 1:] != ordered[:, :-1]).sum(1).astype(jnp.float32).mean(1)
