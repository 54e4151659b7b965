"""Every metric on the same supernets: similarities of every edge of the whole space, groupings, trees, seconds."""

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.config import SplitConfig
from jaxnas.data import Dataset
from jaxnas.distributed import parallel
from jaxnas.few_shot.config import FewShotConfig
from jaxnas.few_shot.run_context import (
    SCORE,
    WARM_UP,
    RunContext,
    build_readings,
    of_seed,
    prepare,
    purpose_key,
    steps_per_epoch,
)
from jaxnas.few_shot.run_context import validate_few_shot as check_few_shot
from jaxnas.few_shot.scoring import readings_of, scoring_batches, scoring_key, similarity_of
from jaxnas.metrics import METRICS, Metric, Readings
from jaxnas.metrics.probes import check_readings
from jaxnas.spaces.base import SearchSpace
from jaxnas.spaces.tree import Node, as_mask, root
from jaxnas.splitting import EdgeReading, Grouped, by_similarity, edges_by_rule, grow, rank_edges, scored_edges
from jaxnas.studies.correlation.run import SMALLEST
from jaxnas.studies.metric_ablation.config import MetricAblationConfig
from jaxnas.training import SubnetState, new_state, train
from jaxnas.types import Key, Params, Stages, UserError
from jaxnas.workdir import Journal, Progress

UNIT = "unit"  # of the journal; the values are rows
PARTS = 2  # groups of the best grouping of every edge
TRUST = 1  # what is drawn for, beside the purposes of few-shot runs
DRAWS = 1 << 20  # keys of further draws of backgrounds, beyond the numbers of batches
Row = dict[str, Any]


class Unit(NamedTuple):
    """What is measured at a time."""

    metric: str
    seed: int
    warmup: int  # epochs
    background: int  # which draw of the random backgrounds


class Scored(NamedTuple):
    """What a metric says of a node."""

    readings: list[EdgeReading | None]  # [E]
    scores: np.ndarray | None  # [E, R, O]; None of a metric that is not one number


def validate_metric_ablation(config: MetricAblationConfig) -> SearchSpace:
    """The space of a config. Raises UserError, before any work, for names and sizes that cannot be."""
    allowed = [*METRICS]
    for given, known, what in (
        (config.metrics, allowed, "metrics"),
        (config.tree_metrics, metrics_of(config), "tree_metrics"),
    ):
        if len(set(given)) < len(given) or not set(given) <= set(known):
            raise UserError(f"{what} must be different ones of {list(known)}, not {list(given)}")
    for name, numbers in (("seeds", config.seeds), ("warmups", config.warmups)):
        if not numbers or len(set(numbers)) < len(numbers) or min(numbers) < 0:
            raise UserError(f"{name} must be different numbers from 0 on, at least one, not {list(numbers)}")
    if config.backgrounds < 1:
        raise UserError(f"backgrounds must be at least 1, it is {config.backgrounds}")
    plain = SplitConfig()
    if (config.split.metric, config.split.stability) != (plain.metric, plain.stability):
        raise UserError("split.metric and split.stability are not read here: name metrics, and all batches are scored")
    if config.data.batch < SMALLEST:
        raise UserError(f"data.batch must be at least {SMALLEST}, some metrics cut it; it is {config.data.batch}")
    return check_few_shot(_few_shot(config))


def prepare_ablation(config: MetricAblationConfig, dataset: Dataset) -> RunContext:
    """What all units share. Raises UserError."""
    validate_metric_ablation(config)
    return prepare(_few_shot(config), dataset)


def metrics_of(config: MetricAblationConfig) -> tuple[str, ...]:
    """Names of the metrics that are compared."""
    return config.metrics or tuple(METRICS)


def units(config: MetricAblationConfig) -> list[Unit]:
    """Everything to measure, metric after metric, for each is one compiled program."""
    draws = range(config.backgrounds)
    return [Unit(m, s, w, b) for m in metrics_of(config) for s in config.seeds for w in config.warmups for b in draws]


def measure_units(
    context: RunContext, config: MetricAblationConfig, journal: Journal, stages: Stages, show: Progress
) -> list[Row]:
    """The row of every unit, measuring those that the journal lacks; what it has of other metrics stays there.

    A metric that cannot be, or is not finite, has rows with an `error` and does not stop the others.
    """
    wanted = units(config)
    missing = [unit for unit in wanted if not journal.holds((UNIT, *unit))]
    weights = warm_ups(context, config, stages) if missing else {}
    reader: list[Callable[..., Any]] = []  # of the metric at work; the next one is another program

    def measured(unit: Unit) -> Row:
        params = parallel.item(weights[unit.warmup], config.seeds.index(unit.seed))
        row: Row = {**unit._asdict(), "error": "", "cold": not reader, "seconds": []}
        try:
            if not all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(params)):
                raise UserError("the warm-up diverged")
            network, settings = context.programs.network, replace(config.split, metric=unit.metric)
            metric = METRICS[unit.metric](network, context.space)
            if not reader:
                reader.append(build_readings(network, context.space, settings, context.config.strategy))
            measure(of_seed(context, unit.seed), config, unit, metric, reader[0], params, row)
        except UserError as error:
            row["error"] = str(error)
        return row

    for number, unit in enumerate(missing):
        if number and unit.metric != missing[number - 1].metric:
            reader.clear()
        done = len(wanted) - len(missing) + number
        show("score", done, len(wanted), f"{unit.metric}, seed {unit.seed}, {unit.warmup} epochs")
        journal.once((UNIT, *unit), partial(measured, unit))
    show("score", len(wanted), len(wanted), "")
    kept = {tuple(unit[1:]): row for unit, row in journal.under(UNIT)}
    return [kept[unit] for unit in wanted]


def warm_ups(context: RunContext, config: MetricAblationConfig, stages: Stages) -> dict[int, Params]:
    """Epochs -> weights of a supernet for each seed, leaves [S, ...]; every seed is trained once, to the longest.

    A seed's weights after the longest warm-up are those of a few-shot run of that seed on the same images.
    """
    programs, mask = context.programs, context.space.full_mask()
    steps = max(1, *config.warmups) * steps_per_epoch(context)
    seeded = [of_seed(context, seed) for seed in config.seeds]

    def start(weights_key: Key, key: Key) -> SubnetState:
        return new_state(key, mask, programs.network.init(weights_key), programs.optimizer, steps)

    keys = [jnp.stack([purpose_key(of, WARM_UP, index) for of in seeded]) for index in (0, 1)]
    states = jax.jit(jax.vmap(start))(*keys)
    weights, before = {}, 0
    for length in sorted(config.warmups):
        if length:
            with stages(f"warm_up_{length}") as stage:
                states = train(states, context.train, programs.epoch, length - before, stage, independent=True)
        weights[length], before = states.params, length
    return weights


def measure(
    context: RunContext,
    config: MetricAblationConfig,
    unit: Unit,
    metric: Metric,
    read: Callable[..., Readings],
    params: Params,
    row: Row,
) -> None:
    """Adds to the row of a unit what its metric says; what was found before an error stays.

    Batches depend on the seed, backgrounds on seed, node and `unit.background`, so that metrics differ in nothing else.
    Raises UserError for a metric that is not finite, and where the tree cannot be grown.
    """
    space, split = context.space, context.config.split
    images, labels = scoring_batches(context)
    edges = jnp.arange(len(space.edges))

    def scored(node: Node) -> Scored:
        began, mask = time.monotonic(), as_mask(node)
        key = scoring_key(context, node, 0)
        key = key if unit.background == 0 else jax.random.fold_in(key, DRAWS + unit.background)
        found = jax.device_get(
            read((jax.random.split(key, len(edges)), edges), params, jnp.asarray(mask), images, labels)
        )
        row["seconds"].append(round(time.monotonic() - began, 4))
        measured = found.connected & space.comparable(mask)[:, None]
        check_readings(space, unit.metric, metric, found.values, measured)
        readings = readings_of(space, metric, mask, found, scored_edges(space, replace(split, edges="best"), mask))
        return Scored(readings, None if metric.larger_is_better is None else found.values)

    first, mask = scored(root(space)), space.full_mask()
    rng = np.random.default_rng([unit.seed, SCORE, TRUST])
    found = rank_edges(space, mask, first.readings, PARTS, split, rng)
    row["taken"] = edges_by_rule(space, mask, found, split, rng)
    row["groupings"] = [_grouping(of) for of in found]
    row["similarity"] = np.nan_to_num(similarity_of(space, mask, first.readings)).tolist()
    row["scores"] = None if first.scores is None else first.scores.tolist()
    if unit.warmup == max(config.warmups) and unit.background == 0:
        groups = split.groups if unit.metric in config.tree_metrics else split.groups[:1]
        draws = np.random.default_rng([unit.seed, SCORE])

        def of_node(node: Node) -> list[EdgeReading | None]:
            return first.readings if node.id == 0 else scored(node).readings

        row["tree"] = grow(space, groups, by_similarity(space, of_node, split, draws)).to_json()


def _grouping(of: Grouped) -> Row:
    edge, partition, _ = of.candidate
    found = {"edge": edge, "tied": partition.tied, "value": partition.value, "margin": partition.margin}
    found |= {name: getattr(of.trust, name, None) for name in ("margin_low", "margin_high", "stability")}
    return {**found, "counted": of.counted, "backgrounds": of.backgrounds}


def _few_shot(config: MetricAblationConfig) -> FewShotConfig:
    return FewShotConfig(
        data=config.data,
        net=config.net,
        optimizer=config.optimizer,
        split=config.split,
        warmup_epochs=max(1, *config.warmups),
        strategy=config.strategy,
        seed=config.seeds[0],
    )
