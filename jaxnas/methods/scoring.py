"""Scoring the operations of a node: by which keys and batches, and what the measurements say of its edges."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.methods.problem import SCORE, Problem, purpose_key
from jaxnas.metrics import Metric, Readings, counted
from jaxnas.metrics.pooling import Values, pooled
from jaxnas.spaces.base import SearchSpace
from jaxnas.spaces.tree import Node
from jaxnas.splitting import EdgeReading
from jaxnas.types import Array, Key, Mask


class NodeScores(NamedTuple):
    """What scoring a node gave, on the host."""

    similarity: np.ndarray  # [E, O, O], all batches pooled; NaN where nothing was compared
    values: Values  # as in `Readings`, with a leading axis [E, ...]


def scoring_key(problem: Problem, node: Node, first: int) -> Key:
    """The key by which batches of a node from `first` on are scored."""
    key = purpose_key(problem, SCORE, 1 + node.id)
    return key if first == 0 else jax.random.fold_in(key, first)


def scoring_batches(problem: Problem) -> tuple[Array, Array]:
    """R augmented training batches, float [R, B, H, W, C], and labels [R, B]; the same for every node and edge."""
    repeats, size = problem.config.split.batches, problem.config.data.batch
    order_key, augment_key = jax.random.split(purpose_key(problem, SCORE, 0))
    examples = problem.train.labels.shape[0]
    # With fewer than R whole batches in the training set, they are drawn again, in another order.
    passes = -(-repeats * size // examples)
    orders = [jax.random.permutation(k, examples) for k in jax.random.split(order_key, passes)]
    indices = jnp.concatenate(orders)[: repeats * size].reshape(repeats, size)
    augment = jax.vmap(problem.programs.pipeline.augment)
    return augment(jax.random.split(augment_key, repeats), problem.train.images[indices]), problem.train.labels[indices]


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
