"""Everything a few-shot run has fixed before its first step, and the checks of its config."""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from jaxnas import parallel
from jaxnas.config import FewShotConfig
from jaxnas.data import Dataset, Images, Pipeline, build_pipeline, fixed_batches, on_device
from jaxnas.metrics import METRICS
from jaxnas.nets import Network, build_network
from jaxnas.search import sample_connected
from jaxnas.spaces import SPACES, Architecture, SearchSpace
from jaxnas.splitting import check_groups
from jaxnas.training import build_epoch, build_step
from jaxnas.training.loop import Epoch
from jaxnas.training.step import Sample
from jaxnas.types import Array, Key, UserError


class Problem(NamedTuple):
    """Everything a run has fixed before its first step."""

    config: FewShotConfig  # with the strategy that `auto` stands for
    space: SearchSpace
    network: Network
    alone: Network  # for one architecture trained alone: affine norms
    pipeline: Pipeline
    train: Images  # uint8, on the device
    valid: Images  # fixed batches
    epoch: Epoch  # of K sub-supernets on uniform paths; one program for every mask and phase
    alone_epoch: Epoch  # of A networks trained alone


def check(config: FewShotConfig) -> SearchSpace:
    """The search space of a config. Raises UserError, before any work, for names and sizes that cannot be."""
    for given, allowed, what in (
        (config.net.space, SPACES, "search space"),
        (config.split.metric, METRICS, "metric"),
    ):
        if given not in allowed:
            raise UserError(f"unknown {what} {given!r}; allowed: {sorted(allowed)}")
    space = SPACES[config.net.space]
    check_groups(space, config.split.groups, config.split.leaves)
    data = config.data
    if data.eval_batch < 128:
        raise UserError(f"data.eval_batch must be at least 128, its statistics normalise; it is {data.eval_batch}")
    if data.train < data.batch or data.valid < data.eval_batch:
        raise UserError(
            f"data.train ({data.train}) and data.valid ({data.valid}) must hold at least one batch "
            f"({data.batch} and {data.eval_batch})"
        )
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
    }
    for name, value in least.items():
        if value < 1:
            raise UserError(f"{name} must be at least 1, it is {value}")
    if not 0 < config.optimizer.final_rate <= config.optimizer.rate:
        raise UserError(
            f"optimizer.final_rate must lie in (0, {config.optimizer.rate}], it is {config.optimizer.final_rate}"
        )
    return space


def prepare(config: FewShotConfig, dataset: Dataset) -> Problem:
    """The networks and device arrays of a run; checks the config. Raises UserError."""
    space = check(config)
    shape = dataset.train.images.shape[1:]
    sizes: dict[str, Any] = {
        "channels": config.net.channels,
        "cells": config.net.cells,
        "classes": dataset.train.classes,
        "image_shape": shape,
    }
    network = build_network(space, **sizes)
    alone = build_network(space, **sizes, affine=True)
    pipeline = build_pipeline(config.data, dataset.train)

    def sample(key: Key, mask: Array) -> Array:
        return sample_connected(key, space, mask)

    def only(key: Key, mask: Array) -> Array:
        del key  # one architecture is open
        return mask.argmax(-1).astype(np.int32)

    def epoch_of(network: Network, sample: Sample) -> Epoch:
        step = build_step(network, pipeline.augment, config.optimizer, sample)
        return parallel.over(build_epoch(step, config.data.batch), config.strategy)

    return Problem(
        config=replace(config, strategy=parallel.resolve(config.strategy)),
        space=space,
        network=network,
        alone=alone,
        pipeline=pipeline,
        train=on_device(dataset.train),
        valid=fixed_batches(dataset.valid, config.data.eval_batch),
        epoch=epoch_of(network, sample),
        alone_epoch=epoch_of(alone, only),
    )


def steps_per_epoch(problem: Problem) -> int:
    """Whole batches in the training images."""
    return problem.train.labels.shape[0] // problem.config.data.batch


def architecture_name(problem: Problem, op_ids: np.ndarray) -> str:
    """The benchmark's string of op_ids [E]."""
    return problem.space.encode(Architecture(tuple(int(o) for o in op_ids)))
