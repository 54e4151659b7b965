"""Metrics where their answer is known: planted properties, hand-worked numbers, closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnas.metrics import METRICS, Metric, Probe, edge_similarity, scalar, weighted
from jaxnas.metrics.features import _log_deviations, local_intrinsic_dimension
from jaxnas.metrics.jacobians import jacob_cov
from jaxnas.metrics.patterns import _agreement, _rectified, _regions
from jaxnas.metrics.pooling import pooled
from jaxnas.metrics.weights import layers
from jaxnas.nets import Network, build_network
from jaxnas.spaces import NAS_BENCH_201, TOY
from jaxnas.spaces.counts import nonlinear_depth, on_live_paths
from jaxnas.testing import TRIANGLE

NONE, SKIP, CONV = range(3)


def fake(forward) -> Network:
    """A network of one function of weights and images, for metrics that see nothing else."""
    calls = dict.fromkeys(Network._fields)
    return Network(**{**calls, "forward": forward, "live": lambda params, choice: jax.tree.map(jnp.ones_like, params)})


def linear(params, images, choice, norm="batch", stats=None):
    """Logits linear in the pixels: the Jacobian of an image's summed logits is the sum of the kernel's columns."""
    return images.reshape(len(images), -1) @ params["classifier"]["kernel"], ()


def probe_of(params, images, labels=None, choice=None) -> Probe:
    labels = jnp.zeros(len(images), jnp.int32) if labels is None else labels
    choice = jnp.array([CONV, CONV]) if choice is None else choice
    return Probe(jax.random.key(0), params, choice, jnp.ones((2, 3), bool), jnp.int32(-1), images, labels)


def test_snip_grad_norm_and_plain_of_a_linear_model_by_hand() -> None:
    # One image (1, 2), two classes, zero weights: probabilities 1/2, gradient of the loss x (p - onehot).
    params = {"classifier": {"kernel": jnp.array([[0.0, 0.0], [0.0, 0.0]]), "bias": jnp.zeros(2)}}
    images, labels = jnp.array([[[[1.0, 2.0]]]]), jnp.array([0])
    network = fake(linear)
    gradient = np.array([[-0.5, 0.5], [-1.0, 1.0]])
    assert METRICS["grad_norm"](network, TOY).measure(probe_of(params, images, labels)) == pytest.approx(2.5**0.5)
    weights = np.array([[0.3, 0.3], [-0.2, -0.2]])  # equal columns: the same probabilities, hence gradient
    params["classifier"]["kernel"] = jnp.asarray(weights, jnp.float32)
    probe = probe_of(params, images, labels)
    assert METRICS["snip"](network, TOY).measure(probe) == pytest.approx(np.abs(weights * gradient).sum())
    assert METRICS["plain"](network, TOY).measure(probe) == pytest.approx((weights * gradient).sum(), abs=1e-6)
    assert METRICS["l2_norm"](network, TOY).measure(probe) == pytest.approx(np.linalg.norm(weights))


def test_grasp_of_a_quadratic_by_hand() -> None:
    # Softmax with two classes and one pixel x: loss log(1 + exp(-d x)) for d = w0 - w1, Hessian s (1 - s) x^2 in d.
    x, w = 1.5, np.array([0.4, -0.1])
    s = 1 / (1 + np.exp(-(w[0] - w[1]) * x))
    g = np.array([-(1 - s) * x, (1 - s) * x])
    h = s * (1 - s) * x * x * np.array([[1, -1], [-1, 1]])
    params = {"classifier": {"kernel": jnp.asarray(w[None], jnp.float32), "bias": jnp.zeros(2)}}
    probe = probe_of(params, jnp.full((1, 1, 1, 1), x), jnp.array([0]))
    assert METRICS["grasp"](fake(linear), TOY).measure(probe) == pytest.approx(-w @ (h @ g), rel=1e-4)


def test_synflow_is_conserved_and_does_not_overflow_in_deep_networks(batch) -> None:
    """Any layer that every route passes carries the whole flow: the classifier, and the stem."""
    network = build_network(TOY, channels=4, cells=2, classes=10, image_shape=(8, 8, 3))
    params, choice = network.init(jax.random.key(0)), jnp.array([CONV, CONV])
    absolute = jax.tree_util.tree_map_with_path(
        lambda path, leaf: jnp.zeros_like(leaf) if path[-1].key.endswith("bias") else jnp.abs(leaf), params
    )

    def flow(params):
        logits, stats = network.forward(params, jnp.ones((1, 8, 8, 3)), choice, "none")
        return logits.sum(), stats["log_scale"]

    (value, log_scale), gradient = jax.jit(jax.value_and_grad(flow, has_aux=True))(absolute)
    for module in ("stem", "classifier"):
        carried = jnp.sum(absolute[module]["kernel"] * gradient[module]["kernel"])
        np.testing.assert_allclose(carried, value, rtol=1e-4)
    score = jax.jit(lambda params: METRICS["synflow"](network, TOY).measure(probe_of(params, batch[0])))
    # Every layer on the chain carries the flow: 1 stem + 1 classifier + 3 stages x 2 cells x 2 edges, and in each of
    # the two reductions two convolutions beside a shortcut, which share it.
    shares = sum(float((w * g).sum()) for w, g in zip(layers(absolute), layers(gradient), strict=True)) / float(value)
    np.testing.assert_allclose(score(params), np.log(float(value) * shares) + log_scale, rtol=1e-5)
    # Homogeneous: ten times the weights multiply the flow by 10 for each of 18 layers on the longest route at most,
    # and far beyond float32 it stays finite.
    large = jax.tree.map(lambda leaf: 1e4 * leaf, params)
    assert 80 < float(score(large)) < np.inf


def test_jacob_cov_of_independent_and_of_equal_rows() -> None:
    params = {"scale": jnp.ones(())}

    def squares(params, images, choice, norm="batch", stats=None):
        flat = images.reshape(len(images), -1)
        return 0.5 * jnp.square(flat).sum(1, keepdims=True), ()  # its Jacobian is the image itself

    # Rows of a Hadamard matrix but the constant one: correlation matrix 1, eigenvalues 1.
    two = np.array([[1, 1], [1, -1]])
    rows = np.kron(np.kron(two, two), two)[1:5].astype(np.float32)
    metric = jacob_cov(fake(squares), TOY)
    found = metric.measure(probe_of(params, jnp.asarray(rows).reshape(4, 2, 2, 2)))
    assert found == pytest.approx(-4 * (np.log(1 + 1e-5) + 1 / (1 + 1e-5)), rel=1e-5)
    equal = metric.measure(probe_of(params, jnp.asarray(rows[[0, 0, 0, 0]]).reshape(4, 2, 2, 2)))
    assert equal < -2.9e5  # three eigenvalues of 0


def test_ntk_of_a_linear_model_is_the_gram_matrix_of_its_images() -> None:
    rng = np.random.default_rng(0)
    images = rng.normal(size=(5, 2, 2, 3)).astype(np.float32)
    params = {"classifier": {"kernel": jnp.zeros((12, 4)), "bias": jnp.zeros(4)}}
    flat = images.reshape(5, -1).astype(float)
    values = np.linalg.eigvalsh(4 * flat @ flat.T)  # the same image for each of the four classes
    probe = probe_of(params, jnp.asarray(images))
    network = fake(linear)
    assert METRICS["ntk_smallest"](network, TOY).measure(probe) == pytest.approx(values[0], rel=1e-3)
    assert METRICS["ntk_condition"](network, TOY).measure(probe) == pytest.approx(values[-1] / values[0], rel=1e-3)


@pytest.mark.parametrize(("dimension", "expected"), [(1, 1.15), (2, 2.29), (3, 3.30), (5, 5.01), (10, 8.2)])
def test_intrinsic_dimension_of_gaussians(dimension, expected) -> None:
    clouds = np.random.default_rng(dimension).normal(size=(20, 128, dimension)).astype(np.float32)
    embedded = clouds @ np.linalg.qr(np.random.default_rng(0).normal(size=(30, 30)))[0][:dimension].astype(np.float32)
    found = np.mean([local_intrinsic_dimension(jnp.asarray(cloud)) for cloud in embedded])
    assert found == pytest.approx(expected, rel=0.06)


def test_agreement_counts_units_in_which_two_images_are_alike() -> None:
    features = jnp.array([[1.0, -1, 2, -3], [1, 1, 2, -3], [-1, 1, -2, 3]]).reshape(3, 2, 2, 1).swapaxes(0, 1)[None]
    np.testing.assert_array_equal(_agreement(features)[0], [[4, 3, 0], [3, 4, 1], [0, 1, 4]])


def test_regions_of_features_with_known_patterns() -> None:
    same = jnp.ones((2, 4, 6, 4, 1))
    np.testing.assert_array_equal(_regions(jax.random.key(0), same), 1)
    # Image b is active where the unit's column is at least b: patterns of any set are ordered, at most 5 of them.
    columns = jnp.broadcast_to(jnp.arange(4.0), (1, 4, 6, 4)) - jnp.arange(6.0).reshape(1, 1, 6, 1) + 0.5
    found = float(_regions(jax.random.key(0), columns[..., None])[0])
    assert 3 < found <= 5


def test_regions_that_tell_all_images_apart_are_refused(toy, toy_probe) -> None:
    metric = METRICS["linear_regions"](toy, TOY)
    probe = toy_probe(CONV, CONV)
    two = probe._replace(images=probe.images[:2], labels=probe.labels[:2])
    measure = jax.jit(metric.measure)
    assert 1 < float(measure(probe)) < 16
    one = two._replace(images=two.images[:1], labels=two.labels[:1])
    assert not np.isfinite(measure(one))  # one image is one region: nothing is counted


def test_structural_scores_by_hand_and_as_means_over_a_mask(toy, toy_probe) -> None:
    # channels 4, 8, 16; one cell a stage; a 3x3 convolution on one edge holds 9 (16 + 64 + 256) weights.
    edge_weights = 9 * (16 + 64 + 256) / 1e3
    metric = METRICS["parameters"](toy, TOY)
    values = {ids: float(metric.measure(toy_probe(*ids))) for ids in [(SKIP, SKIP), (CONV, SKIP), (CONV, CONV)]}
    assert values[CONV, SKIP] - values[SKIP, SKIP] == pytest.approx(edge_weights, rel=1e-4)
    assert values[CONV, CONV] - values[SKIP, SKIP] == pytest.approx(2 * edge_weights, rel=1e-4)
    live = METRICS["live_parameters"](toy, TOY)
    assert float(live.measure(toy_probe(CONV, NONE))) == pytest.approx(values[SKIP, SKIP], rel=1e-4)
    # An operation on edge 0 of a mask that leaves (none, conv) on edge 1: half a convolution beside it.
    mask = jnp.array([[True, True, True], [True, False, True]])
    probe = toy_probe(CONV, NONE)._replace(mask=mask, edge=jnp.int32(0))
    assert float(metric.measure(probe)) == pytest.approx(values[SKIP, SKIP] + 1.5 * edge_weights, rel=1e-4)


def test_multiply_adds_weigh_every_kernel_by_its_pixels(toy, toy_probe) -> None:
    metric = METRICS["multiply_adds"](toy, TOY)
    more = float(metric.measure(toy_probe(CONV, SKIP))) - float(metric.measure(toy_probe(SKIP, SKIP)))
    assert more == pytest.approx(9 * (16 * 64 + 64 * 16 + 256 * 4) / 1e6, rel=1e-3)


def test_nonlinear_depth_has_the_published_histogram() -> None:
    every = NAS_BENCH_201.enumerate()
    assert np.bincount(nonlinear_depth(NAS_BENCH_201, every)).tolist() == [1983, 7122, 5520, 1000]
    live = NAS_BENCH_201.connected(every)
    assert np.bincount(nonlinear_depth(NAS_BENCH_201, every[live])).tolist() == [1642, 7122, 5520, 1000]


def test_live_edges_by_hand() -> None:
    op_ids = [
        NAS_BENCH_201.decode("|none~0|+|skip_connect~0|skip_connect~1|+|none~0|nor_conv_1x1~1|avg_pool_3x3~2|").op_ids,
        NAS_BENCH_201.decode("|none~0|+|none~0|skip_connect~1|+|none~0|nor_conv_1x1~1|avg_pool_3x3~2|").op_ids,
    ]
    expected = [[False, True, False, False, False, True], [False] * 6]  # 1<-0 2<-0 2<-1 3<-0 3<-1 3<-2
    assert on_live_paths(NAS_BENCH_201, np.array(op_ids)).tolist() == expected


def test_zico_of_known_gradients() -> None:
    # Four mini-batches of one image x each; loss of one class is 0, so a second logit of 0 makes the gradient
    # -(1 - s) x with s = 1/2 at weight 0: mean |g| / std(g) of x = 1, 2, 3, 4 is 2.5 / sqrt(1.25).
    params = {"classifier": {"kernel": jnp.zeros((1, 2)), "bias": jnp.zeros(2)}}
    images = jnp.array([1.0, 2.0, 3.0, 4.0]).reshape(4, 1, 1, 1)
    found = METRICS["zico"](fake(linear), TOY).measure(probe_of(params, images))
    assert found == pytest.approx(np.log(2 * 2.5 / 1.25**0.5), rel=1e-5)


def constant(values: dict[int, float]) -> Metric:
    """A metric whose measurement depends on the operation of edge 0 only."""
    table = jnp.asarray([values[o] for o in range(3)])
    return scalar(lambda probe: jnp.sum(probe.choice[0] * table), disconnected_value=values[0])


def test_weighted_metrics_standardise_over_open_operations(toy_probe, paired) -> None:
    first, second = constant({0: 0.0, 1: 2.0, 2: 4.0}), constant({0: 0.0, 1: 300.0, 2: 100.0})
    mask = np.array([[0, 1, 1], [0, 1, 1]], bool)
    for ranks in (False, True):
        mixed = weighted((0.75, first), (0.25, second), ranks=ranks)
        similarity = jax.jit(edge_similarity(mixed, TOY, "uniform"))
        values, _ = similarity(jax.random.key(0), toy_probe(SKIP, SKIP).params, mask, 0, *paired)
        # Two open operations standardise to -1 and 1: distance 2 in both parts, whatever their units.
        np.testing.assert_allclose(values[1:, 1:], [[0, -2], [-2, 0]], atol=1e-5)
    with pytest.raises(ValueError, match="at least one"):
        weighted()


def test_ranks_ignore_how_far_apart_scores_are(toy_probe, paired) -> None:
    params, mask = toy_probe(SKIP, SKIP).params, TRIANGLE.full_mask()
    near, far = (weighted((1.0, constant({0: 0.0, 1: 1.0, 2: last})), ranks=True) for last in (2.0, 1e6))
    a, b = (
        edge_similarity(m, TRIANGLE, "uniform")(jax.random.key(0), params, mask, 0, *paired)[0] for m in (near, far)
    )
    np.testing.assert_allclose(a, b)
    # Ranks 0, 1, 2 have the deviation (2 / 3) ** .5.
    np.testing.assert_allclose([a[0, 1], a[0, 2]], [-(1.5**0.5), -2 * 1.5**0.5], rtol=1e-5)


def test_scores_of_a_mixture_are_standardised_after_the_mean_over_batches() -> None:
    """By numpy, of scores [R, O] and similarities [R, O, O]; nested sums, too."""
    rng = np.random.default_rng(0)
    first, second, alike = rng.normal(size=(4, 3)), 10 * rng.normal(size=(4, 3)), rng.normal(size=(4, 3, 3))
    number = scalar(lambda probe: probe.images.sum(), None)
    inner = weighted((2.0, number), (0.5, Metric(lambda probe: probe.images, lambda a, b: (a * b).sum(), None)))
    shares, compared = np.array([0.5, 0.25, 0.25, 0.0]), np.array([True, True, False])

    def apart(scores: np.ndarray) -> np.ndarray:
        mean = shares @ scores
        standard = (mean - mean[:2].mean()) / mean[:2].std()
        return np.abs(standard[:, None] - standard)

    expected = 0.5 * (-2 * apart(first) + 0.5 * np.tensordot(shares, alike, 1)) - 3 * apart(second)
    found = pooled(weighted((0.5, inner), (3.0, number)), ((first, alike), second), shares, compared)
    np.testing.assert_allclose(found, expected)
    several = pooled(number, first, np.stack([shares, shares[::-1]]), compared)
    np.testing.assert_allclose(several[1], pooled(number, first, shares[::-1], compared))


def test_the_random_control_differs_between_operations_and_keys(toy, toy_probe) -> None:
    measure = METRICS["random"](toy, TOY).measure
    drawn = {float(measure(toy_probe(*ids, key=key))) for ids in [(1, 1), (1, 2), (2, 1)] for key in range(3)}
    assert len(drawn) == 9


def test_the_zen_score_is_finite_where_a_convolution_sees_zeros(toy, toy_probe) -> None:
    """Zeros have a deviation too, that of a running variance which decays from 1."""
    found = toy.watch(toy_probe(CONV, CONV).params, toy_probe(CONV, CONV).images, jnp.array([NONE, CONV]))
    assert (np.asarray(found.stats["stage1"]["nor_conv_3x3"][1])[:, 1] == 0).all()
    live = toy.live(toy_probe(CONV, CONV).params, jnp.array([NONE, CONV]))
    nothing = jax.tree.map(jnp.zeros_like, live)
    with_cells, without = (float(_log_deviations(found.stats, found.stats, tree)) for tree in (live, nothing))
    assert with_cells - without == pytest.approx(3 * np.log(0.9), rel=1e-4)  # a running variance of .81 in each stage


def test_only_the_channels_that_operations_see_are_rectified(batch) -> None:
    network = build_network(TOY, channels=4, cells=1, classes=10, image_shape=(8, 8, 3), partial=2)
    params = jax.eval_shape(network.init, jax.random.key(0))
    found = jax.eval_shape(_rectified(network, TOY), probe_of(params, batch[0]))
    # Two nodes of each stage, then two rectifiers of each reduction and the last, which see all channels.
    assert [features.shape[-1] for features, _ in found] == [2, 2, 4, 4, 8, 8, 4, 8, 8, 16, 16]
