"""Gradient matching against cosines taken in numpy of gradients selected by name."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnas.metrics import METRICS, edge_readings, edge_similarity, scalar
from jaxnas.metrics.gradient_matching import cosine
from jaxnas.metrics.probes import check_readings
from jaxnas.nets.losses import cross_entropy
from jaxnas.spaces import TOY
from jaxnas.types import UserError

NONE, SKIP, CONV = range(3)


@pytest.fixture(scope="module")
def params(toy):
    return toy.init(jax.random.key(5))


@pytest.fixture(scope="module")
def batches():
    """R = 3 batches of 16 images."""
    rng = np.random.default_rng(1)
    images = jnp.asarray(rng.normal(size=(3, 16, 8, 8, 3)), jnp.float32)
    return images, jnp.asarray(rng.integers(0, 10, (3, 16)), jnp.int32)


@pytest.fixture(scope="module")
def similarity(toy):
    """(...) -> similarities of every batch [R, O, O], connected [R, O]."""
    readings = jax.jit(edge_readings(METRICS["gradient_matching"](toy, TOY), TOY))
    return lambda *given: readings(*given)[:2]


@pytest.fixture(scope="module")
def loss_gradient(toy):
    def loss(params, images, labels, op_ids):
        logits = toy.forward(params, images, op_ids)[0]
        return -jnp.mean(jax.nn.log_softmax(logits)[jnp.arange(len(labels)), labels])

    return jax.jit(jax.grad(loss))


def shared_vector(gradient, edge: int) -> np.ndarray:
    """Both reductions and the other edges of every cell, flattened and concatenated."""
    parts = [np.ravel(leaf) for name in ("reduction1", "reduction2") for leaf in jax.tree.leaves(gradient[name])]
    parts += [np.ravel(np.delete(gradient[f"stage{s}"]["nor_conv_3x3_kernel"], edge, axis=1)) for s in (1, 2, 3)]
    return np.concatenate(parts).astype(np.float64)


def test_similarities_are_cosines_of_shared_gradients(similarity, loss_gradient, params, batches) -> None:
    # The other edge of the chain has one connecting operation open, so the background is known.
    mask, edge = np.array([[0, 0, 1], [1, 1, 1]], bool), 1
    values, connected = similarity(jax.random.key(0), params, mask, edge, *batches)
    assert connected.tolist() == [[False, True, True]] * 3
    cosines = []
    for images, labels in zip(*batches, strict=True):
        a, b = (
            shared_vector(loss_gradient(params, images, labels, jnp.array([CONV, op])), edge) for op in (SKIP, CONV)
        )
        cosines.append(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
    np.testing.assert_allclose(values[:, SKIP, CONV], cosines, atol=1e-4)
    np.testing.assert_allclose(values[:, CONV, SKIP], cosines, atol=1e-4)
    np.testing.assert_allclose(values[:, SKIP, SKIP], 1, atol=1e-5)
    np.testing.assert_array_equal(values[:, NONE], 0)
    assert np.ptp(cosines) > 1e-3 and 0.01 < np.mean(cosines) < 0.99


def test_labels_count(similarity, params, batches) -> None:
    mask = TOY.full_mask()
    images, labels = batches
    first, second = (similarity(jax.random.key(0), params, mask, 1, images, y)[0] for y in (labels, labels[:, ::-1]))
    assert np.abs(first - second).max() > 1e-3


def test_the_background_connects_a_probe_and_is_shared_by_all(similarity, params, batches) -> None:
    values, connected = similarity(jax.random.key(2), params, TOY.full_mask(), 0, *batches)
    # On a chain every accepted background connects both live operations of the probed edge.
    assert connected.tolist() == [[False, True, True]] * 3
    assert (values[:, SKIP, CONV] != 0).all()


def test_what_has_nothing_to_be_compared_with_costs_nothing(similarity, params, batches) -> None:
    """Neither closed operations nor `none`, which a chain cannot connect, are compared with the only other."""
    for row in ([1, 1, 0], [0, 1, 0]):
        mask = np.array([[1, 1, 1], row], bool)
        values, connected = similarity(jax.random.key(0), params, mask, 1, *batches)
        assert connected.tolist() == [[False, True, False]] * 3
        np.testing.assert_array_equal(values, 0)


def test_edges_masks_weights_and_keys_do_not_retrace(toy, params, batches) -> None:
    traces = []
    metric = METRICS["gradient_matching"](toy, TOY)

    def measure(probe):
        traces.append(1)
        return probe.images.mean()

    similarity = jax.jit(edge_similarity(metric._replace(measure=measure, compare=lambda a, b: -abs(a - b)), TOY))
    similarity(jax.random.key(0), params, TOY.full_mask(), 0, *batches)
    before = len(traces)
    closed = np.array([[1, 1, 0], [1, 0, 1]], bool)
    similarity(jax.random.key(1), jax.tree.map(lambda x: x + 1, params), closed, 1, *batches)
    assert len(traces) == before


def test_the_uniform_background_mixes_the_open_operations(toy, params, batches) -> None:
    metric = METRICS["gradient_matching"](toy, TOY)
    seen = metric._replace(measure=lambda probe: probe.choice, compare=lambda a, b: (a * b).sum())
    mask = np.array([[0, 1, 1], [1, 1, 1]], bool)
    # Rows of the other edge are (0, .5, .5), with product .5; probed rows are one-hot, with product 1 or 0.
    expected = np.where(np.eye(3), 1.5, 0.5)
    expected[NONE] = expected[:, NONE] = 0
    found = edge_readings(seen, TOY, "uniform")(jax.random.key(0), params, mask, 1, *batches)
    np.testing.assert_allclose(found.values, np.broadcast_to(expected, (3, 3, 3)))
    assert found.connected.tolist() == [[False, True, True]] * 3
    assert found.backgrounds.tolist() == [[[0, 0.5, 0.5], [0, 0, 0]]] * 3
    pooled, compared = edge_similarity(seen, TOY, "uniform")(jax.random.key(0), params, mask, 1, *batches)
    np.testing.assert_allclose(pooled, expected, rtol=1e-6)
    assert compared.tolist() == [False, True, True]


def test_cosine_by_hand() -> None:
    a, b = {"x": jnp.array([3.0, 0.0]), "y": jnp.array(4.0)}, {"x": jnp.array([0.0, 5.0]), "y": jnp.array(12.0)}
    np.testing.assert_allclose(cosine(a, b), 48 / (5 * 13), rtol=1e-6)
    np.testing.assert_allclose(cosine(a, jax.tree.map(jnp.negative, a)), -1, rtol=1e-6)
    assert cosine(a, jax.tree.map(jnp.zeros_like, a)) == 0


def test_a_value_that_is_not_finite_names_metric_edge_and_operation() -> None:
    metric = scalar(lambda probe: probe.images.mean(), None)
    for values in (np.zeros((2, 1, 3)), np.zeros((2, 1, 3, 3))):
        measured = np.ones((2, 1, 3), bool)
        check_readings(TOY, "brightness", metric, (values, values), measured)
        values[1, 0, CONV] = np.nan
        with pytest.raises(UserError, match=r"brightness .* nor_conv_3x3 on edge 2<-1 .*1 of 6 connected probes\)$"):
            check_readings(TOY, "brightness", metric, (values, values), measured)
        measured[1, 0, CONV] = False
        check_readings(TOY, "brightness", metric, (values, values), measured)


def test_cross_entropy_by_hand() -> None:
    logits = jnp.log(jnp.array([[0.7, 0.3], [0.4, 0.6]]))
    np.testing.assert_allclose(cross_entropy(logits, jnp.array([0, 0])), -(np.log(0.7) + np.log(0.4)) / 2, rtol=1e-6)
