"""Scoring the operations of a node: by which keys and batches, and what the measurements say of its edges."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.few_shot.run_context import SCORE, RunContext, purpose_key
from jaxnas.metrics import Metric, Readings, counted
from jaxnas.metrics.pooling import Values, pooled
from jaxnas.metrics.probes import check_readings
from jaxnas.spaces.base import SearchSpace
from jaxnas.spaces.tree import Node, as_mask
from jaxnas.splitting import EdgeReading, edges_read_by, scored_edges
from jaxnas.types import Array, Key, Mask, Params


class NodeScores(NamedTuple):
    """What scoring a node gave, on the host."""

    similarity: np.ndarray  # [E, O, O], all batches pooled; NaN where nothing was compared
    values: Values  # as in `Readings`, with a leading axis [E, ...]


def scoring_key(context: RunContext, node: Node, first: int) -> Key:
    """The key by which batches of a node from `first` on are scored."""
    key = purpose_key(context, SCORE, 1 + node.id)
    return key if first == 0 else jax.random.fold_in(key, first)


def scoring_batches(context: RunContext) -> tuple[Array, Array]:
    """R augmented training batches, float [R, B, H, W, C], and labels [R, B]; the same for every node and edge."""
    repeats, size = context.config.split.batches, context.config.data.batch
    order_key, augment_key = jax.random.split(purpose_key(context, SCORE, 0))
    examples = context.train.labels.shape[0]
    # With fewer than R whole batches in the training set, they are drawn again, in another order.
    passes = -(-repeats * size // examples)
    orders = [jax.random.permutation(k, examples) for k in jax.random.split(order_key, passes)]
    indices = jnp.concatenate(orders)[: repeats * size].reshape(repeats, size)
    augment = jax.vmap(context.programs.pipeline.augment)
    return augment(jax.random.split(augment_key, repeats), context.train.images[indices]), context.train.labels[indices]


def joined(parts: Sequence[Readings]) -> Readings:
    """Readings of consecutive batches of one node, numpy leaves [E, r, ...], as one, [E, R, ...]."""
    return jax.tree.map(lambda *of: np.concatenate(of, 1), *parts)


def score_node(
    context: RunContext, metric: Metric, params: Params, node: Node, first: int, batches: tuple[Array, Array]
) -> Readings:
    """What `batches`, images [r, ...] and labels [r, B], say of the edges of a node, numpy leaves [E, r, ...].

    The first of them is batch `first` of the node. Edges that the rule does not look at have zeros. Raises UserError
    naming metric, edge and operation if a connected probe gives a measurement that is not finite.
    """
    settings, space, mask = context.config.split, context.space, as_mask(node)
    asked, edges = np.array(edges_read_by(settings, mask)), len(space.edges)
    keys = jax.random.split(scoring_key(context, node, first), edges)[asked]
    found = context.programs.readings((keys, jnp.array(asked)), params, jnp.asarray(mask), *batches)

    def of_all(part: np.ndarray) -> np.ndarray:
        whole = np.zeros((edges, *part.shape[1:]), part.dtype)
        whole[asked] = part
        return whole

    readings = jax.tree.map(of_all, jax.device_get(found))
    scored = np.isin(np.arange(edges), scored_edges(space, settings, mask))
    measured = readings.connected & (scored[:, None] & space.comparable(mask))[:, None]
    check_readings(space, settings.metric, metric, readings.values, measured)
    return readings


def scored_readings(context: RunContext, metric: Metric, node: Node, found: Readings) -> list[EdgeReading | None]:
    """What splitting is told of a node, from its readings [E, R, ...]; None of edges that were not scored."""
    settings, space, mask = context.config.split, context.space, as_mask(node)
    return readings_of(space, metric, mask, found, scored_edges(space, settings, mask))


def node_scores(context: RunContext, metric: Metric, node: Node, found: Readings) -> NodeScores:
    """What is put on record of a node, from its readings [E, R, ...]."""
    readings = scored_readings(context, metric, node, found)
    return NodeScores(similarity_of(context.space, as_mask(node), readings), found.values)


def readings_of(
    space: SearchSpace, metric: Metric, mask: Mask, found: Readings, scored: list[int]
) -> list[EdgeReading | None]:
    """What splitting is told of the edges of a node, from numpy readings [E, R, ...]; None of those not `scored`."""
    comparable = space.comparable(mask)

    def of_edge(edge: int) -> EdgeReading:
        counts = counted(found.connected[edge], comparable[edge])
        values = jax.tree.map(lambda part: part[edge][counts].astype(float), found.values)
        backgrounds = found.backgrounds[edge][counts].reshape(counts.sum(), -1)
        return EdgeReading(
            pool=lambda shares: np.asarray(pooled(metric, values, shares, comparable[edge])),
            counted=int(counts.sum()),
            scored=len(counts),
            backgrounds=len(np.unique(backgrounds, axis=0)),
        )

    return [of_edge(edge) if edge in scored else None for edge in range(len(comparable))]


def similarity_of(space: SearchSpace, mask: Mask, readings: Sequence[EdgeReading | None]) -> np.ndarray:
    """Similarities [E, O, O] in which all batches that count do so alike; NaN where nothing is compared."""
    comparable = space.comparable(mask)
    found = np.full((*mask.shape, mask.shape[1]), np.nan)
    for edge, reading in enumerate(readings):
        if reading is not None and reading.counted:
            pairs = comparable[edge][:, None] & comparable[edge][None, :]
            found[edge] = np.where(pairs, reading.mean(), np.nan)
    return found
