"""An ablation of splits in its work directory, alone or as one of several shards that are joined."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from jaxnas.analysis import expected_best
from jaxnas.benchmarks import Table
from jaxnas.config import SplitAblationConfig, to_dict
from jaxnas.data import Dataset
from jaxnas.methods.problem import Problem, steps_per_epoch
from jaxnas.methods.split_ablation import (
    CELLS,
    NONE,
    RANDOM,
    Leaf,
    Row,
    Trees,
    check,
    expanded,
    leaves_of,
    random_masks,
    run_leaves,
    study_of,
    warm_up,
)
from jaxnas.methods.split_ablation_tables import Values, cell_rows, images_of, picked, table_rows
from jaxnas.methods.study import Scope, prepare_study
from jaxnas.methods.study_tables import Truth, random_search, true_accuracies
from jaxnas.spaces.base import SearchSpace, mask_size
from jaxnas.spaces.split_file import read_splits
from jaxnas.types import Stages, UserError
from jaxnas.workdir import Progress, append_rows, open_stage, open_workdir, read_rows, write_csv

MAY_CHANGE = ("strategy", "data.root", "table")  # of a config; what is read there is told by its digest


def trees_of(space: SearchSpace, config: SplitAblationConfig, path: Path | None) -> Trees:
    """Where the masks of each split come from: dice, a file of splits, or a folder of split trees.

    In a folder, METRIC-SEED.json is of one seed and METRIC.json of every other. Raises UserError, before work, for a
    name that is not there, and for what `read_splits` refuses.
    """
    known = {} if path is None else _splits(space, path, config.data.name)

    def masks(name: str, seed: int) -> np.ndarray:
        if name.startswith(f"{RANDOM} "):
            return random_masks(space, config.groups, name, seed)
        found = known.get((name, seed), known.get((name, None)))
        if found is None:
            there = sorted({split for split, _ in known})
            raise UserError(f"there is no split {name!r} for seed {seed}; there are {there}, random:N and none")
        return found

    for name in expanded(config.splits):
        if name != NONE:
            for seed in config.seeds:
                masks(name, seed)
    return masks


def _splits(space: SearchSpace, path: Path, dataset: str) -> dict[tuple[str, int | None], np.ndarray]:
    if not path.is_dir():
        found = read_splits(space, path)
        return {(split.metric, None): split.masks for split in found if split.dataset in (None, dataset)}
    masks: dict[tuple[str, int | None], np.ndarray] = {}
    for file in sorted(path.glob("*.json")):
        metric, _, seed = file.stem.rpartition("-")
        name = (metric, int(seed)) if metric and seed.isascii() and seed.isdigit() else (file.stem, None)
        masks[name] = read_splits(space, file)[0].masks
    return masks


def shard_of(config: SplitAblationConfig, number: int, of: int) -> SplitAblationConfig:
    """The part of the work that shard `number` of `of` does: some of the seeds, which need nothing of each other.

    Raises UserError for a shard without a seed.
    """
    if not 1 <= number <= of <= len(config.seeds):
        raise UserError(f"shards are 1/N .. N/N of at most {len(config.seeds)} seeds, not {number}/{of}")
    return replace(config, seeds=config.seeds[number - 1 :: of])


def run_ablation(
    config: SplitAblationConfig,
    workdir: Path,
    dataset: Dataset,
    table: Table | None,
    trees: Trees,
    note: Callable[[list[dict[str, Any]]], str],
    show: Progress,
) -> list[Row]:
    """Every leaf of every split, its worth, and the controls; writes `cells.csv` and `table.csv`, and returns the rows
    of the latter.

    Raises UserError before work starts.
    """
    space = check(config)
    problem = prepare_study(study_of(config), dataset)
    if table is not None:
        table.check(config.data.name)
    leaves, stands = leaves_of(config, space, trees)
    digest = sha256(dataset.train.images.tobytes() + dataset.valid.images.tobytes()).hexdigest()
    masks = sha256(b"".join(leaf.mask.tobytes() for leaf in leaves)).hexdigest()
    truth = None if table is None else sha256(table.accuracies[config.data.name].tobytes()).hexdigest()
    inputs = {"images": digest, "splits": masks, "truth": truth}
    with open_workdir(workdir, to_dict(config), inputs, MAY_CHANGE, strategy=problem.config.strategy):
        stages = partial(open_stage, workdir, note=note, show=show)
        parents = warm_up(problem, config, stages)
        run_leaves(problem, config, workdir, leaves, parents, stages)
        return _conclude(problem, config, workdir, dataset, table, leaves, stands, stages)


def merge(
    config: SplitAblationConfig,
    workdir: Path,
    shards: Sequence[Path],
    dataset: Dataset,
    table: Table | None,
    trees: Trees,
    note: Callable[[list[dict[str, Any]]], str],
    show: Progress,
) -> list[Row]:
    """The tables of the whole `config` from the finished leaves of its shards; trains controls, no supernet.

    Raises UserError if a leaf is in none of them.
    """
    space = check(config)
    leaves, stands = leaves_of(config, space, trees)
    rows = [row for shard in shards for row in read_rows(shard / CELLS)]
    held = {(row["algorithm"], row["split"], row["seed"], row["leaf"]) for row in rows}
    lacking = [(a, x.split, x.seed, x.number) for a in config.algorithms for x in leaves]
    lacking = [name for name in lacking if name not in held]
    if lacking:
        raise UserError(f"{len(lacking)} leaves are in none of the shards, the first is {lacking[0]}")
    workdir.mkdir(parents=True, exist_ok=True)
    if not (workdir / CELLS).exists():
        append_rows(workdir / CELLS, rows)
    problem = prepare_study(study_of(config), dataset)
    stages = partial(open_stage, workdir, note=note, show=show)
    return _conclude(problem, config, workdir, dataset, table, leaves, stands, stages)


def _conclude(
    problem: Problem,
    config: SplitAblationConfig,
    workdir: Path,
    dataset: Dataset,
    table: Table | None,
    leaves: list[Leaf],
    stands: dict[tuple[str, int], str],
    stages: Stages,
) -> list[Row]:
    study, kept = study_of(config), read_rows(workdir / CELLS)
    whole = [Scope("whole", problem.space.full_mask())]
    searched = random_search(problem, study, whole, _random_epochs(problem, config, leaves), stages)
    asked = [row["op_ids"] for row in [*kept, *searched] if row["op_ids"]]
    truth = true_accuracies(
        problem, study, dataset, table, np.array(asked, np.int32).reshape(-1, len(problem.space.edges)), stages
    )
    source = "table" if table is not None else f"alone, {config.alone_epochs} epochs"
    write_csv(workdir / "cells.csv", cell_rows(problem, config, kept, stands, truth, source))
    found = table_rows(
        config, _values(problem, config, kept, leaves, stands, truth), _chance(config, searched, truth, problem, table)
    )
    write_csv(workdir / "table.csv", found)
    return found


def _values(
    problem: Problem,
    config: SplitAblationConfig,
    kept: list[Row],
    leaves: list[Leaf],
    stands: dict[tuple[str, int], str],
    truth: Truth,
) -> Values:
    """What each rule picks of each split whose leaves all gave an architecture."""
    shares = {(leaf.split, leaf.seed, leaf.number): mask_size(leaf.mask) / problem.space.size for leaf in leaves}
    values: Values = {}
    for (split, seed), trained in stands.items():
        for algorithm in config.algorithms:
            rows = [r for r in kept if (r["algorithm"], r["split"], r["seed"]) == (algorithm, trained, seed)]
            if rows and not any(row["error"] for row in rows):
                share = np.array([shares[trained, seed, row["leaf"]] for row in rows])
                for rule, value in picked(rows, share, truth).items():
                    values.setdefault((split, algorithm, rule), {})[seed] = value
    return values


def _chance(
    config: SplitAblationConfig, searched: list[Row], truth: Truth, problem: Problem, table: Table | None
) -> dict[str, dict[int, float]]:
    """The random search of each seed; of a table also the mean of all cells and the expected best of K."""
    chance = {}
    if searched:
        chance["random search"] = {row["seed"]: truth[tuple(row["op_ids"])] for row in searched}
    if table is not None:
        cells = problem.space.enumerate()
        known = table.query(cells[np.asarray(problem.space.connected(cells))], config.data.name)
        for k, name in ((1, "random cell"), (8, "best of 8 by the truth")):
            chance[name] = {seed: expected_best(known, k) for seed in config.seeds}
    return chance


def _random_epochs(problem: Problem, config: SplitAblationConfig, leaves: list[Leaf]) -> int:
    """Epochs of each network of the random search: together, the images of the dearest split."""
    most = 1 + max(leaf.number for leaf in leaves)
    images = max(images_of(problem, config, algorithm, most) for algorithm in config.algorithms)
    return max(1, round(images / (max(1, config.random) * steps_per_epoch(problem) * config.data.batch)))
