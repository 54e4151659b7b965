"""How well unsplit supernets rank cells in one setting, how far their seeds agree, and what that takes.

A point is one setting: supernets of several seeds on uniform paths, judged by the cells that judge every run. Points
beside each other are the frontier from which a preset is taken, before anything is split or searched.
"""

from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.analysis import Crossed, crossed_kendall, reliability, top_share
from jaxnas.config import SelectionConfig
from jaxnas.few_shot.config import ControlConfig
from jaxnas.few_shot.curves import measures
from jaxnas.few_shot.forecast import forecast
from jaxnas.few_shot.run_context import WARM_UP, RunContext, of_seed, purpose_key, steps_per_epoch
from jaxnas.few_shot.run_context import validate_few_shot as check_few_shot
from jaxnas.few_shot.sample import uniform_cells
from jaxnas.few_shot.stages import score_paths
from jaxnas.few_shot.validation import check_uniform
from jaxnas.spaces.base import SearchSpace
from jaxnas.studies.regime.config import RegimeConfig
from jaxnas.training import SubnetState, initial_weights, new_states, train
from jaxnas.types import Array, Params, Stages, UserError

Row = dict[str, Any]
WEIGHTS, IMAGES, DRAWS = "weights", "images", "draws"
NOW, MEAN = "batch statistics", "mean over looks"  # kinds of evaluation
VARIED = (WEIGHTS, IMAGES, DRAWS)


class Averaged(NamedTuple):
    """A supernet in training and the mean of its weights over epochs."""

    of: SubnetState
    mean: Params


def validate_regime(config: RegimeConfig) -> SearchSpace:
    """The space of a config. Raises UserError, before any work, for what cannot be."""
    space = check_few_shot(config.run)
    if config.run.truth.table is None:
        raise UserError("a regime is judged by true accuracies: give --truth.table")
    check_uniform(config.run)
    if not config.phases or min(config.phases) < 1:
        raise UserError(f"phases must be one or more numbers of epochs from 1 on, not {list(config.phases)}")
    if len(set(config.seeds)) < len(config.seeds) or not config.seeds or min(config.seeds) < 0:
        raise UserError(f"seeds must be different numbers from 0 on, not {list(config.seeds)}")
    if unknown := sorted({*config.varied} - {*VARIED}):
        raise UserError(f"unknown varied {unknown}; allowed: {list(VARIED)}")
    for name, least in (("looks", 1), ("recalibrate", 0)):
        if getattr(config, name) < least:
            raise UserError(f"{name} must be at least {least}, it is {getattr(config, name)}")
    if not 0 <= config.average < 1:
        raise UserError(f"average must lie in 0 .. 1, 1 excluded; it is {config.average:g}")
    return space


def seed_of(config: RegimeConfig, part: str, seed: int) -> int:
    """The seed of one part of the run of `seed`: the first one's, if the part is not varied."""
    return seed if part in config.varied else config.seeds[0]


def follow(context: RunContext, config: RegimeConfig, seed: int, stages: Stages) -> None:
    """Trains the supernet of a seed phase by phase; its stages tell accuracies of the cells at every look.

    `context` holds the seed's images. All kinds of evaluation are made at the end, before it only the first.
    """
    programs, each = context.programs, steps_per_epoch(context)
    weights, draws = (of_seed(context, seed_of(config, part, seed)) for part in (WEIGHTS, DRAWS))
    params = initial_weights(programs.network, purpose_key(weights, WARM_UP, 0))
    total, before = sum(config.phases), 0
    looks = {round(total * look / config.looks) for look in range(1, config.looks + 1)}

    def epoch(states: Averaged, images: Any) -> tuple[Averaged, Any]:
        new, metrics = programs.epoch(states.of, images)
        return Averaged(new, mix(config.average, states.mean, new.params, new.step == each)), metrics

    for phase, epochs in enumerate(config.phases):
        keys, masks = jnp.stack([purpose_key(draws, WARM_UP, 1 + phase)]), context.space.full_mask()[None]
        states = new_states(keys, masks, params, programs.optimizer, epochs * each)

        def look(number: int, states: Averaged, before: int = before) -> list[Row]:
            done = before + number
            if done not in looks:
                return [{}]
            found = read(context, config, states) if done == total else {NOW: _scores(context, states.of.params)}
            return [{"done": done, "read": {kind: np.round(scores, 4).tolist() for kind, scores in found.items()}}]

        with stages(f"seed_{seed}_phase_{phase}") as stage:
            trained = train(Averaged(states, states.params), context.train, epoch, epochs, stage, describe=look)
        params, before = jax.tree.map(lambda leaf: leaf[0], trained.of.params), before + epochs


def read(context: RunContext, config: RegimeConfig, states: Averaged) -> dict[str, np.ndarray]:
    """Validation accuracies [A] of the cells by kind of evaluation."""
    few = jax.tree.map(lambda leaf: leaf[: max(1, len(leaf) // 4)], context.valid)
    found = {
        NOW: _scores(context, states.of.params),
        "a quarter of the images": _scores(context._replace(valid=few), states.of.params),
    }
    if config.recalibrate:
        found["recalibrated"] = _scores(context, states.of.params, config.recalibrate)
    if config.average:
        found["averaged weights"] = _scores(context, states.mean)
    return found


def cost(context: RunContext, config: RegimeConfig) -> tuple[float, float]:
    """Seconds that training takes, and that one evaluation of the cells does, each by a few that are timed."""
    settings = replace(
        context.config,
        warmup_epochs=sum(config.phases),
        truth=replace(context.config.truth, top=0, every=0),
        selection=SelectionConfig(),
        control=ControlConfig(random_splits=0),  # the supernet that is not split stays
        fusion=0,
    )
    found = forecast(context._replace(config=settings), with_table=True)
    seconds = {work.stage: taken for work, taken in zip(found.work, found.seconds, strict=True)}
    return seconds["warm_up"], seconds["judge_unsplit"]


def look_rows(context: RunContext, config: RegimeConfig, metrics: list[Row], truth: np.ndarray) -> list[Row]:
    """Rows of `looks.csv`: every seed at every look, from the rows of `metrics.jsonl` and the truth [A], percent."""
    each, rows = steps_per_epoch(context), []
    for seed in config.seeds:
        for epoch, kinds in _by_seed(metrics, seed).items():
            for kind, scores in kinds.items():
                at = {"seed": seed, "epoch": epoch, "steps": epoch * each, "evaluation": kind}
                rows.append({**at, "mean_score": float(scores.mean()), **measures(scores, truth)})
    return rows


def point_rows(config: RegimeConfig, metrics: list[Row], truth: np.ndarray, costs: tuple[float, float]) -> list[Row]:
    """Rows of a point, one for each kind of evaluation at the end: means over seeds with intervals over both."""
    end = sum(config.phases)
    last = [_by_seed(metrics, seed)[end] for seed in config.seeds]
    half = top_share(truth, 0.5)
    rows = []
    for kind in last[0]:
        scores = np.stack([of[kind] for of in last])
        each = [measures(of, truth) for of in scores]
        taus = [of["kendall"] for of in each if of["kendall"] is not None]
        rows.append(
            {
                "evaluation": kind,
                "seeds": len(scores),
                "n": len(truth),
                "minutes": costs[0] / 60,
                "reading_minutes": costs[1] / 60,
                **_crossed("kendall", crossed_kendall(scores, truth)),
                "deviation": float(np.std(taus, ddof=1)) if len(taus) == len(scores) > 1 else None,
                **_crossed("kendall_half", crossed_kendall(scores[:, half], truth[half])),
                **_crossed("reliability", reliability(scores) if len(scores) > 1 else None),
                "regret": float(np.mean([of["regret"] for of in each])),
            }
        )
    return rows


def _by_seed(metrics: list[Row], seed: int) -> dict[int, dict[str, np.ndarray]]:
    """epoch -> kind of evaluation -> accuracies [A]; one kind is the mean of the first over all looks so far."""
    found = {
        row["done"]: {kind: np.array(of) for kind, of in row["read"].items()}
        for row in metrics
        if row["stage"].startswith(f"seed_{seed}_phase_") and "done" in row
    }
    for epoch, kinds in found.items():
        kinds[MEAN] = np.mean([of[NOW] for done, of in found.items() if done <= epoch], 0)
    return found


def _crossed(name: str, found: Crossed | None) -> Row:
    value, low, high = (None, None, None) if found is None else found[:3]
    return {name: value, f"{name}_low": low, f"{name}_high": high}


def _scores(context: RunContext, params: Params, recalibrate: int = 0) -> np.ndarray:
    """Accuracies [A] by the statistics of each batch, or of so many training batches, whatever a selector would use."""
    settings = replace(context.config, selection=SelectionConfig(recalibrate=recalibrate))
    return score_paths(context._replace(config=settings), params, [uniform_cells(context)])[0]


@jax.jit
def mix(share: float, mean: Params, weights: Params, first: Array) -> Params:
    """`share` of the mean and the rest of the weights, leaves [K, ...]; all of the weights at the `first` [K] epoch."""

    def of(old: Array, new: Array) -> Array:
        keep = jnp.where(first, 0.0, share).reshape(-1, *(1,) * (new.ndim - 1))
        return keep * old + (1 - keep) * new

    return jax.tree.map(of, mean, weights)
