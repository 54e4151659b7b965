"""Sizes counted from the space alone agree with published sizes and with the weights that networks hold."""

import math

import jax
import numpy as np
import pytest

from jaxnas.nets import build_network
from jaxnas.spaces import NAS_BENCH_201, TOY, Architecture
from jaxnas.spaces.counts import architecture_parameters, supernet_parameters, widths


def shapes(space, channels, cells, classes, image_channels, affine):
    network = build_network(
        space,
        channels=channels,
        cells=cells,
        classes=classes,
        image_shape=(8, 8, image_channels),
        affine=affine,
    )
    return network, jax.eval_shape(network.init, jax.random.key(0))


def test_channels_double_from_stage_to_stage():
    assert widths(16) == (16, 32, 64)


@pytest.mark.parametrize(("classes", "size"), [(10, 1_686_106), (100, 1_691_956), (120, 1_693_256)])
def test_the_supernet_of_16_channels_and_5_cells_has_its_known_size(classes, size):
    assert supernet_parameters(NAS_BENCH_201, 16, 5, classes) == size


def test_the_cell_of_3x3_convolutions_alone_has_its_known_size():
    assert architecture_parameters(NAS_BENCH_201, Architecture((3,) * 6), 16, 5, 10) == 1_531_546


@pytest.mark.parametrize(
    ("space", "channels", "cells", "classes", "image_channels"),
    [(NAS_BENCH_201, 16, 5, 10, 3), (NAS_BENCH_201, 8, 1, 120, 1), (TOY, 4, 3, 100, 3), (TOY, 6, 2, 7, 1)],
)
def test_a_supernet_holds_as_many_weights_as_counted(space, channels, cells, classes, image_channels):
    _, weights = shapes(space, channels, cells, classes, image_channels, affine=False)
    held = sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(weights))
    assert held == supernet_parameters(space, channels, cells, classes, image_channels)


@pytest.mark.parametrize(
    ("space", "image_channels", "architectures"),
    [
        (NAS_BENCH_201, 3, [(3,) * 6, (2,) * 6, (0, 1, 2, 3, 4, 3), (0, 1, 4, 0, 1, 4)]),
        (TOY, 1, [(2, 2), (1, 2), (0, 1)]),
    ],
    ids=["nas-bench-201", "toy"],
)
def test_an_architecture_takes_part_with_as_many_weights_as_counted(space, image_channels, architectures):
    network, weights = shapes(space, 4, 2, 10, image_channels, affine=True)
    params = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), weights)
    live_of = jax.jit(network.live)
    for op_ids in architectures:
        live = jax.tree.map(
            lambda taken, leaf: np.broadcast_to(taken, leaf.shape).sum(),
            live_of(params, np.array(op_ids, np.int32)),
            params,
        )
        counted = architecture_parameters(space, Architecture(op_ids), 4, 2, 10, image_channels)
        assert sum(jax.tree.leaves(live)) == counted
