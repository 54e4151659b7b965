"""Scores counted from the architecture alone. Of an operation in a mask: the mean over the mask's architectures that
hold it, disconnected ones included, so that no background is drawn.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.metrics.base import Metric, Probe, scalar
from jaxnas.metrics.weights import is_weight
from jaxnas.nets.cells import is_path
from jaxnas.nets.network import Network
from jaxnas.spaces.base import SearchSpace
from jaxnas.spaces.counts import nonlinear_depth, on_live_paths
from jaxnas.spaces.operations import CONVOLUTIONS
from jaxnas.types import Array, Params

FINEST = 1e-3  # of the least difference between two architectures; means over a mask that are closer are equal


def parameters(network: Network, space: SearchSpace) -> Metric:
    """Weights of convolutions and classifier, in thousands.

    It separates operations the same way on every edge: edges tie exactly.
    """
    skeleton, of_ops = _sizes(network, space)
    return _counted(space, (skeleton + of_ops[space.enumerate()].sum(1)) / 1e3)


def live_parameters(network: Network, space: SearchSpace) -> Metric:
    """Weights, in thousands, of edges that lie on a path from input to output without `none`."""
    skeleton, of_ops = _sizes(network, space)
    every = space.enumerate()
    return _counted(space, (skeleton + (of_ops[every] * on_live_paths(space, every)).sum(1)) / 1e3)


def nonlinear(network: Network, space: SearchSpace) -> Metric:
    """Effective number of nonlinear functions (EFS-NAS, AAAI 2025): most convolutions on one live path of a cell."""
    del network
    return _counted(space, nonlinear_depth(space, space.enumerate()).astype(float))


def multiply_adds(network: Network, space: SearchSpace) -> Metric:
    """Multiply-adds of the convolutions and the classifier, in millions, for one image of the probe's size."""

    def measure(probe: Probe) -> Array:
        pixels = probe.images.shape[1] * probe.images.shape[2]
        return _counted(space, _products(network, space, pixels)).measure(probe)

    # The grain of comparison is that of images of 32x32; any near it would do.
    return scalar(measure, disconnected_value=None)._replace(
        compare=_counted(space, _products(network, space, 1024)).compare
    )


def _counted(space: SearchSpace, values: np.ndarray) -> Metric:
    """The metric of a table [N] over all architectures."""
    every = space.enumerate()

    def measure(probe: Probe) -> Array:
        chosen = jax.nn.one_hot(probe.choice, len(space.ops)) if is_path(probe.choice) else probe.choice
        probed = (jnp.arange(len(space.edges)) == probe.edge) | (probe.edge < 0)
        open_ops = jnp.where(probed[:, None], chosen != 0, probe.mask)  # [E, O]
        inside = open_ops[jnp.arange(len(space.edges))[None, :], every].all(1)
        count = inside.sum().astype(jnp.float32)
        # Of differences from the mean of the space, so that float32 keeps small ones.
        return values.mean() + jnp.sum(jnp.where(inside, values - values.mean(), 0.0)) / count

    # Counts that differ by less are equal but for rounding: what ties in arithmetic ties here.
    grain = float(np.diff(np.unique(values)).min()) * FINEST

    def compare(a: Array, b: Array) -> Array:
        return -grain * ((abs(a - b) / grain + 0.5) // 1)

    return scalar(measure, disconnected_value=None)._replace(compare=compare)


def _sizes(network: Network, space: SearchSpace) -> tuple[float, np.ndarray]:
    """Weights outside the cells, and of each operation on one edge in all cells, [O]."""
    shapes = jax.eval_shape(network.init, jax.random.key(0))
    return _weighed(shapes, space, lambda module: 1.0)


def _products(network: Network, space: SearchSpace, pixels: int) -> np.ndarray:
    """Millions of multiply-adds of every architecture, [N]: each weight once for every pixel of its output."""
    of_stage = {"stem": 1, "stage1": 1, "stage2": 4, "stage3": 16, "reduction1": 4, "reduction2": 16}
    shapes = jax.eval_shape(network.init, jax.random.key(0))
    skeleton, of_ops = _weighed(shapes, space, lambda module: pixels / of_stage[module] if module in of_stage else 1.0)
    return (skeleton + of_ops[space.enumerate()].sum(1)) / 1e6


def _weighed(shapes: Params, space: SearchSpace, weight: Callable[[str], float]) -> tuple[float, np.ndarray]:
    skeleton, of_ops = 0.0, np.zeros(len(space.ops))
    for module, part in shapes.items():
        if not module.startswith("stage"):
            skeleton += weight(module) * sum(leaf.size for leaf in _weights(part))
            continue
        for name, leaf in part.items():
            if name.endswith("kernel"):
                op = next(op for op in CONVOLUTIONS if name.startswith(op))
                of_ops[space.ops.index(op)] += weight(module) * leaf.size / len(space.edges)
    return skeleton, of_ops


def _weights(tree: Params) -> list[jax.ShapeDtypeStruct]:
    return [leaf for path, leaf in jax.tree_util.tree_leaves_with_path(tree) if is_weight(path)]
