"""Evaluation of ONE sub-supernet on fixed batches."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxnas.data.pipeline import Images, Pipeline
from jaxnas.distributed import parallel
from jaxnas.nets.layers import NormMode
from jaxnas.nets.losses import cross_entropy
from jaxnas.nets.network import Network
from jaxnas.types import Array, Choice, Params, Stats


class Validation(NamedTuple):
    """How one choice does on the validation images."""

    accuracy: Array  # percent []
    loss: Array  # mean cross-entropy, nats []


def build_evaluate(network: Network, pipeline: Pipeline) -> Callable[..., Array]:
    """`evaluate((params, op_ids [A, E][, stats]), batches [n, B, ...][, calibration]) -> accuracy [A]`, percent.

    Without `stats`, norms use the statistics of each batch, so every architecture must see the same batches; with
    them (a network trained alone) the batching does not matter, nor with those of `calibration` batches, as
    `build_validate` takes them. Labels below 0 mark padding and are not counted.
    """
    statistics = build_statistics(network, pipeline)

    def evaluate(item: tuple[Any, ...], batches: Images, calibration: Images | None = None) -> Array:
        params, choices, *stats = item

        def one(choice: Choice) -> Array:
            own = statistics(choice, params, calibration) if calibration is not None else None
            given = stats[0] if stats else own
            mode: NormMode = "batch" if given is None else "given"

            def count(correct: Array, batch: Images) -> tuple[Array, None]:
                images = parallel.spread_examples(pipeline.normalise(batch.images))
                logits, _ = network.forward(params, images, choice, mode, given)
                return correct + (logits.argmax(-1) == batch.labels).sum(), None

            correct, _ = lax.scan(count, jnp.zeros((), jnp.int32), batches)
            counted = jnp.sum(batches.labels >= 0)
            return 100.0 * correct.astype(jnp.float32) / counted.astype(jnp.float32)

        return lax.map(one, choices)

    return evaluate


def build_validate(network: Network, pipeline: Pipeline) -> Callable[[Choice, Params, Images, Images], Validation]:
    """`validate(choice, params, batches [n, B, ...], calibration [m, B, ...])` of op_ids [E] or op_weights [E, O].

    Norms use the statistics of each batch; or, with m > 0 batches of training images to calibrate on, the mean of the
    statistics that these have under the same choice (SPOS, Guo et al., ECCV 2020, recalibrates each candidate so).
    """
    statistics = build_statistics(network, pipeline)

    def validate(choice: Choice, params: Params, batches: Images, calibration: Images) -> Validation:
        given = statistics(choice, params, calibration) if len(calibration.labels) else None
        mode: NormMode = "batch" if given is None else "given"

        def add(total: Validation, batch: Images) -> tuple[Validation, None]:
            logits, _ = network.forward(params, pipeline.normalise(batch.images), choice, mode, given)
            correct = (logits.argmax(-1) == batch.labels).sum()
            return Validation(total.accuracy + correct, total.loss + cross_entropy(logits, batch.labels)), None

        total, _ = lax.scan(add, Validation(jnp.zeros((), jnp.int32), jnp.zeros(())), batches)
        accuracy = 100.0 * total.accuracy.astype(jnp.float32) / batches.labels.size
        return Validation(accuracy, total.loss / len(batches.labels))

    return validate


def build_statistics(network: Network, pipeline: Pipeline) -> Callable[[Choice, Params, Images], Stats]:
    """`statistics(choice, params, calibration [m, B, ...])`: the mean of those that the batches have in each norm."""

    def statistics(choice: Choice, params: Params, calibration: Images) -> Stats:
        def of_batch(images: Array) -> Stats:
            return network.forward(params, parallel.spread_examples(pipeline.normalise(images)), choice)[1]

        return jax.tree.map(lambda leaf: leaf.mean(0), lax.map(of_batch, calibration.images))

    return statistics
