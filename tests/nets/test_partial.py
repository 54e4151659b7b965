"""Cells of which part of the channels goes through the operations, against numpy and one form against the other."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnas.nets import build_network
from jaxnas.nets.cells import _joined, cell
from jaxnas.spaces import TOY, SearchSpace
from jaxnas.types import UserError
from tests.nets import reference

OPS = ("none", "skip_connect", "nor_conv_3x3", "avg_pool_3x3")
SPACE = SearchSpace("triangle", OPS, ((1, 0), (2, 0), (2, 1)))
CONV = OPS.index("nor_conv_3x3")
CHANNELS, GROUPS = 6, 3
OP_WEIGHTS = np.array([[0.1, 0.2, 0.4, 0.3], [0.05, 0.25, 0.1, 0.2], [0.3, 0.0, 0.7, 0.1]])  # rows of no common sum


def draw(*shape: int, seed: int = 0) -> jax.Array:
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


FEATURES = draw(4, 3, 4, CHANNELS)  # [H, B, W, C]
KERNEL = draw(3, 3, 3, CHANNELS // GROUPS, CHANNELS // GROUPS, seed=1)


@jax.jit
def outputs(kernel, choice):
    """Nodes, statistics, and the gradient on the kernels of a function of the output that is not linear."""

    def loss(kernel):
        nodes, stats = cell(SPACE, FEATURES, {OPS[CONV]: {"kernel": kernel}}, choice, "batch", None, GROUPS)
        return jnp.sum(jnp.tanh(nodes[-1]) * FEATURES), (nodes, stats[OPS[CONV]])

    (_, found), gradient = jax.value_and_grad(loss, has_aux=True)(kernel)
    return *found, gradient


def nodes_by_hand(op_weights: np.ndarray) -> list[np.ndarray]:
    """Features [B, H, W, C] of the three nodes."""
    x = np.asarray(FEATURES, np.float64).swapaxes(0, 1)
    kernels, width = np.asarray(KERNEL, np.float64), CHANNELS // GROUPS
    nodes = [x, np.zeros_like(x), np.zeros_like(x)]
    for e, (target, source) in enumerate(SPACE.edges):
        of_none, of_skip, of_conv, of_pool = op_weights[e]
        first = nodes[source][..., :width]
        y = of_skip * first + of_pool * reference.pool(first)
        y += of_conv * reference.normalise(reference.convolve(np.maximum(first, 0), kernels[e]))
        weight = of_none + of_skip + of_conv + of_pool
        for channel in range(CHANNELS):
            group, place = divmod(channel, width)
            passed = weight * nodes[source][..., channel]
            nodes[target][..., GROUPS * place + group] += y[..., channel] if group == 0 else passed
    return nodes


def test_the_shuffle_by_hand() -> None:
    np.testing.assert_array_equal(_joined(jnp.arange(2), jnp.arange(2, 6), 3), [0, 2, 4, 1, 3, 5])
    np.testing.assert_array_equal(_joined(jnp.arange(3), jnp.arange(3, 6), 2), [0, 3, 1, 4, 2, 5])


def test_a_mixed_cell_is_that_of_numpy() -> None:
    nodes, _, _ = outputs(KERNEL, jnp.float32(OP_WEIGHTS))
    for got, expected in zip(nodes, nodes_by_hand(OP_WEIGHTS), strict=True):
        np.testing.assert_allclose(got.swapaxes(0, 1), expected, atol=2e-5)


@pytest.mark.parametrize("op_ids", [(2, 2, 2), (0, 2, 1), (2, 0, 3), (1, 3, 2), (0, 0, 0)])
def test_both_forms_agree_on_one_hot_weights(op_ids) -> None:
    one_hot = np.eye(len(OPS))[list(op_ids)]
    nodes, stats, gradient = outputs(KERNEL, jnp.array(op_ids))
    mixed_nodes, mixed_stats, mixed_gradient = outputs(KERNEL, jnp.float32(one_hot))
    for got, mixed, expected in zip(nodes, mixed_nodes, nodes_by_hand(one_hot), strict=True):
        np.testing.assert_allclose(got, mixed, atol=2e-5)
        np.testing.assert_allclose(got.swapaxes(0, 1), expected, atol=2e-5)
    np.testing.assert_allclose(gradient, mixed_gradient, atol=1e-4)
    ran = np.array(op_ids) == CONV
    assert (np.abs(np.asarray(gradient)).reshape(3, -1).max(1) > 1e-3).tolist() == ran.tolist()
    for got, mixed, unit in zip(stats, mixed_stats, (0, 1), strict=True):
        assert got.shape == (3, CHANNELS // GROUPS)
        np.testing.assert_allclose(got[ran], mixed[ran], atol=2e-5)
        np.testing.assert_array_equal(got[~ran], unit)


def test_where_all_channels_go_through_nothing_is_cut_or_joined() -> None:
    kernel = draw(3, 3, 3, CHANNELS, CHANNELS)

    def program(groups: int, kernel: jax.Array) -> str:
        params = {OPS[CONV]: {"kernel": kernel}}
        return str(jax.make_jaxpr(lambda w: cell(SPACE, FEATURES, params, w, "none", None, groups)[0])(OP_WEIGHTS))

    transposed = [text.count("transpose") for text in (program(1, kernel), program(GROUPS, KERNEL))]
    assert transposed == [0, len(SPACE.edges)]


def test_kernels_and_statistics_of_a_network_have_the_width_of_a_part() -> None:
    network = build_network(TOY, channels=4, cells=2, classes=10, image_shape=(8, 8, 3), partial=4)
    shapes = jax.eval_shape(network.init, jax.random.key(0))
    images = jax.ShapeDtypeStruct((16, 8, 8, 3), jnp.float32)
    for stage, width in enumerate((1, 2, 4), 1):
        assert shapes[f"stage{stage}"]["nor_conv_3x3_kernel"].shape == (2, 2, 3, 3, width, width)
    assert shapes["reduction1"]["shortcut"].shape == (1, 1, 4, 8)
    for choice in (jnp.array([2, 1]), jnp.ones((2, 3))):
        seen = jax.eval_shape(network.watch, shapes, images, choice)
        assert jax.tree.map(jnp.shape, seen.stats) == jax.tree.map(jnp.shape, network.init_stats())
        assert seen.stats["stage2"]["nor_conv_3x3"][0].shape == (2, 2, 2)
        assert seen.nodes[1].shape == (2, 3, 4, 16, 4, 8) and seen.logits.shape == (16, 10)
    live = network.live(shapes, jnp.array([2, 1]))
    assert live["stage1"]["nor_conv_3x3_kernel"].ravel().tolist() == [True, False]


@pytest.mark.parametrize(("channels", "partial"), [(6, 4), (4, 0)])
def test_channels_must_fall_into_equal_groups(channels: int, partial: int) -> None:
    with pytest.raises(UserError, match=f"multiple of partial.*{channels} and {partial}"):
        build_network(TOY, channels=channels, cells=1, classes=10, image_shape=(8, 8, 3), partial=partial)
