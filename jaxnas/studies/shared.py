"""Supernets of several seeds and masks, and how a study lets a selector see one of them."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.few_shot import one_shot
from jaxnas.few_shot.one_shot import Evaluators, SearchPrograms, begin, train_on
from jaxnas.few_shot.run_context import RunContext
from jaxnas.selection import Trained
from jaxnas.studies.search.config import StudyConfig
from jaxnas.training import Searching
from jaxnas.training.loop import Describe
from jaxnas.types import Stage


def train_supernets(
    context: RunContext,
    config: StudyConfig,
    programs: SearchPrograms,
    masks: np.ndarray,
    stage: Stage,
    describe: Describe | None = None,
) -> Searching:
    """A supernet for every seed and mask [M, E, O], seeds first; leaves [seeds * M, ...].

    Supernets of one seed and mask start from the same weights under every algorithm that trains the same network. One
    that diverges does not stop the others. `describe`: as of `train_on`.
    """
    keys = [jax.random.fold_in(jax.random.key(seed), m) for seed in config.seeds for m in range(len(masks))]
    start = begin(context, programs, jnp.stack(keys), np.tile(masks, (len(config.seeds), 1, 1)), config.epochs)
    return train_on(context, programs, start, config.epochs, stage, True, describe)


def trained_of(
    context: RunContext, config: StudyConfig, programs: SearchPrograms, judges: Evaluators, state: Searching
) -> Trained:
    """One supernet, leaves [1, ...], as a selector sees it, by the settings of a study."""
    return one_shot.trained_of(context, programs, judges, state, config.recalibrate, config.tune_epochs)


def view_of(
    context: RunContext,
    config: StudyConfig,
    programs: SearchPrograms,
    judges: Evaluators,
    states: Searching | None,
    number: int,
) -> Trained | None:
    """Supernet `number` of `states`, leaves [K, ...], as `trained_of`; None where it diverged. No states: all did."""
    one = None if states is None else one_shot.single(states, number)
    if one is None or not all(bool(np.isfinite(leaf).all()) for leaf in jax.tree.leaves(one.subnet.params)):
        return None
    return trained_of(context, config, programs, judges, one)
