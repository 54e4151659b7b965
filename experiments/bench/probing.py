"""Scoring operations and evaluating architectures."""

from typing import Any

import jax
import jax.numpy as jnp

from experiments.bench import inputs, jaxnas_steps, torch_steps
from experiments.bench.rows import Measured, Setting
from experiments.bench.timing import Call, interleave
from jaxnas.data import Pipeline
from jaxnas.distributed import parallel
from jaxnas.metrics import edge_readings, gradient_matching
from jaxnas.nets.losses import cross_entropy
from jaxnas.training import build_evaluate
from jaxnas.types import Array, Key, Params


def scoring(setting: Setting) -> list[Measured]:
    """Seconds to score all operations of all edges on one batch, on paths and on the uniform mixture.

    Both against as many gradients of the mixed form as there are operations to score.
    """
    network, params, space = jaxnas_steps.build(setting), jaxnas_steps.weights(setting), inputs.space(setting)
    images, labels = (jnp.asarray(part) for part in inputs.batches(setting, number=1))
    edges, ops = space.shape
    item = (jax.random.split(jax.random.key(setting.seed), edges), jnp.arange(edges))
    mask = jnp.asarray(space.full_mask())

    def score(background: Any) -> Call:
        readings = edge_readings(gradient_matching(network, space), space, background)

        def of_edge(item: tuple[Key, Array], params: Params, mask: Array, images: Array, labels: Array) -> Any:
            return readings(item[0], params, mask, item[1], images, labels)

        run = parallel.over(of_edge, "map")
        return lambda: jax.block_until_ready(run(item, params, mask, images, labels))

    @jax.jit
    def gradient(params: Params, op_weights: Array, images: Array, labels: Array) -> Params:
        return jax.grad(lambda params: cross_entropy(network.forward(params, images, op_weights)[0], labels))(params)

    uniform = jnp.full(space.shape, 1 / ops)
    calls: dict[str, Call] = {
        "path": score("path"),
        "uniform": score("uniform"),
        "gradient": lambda: jax.block_until_ready(gradient(params, uniform, images[0], labels[0])),
    }
    seconds = interleave(calls, setting.slow_repeats)
    peer = [edges * ops * one for one in seconds["gradient"]]
    return [Measured(seconds["path"], peer), Measured(seconds["uniform"], peer)]


def evaluation(setting: Setting) -> list[Measured]:
    """Architectures a second."""
    network, params = jaxnas_steps.build(setting), jaxnas_steps.weights(setting)
    evaluate = jax.jit(build_evaluate(network, Pipeline(jaxnas_steps.unchanged, lambda images: images)))
    choices = jnp.asarray(inputs.architectures(setting))
    drawn = inputs.batches(setting, inputs.VALID, setting.eval_batches, setting.eval_batch)
    data = jax.tree.map(jnp.asarray, drawn)
    calls: dict[str, Call] = {"ours": lambda: jax.block_until_ready(evaluate((params, choices), data))}
    peer = torch_steps.evaluation(setting)
    if peer is not None:
        calls["theirs"] = peer
    seconds = interleave(calls, setting.slow_repeats)
    rates = {name: [setting.architectures / call for call in of] for name, of in seconds.items()}
    return [Measured(rates["ours"], rates.get("theirs"))]
