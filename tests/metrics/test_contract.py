"""What every metric in METRICS keeps to."""

import jax
import numpy as np
import pytest

from jaxnas.metrics import (
    METRICS,
    architecture_score,
    architecture_scores,
    edge_readings,
    edge_similarity,
    operation_scores,
    weighted,
)
from jaxnas.spaces import TOY
from jaxnas.types import UserError

NONE, SKIP, CONV = range(3)
SIGNATURES = {"gradient_matching", "gradient_matching_by_filter", "gradient_distance", "intrinsic_dimension"}


@pytest.mark.parametrize("name", METRICS)
def test_similarities_are_pure_symmetric_finite_and_traced_once(name, toy, toy_probe, paired) -> None:
    metric, traces = METRICS[name](toy, TOY), []

    def measure(probe):
        traces.append(1)
        return metric.measure(probe)

    params = toy_probe(CONV, CONV).params
    similarity = jax.jit(edge_similarity(metric._replace(measure=measure), TOY))
    first, connected = similarity(jax.random.key(0), params, TOY.full_mask(), 1, *paired)
    before = len(traces)
    again, _ = similarity(jax.random.key(0), params, TOY.full_mask(), 1, *paired)
    np.testing.assert_array_equal(first, again)
    np.testing.assert_allclose(first, first.swapaxes(1, 2), rtol=1e-4, atol=1e-5)
    assert np.isfinite(first).all()
    assert connected.tolist() == [[False, True, True]] * 2
    own = np.diagonal(first, axis1=1, axis2=2)[:, [SKIP, CONV]]
    assert (own >= first[:, SKIP, CONV, None] - 1e-5).all()  # an operation is most alike to itself
    # Other edges, masks, weights and seeds run the same program; closed operations compare as 0.
    closed = np.array([[0, 1, 1], [1, 0, 1]], bool)
    other, _ = similarity(jax.random.key(1), jax.tree.map(lambda x: 1.1 * x, params), closed, 1, *paired)
    assert len(traces) == before
    np.testing.assert_array_equal(other[:, SKIP], 0)
    np.testing.assert_array_equal(other[:, :, SKIP], 0)


@pytest.mark.parametrize("name", [name for name in METRICS if name not in SIGNATURES])
def test_architectures_are_scored_and_dead_ones_have_the_declared_value(name, toy, toy_probe) -> None:
    metric = METRICS[name](toy, TOY)
    assert metric.larger_is_better is not None
    score = jax.jit(architecture_score(metric, TOY))
    live, again, dead = (
        float(score(p.key, p.params, p.choice, p.images, p.labels))
        for p in (toy_probe(CONV, SKIP), toy_probe(CONV, SKIP), toy_probe(NONE, CONV))
    )
    assert np.isfinite(live) and live == again
    if metric.dead is None:
        assert np.isfinite(dead)
    else:
        assert dead == np.float32(metric.dead) != live


@pytest.mark.parametrize("name", sorted(SIGNATURES))
def test_what_orders_nothing_scores_no_architecture(name, toy) -> None:
    metric = METRICS[name](toy, TOY)
    for build in (architecture_score, operation_scores):
        with pytest.raises(UserError, match="no score"):
            build(metric, TOY)


def test_scores_of_operations_are_those_behind_the_similarity(toy, toy_probe, paired) -> None:
    metric = METRICS["l2_norm"](toy, TOY)
    arguments = (jax.random.key(3), toy_probe(CONV, CONV).params, TOY.full_mask(), np.int32(1), *paired)
    scores, connected = jax.jit(operation_scores(metric, TOY))(*arguments)
    values, _ = jax.jit(edge_similarity(metric, TOY))(*arguments)
    np.testing.assert_allclose(values, -np.abs(scores[:, :, None] - scores[:, None]), rtol=1e-5)
    np.testing.assert_array_equal(scores[:, NONE], 0)
    assert (scores[:, [SKIP, CONV]] > 0).all() and connected[:, CONV].all()


def test_readings_are_similarities_and_scores_of_the_same_measurements(toy, toy_probe, paired) -> None:
    arguments = (jax.random.key(3), toy_probe(CONV, CONV).params, TOY.full_mask(), np.int32(1), *paired)
    metric = METRICS["random"](toy, TOY)
    (similarity, scores), connected = jax.jit(edge_readings(metric, TOY))(*arguments)
    alone, alive = jax.jit(edge_similarity(metric, TOY))(*arguments)
    np.testing.assert_array_equal(similarity, alone)
    np.testing.assert_array_equal(connected, alive)
    np.testing.assert_array_equal(scores, jax.jit(operation_scores(metric, TOY))(*arguments)[0])
    assert len(np.unique(scores)) == 6  # two batches, three operations
    (again, none), _ = jax.jit(edge_readings(metric._replace(larger_is_better=None), TOY))(*arguments)
    np.testing.assert_array_equal(again, alone)
    assert none is None


def test_a_mixture_gives_the_reasons_of_its_parts_each_once(toy) -> None:
    regions, plain = METRICS["linear_regions"](toy, TOY), METRICS["grad_norm"](toy, TOY)
    assert weighted((1.0, regions), (0.5, plain), (0.5, regions)).not_finite == regions.not_finite != ""
    assert weighted((1.0, plain)).not_finite == ""
    two = weighted((1.0, regions), (1.0, plain._replace(not_finite="weights are 0")))
    assert two.not_finite == f"{regions.not_finite}; or weights are 0"


def test_what_metrics_share_runs_once(toy, toy_probe) -> None:
    passes = []

    def forward(*arguments):
        passes.append(1)
        return toy.forward(*arguments)

    network, probe = toy._replace(forward=forward), toy_probe(CONV, SKIP)

    def run(*names: str) -> int:
        passes.clear()
        scores = architecture_scores({name: METRICS[name](network, TOY) for name in names}, TOY)
        jax.eval_shape(scores, probe.key, probe.params, probe.choice, probe.images, probe.labels)
        return len(passes)

    assert run("grad_norm") == run("grad_norm", "snip", "plain") == 1
    assert run("ntk_condition", "ntk_smallest") == run("ntk_smallest")
    mixed = weighted((0.5, METRICS["grad_norm"](network, TOY)), (0.5, METRICS["snip"](network, TOY)))
    passes.clear()
    jax.eval_shape(mixed.measure, probe)
    assert len(passes) == 1
