"""Every metric of weights, gradients and Jacobians against PyTorch autograd on the same weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnas.metrics import METRICS, Probe
from jaxnas.metrics.features import _gaussian
from jaxnas.metrics.jacobians import jacob_cov
from jaxnas.metrics.patterns import SETS, UNITS
from jaxnas.nets import build_network
from jaxnas.spaces import NAS_BENCH_201, TOY

pytest.importorskip("torch")

from tests.metrics import peer_metrics as by_weights
from tests.metrics import peer_sample_metrics as by_samples

SIZES = {"channels": 4, "cells": 1, "classes": 10}
PATH = np.array([2, 2], np.int32)
MIXED = np.random.default_rng(1).dirichlet(np.ones(5), 6).astype(np.float32)
MIXED[0] = [0, 0.3, 0, 0.7, 0]  # closed operations too
# All of them on a path of the toy space, which compiles in seconds; a mixture of NAS-Bench-201 by those
# that between them differentiate, drop the norms, watch the rectifiers and give the statistics.
OF_PATHS = ("grad_norm", "snip", "plain", "grasp", "fisher", "l2_norm", "zico", "synflow", "ntk_condition")
OF_PATHS += ("ntk_smallest", "jacob_cov", "epe_nas", "naswot", "linear_regions", "parameters", "loss", "accuracy")
OF_MIXTURES = ("snip", "l2_norm", "synflow", "naswot", "linear_regions", "jacob_cov")
TOLERANCE = {"linear_regions": 1e-6, "ntk_condition": 2e-2, "ntk_smallest": 2e-2, "grasp": 5e-3}


@pytest.fixture(scope="module", params=[TOY, NAS_BENCH_201], ids=lambda space: space.name)
def ported(request):
    """A space, our network, and weights with no norm at scale 1 and bias 0."""
    network = build_network(request.param, image_shape=(8, 8, 3), **SIZES)
    rng = np.random.default_rng(4)
    drawn = jax.jit(network.init)(jax.random.key(5))
    return (
        request.param,
        network,
        jax.tree.map(lambda leaf: leaf + 0.1 * jnp.asarray(rng.normal(size=leaf.shape), jnp.float32), drawn),
    )


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(8, 8, 8, 3)).astype(np.float32)


LABELS = np.array([0, 1, 1, 2, 2, 2, 5, 9])


def sets_of_units(place: int, size: int) -> np.ndarray:
    """The sets that `linear_regions` draws by the key of the probes here."""
    return np.asarray(jax.random.randint(jax.random.fold_in(jax.random.key(0), place), (SETS, UNITS), 0, size))


def measured(space, network, names, params, choice, images, **more) -> dict[str, float]:
    """Our scores of one choice, in one program."""
    metrics = {name: METRICS[name](network, space) for name in names} | more
    mask, edge = jnp.asarray(space.full_mask()), jnp.int32(-1)

    @jax.jit
    def measure(params, choice, images, labels):
        probe = Probe(jax.random.key(0), params, choice, mask, edge, images, labels)
        return {name: metric.measure(probe) for name, metric in metrics.items()}

    return jax.device_get(measure(params, jnp.asarray(choice), jnp.asarray(images), jnp.asarray(LABELS, jnp.int32)))


def expected(space, names, params, op_weights, images) -> dict[str, float]:
    model = by_weights.build_peer(space, params, **SIZES)
    theirs = images.transpose(0, 3, 1, 2)
    parts = [(theirs[i : i + 2], LABELS[i : i + 2]) for i in range(0, 8, 2)]
    found = {
        "grad_norm": lambda: by_weights.grad_norm(model, theirs, LABELS, op_weights),
        "snip": lambda: by_weights.snip(model, theirs, LABELS, op_weights),
        "plain": lambda: by_weights.plain(model, theirs, LABELS, op_weights),
        "grasp": lambda: by_weights.grasp(model, theirs, LABELS, op_weights),
        "fisher": lambda: by_weights.fisher(model, theirs, LABELS, op_weights),
        "l2_norm": lambda: by_weights.l2_norm(model, op_weights),
        "zico": lambda: by_weights.zico(model, parts, op_weights),
        "synflow": lambda: by_weights.synflow(model, theirs, op_weights),
        "ntk_condition": lambda: by_samples.ntk_condition(model, theirs, op_weights),
        "ntk_smallest": lambda: by_samples.ntk_smallest(model, theirs, op_weights),
        "jacob_cov": lambda: by_samples.jacob_cov(model, theirs, op_weights),
        "epe_nas": lambda: by_samples.epe_nas(model, theirs, LABELS, op_weights),
        "naswot": lambda: by_samples.naswot(model, theirs, op_weights),
        "linear_regions": lambda: by_samples.linear_regions(model, theirs, op_weights, sets_of_units),
        "parameters": lambda: by_samples.parameters(model, op_weights) / 1e3,
        "loss": lambda: by_samples.validation_loss(model, theirs, LABELS, op_weights),
        "accuracy": lambda: by_samples.accuracy(model, theirs, LABELS, op_weights),
    }
    return {name: found[name]() for name in names}


def assert_alike(ours: dict[str, float], theirs: dict[str, float]) -> None:
    for name, value in theirs.items():
        assert ours[name] == pytest.approx(value, rel=TOLERANCE.get(name, 1e-3)), name


def test_scores_are_those_of_autograd(ported, images) -> None:
    space, network, params = ported
    if space is TOY:
        names, choice, op_weights = OF_PATHS, PATH, by_weights.path_weights(space, PATH)
    else:
        names, choice, op_weights = OF_MIXTURES, MIXED, MIXED.astype(float)
    coupled = {"coupled": jacob_cov(network, space, coupled=True)}
    ours = measured(space, network, names, params, choice, images, **coupled)
    for name, value in expected(space, names, params, op_weights, images).items():
        assert ours[name] == pytest.approx(value, rel=TOLERANCE.get(name, 1e-3)), name
    model = by_weights.build_peer(space, params, **SIZES)
    theirs = by_samples.jacob_cov(model, images.transpose(0, 3, 1, 2), op_weights, coupled=True)
    assert ours["coupled"] == pytest.approx(theirs, rel=1e-3)
    assert ours["coupled"] != pytest.approx(float(ours["jacob_cov"]), rel=1e-3)


def test_the_zen_score_is_that_of_modules_with_running_variances(ported, images) -> None:
    """On the weights and inputs that our score draws; it takes no notice of what is in the batch and of the weights."""
    space, network, params = ported
    choice = PATH if space is TOY else MIXED
    op_weights = by_weights.path_weights(space, PATH) if space is TOY else MIXED.astype(float)
    ours = measured(space, network, ("zen",), params, choice, images)["zen"]
    weight_key, image_key, step_key = jax.random.split(jax.random.key(0), 3)
    model = by_weights.build_peer(space, jax.device_get(_gaussian(weight_key, params)), **SIZES)
    assert (model.head[0].weight == 1).all() and (model.stem[1].bias == 0).all()
    assert 0.8 < model.stages[2][0].edges[1].operations[2][1].weight.std() < 1.2
    x, step = (np.asarray(jax.random.normal(key, images.shape), float) for key in (image_key, step_key))
    first, second = (a.transpose(0, 3, 1, 2) for a in (x, x + 0.01 * step))
    assert ours == pytest.approx(by_samples.zen(model, first, second, op_weights), rel=1e-4)


def test_gradients_match_as_they_do_by_autograd(ported, images) -> None:
    """All three comparisons, of two operations on an edge of a mixture."""
    space, network, params = ported
    if space is not TOY:
        pytest.skip("the weights that count are tested with the supernet; the comparison is the same")
    names, edge = ("gradient_matching", "gradient_matching_by_filter", "gradient_distance"), 1
    metrics = [METRICS[name](network, space) for name in names]
    first, second = np.array([[0.2, 0.3, 0.5], [0, 1, 0]]), np.array([[0.2, 0.3, 0.5], [0, 0, 1]])

    @jax.jit
    def compare(params, first, second, images, labels):
        def probe(choice):
            mask = jnp.asarray(space.full_mask())
            return Probe(jax.random.key(0), params, choice, mask, jnp.int32(edge), images, labels)

        return [m.compare(m.measure(probe(first)), m.measure(probe(second))) for m in metrics]

    choices = (jnp.asarray(choice, jnp.float32) for choice in (first, second))
    ours = compare(params, *choices, jnp.asarray(images), jnp.asarray(LABELS))
    model = by_weights.build_peer(space, params, **SIZES)
    arguments = (model, images.transpose(0, 3, 1, 2), LABELS, first, second, edge)
    theirs = [
        f(*arguments) for f in (by_weights.cosine, by_weights.filter_cosine, by_weights.negative_squared_distance)
    ]
    np.testing.assert_allclose(ours, theirs, rtol=2e-3, atol=2e-5)
    assert 0.001 < abs(theirs[0]) < 0.999
