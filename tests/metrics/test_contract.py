"""What every metric in METRICS keeps to."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnas.metrics import (
    BACKGROUNDS,
    METRICS,
    architecture_score,
    architecture_scores,
    edge_readings,
    edge_similarity,
    weighted,
)
from jaxnas.spaces import TOY
from jaxnas.testing import TRIANGLE, check_metric
from jaxnas.testing.metrics import DEEP
from jaxnas.types import UserError

NONE, SKIP, CONV = range(3)
SIGNATURES = {"gradient_matching", "gradient_matching_by_filter", "gradient_distance", "intrinsic_dimension"}


FULL = TRIANGLE.full_mask()


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_keeps_the_contract(name, toy) -> None:
    check_metric(METRICS[name])
    assert (METRICS[name](toy, TOY).larger_is_better is None) == (name in SIGNATURES)


def test_deep_nodes_compare_what_their_masks_leave() -> None:
    found = [[np.flatnonzero(row).tolist() for row in TRIANGLE.comparable(mask)] for mask in DEEP]
    assert found == [
        [[SKIP, CONV], [NONE, SKIP, CONV], [NONE, CONV]],
        [[SKIP], [NONE], [SKIP, CONV]],
        [[NONE], [SKIP, CONV], []],
    ]


@pytest.mark.parametrize("name", sorted(SIGNATURES))
def test_what_orders_nothing_scores_no_architecture(name, toy) -> None:
    with pytest.raises(UserError, match="no score"):
        architecture_score(METRICS[name](toy, TOY), TOY)


@pytest.mark.parametrize("build", [edge_readings, edge_similarity])
def test_an_unknown_background_is_told_with_those_there_are(build, toy) -> None:
    with pytest.raises(UserError, match=r"unknown background 'flat'; allowed: \['path', 'uniform'\]"):
        build(METRICS["loss"](toy, TOY), TOY, "flat")


def test_a_background_of_ones_own_is_registered_or_given(triangle, triangle_params, paired, monkeypatch) -> None:
    def convolutions(space):
        return lambda key, mask, edge: jnp.full(len(space.edges), CONV)

    metric, arguments = METRICS["live_parameters"](triangle, TRIANGLE), (jax.random.key(0), triangle_params, FULL, 2)
    monkeypatch.setitem(BACKGROUNDS, "convolutions", convolutions)
    named, given = (edge_readings(metric, TRIANGLE, by)(*arguments, *paired) for by in ("convolutions", convolutions))
    np.testing.assert_array_equal(named.backgrounds, [[CONV, CONV, 0]] * 2)
    jax.tree.map(np.testing.assert_array_equal, named, given)
    named, given = (edge_similarity(metric, TRIANGLE, by)(*arguments, *paired) for by in ("convolutions", convolutions))
    jax.tree.map(np.testing.assert_array_equal, named, given)


def test_a_similarity_is_of_scores_that_are_averaged_and_of_others_the_mean(triangle, triangle_params, paired) -> None:
    arguments = (jax.random.key(3), triangle_params, FULL, np.int32(0), *paired)
    noise = METRICS["random"](triangle, TRIANGLE)
    scores = np.asarray(jax.jit(edge_readings(noise, TRIANGLE))(*arguments).values, float)
    assert scores.shape == (2, 3) and len(np.unique(scores)) == 6  # two batches, three operations
    similarity, compared = jax.jit(edge_similarity(noise, TRIANGLE))(*arguments)
    mean = scores.mean(0)
    np.testing.assert_allclose(similarity, -np.abs(mean[:, None] - mean), atol=1e-6)
    assert compared.all()
    apart = noise._replace(larger_is_better=None)
    values = jax.jit(edge_readings(apart, TRIANGLE))(*arguments).values
    np.testing.assert_allclose(values, -np.abs(scores[:, :, None] - scores[:, None]), atol=1e-6)
    similarity, _ = jax.jit(edge_similarity(apart, TRIANGLE))(*arguments)
    np.testing.assert_allclose(similarity, np.asarray(values).mean(0), atol=1e-6)


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
