"""Faults of published codes that decided splits there and cannot here."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnas.metrics import METRICS, architecture_score, edge_readings, edge_similarity
from jaxnas.metrics.probes import check_readings
from jaxnas.metrics.structure import parameters
from jaxnas.nets import build_network
from jaxnas.spaces import NAS_BENCH_201, TOY
from jaxnas.splitting import by_similarity, grow
from jaxnas.types import UserError

NONE, SKIP, CONV = range(3)


def test_parameters_see_every_edge_and_tie_between_edges() -> None:
    network = build_network(NAS_BENCH_201, channels=4, cells=1, classes=10, image_shape=(8, 8, 3))
    images, labels = jnp.zeros((1, 2, 8, 8, 3)), jnp.zeros((1, 2), jnp.int32)
    scores = jax.jit(edge_readings(parameters(network, NAS_BENCH_201), NAS_BENCH_201))
    params, mask = network.init(jax.random.key(0)), NAS_BENCH_201.full_mask()
    found = np.array([scores(jax.random.key(e), params, mask, e, images, labels).values[0] for e in range(6)])
    none, skip, small, large, pool = found.T
    assert (none == skip).all() and (skip == pool).all() and (small > none).all() and (large > small).all()
    np.testing.assert_allclose(found, found[:1].repeat(6, 0), rtol=1e-6)  # means over a mask, each rounded in its way


def test_parameters_tie_exactly_between_edges_and_the_policy_goes_on_record() -> None:
    """Also below the root, where means over a mask are rounded differently on different edges."""
    space = NAS_BENCH_201
    network = build_network(space, channels=5, cells=3, classes=10, image_shape=(8, 8, 3))
    images, labels = jnp.zeros((1, 2, 8, 8, 3)), jnp.zeros((1, 2), jnp.int32)
    similarity = jax.jit(edge_similarity(parameters(network, space), space))
    params = network.init(jax.random.key(0))

    def score(node):
        mask = np.array(node.mask)
        return np.stack([similarity(jax.random.key(e), params, mask, e, images, labels)[0] for e in range(6)])

    tree = grow(space, (2, 2, 2), by_similarity(space, score))
    splits = [node.split for node in tree.nodes if node.split is not None]
    # {3x3} apart on the lowest edge that is whole; every such edge ties with it, 6, then 5, then 4 of them.
    assert [split.groups for split in splits] == [((0, 1, 2, 4), (3,))] * 7
    assert [(split.edge, split.ties) for split in splits] == [(0, 6), (1, 5), (1, 5), (2, 4), (2, 4), (2, 4), (2, 4)]
    assert {split.decided for split in splits} == {"lowest"}


def test_synflow_leaves_closed_operations_closed(toy, toy_probe) -> None:
    """A mixture with closed operations scores like the path of the open ones, whatever weights the closed ones have."""
    score = jax.jit(architecture_score(METRICS["synflow"](toy, TOY), TOY))
    path, mixed = toy_probe(CONV, SKIP), toy_probe(CONV, SKIP, mixed=True)
    value = score(path.key, path.params, path.choice, path.images, path.labels)
    np.testing.assert_allclose(score(path.key, path.params, mixed.choice, path.images, path.labels), value, rtol=1e-5)
    closed = jax.tree_util.tree_map_with_path(
        lambda p, leaf: leaf.at[:, 1].multiply(100) if p[-1].key == "nor_conv_3x3_kernel" else leaf, path.params
    )
    np.testing.assert_allclose(score(path.key, closed, mixed.choice, path.images, path.labels), value, rtol=1e-5)


@pytest.mark.parametrize("name", ["grad_norm", "snip", "jacob_cov", "ntk_condition"])
def test_labels_count_where_the_loss_has_them_and_only_there(name, toy, toy_probe) -> None:
    score = jax.jit(architecture_score(METRICS[name](toy, TOY), TOY))
    probe = toy_probe(CONV, CONV)
    one, other = (
        float(score(probe.key, probe.params, probe.choice, probe.images, y)) for y in (probe.labels, probe.labels[::-1])
    )
    assert (one != other) == (name in ("grad_norm", "snip"))


def test_linear_regions_that_only_count_the_images_are_refused_with_what_helps(toy, toy_probe, paired) -> None:
    """One image is told apart by every set."""
    metric = METRICS["linear_regions"](toy, TOY)
    readings = jax.jit(edge_readings(metric, TOY))
    images, labels = (part[:, :1] for part in paired)
    values, connected, _ = readings(jax.random.key(0), toy_probe(CONV, CONV).params, TOY.full_mask(), 1, images, labels)
    with pytest.raises(UserError) as error:
        check_readings(TOY, "linear_regions", metric, *(np.stack([part, part]) for part in (values, connected)))
    assert str(error.value) == (
        "metric linear_regions is not finite for operation skip_connect on edge 1<-0 (batch 0; 8 of 8 connected "
        "probes): every set of 8 units tells all images of the batch apart, so that the count says only how many "
        "images there are; a larger batch helps, and one of more than 256 images always does"
    )
