"""One-shot search: sub-supernets trained by any search algorithm, and how a selector sees one of them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.data import Images
from jaxnas.distributed import parallel
from jaxnas.few_shot import run_context as run_context
from jaxnas.few_shot.config import FewShotConfig
from jaxnas.few_shot.run_context import RunContext, architecture_name, steps_per_epoch
from jaxnas.metrics import METRICS, architecture_score
from jaxnas.nets import Network
from jaxnas.search import SearchAlgorithm
from jaxnas.search.base import sample_path
from jaxnas.selection.base import Trained
from jaxnas.spaces import SPACES
from jaxnas.training import (
    Searching,
    Validation,
    build_bilevel_step,
    build_search_epoch,
    build_validate,
    new_state,
    train,
)
from jaxnas.training.loop import Describe, Epoch
from jaxnas.types import QUIET, Array, Key, Mask, Params, Stage

WEIGHTS, SEARCH, TRAINING, SCORES = range(4)  # what a key is for
SLOWER = 0.1  # learning rate between two decisions, of the first one of training; constant (DARTS-PT)


class SearchPrograms(NamedTuple):
    """What is compiled for one algorithm."""

    start: Callable[..., Searching]  # (keys [K], masks [K, E, O], steps [K], weights or none) -> states [K, ...]
    epoch: Epoch
    tune: Epoch
    probabilities: Callable[[Searching], Array]  # states -> [K, E, O]
    draw: Callable[[Array, Searching], Array]  # (keys [n], a state) -> op_ids [n, E], of its own distribution


class Evaluators(NamedTuple):
    """What is compiled to evaluate choices in the supernets of one network, whatever algorithm trained them."""

    validate: Callable[..., Validation]  # (choices [A, ...], params, batches, calibration) -> [A]
    score: Callable[..., Array]  # ((choices, keys) [A, ...], params, images, labels) -> [A]
    sign: int  # of the score: larger is better times this


def build_search_programs(
    base: run_context.FewShotPrograms, config: FewShotConfig, algorithm: SearchAlgorithm
) -> SearchPrograms:
    """The programs of one algorithm, for supernets and masks of any number and any length of training."""
    network, pipeline = base.supernet(algorithm.partial), base.pipeline

    def start(key: Key, mask: Array, steps: Array, *weights: Params) -> Searching:
        keys = [jax.random.fold_in(key, purpose) for purpose in (WEIGHTS, SEARCH, TRAINING)]
        (params,) = weights or (network.init(keys[0]),)
        subnet = new_state(keys[2], mask, params, base.optimizer, steps)
        return Searching(subnet, algorithm.init(keys[1], mask, subnet.params))

    def epoch(rate: float, final_rate: float) -> Epoch:
        optimizer = replace(config.optimizer, rate=rate, final_rate=final_rate)
        step = build_bilevel_step(network, pipeline.augment, optimizer, algorithm)
        epoch = build_search_epoch(step, config.data.batch)
        return parallel.over(epoch, config.strategy, batch=lambda data: config.data.batch)

    slow = SLOWER * config.optimizer.rate
    return SearchPrograms(
        start=jax.jit(jax.vmap(start)),
        epoch=epoch(config.optimizer.rate, config.optimizer.final_rate),
        tune=epoch(slow, slow),
        probabilities=jax.jit(jax.vmap(lambda state: algorithm.probabilities(state.search, state.subnet.mask))),
        draw=jax.jit(jax.vmap(lambda key, of: sample_path(algorithm, key, of.search, of.subnet.mask), (0, None))),
    )


def build_evaluators(
    base: run_context.FewShotPrograms, config: FewShotConfig, network: Network, score: str
) -> Evaluators:
    """The programs that evaluate choices, op_ids [A, E] or op_weights [A, E, O], in supernets of one network.

    score: the metric of the zero-cost score.
    """
    space, strategy = SPACES[config.net.space], config.strategy
    metric = METRICS[score](network, space)
    of_path = architecture_score(metric, space)

    def of_choice(item: tuple[Array, Key], params: Any, images: Array, labels: Array) -> Array:
        return of_path(item[1], params, item[0], images, labels)

    return Evaluators(
        validate=parallel.over(build_validate(network, base.pipeline), strategy),
        score=parallel.over(of_choice, strategy),
        sign=1 if metric.larger_is_better else -1,
    )


def begin(
    context: RunContext, programs: SearchPrograms, keys: Key, masks: Array, epochs: int, *weights: Params
) -> Searching:
    """K supernets before their first epoch; keys [K], masks [K, E, O]; weights, leaves [K, ...], or none: new ones."""
    steps = jnp.full(len(masks), epochs * steps_per_epoch(context), jnp.int32)
    return programs.start(keys, jnp.asarray(masks), steps, *weights)


def train_on(
    context: RunContext,
    programs: SearchPrograms,
    states: Searching,
    epochs: int,
    stage: Stage,
    independent: bool = False,
    describe: Describe | None = None,
) -> Searching:
    """`states` of `begin` after their epochs; what `independent` means, `train` says.

    The rows of `metrics.jsonl` hold what `describe` says after each epoch; by default, the likeliest operations.
    """
    data = (context.train, flat(context.valid))
    return train(states, data, programs.epoch, epochs, stage, independent, describe or likeliest(context, programs))


def likeliest(context: RunContext, programs: SearchPrograms) -> Describe:
    """What training tells of each supernet: the architecture of its most probable operations."""

    def told(epoch: int, states: Searching) -> list[dict[str, Any]]:
        del epoch
        found = np.asarray(programs.probabilities(states)).argmax(-1)
        return [{"likeliest": architecture_name(context, op_ids)} for op_ids in found]

    return told


def trained_of(
    context: RunContext,
    programs: SearchPrograms,
    judges: Evaluators,
    state: Searching,
    recalibrate: int,
    tune_epochs: int,
) -> Trained:
    """One supernet, leaves [1, ...], as a selector sees it.

    recalibrate: training batches whose statistics normalise what is validated; 0: those of each validation batch.
    tune_epochs: of the training between two decisions.
    """
    params, space = parallel.item(state.subnet.params, 0), context.space
    calibration = calibration_of(context, recalibrate)

    def validate(choices: np.ndarray) -> Validation:
        return _in_rounds(context, choices, lambda part: judges.validate(part, params, context.valid, calibration))

    def score(rng: np.random.Generator, choices: np.ndarray) -> np.ndarray:
        rows = rng.choice(len(context.train.labels), context.config.data.batch, replace=False)
        images = context.programs.pipeline.normalise(context.train.images[rows])
        key = jax.random.key(int(rng.integers(2**32)))

        def run(part: Array) -> Array:
            return judges.score((part, jnp.stack([key] * len(part))), params, images, context.train.labels[rows])

        return judges.sign * np.asarray(_in_rounds(context, choices, run), float)

    def narrowed(mask: Mask) -> Trained:
        subnet = state.subnet.replace(mask=jnp.asarray(mask)[None])  # type: ignore[attr-defined]
        inside = Searching(subnet, state.search)
        if tune_epochs:
            inside = train(inside, (context.train, flat(context.valid)), programs.tune, tune_epochs, QUIET)
        return trained_of(context, programs, judges, inside, recalibrate, tune_epochs)

    def draw(rng: np.random.Generator, n: int) -> np.ndarray:
        keys = jax.random.split(jax.random.key(int(rng.integers(2**32))), n)
        return np.asarray(programs.draw(keys, parallel.item(state, 0)))

    return Trained(
        space=space,
        probabilities=np.asarray(programs.probabilities(state)[0], float),
        accuracy=lambda choices: np.asarray(validate(choices).accuracy, float),
        loss=lambda choices: np.asarray(validate(choices).loss, float),
        score=score,
        narrowed=narrowed,
        draw=draw,
    )


def calibration_of(context: RunContext, recalibrate: int) -> Images:
    """The first training images in batches as large as those of validation, [recalibrate, B, ...]."""
    size = context.valid.labels.shape[1]
    first = jax.tree.map(lambda leaf: leaf[: recalibrate * size], context.train)
    return jax.tree.map(lambda leaf: leaf.reshape(recalibrate, size, *leaf.shape[1:]), first)


def _in_rounds(context: RunContext, choices: np.ndarray, run: Callable[[Array], Any]) -> Any:
    """`run` of all choices [A, ...] in rounds of one shape, so that one program serves every A."""
    size, path = parallel.lanes(context.config.strategy), np.issubdtype(choices.dtype, np.integer)
    rows = jnp.asarray(choices, jnp.int32 if path else jnp.float32)
    found = []
    for start in range(0, len(rows), size):
        part = rows[start : start + size]
        found.append(run(jnp.concatenate([part, jnp.repeat(part[:1], size - len(part), 0)])))
    return jax.tree.map(lambda *parts: np.concatenate(parts)[: len(rows)], *found)


def single(states: Searching, number: int) -> Searching:
    """One of K supernets, leaves [1, ...]."""
    return jax.tree.map(lambda leaf: leaf[None], parallel.item(states, number))


def flat(batches: Images) -> Images:
    """All images of some batches, [n * B, ...]."""
    return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), batches)
