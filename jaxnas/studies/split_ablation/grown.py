"""Splits that an ablation grows itself: by a metric, on the warmed-up supernet of each seed (`metric:NAME`)."""

from dataclasses import replace
from pathlib import Path

from jaxnas.config import SplitConfig
from jaxnas.distributed import parallel
from jaxnas.few_shot import stages as few_shot
from jaxnas.few_shot.controls import scoring_images
from jaxnas.few_shot.run_context import RunContext, build_readings
from jaxnas.metrics import METRICS
from jaxnas.spaces.tree import SplitTree
from jaxnas.studies.split_ablation.config import SplitAblationConfig
from jaxnas.types import Params, Stages, UserError
from jaxnas.workdir import read_json

PREFIX = "metric:"
Grown = dict[tuple[str, int], SplitTree]  # (name of the split, seed) -> tree


def metric_of(name: str) -> str | None:
    """The metric of a split `metric:NAME`; None of any other. Raises UserError for an unknown one."""
    if not name.startswith(PREFIX):
        return None
    metric = name.removeprefix(PREFIX)
    if metric not in METRICS:
        raise UserError(f"a split is grown by metric:NAME with NAME of {sorted(METRICS)}, not {name!r}")
    return metric


def grow_trees(context: RunContext, config: SplitAblationConfig, parents: Params, stages: Stages) -> Grown:
    """The tree of every `metric:NAME` and seed; parents: weights of the warmed-up supernets, leaves [seeds, ...].

    Scored as a few-shot run of that seed scores its own, with the settings `config.split`.
    """
    found: Grown = {}
    for name in config.splits:
        if (metric := metric_of(name)) is None:
            continue
        settings, strategy = _settings(config, metric), context.config.strategy
        readings = build_readings(context.programs.network, context.space, settings, strategy)
        programs = context.programs._replace(readings=readings)
        for place, seed in enumerate(config.study.seeds):
            with stages(f"split_{metric}_{seed}") as stage:
                of = _of(context, config, metric, seed)._replace(programs=programs)
                found[name, seed] = few_shot.split(of, parallel.item(parents, place), stage)[0]
    return found


def grown_images(context: RunContext, config: SplitAblationConfig, grown: Grown) -> dict[tuple[str, int], int]:
    """Training images that scored the nodes of each tree."""
    return {
        (name, seed): scoring_images(_of(context, config, str(metric_of(name)), seed), tree)
        for (name, seed), tree in grown.items()
    }


def tree_file(folder: Path, name: str, seed: int) -> Path:
    """Where a tree is kept: in `trees/`, as a folder of trees is read."""
    return folder / "trees" / f"{metric_of(name)}-{seed}.json"


def read_grown(context: RunContext, config: SplitAblationConfig, folders: list[Path]) -> Grown:
    """The trees of every `metric:NAME` and seed that the parts of an ablation have grown.

    Raises UserError if one lacks.
    """
    found: Grown = {}
    for name in config.splits:
        for seed in config.study.seeds if metric_of(name) else ():
            files = [path for folder in folders if (path := tree_file(folder, name, seed)).exists()]
            if not files:
                raise UserError(f"the split {name} of seed {seed} is in none of the shards")
            found[name, seed] = SplitTree.from_json(context.space, read_json(files[0]))
    return found


def _settings(config: SplitAblationConfig, metric: str) -> SplitConfig:
    return replace(config.split, metric=metric)


def _of(context: RunContext, config: SplitAblationConfig, metric: str, seed: int) -> RunContext:
    return context._replace(config=replace(context.config, split=_settings(config, metric), seed=seed))
