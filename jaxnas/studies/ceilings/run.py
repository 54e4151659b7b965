"""How far rankings agree at best: networks trained alone with the table, supernets with other seeds of themselves.

What a small setting can tell of a table is what its networks tell that are trained alone, as far as these agree with
another seed. Where seeds of one supernet agree by little, two supernets that rank differently may differ by their seed.
"""

import math
from collections.abc import Callable
from itertools import combinations
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.analysis import Crossed, Interval, crossed_kendall, kendall, reliability
from jaxnas.benchmarks import Table
from jaxnas.data import Split
from jaxnas.data.pipeline import padded_batches
from jaxnas.few_shot.run_context import (
    SAMPLE,
    STANDALONE,
    UNSPLIT,
    WARM_UP,
    RunContext,
    architecture_name,
    of_seed,
    purpose_key,
    steps_per_epoch,
)
from jaxnas.few_shot.run_context import validate_few_shot as check_few_shot
from jaxnas.few_shot.stages import score_paths
from jaxnas.few_shot.standalone import standalone_accuracy, train_standalone
from jaxnas.few_shot.validation import check_uniform
from jaxnas.spaces.base import SearchSpace
from jaxnas.studies.ceilings.config import CeilingsConfig
from jaxnas.training import SubnetState, new_state, train
from jaxnas.types import Key, Params, Stages, UserError

Row = dict[str, Any]


class Measured(NamedTuple):
    """Accuracies of the same architectures, percent."""

    op_ids: np.ndarray  # int [A, E]
    alone: np.ndarray  # [S, N] of the first N, trained alone with each seed: test images
    supernets: np.ndarray  # [S, A] in the supernet of each seed: validation images
    truth: np.ndarray | None  # [A] of the table


def validate_ceilings(config: CeilingsConfig) -> SearchSpace:
    """The space of a config. Raises UserError, before any work, for numbers that cannot be."""
    space = check_few_shot(config.run)
    for name in ("alone", "alone_seeds", "ranked", "supernet_seeds", "epochs"):
        value = getattr(config, name)
        if value is not None and value < 1:
            raise UserError(f"{name} must be at least 1, it is {value}")
    check_uniform(config.run)
    if config.alone > config.ranked:
        raise UserError(f"alone ({config.alone}) must not exceed ranked ({config.ranked}): they are the first of these")
    return space


def measure(
    context: RunContext, config: CeilingsConfig, test: Callable[[], Split], table: Table | None, stages: Stages
) -> Measured:
    """Trains what the stages lack, and reads accuracies; nothing is chosen by them."""
    rng = np.random.default_rng([context.config.seed, SAMPLE])
    op_ids = context.space.draw_connected(rng, config.ranked)
    first, networks = op_ids[: config.alone], []
    for seed in _seeds(context, config.alone_seeds):
        own = of_seed(context, seed)
        with stages(f"alone_{seed}") as stage:
            networks.append(train_standalone(own, first, own.config.alone_epochs, STANDALONE, stage))
    params = supernets(context, config, stages)
    scores = score_paths(context, params, [op_ids] * config.supernet_seeds)
    images = padded_batches(test(), context.config.data.eval_batch)
    return Measured(
        op_ids=op_ids,
        alone=np.stack([standalone_accuracy(context, states, first, images) for states in networks]),
        supernets=np.stack(scores),
        truth=None if table is None else table.query(op_ids, context.config.data.name),
    )


def supernets(context: RunContext, config: CeilingsConfig, stages: Stages) -> Params:
    """Weights of a supernet for each seed, leaves [S, ...], trained side by side on uniform paths.

    They are those of the unsplit control of a few-shot run of that seed on the same images, but for the epochs that the
    control has for what scoring cost. One that diverges does not stop the others.
    """
    run, programs = context.config, context.programs
    seeded = [of_seed(context, seed) for seed in _seeds(context, config.supernet_seeds)]

    def trained(name: str, keys: Key, params: Params, epochs: int) -> Params:
        def start(key: Key, params: Params) -> SubnetState:
            steps = epochs * steps_per_epoch(context)
            return new_state(key, context.space.full_mask(), params, programs.optimizer, steps)

        states = jax.jit(jax.vmap(start))(keys, params)
        with stages(name) as stage:
            return train(states, context.train, programs.epoch, epochs, stage, independent=True).params

    weights, first = (jnp.stack([purpose_key(of, WARM_UP, index) for of in seeded]) for index in (0, 1))
    then = jnp.concatenate([jax.random.split(purpose_key(of, UNSPLIT, 0), 1) for of in seeded])
    params = trained("warm_up", first, jax.jit(jax.vmap(programs.network.init))(weights), run.warmup_epochs)
    return trained("unsplit", then, params, config.epochs or math.prod(run.split.groups) * run.leaf_epochs)


def ceiling_rows(context: RunContext, found: Measured) -> list[Row]:
    """Rows of `ceilings.csv`: a mean over seeds first (no seed named), then each seed, or pair of seeds."""
    first, n = context.config.seed, found.alone.shape[1]
    rows = [*_between("alone between seeds", found.alone, first)]
    if found.truth is not None:
        rows += _against("alone with table", found.alone, found.truth[:n], first)
    rows += _between("supernets between seeds", found.supernets, first)
    if found.truth is not None:
        rows += _against("supernets with table", found.supernets, found.truth, first)
    # What networks trained alone reach, mean over their seeds, stands for the truth of this setting.
    return rows + _against("supernets with alone", found.supernets[:, :n], found.alone.mean(0), first)


def accuracy_rows(context: RunContext, found: Measured) -> list[Row]:
    """Rows of `accuracies.csv`: an architecture, and its accuracy by the table, alone and in every supernet."""
    rows = []
    for a, op_ids in enumerate(found.op_ids):
        row: Row = {"architecture": architecture_name(context, op_ids)}
        row["true_accuracy"] = None if found.truth is None else float(found.truth[a])
        for name, scores in (("alone", found.alone), ("supernet", found.supernets)):
            for seed, of in zip(_seeds(context, len(scores)), scores, strict=True):
                row[f"{name}_{seed}"] = float(of[a]) if a < len(of) else None
        rows.append(row)
    return rows


def _between(what: str, scores: np.ndarray, first: int) -> list[Row]:
    """Agreement of seeds, scores [S, A]: nothing for one seed."""
    if len(scores) < 2:
        return []
    pairs = list(combinations(range(len(scores)), 2))
    each = [_row(what, (first + i, first + j), 2, scores, kendall(scores[i], scores[j])) for i, j in pairs]
    return [_row(what, (None, None), len(scores), scores, reliability(scores)), *each]


def _against(what: str, scores: np.ndarray, truth: np.ndarray, first: int) -> list[Row]:
    """Agreement of each seed, scores [S, A], with the truth [A]."""
    each = [_row(what, (first + i, None), 1, scores, kendall(of, truth)) for i, of in enumerate(scores)]
    return [_row(what, (None, None), len(scores), scores, crossed_kendall(scores, truth)), *each]


def _row(
    what: str, of: tuple[int | None, int | None], seeds: int, scores: np.ndarray, tau: Interval | Crossed | None
) -> Row:
    value, low, high = (None, None, None) if tau is None else tau[:3]
    return {
        "compared": what,
        "seed": of[0],
        "other_seed": of[1],
        "seeds": seeds,
        "architectures": scores.shape[1],
        "kendall": value,
        "low": low,
        "high": high,
    }


def _seeds(context: RunContext, count: int) -> range:
    return range(context.config.seed, context.config.seed + count)
