"""From a metric to the similarity of the operations of an edge: the loops over batches and operations."""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import chex
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxnas.metrics.base import Metric, Probe, Signature, measure_together, refusal, settle
from jaxnas.search.sampling import sample_until
from jaxnas.spaces.base import SearchSpace
from jaxnas.types import Array, Choice, Key, Params, UserError

Background = Callable[
    [Key, Array, Array], Choice
]  # (key, mask [E, O], edge []) -> choice; the row of `edge` is replaced


def path_background(space: SearchSpace) -> Background:
    """A random path of the mask, connected with at least one open operation on the probed edge; path form."""
    operations = jnp.arange(len(space.ops))

    def draw(key: Key, mask: Array, edge: Array) -> Choice:
        def accept(op_ids: Array) -> Array:
            alive = jax.vmap(lambda op: space.connected(op_ids.at[edge].set(op)))(operations)
            return (alive & mask[edge]).any()

        return sample_until(key, mask, accept)

    return draw


def uniform_background(space: SearchSpace) -> Background:
    """Every open operation of the other edges with equal weight; mixed form."""
    del space

    def draw(key: Key, mask: Array, edge: Array) -> Choice:
        del key, edge
        return mask / mask.sum(-1, keepdims=True)

    return draw


BACKGROUNDS: dict[str, Callable[[SearchSpace], Background]] = {"path": path_background, "uniform": uniform_background}


def edge_similarity(
    metric: Metric, space: SearchSpace, background: Literal["path", "uniform"] = "path"
) -> Callable[..., tuple[Array, Array]]:
    """`similarity(key, params, mask, edge, images, labels) -> ([R, O, O], connected [R, O])`, jit it.

    images float [R, B, H, W, C], labels int [R, B]. For each of the R batches one background is drawn for the other
    edges and shared by the probes of all operations, so that they differ in nothing else. A disconnected probe
    compares by the metric's declared value; entries of closed operations are 0. Edge, mask and weights are data: one
    compilation serves all edges, nodes and seeds. Closed operations are skipped, not computed, and so is an operation
    with none to compare with: of an edge with a single open one all is 0. The key is consumed.
    """

    return _on_edge(metric, space, background, partial(_similarity, metric), fewest=2)


def edge_readings(
    metric: Metric, space: SearchSpace, background: Literal["path", "uniform"] = "path"
) -> Callable[..., tuple[tuple[Array, Array | None], Array]]:
    """`readings(...) -> ((similarity [R, O, O], scores [R, O]), connected [R, O])`: both from the same measurements.

    As `edge_similarity`, beside the numbers behind it (`operation_scores`); None of a metric that is not one number.
    """

    def both(signatures: Signature, alive: Array, is_open: Array) -> tuple[Array, Array | None]:
        scores = None if metric.larger_is_better is None else jnp.where(is_open, signatures, 0.0)
        return _similarity(metric, signatures, alive, is_open), scores

    return _on_edge(metric, space, background, both, fewest=2)


def operation_scores(
    metric: Metric, space: SearchSpace, background: Literal["path", "uniform"] = "path"
) -> Callable[..., tuple[Array, Array]]:
    """`scores(key, params, mask, edge, images, labels) -> ([R, O], connected [R, O])`, jit it.

    The measurements behind `edge_similarity`, of a metric that is one number; 0 for closed operations. Raises
    UserError for another metric.
    """
    _check_scalar(metric)
    return _on_edge(metric, space, background, lambda scores, alive, is_open: jnp.where(is_open, scores, 0.0))


def architecture_score(metric: Metric, space: SearchSpace) -> Callable[..., Array]:
    """`score(key, params, choice, images, labels) -> []` of an architecture, op_ids [E] or op_weights [E, O]; jit it.

    images float [B, H, W, C], labels int [B]. The declared value where the architecture is disconnected. The key is
    consumed. Raises UserError for a metric that is not one number.
    """
    scores = architecture_scores({"": metric}, space)
    return lambda *probe: scores(*probe)[""]


def architecture_scores(metrics: dict[str, Metric], space: SearchSpace) -> Callable[..., dict[str, Array]]:
    """As `architecture_score`, of several metrics by name; gradients, Jacobians and passes they share run once."""
    for metric in metrics.values():
        _check_scalar(metric)

    def scores(key: Key, params: Params, choice: Choice, images: Array, labels: Array) -> dict[str, Array]:
        probe = Probe(key, params, choice, jnp.asarray(space.full_mask()), jnp.int32(-1), images, labels)
        measured = zip(metrics.items(), measure_together([*metrics.values()], probe), strict=True)
        connected = _connected(space, choice)
        return {name: settle(metric, value, connected) for (name, metric), value in measured}

    return scores


def _on_edge(
    metric: Metric,
    space: SearchSpace,
    background: str,
    gather: Callable[[Signature, Array, Array], Any],
    fewest: int = 1,
) -> Callable[..., tuple[Any, Array]]:
    """The loops: `gather(signatures [O, ...], connected [O], open [O])` of every batch.

    Nothing is measured on an edge with fewer open operations than `fewest`.
    """
    draw = BACKGROUNDS[background](space)
    operations = jnp.arange(len(space.ops))

    def on_edge(key: Key, params: Params, mask: Array, edge: Array, images: Array, labels: Array) -> tuple[Any, Array]:
        chex.assert_rank([images, labels], [5, 2])
        chex.assert_shape(mask, space.shape)
        mask = jnp.asarray(mask)

        def of_batch(batch: tuple[Key, Array, Array]) -> tuple[Any, Array]:
            batch_key, batch_images, batch_labels = batch
            draw_key, measure_key = jax.random.split(batch_key)
            others = draw(draw_key, mask, edge)

            def probe(op: Array) -> Probe:
                choice = _put(others, edge, op, len(space.ops))
                return Probe(measure_key, params, choice, mask, edge, batch_images, batch_labels)

            blank = jax.tree.map(
                lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), jax.eval_shape(lambda: metric.measure(probe(edge)))
            )

            def measure(op: Array) -> Signature:
                alive = _connected(space, probe(op).choice) & mask[edge, op]
                needed = mask[edge, op] if None in jax.tree.leaves(metric.dead, is_leaf=_is_none) else alive
                needed &= mask[edge].sum() >= fewest
                measured = lax.cond(needed, lambda: metric.measure(probe(op)), lambda: blank)
                return settle(metric, measured, alive), alive

            signatures, alive = lax.map(measure, operations)
            return gather(signatures, alive, mask[edge]), alive

        keys = jax.random.split(key, labels.shape[0])
        return lax.map(of_batch, (keys, images, labels))

    return on_edge


def _similarity(metric: Metric, signatures: Signature, alive: Array, is_open: Array) -> Array:
    """[O, O] of the operations of an edge, 0 for closed ones."""
    signatures = metric.normalise(signatures, is_open)
    values = jax.vmap(jax.vmap(metric.compare, (None, 0)), (0, None))(signatures, signatures)
    return jnp.where(is_open[:, None] & is_open[None, :] & (is_open.sum() > 1), values, 0.0)


def _is_none(value: object) -> bool:
    return value is None


def _check_scalar(metric: Metric) -> None:
    if metric.larger_is_better is None:
        raise UserError("this metric compares operations and orders nothing: it has no score of an architecture")


def _put(choice: Choice, edge: Array, op: Array, operations: int) -> Choice:
    """The choice with one operation, of weight 1, on `edge`."""
    if jnp.issubdtype(choice.dtype, jnp.integer):
        return choice.at[edge].set(op)
    return choice.at[edge].set(jax.nn.one_hot(op, operations, dtype=choice.dtype))


def _connected(space: SearchSpace, choice: Choice) -> Array:
    if jnp.issubdtype(choice.dtype, jnp.integer):
        return jnp.asarray(space.connected(choice))
    return jnp.asarray(space.viable(choice != 0))


def check_similarity(space: SearchSpace, name: str, metric: Metric, values: np.ndarray, connected: np.ndarray) -> None:
    """Raises UserError naming metric, edge and operation if a connected probe has a similarity that is not finite.

    values [E, R, O, O], connected [E, R, O]. The message ends with the metric's own reason, if it has one.
    """
    bad = ~np.isfinite(values).all(-1) & connected
    if bad.any():
        edge, batch, op = (int(i) for i in np.argwhere(bad)[0])
        raise UserError(
            f"metric {name} is not finite for operation {space.ops[op]} on edge {space.edge_name(edge)} "
            f"(batch {batch}; {int(bad.sum())} of {int(connected.sum())} connected probes){refusal(metric)}"
        )
