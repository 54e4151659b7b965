"""The supernet in both forms against each other and against a network written in numpy from the string."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnas.nets import Network, build_network
from jaxnas.nets.cells import cell, mixed_cell
from jaxnas.nets.losses import cross_entropy
from jaxnas.spaces import NAS_BENCH_201, TOY, Architecture
from jaxnas.types import UserError
from tests.conftest import small_network
from tests.nets import reference

# Every operation on some edge, and no symmetry between edges: swapped edges or operations change the output.
CELLS = ((3, 2, 4, 1, 3, 2), (2, 1, 3, 0, 4, 3))


@pytest.fixture(scope="module")
def compiled(cell201: Network):
    def value_and_gradient(params, images, labels, choice):
        def loss(params):
            logits, stats = cell201.forward(params, images, choice)
            return cross_entropy(logits, labels), (logits, stats)

        (_, (logits, stats)), gradient = jax.value_and_grad(loss, has_aux=True)(params)
        return logits, stats, gradient

    return jax.jit(value_and_gradient)


@pytest.fixture(scope="module")
def params(cell201: Network):
    return cell201.init(jax.random.key(3))


@pytest.mark.parametrize("op_ids", CELLS)
def test_the_path_form_is_the_network_of_the_string(compiled, params, batch, op_ids) -> None:
    images, labels = batch
    logits, _, _ = compiled(params, images, labels, jnp.asarray(op_ids, jnp.int32))
    doubles = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)
    text = NAS_BENCH_201.encode(Architecture(op_ids))
    np.testing.assert_allclose(logits, reference.network(doubles, np.asarray(images, np.float64), text), atol=2e-4)


@pytest.mark.parametrize("op_ids", CELLS)
def test_both_forms_agree_on_one_hot_weights(cell201, compiled, params, batch, op_ids) -> None:
    path = jnp.asarray(op_ids, jnp.int32)
    one_hot = jax.nn.one_hot(path, len(NAS_BENCH_201.ops))
    logits, stats, gradient = compiled(params, *batch, path)
    mixed_logits, mixed_stats, mixed_gradient = compiled(params, *batch, one_hot)
    np.testing.assert_allclose(logits, mixed_logits, atol=1e-4)
    for a, b in zip(jax.tree.leaves(gradient), jax.tree.leaves(mixed_gradient), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)
    for stage in ("stage1", "stage2", "stage3"):
        for op in stats[stage]:
            ran = np.array(op_ids) == NAS_BENCH_201.ops.index(op)
            for i, unit in ((0, 0.0), (1, 1.0)):
                np.testing.assert_allclose(stats[stage][op][i][:, ran], mixed_stats[stage][op][i][:, ran], atol=1e-4)
                np.testing.assert_array_equal(stats[stage][op][i][:, ~ran], unit)


def test_a_mixed_edge_is_the_weighted_sum_of_its_operations(toy, batch) -> None:
    cell_params = {"nor_conv_3x3": {"kernel": toy.init(jax.random.key(0))["stage1"]["nor_conv_3x3_kernel"][0]}}
    features = jnp.tile(batch[0], (1, 1, 1, 2))[..., :4]

    def output(*last_edge: float) -> jax.Array:
        op_weights = jnp.array([[0.0, 0.4, 0.6], last_edge])
        return mixed_cell(TOY, features, cell_params, op_weights, "batch", None)[0][-1]

    alone = [output(1, 0, 0), output(0, 1, 0), output(0, 0, 1)]
    np.testing.assert_array_equal(alone[0], 0)
    np.testing.assert_allclose(output(0.2, 0.3, 0.5), 0.3 * alone[1] + 0.5 * alone[2], atol=1e-5)
    assert np.abs(alone[1] - alone[2]).max() > 0.1


@pytest.mark.parametrize("mode", ["given", "none"])
@pytest.mark.parametrize("op_ids", [(2, 1), (1, 2), (2, 2), (0, 2)])
def test_both_forms_of_a_cell_agree_with_scale_and_bias_and_other_norms(mode, op_ids) -> None:
    rng = np.random.default_rng(2)
    draw = lambda *shape: jnp.asarray(rng.normal(size=shape), jnp.float32)  # noqa: E731
    cell_params = {"nor_conv_3x3": {"kernel": draw(2, 3, 3, 4, 4), "scale": draw(2, 4), "bias": draw(2, 4)}}
    stats = {"nor_conv_3x3": (draw(2, 4), 1 + draw(2, 4) ** 2)}
    features, path = draw(3, 4, 4, 4), jnp.array(op_ids)
    (*_, output), _ = cell(TOY, features, cell_params, path, mode, stats)
    (*_, mixed), _ = cell(TOY, features, cell_params, jax.nn.one_hot(path, 3), mode, stats)
    np.testing.assert_allclose(output, mixed, rtol=1e-4, atol=1e-4)
    if op_ids == (1, 2) and mode == "given":
        mean, variance = (np.asarray(part[1], np.float64) for part in stats["nor_conv_3x3"])
        weights = {name: np.asarray(leaf[1], np.float64) for name, leaf in cell_params["nor_conv_3x3"].items()}
        images = np.maximum(np.asarray(features, np.float64), 0).swapaxes(0, 1)  # a cell sees [H, B, W, C]
        convolved = reference.convolve(images, weights["kernel"]).swapaxes(0, 1)
        expected = (convolved - mean) / np.sqrt(variance + 1e-5) * weights["scale"] + weights["bias"]
        np.testing.assert_allclose(output, expected, rtol=1e-4, atol=1e-4)


def test_batch_statistics_depend_on_the_batch_and_given_ones_do_not(toy, batch) -> None:
    params, path = toy.init(jax.random.key(0)), jnp.array([2, 2])
    forward = jax.jit(toy.forward, static_argnames="norm")
    logits, stats = forward(params, batch[0], path)
    assert not np.allclose(forward(params, batch[0][:8], path)[0], logits[:8], atol=1e-3)
    np.testing.assert_allclose(forward(params, batch[0][:8], path, "given", stats)[0], logits[:8], atol=1e-4)
    assert not np.allclose(forward(params, batch[0], path, "none")[0], logits, atol=1e-3)


def test_initial_statistics_are_zero_and_one(toy, batch) -> None:
    stats = toy.init_stats()
    means, variances = jax.tree.leaves(stats)[::2], jax.tree.leaves(stats)[1::2]
    assert all((m == 0).all() for m in means) and all((v == 1).all() for v in variances)
    used = jax.eval_shape(toy.forward, toy.init(jax.random.key(0)), batch[0], jnp.array([1, 1]))[1]
    assert jax.tree.structure(used) == jax.tree.structure(stats)


def test_a_disconnected_path_has_a_constant_output(compiled, params, batch) -> None:
    logits = compiled(params, *batch, jnp.array([3, 3, 3, 0, 0, 0], jnp.int32))[0]
    np.testing.assert_allclose(logits, jnp.broadcast_to(logits[:1], logits.shape), atol=1e-6)


def test_shared_weights_are_those_of_gradient_matching() -> None:
    network = build_network(NAS_BENCH_201, channels=16, cells=5, classes=10, image_shape=(32, 32, 3))
    shapes = jax.eval_shape(network.init, jax.random.key(0))
    params = jax.tree.map(lambda leaf: np.zeros(leaf.shape, np.int8), shapes)
    for edge in (0, 5):
        shared = network.shared(params, jnp.asarray(edge))
        total = sum(
            np.broadcast_to(s, p.shape).sum() for s, p in zip(*map(jax.tree.leaves, (shared, params)), strict=True)
        )
        assert total == 1_416_064
        kernels = np.broadcast_to(
            shared["stage2"]["nor_conv_3x3_kernel"], params["stage2"]["nor_conv_3x3_kernel"].shape
        )
        assert not kernels[:, edge].any() and kernels[:, [e for e in range(6) if e != edge]].all()


def test_live_weights_are_those_on_the_path() -> None:
    network = small_network(TOY, affine=True)
    params = network.init(jax.random.key(0))
    for choice in (jnp.array([2, 1]), jnp.array([[0.0, 0.0, 1.0], [0.5, 0.5, 0.0]])):
        live = network.live(params, choice)
        for stage in ("stage1", "stage2", "stage3"):
            for name in ("kernel", "scale", "bias"):
                assert live[stage][f"nor_conv_3x3_{name}"].ravel().tolist() == [True, False]
        assert all(leaf.all() for name in ("stem", "head", "classifier") for leaf in jax.tree.leaves(live[name]))


def test_initial_weights_fill_their_interval(cell201) -> None:
    params = cell201.init(jax.random.key(0))
    kernel = np.asarray(params["stage2"]["nor_conv_3x3_kernel"])  # [N, E, 3, 3, 8, 8]
    bound = (3 * 3 * 8) ** -0.5
    assert 0.99 * bound < np.abs(kernel).max() <= bound
    np.testing.assert_allclose(kernel.std(), bound / 3**0.5, rtol=0.03)
    assert abs(kernel.mean()) < 0.03 * bound
    assert np.abs(params["classifier"]["bias"]).max() <= 16**-0.5 and np.abs(params["classifier"]["bias"]).min() > 0
    assert (params["head"]["scale"] == 1).all() and (params["head"]["bias"] == 0).all()
    again, other = cell201.init(jax.random.key(0)), cell201.init(jax.random.key(1))
    assert (again["stem"]["kernel"] == params["stem"]["kernel"]).all()
    assert (other["stem"]["kernel"] != params["stem"]["kernel"]).all()


def test_image_sides_must_survive_the_reductions() -> None:
    with pytest.raises(UserError, match=r"multiples of 4, not 10x8"):
        build_network(TOY, channels=4, cells=1, classes=10, image_shape=(10, 8, 3))


@pytest.mark.parametrize("choice", [np.ones((3, 2)), np.array([1, 1, 1]), np.ones((2, 3), int)])
def test_a_choice_of_another_shape_is_refused(toy, batch, choice) -> None:
    with pytest.raises(UserError, match=r"op_weights, float \(2, 3\), or op_ids, int \(2,\)"):
        toy.forward(toy.init(jax.random.key(0)), batch[0], choice)
