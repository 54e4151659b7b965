"""What every metric promises."""

from collections.abc import Callable
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.metrics import Metric, Probe, architecture_score, counted, edge_readings
from jaxnas.metrics.base import settle
from jaxnas.metrics.pooling import pooled
from jaxnas.nets import Network, build_network
from jaxnas.spaces import TOY, SearchSpace
from jaxnas.testing.base import CONV, NONE, SKIP, TRIANGLE, require, same_bits, traced
from jaxnas.types import Array, Params

FULL = TRIANGLE.full_mask()
DEEP = (  # masks of deep nodes of a tree on the triangle
    np.array([[0, 1, 1], [1, 1, 1], [1, 0, 1]], bool),
    np.array([[1, 1, 0], [1, 0, 0], [1, 1, 1]], bool),  # `none` would cut the only route
    np.array([[1, 0, 0], [1, 1, 1], [1, 1, 1]], bool),  # nothing reaches node 1
)


def check_metric(factory: Callable[[Network, SearchSpace], Metric]) -> None:
    """Raises AssertionError unless a factory of a metric keeps to what all in METRICS do.

    On small untrained networks of the triangle and of the toy space, with random images:

    - `measure` takes traced probes, with operation ids [E] and with weights [E, O], and gives arrays of one shape;
    - where `larger_is_better` is given, that is one number [];
    - `disconnected_value` is None, a number, or one of these for every part of the measurement;
    - what can be compared is measured finite on every edge and mask, by one program, and a key means the same bits;
    - similarities are finite and symmetric, and no operation is more alike to another than to itself;
    - a metric of one number scores a connected architecture finite, and with the same bits again; a disconnected one
      has the value `disconnected_value`, which the connected one has not, or where that is None a finite one.
    """
    network, params = _network(TRIANGLE)
    metric = factory(network, TRIANGLE)
    require(isinstance(metric, Metric), f"a metric is a factory (network, space) -> Metric, this gives {type(metric)}")
    with traced("measure"):
        _check_declared(metric, params)
        _check_compared(metric, params)
        if metric.larger_is_better is not None:
            toy, weights = _network(TOY)
            _check_scores(factory(toy, TOY), weights)


def _check_declared(metric: Metric, params: Params) -> None:
    images, labels = _images(1)
    ids = jnp.full(len(TRIANGLE.edges), CONV)
    paths, mixed = (
        Probe(jax.random.key(0), params, choice, jnp.asarray(FULL), jnp.int32(0), images[0], labels[0])
        for choice in (ids, jax.nn.one_hot(ids, len(TRIANGLE.ops)))
    )
    measured, of_mixed = (jax.eval_shape(metric.measure, probe) for probe in (paths, mixed))
    alike = _shapes(measured) == _shapes(of_mixed)
    require(alike, f"measure gives {measured} of operation ids and {of_mixed} of weights: they must have one shape")
    if metric.larger_is_better is not None:
        shape = getattr(measured, "shape", None)
        require(shape == (), f"larger_is_better is of one number, but measure gives {measured}; it must have shape []")
    try:
        jax.eval_shape(lambda: settle(metric, jax.tree.map(lambda leaf: jnp.zeros(leaf.shape), measured), jnp.bool(0)))
    except (ValueError, TypeError) as error:
        given = metric.disconnected_value
        told = f"disconnected_value must be None, a number, or one for every part of {measured}, not {given!r}"
        raise AssertionError(told) from error


def _check_compared(metric: Metric, params: Params) -> None:
    images, labels, traces = *_images(2), []

    def measure(probe: Probe) -> Array:
        traces.append(1)
        return metric.measure(probe)

    readings = jax.jit(edge_readings(metric._replace(measure=measure), TRIANGLE))
    found, again = (readings(jax.random.key(0), params, FULL, 2, images, labels) for _ in range(2))
    before = len(traces)
    require(same_bits(found, again), "measure gives other bits for the same key: it must draw by the key of the probe")
    require(found.connected.all(), "an operation is disconnected over a path that connects the cell without its edge")
    similarity = pooled(metric, jax.tree.map(np.asarray, found.values), np.full(2, 0.5), np.ones(3, bool))
    require(np.shape(similarity) == (3, 3), f"compare must give one number [], its table is {np.shape(similarity)}")
    require(np.isfinite(similarity).all(), f"similarities must be finite, they are {similarity}")
    close = np.allclose(similarity, similarity.T, rtol=1e-4, atol=1e-5)
    require(close, f"compare must be symmetric, its table is {similarity}")
    own = np.diagonal(similarity)[:, None]
    require(
        (own >= similarity - 1e-5).all(),
        f"larger similarities mean more alike, but an operation is less alike to itself than to another: {similarity}",
    )
    for mask in DEEP:
        compared = np.asarray(TRIANGLE.comparable(mask))
        for edge in range(len(TRIANGLE.edges)):
            found = readings(jax.random.key(1), params, mask, edge, images, labels)
            where = f"on edge {TRIANGLE.edge_name(edge)} of the mask {mask.astype(int).tolist()}"
            values = jax.tree.leaves(found.values)
            require(all(np.isfinite(part).all() for part in values), f"what is compared {where} is not finite")
            require(counted(np.asarray(found.connected), compared[edge]).all(), f"a batch does not count {where}")
            rest = [part if compared[edge].sum() < 2 else part[:, ~compared[edge]] for part in values]
            require(not any(part.any() for part in rest), f"what is not compared {where} is measured")
    require(len(traces) == before, "another edge or mask compiles measure again: both must be data")


def _check_scores(metric: Metric, params: Params) -> None:
    images, labels = _images(1)
    score = jax.jit(architecture_score(metric, TOY))
    live, again, cut = (
        np.asarray(score(jax.random.key(0), params, jnp.array(op_ids), images[0], labels[0]))
        for op_ids in ((CONV, SKIP), (CONV, SKIP), (NONE, CONV))
    )
    require(np.isfinite(live), f"the score of a connected architecture must be finite, it is {live}")
    require(same_bits(live, again), f"the same architecture and key score {live} and then {again}")
    if metric.disconnected_value is None:
        require(
            np.isfinite(cut),
            f"disconnected_value is None, but a disconnected architecture scores {cut}; it must be finite",
        )
    else:
        declared = live.dtype.type(metric.disconnected_value)
        require(
            cut == declared, f"a disconnected architecture scores {cut}, not the declared {metric.disconnected_value}"
        )
        require(live != declared, f"a connected architecture scores {live}, which is declared for disconnected ones")


def _shapes(tree: Any) -> list[tuple[str, tuple[int, ...]]]:
    return [(jax.tree_util.keystr(path), leaf.shape) for path, leaf in jax.tree_util.tree_leaves_with_path(tree)]


@cache
def _network(space: SearchSpace) -> tuple[Network, Params]:
    network = build_network(space, channels=4, cells=1, classes=10, image_shape=(8, 8, 3))
    return network, network.init(jax.random.key(5))


def _images(batches: int) -> tuple[Array, Array]:
    """Images [R, 16, 8, 8, 3] and labels [R, 16]."""
    rng = np.random.default_rng(batches)
    images = jnp.asarray(rng.normal(size=(batches, 16, 8, 8, 3)), jnp.float32)
    return images, jnp.asarray(rng.integers(0, 10, (batches, 16)), jnp.int32)
