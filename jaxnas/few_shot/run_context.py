"""Everything a few-shot run has fixed before its first step, and the checks of its config."""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache, lru_cache, partial
from typing import Any, NamedTuple

import jax
import numpy as np
import optax

from jaxnas.config import SplitConfig, check_numbers
from jaxnas.data import Colours, Dataset, Images, Pipeline, build_pipeline, fixed_batches, on_device
from jaxnas.distributed import parallel
from jaxnas.few_shot.config import FewShotConfig
from jaxnas.few_shot.memory import check_images_fit, check_networks_fit
from jaxnas.few_shot.validation import check_images, check_search, scalar_metrics
from jaxnas.metrics import BACKGROUNDS, METRICS, Readings, edge_readings
from jaxnas.nets import Network, build_network
from jaxnas.search import ALGORITHMS, sample_connected
from jaxnas.selection import ESTIMATES, SELECTORS
from jaxnas.spaces import SPACES, Architecture, SearchSpace
from jaxnas.splitting import check_settings
from jaxnas.training import build_epoch, build_evaluate, build_optimizer, build_step
from jaxnas.training.loop import Epoch
from jaxnas.training.step import Sample
from jaxnas.types import Array, Key, Params, UserError

# What a key is for, one number for each use, folded into the run's key.
WARM_UP, SCORE, LEAVES, SEARCH, STANDALONE, UNSPLIT, RANDOM_SPLIT, RANDOM_ALONE, SAMPLE, FUSION = range(10)
FEWEST_VALID = 32  # validation images; where there are fewer than an evaluation batch, all of them are the batch


class FewShotPrograms(NamedTuple):
    """Everything that is compiled, the same for every seed."""

    network: Network
    supernet: Callable[[int], Network]  # (partial) -> the supernet on 1/partial of the channels; `network` for 1
    alone: Network  # for one architecture trained alone: affine norms
    pipeline: Pipeline
    optimizer: optax.GradientTransformation
    epoch: Epoch  # of K sub-supernets on uniform paths; one program for every mask and phase
    alone_epoch: Epoch  # of A networks trained alone
    evaluate: Callable[..., Array]  # accuracies [K, A] of paths in K sub-supernets
    evaluate_in: Callable[[int], Callable[..., Array]]  # (partial) -> the same for that supernet; `evaluate` for 1
    evaluate_alone: Callable[..., Array]  # accuracies [A, 1] of networks trained alone
    readings: Callable[..., Readings]  # ((keys [E], edges [E]), params, mask, images, labels) -> leaves [E, R, ...]


class RunContext(NamedTuple):
    """Everything a run has fixed before its first step."""

    config: FewShotConfig  # with the strategy that `auto` stands for
    space: SearchSpace
    programs: FewShotPrograms
    train: Images  # uint8, on the device
    valid: Images  # fixed batches


def validate_few_shot(config: FewShotConfig) -> SearchSpace:
    """The search space of a config. Raises UserError, before any work, for names and sizes that cannot be."""
    check_numbers(config)
    for given, allowed, what in (
        (config.net.space, SPACES, "search space"),
        (config.split.metric, METRICS, "metric"),
        (config.split.background, BACKGROUNDS, "split.background"),
        (config.search.leaf, ("best", *ESTIMATES), "search.leaf"),
        (config.search.algorithm, ALGORITHMS, "search.algorithm"),
        (config.selection.name, SELECTORS, "selection.name"),
        (config.selection.score, scalar_metrics(), "selection.score"),
    ):
        if given not in allowed:
            raise UserError(f"unknown {what} {given!r}; allowed: {sorted(allowed)}")
    space = SPACES[config.net.space]
    check_settings(space, config.split)
    check_search(space, config)
    data = config.data
    if data.eval_batch < 128:
        raise UserError(f"data.eval_batch must be at least 128, its statistics normalise; it is {data.eval_batch}")
    if data.train is not None and data.train < data.batch:
        raise UserError(f"data.train ({data.train}) must hold at least one batch ({data.batch})")
    least = {
        "net.channels": config.net.channels,
        "net.cells": config.net.cells,
        "split.batches": config.split.batches,
        "search.budget": config.search.budget,
        "search.population": config.search.population,
        "search.parents": config.search.parents,
        "data.batch": data.batch,
        "warmup_epochs": config.warmup_epochs,
        "leaf_epochs": config.leaf_epochs,
        "alone_epochs": config.alone_epochs,
        "truth.queried": config.truth.queried,
    }
    natural = {
        "seed": config.seed,
        "control.random_splits": config.control.random_splits,
        "control.random_architectures": config.control.random_architectures,
        "truth.alone": config.truth.alone,
        "fusion": config.fusion,
        "truth.top": config.truth.top,
        "truth.every": config.truth.every,
        "selection.recalibrate": config.selection.recalibrate,
        "selection.tune_epochs": config.selection.tune_epochs,
    }
    optimizer = config.optimizer
    ranges = {
        "data.crop": (data.crop, 0, math.inf),
        "data.cutout": (data.cutout, 0, math.inf),
        "optimizer.momentum": (optimizer.momentum, 0, 1),
        "optimizer.weight_decay": (optimizer.weight_decay, 0, math.inf),
        "optimizer.clip": (optimizer.clip, 1e-9, math.inf),
        "search.mutation": (config.search.mutation, 0, 1),
    }
    for name, (value, low, high) in ranges.items():
        if not low <= value <= high:
            raise UserError(f"{name} must lie in {low:g} .. {high:g}, it is {value:g}")
    for name, value, smallest in [(n, v, 1) for n, v in least.items()] + [(n, v, 0) for n, v in natural.items()]:
        if value < smallest:
            raise UserError(f"{name} must be at least {smallest}, it is {value}")
    if config.truth.every and config.truth.table is None and not config.truth.alone:
        raise UserError("truth.every follows the ranking sample, which needs truth.table or truth.alone from 1 on")
    if not optimizer.rate > 0:
        raise UserError(f"optimizer.rate must be above 0, it is {optimizer.rate:g}")
    if not 0 < optimizer.final_rate <= optimizer.rate:
        raise UserError(f"optimizer.final_rate must lie in (0, {optimizer.rate}], it is {optimizer.final_rate}")
    check_images_fit(config)
    return space


def prepare(config: FewShotConfig, dataset: Dataset) -> RunContext:
    """The programs and device arrays of a run; checks the config. Raises UserError."""
    space = validate_few_shot(config)
    data = config.data
    if len(dataset.train) < data.batch or len(dataset.valid) < FEWEST_VALID:
        raise UserError(
            f"{len(dataset.train)} training and {len(dataset.valid)} validation images are too few: at least one batch "
            f"(data.batch {data.batch}) and {FEWEST_VALID}"
        )
    check_networks_fit(config, space, dataset)
    config = replace(config, strategy=parallel.resolve(config.strategy))
    # Only what programs are made of: runs that differ in anything else share them.
    parts = {name: getattr(config, name) for name in ("data", "net", "optimizer", "split", "strategy")}
    context = RunContext(
        config=config,
        space=space,
        programs=build_programs(
            FewShotConfig(**parts), dataset.train.images.shape[1:], dataset.train.classes, dataset.colours
        ),
        train=on_device(dataset.train),
        valid=fixed_batches(dataset.valid, _batch_size(len(dataset.valid), data.eval_batch)),
    )
    learns = config.search.algorithm != "uniform" or config.selection.tune_epochs > 0
    check_images(context.train, context.valid, config.selection.recalibrate, data.batch if learns else 0)
    return context


def _batch_size(images: int, least: int) -> int:
    """Size of as many equal batches as hold `least` images each; fewer images are left over than there are batches."""
    return images // max(1, images // least)


@lru_cache(maxsize=1)  # seeds share what is compiled
def build_programs(
    config: FewShotConfig, image_shape: tuple[int, int, int], classes: int, colours: Colours
) -> FewShotPrograms:
    """The functions of a run for images [H, W, C]; nothing in them depends on the seed."""
    space = SPACES[config.net.space]
    sizes: dict[str, Any] = {
        "channels": config.net.channels,
        "cells": config.net.cells,
        "classes": classes,
        "image_shape": image_shape,
    }

    @cache
    def supernet(partial: int) -> Network:
        return build_network(space, **sizes, partial=partial)

    network = supernet(1)
    alone = build_network(space, **sizes, affine=True)
    pipeline = build_pipeline(config.data, colours)
    over = partial(parallel.over, strategy=config.strategy, paths=True)

    def sample(key: Key, mask: Array) -> Array:
        return sample_connected(key, space, mask)

    def only(key: Key, mask: Array) -> Array:
        del key  # one architecture is open
        return mask.argmax(-1).astype(np.int32)

    def epoch_of(network: Network, sample: Sample) -> Epoch:
        step = build_step(network, pipeline.augment, config.optimizer, sample)
        return over(build_epoch(step, config.data.batch), batch=lambda images: config.data.batch)

    def per_batch(batches: Images, *calibration: Images) -> int:
        del calibration  # in batches as large
        return batches.labels.shape[1]

    @cache
    def evaluate_in(partial: int) -> Callable[..., Array]:
        return over(build_evaluate(supernet(partial), pipeline), batch=per_batch)

    return FewShotPrograms(
        network=network,
        supernet=supernet,
        alone=alone,
        pipeline=pipeline,
        optimizer=build_optimizer(config.optimizer),
        epoch=epoch_of(network, sample),
        alone_epoch=epoch_of(alone, only),
        evaluate=evaluate_in(1),
        evaluate_in=evaluate_in,
        evaluate_alone=over(build_evaluate(alone, pipeline), batch=per_batch),
        readings=build_readings(network, space, config.split, config.strategy),
    )


def build_readings(
    network: Network, space: SearchSpace, settings: SplitConfig, strategy: str
) -> Callable[..., Readings]:
    """`readings((keys [E], edges [E]), params, mask, images, labels)`, leaves [E, R, ...], by a split's metric.

    One program for every seed, weight and node.
    """
    readings = edge_readings(METRICS[settings.metric](network, space), space, settings.background)

    def of_edge(item: tuple[Key, Array], params: Params, mask: Array, images: Array, labels: Array) -> Readings:
        return readings(item[0], params, mask, item[1], images, labels)

    return parallel.over(of_edge, strategy, paths=settings.background == "path")


def steps_per_epoch(context: RunContext) -> int:
    """Whole batches in the training images."""
    return context.train.labels.shape[0] // context.config.data.batch


def of_seed(context: RunContext, seed: int) -> RunContext:
    """The same images and programs for a run of another seed."""
    return context._replace(config=replace(context.config, seed=seed))


def purpose_key(context: RunContext, purpose: int, index: int) -> Key:
    """The key of one use: one purpose a stage, folded into the run's seed."""
    return jax.random.fold_in(jax.random.fold_in(jax.random.key(context.config.seed), purpose), index)


def architecture_name(context: RunContext, op_ids: np.ndarray) -> str:
    """The benchmark's string of op_ids [E]."""
    return context.space.encode(Architecture(tuple(int(o) for o in op_ids)))
