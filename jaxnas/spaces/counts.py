"""Sizes of networks counted from the space alone, without building weights."""

import numpy as np

from jaxnas.spaces.base import Architecture, SearchSpace
from jaxnas.spaces.operations import CONVOLUTIONS

STAGES = 3  # stages of cells; the channels double from one to the next


def supernet_parameters(space: SearchSpace, channels: int, cells: int, classes: int, image_channels: int = 3) -> int:
    """Weights of a supernet that holds every operation on every edge; norms of its cells have no affine part."""
    kernels = [CONVOLUTIONS[op] ** 2 for op in space.ops if op in CONVOLUTIONS]
    per_cell = [len(space.edges) * sum(kernels) * width**2 for width in widths(channels)]
    return cells * sum(per_cell) + _skeleton(channels, classes, image_channels)


def architecture_parameters(
    space: SearchSpace, architecture: Architecture, channels: int, cells: int, classes: int, image_channels: int = 3
) -> int:
    """Weights of the network of one architecture trained alone; norms of its cells are affine."""
    kernels = [CONVOLUTIONS[space.ops[o]] ** 2 for o in architecture.op_ids if space.ops[o] in CONVOLUTIONS]
    per_cell = [sum(kernels) * width**2 + len(kernels) * 2 * width for width in widths(channels)]
    return cells * sum(per_cell) + _skeleton(channels, classes, image_channels)


def widths(channels: int) -> tuple[int, ...]:
    """Channels of each stage."""
    return tuple(channels * 2**stage for stage in range(STAGES))


def _skeleton(channels: int, classes: int, image_channels: int) -> int:
    stem = 9 * image_channels * channels + 2 * channels
    reductions = 0
    for narrow, wide in zip(widths(channels)[:-1], widths(channels)[1:], strict=True):
        reductions += 9 * narrow * wide + 9 * wide**2 + 4 * wide + narrow * wide  # two 3x3 with norms, one 1x1
    last = widths(channels)[-1]
    return stem + reductions + 2 * last + (last + 1) * classes


def on_live_paths(space: SearchSpace, op_ids: np.ndarray) -> np.ndarray:
    """Edges that lie on a path from input to output none of whose edges is `none`: op_ids [A, E] -> bool [A, E]."""
    passes = op_ids != space.ops.index("none")
    return passes & space.joins(passes)


def live_weights(space: SearchSpace, op_ids: np.ndarray) -> np.ndarray:
    """Weights of the convolutions on live paths, for each pair of channels: op_ids [A, E] -> int [A].

    9 for a 3x3 and 1 for a 1x1 convolution; the same order as `live_parameters` at any width.
    """
    of_op = np.array([CONVOLUTIONS.get(op, 0) ** 2 for op in space.ops])
    return np.asarray((of_op[op_ids] * on_live_paths(space, op_ids)).sum(1))


def nonlinear_depth(space: SearchSpace, op_ids: np.ndarray) -> np.ndarray:
    """Most convolutions on one live path of a cell: op_ids [A, E] -> int [A]; 0 without a live path (EFS-NAS).

    Every convolution owns one rectifier, so this is the cell's effective number of nonlinear functions.
    """
    convolution = np.isin(op_ids, [o for o, op in enumerate(space.ops) if op in CONVOLUTIONS])
    passes = op_ids != space.ops.index("none")
    dead = -1  # no live path so far
    most = np.full((len(op_ids), space.nodes), dead)
    most[:, 0] = 0
    for e, (target, source) in enumerate(space.edges):
        through = np.where(passes[:, e] & (most[:, source] >= 0), most[:, source] + convolution[:, e], dead)
        most[:, target] = np.maximum(most[:, target], through)
    return np.maximum(most[:, -1], 0)
