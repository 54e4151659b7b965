"""An ablation of splits in its work directory, alone or as one of several shards that are joined."""

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxnas.analysis import expected_best
from jaxnas.benchmarks import Table
from jaxnas.config import to_dict
from jaxnas.data import Dataset
from jaxnas.few_shot.run_context import RunContext, steps_per_epoch
from jaxnas.spaces.base import SearchSpace
from jaxnas.spaces.split_file import read_splits
from jaxnas.studies.search.cells import Scope, kept_rows, prepare_study
from jaxnas.studies.split_ablation.config import SplitAblationConfig
from jaxnas.studies.split_ablation.grown import Grown, grow_trees, grown_images, metric_of, read_grown, tree_file
from jaxnas.studies.split_ablation.leaves import (
    LEAF,
    NONE,
    RANDOM,
    Leaf,
    Row,
    Trees,
    expanded,
    leaves_of,
    random_masks,
    run_leaves,
    unit_of,
    validate_split_ablation,
    warm_up,
)
from jaxnas.studies.split_ablation.tables import (
    Shares,
    Values,
    cell_rows,
    images_of,
    picked,
    shares_of,
    table_rows,
)
from jaxnas.studies.truth import ALONE, Search, Truth, random_draws, random_search, true_accuracies
from jaxnas.types import Stages, UserError
from jaxnas.workdir import (
    Journal,
    Progress,
    locked,
    open_journal,
    open_stage,
    open_workdir,
    read_json,
    refuse_change,
    write_csv,
    write_json,
)

MAY_CHANGE = (
    "study.strategy",
    "study.data.root",
    "study.table",
)  # of a config; what is read there is told by its digest


class Work(NamedTuple):
    """What an ablation is made of."""

    config: SplitAblationConfig
    context: RunContext
    dataset: Dataset
    table: Table | None
    inputs: dict[str, str | None]  # digests of what is read


class Trained(NamedTuple):
    """What is trained for the splits of an ablation."""

    leaves: list[Leaf]
    stands: dict[tuple[str, int], str]  # (split, seed) -> the split that is trained for it
    scoring: dict[tuple[str, int], int]  # (split, seed) -> training images that scored it, where it was grown here


def trees_of(space: SearchSpace, config: SplitAblationConfig, path: Path | None) -> Trees:
    """Where the masks of each split come from: dice, a file of splits, or a folder of split trees.

    In a folder, METRIC-SEED.json is of one seed and METRIC.json of every other. Raises UserError, before work, for a
    name that is not there, and for what `read_splits` refuses.
    """
    known = {} if path is None else _splits(space, path, config.study.data.name)

    def masks(name: str, seed: int) -> np.ndarray:
        if name.startswith(f"{RANDOM} "):
            return random_masks(space, config.split.groups, name, seed)
        found = known.get((name, seed), known.get((name, None)))
        if found is None:
            there = sorted({split for split, _ in known})
            raise UserError(
                f"there is no split {name!r} for seed {seed}; there are {there}, metric:NAME, random:N and none"
            )
        return found

    for name in _given(config):
        for seed in config.study.seeds:
            masks(name, seed)
    return masks


def _given(config: SplitAblationConfig) -> list[str]:
    """Splits that are known before any work."""
    return [name for name in expanded(config.splits) if name != NONE and metric_of(name) is None]


def _splits(space: SearchSpace, path: Path, dataset: str) -> dict[tuple[str, int | None], np.ndarray]:
    masks: dict[tuple[str, int | None], np.ndarray] = {}
    for split in read_splits(space, path):
        metric, _, seed = split.metric.rpartition("-")
        of_seed = path.is_dir() and metric and seed.isascii() and seed.isdigit()
        if split.dataset in (None, dataset):
            masks[(metric, int(seed)) if of_seed else (split.metric, None)] = split.masks
    return masks


def shard_of(config: SplitAblationConfig, number: int, of: int) -> SplitAblationConfig:
    """The part of the work that shard `number` of `of` does: some of the seeds, which need nothing of each other.

    Raises UserError for a shard without a seed.
    """
    seeds = config.study.seeds
    if not 1 <= number <= of <= len(seeds):
        raise UserError(f"shards are 1/N .. N/N of at most {len(seeds)} seeds, not {number}/{of}")
    return replace(config, study=replace(config.study, seeds=seeds[number - 1 :: of]))


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
    work = _prepare(config, dataset, table, trees)
    with _opened(work, workdir):
        journal, stages = open_journal(workdir), partial(open_stage, workdir, note=note, show=show)
        parents = warm_up(work.context, config, stages)
        trained = _trained(work, workdir, trees, grow_trees(work.context, config, parents, stages))
        run_leaves(work.context, config, journal, trained.leaves, parents, stages)
        return _conclude(work, trained, workdir, journal, stages)


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
    """The tables of the whole `config` from its shards; trains no supernet, and alone what no shard has finished.

    Raises UserError if a leaf is in none of them, and for a shard of other settings or one that is still in use.
    """
    work = _prepare(config, dataset, table, trees)
    found = dict(of for shard in shards for of in _shard_units(work, shard))
    with _opened(work, workdir):
        trained = _trained(work, workdir, trees, read_grown(work.context, config, [*shards]))
        journal = open_journal(workdir)
        wanted = [unit_of(name, leaf) for name in config.study.algorithms for leaf in trained.leaves]
        lacking = [unit for unit in wanted if json.dumps(unit) not in found and not journal.holds(unit)]
        if lacking:
            raise UserError(f"{len(lacking)} leaves are in none of the shards, the first is {lacking[0][1:]}")
        for name, value in found.items():
            journal.once(json.loads(name), partial(lambda of: of, value))
        return _conclude(work, trained, workdir, journal, partial(open_stage, workdir, note=note, show=show))


def _prepare(config: SplitAblationConfig, dataset: Dataset, table: Table | None, trees: Trees) -> Work:
    validate_split_ablation(config)
    data = config.study.data.name
    context = prepare_study(config.study, dataset)
    if table is not None:
        table.check(data)
    given = [trees(name, seed) for name in _given(config) for seed in config.study.seeds]
    inputs = {
        "images": sha256(dataset.train.images.tobytes() + dataset.valid.images.tobytes()).hexdigest(),
        "splits": sha256(b"".join(masks.tobytes() for masks in given)).hexdigest(),
        "truth": None if table is None else sha256(table.accuracies[data].tobytes()).hexdigest(),
    }
    return Work(config, context, dataset, table, inputs)


def _trained(work: Work, workdir: Path, trees: Trees, grown: Grown) -> Trained:
    """The leaves of given and grown splits; keeps the trees that were grown."""

    def masks(name: str, seed: int) -> np.ndarray:
        return grown[name, seed].masks() if (name, seed) in grown else trees(name, seed)

    for (name, seed), tree in grown.items():
        path = tree_file(workdir, name, seed)
        path.parent.mkdir(exist_ok=True)
        write_json(path, tree.to_json())
    leaves, stands = leaves_of(work.config, work.context.space, masks)
    return Trained(leaves, stands, grown_images(work.context, work.config, grown))


def _opened(work: Work, workdir: Path) -> AbstractContextManager[Path]:
    strategy = work.context.config.strategy
    return open_workdir(workdir, to_dict(work.config), work.inputs, MAY_CHANGE, strategy=strategy)


def _shard_units(work: Work, shard: Path) -> list[tuple[str, Any]]:
    """What a shard, which no process may be adding to, has kept of its leaves and of what it has trained alone."""
    try:
        with locked(shard):
            made_of, made_with = (read_json(shard / f"{name}.json") for name in ("config", "environment"))
            journal = open_journal(shard)
            found = [(json.dumps(unit), value) for kind in (LEAF, ALONE) for unit, value in journal.under(kind)]
    except OSError as error:
        raise UserError(f"{shard} is no shard that can be read: {error.strerror or error}") from error
    refuse_change(shard, "shard of another config", made_of, to_dict(work.config), (*MAY_CHANGE, "study.seeds"))
    images = {"images": work.inputs["images"]}
    refuse_change(shard, "shard of other images", {"images": made_with.get("inputs", {}).get("images")}, images)
    return found


def _conclude(work: Work, trained: Trained, workdir: Path, journal: Journal, stages: Stages) -> list[Row]:
    """Writes both tables; rows of the second."""
    context, study = work.context, work.config.study
    kept = kept_rows(journal, LEAF)
    whole = [Scope("whole", context.space.full_mask())]
    epochs = _random_epochs(work, trained)
    draws = random_draws(context, study, whole)
    searches = [Search(scope, seed, op_ids, epochs) for (seed, scope), op_ids in draws.items()]
    searched = random_search(context, journal, searches, stages)
    asked = [row["op_ids"] for row in [*kept, *searched] if row["op_ids"]]
    op_ids = np.array(asked, np.int32).reshape(-1, len(context.space.edges))
    truth = true_accuracies(context, study, journal, work.dataset, work.table, op_ids, stages)
    source = "table" if work.table is not None else f"alone, {study.alone_epochs} epochs"
    shares = shares_of(context.space, trained.leaves)
    cells = cell_rows(context, work.config, kept, trained.stands, trained.scoring, shares, truth, source)
    write_csv(workdir / "cells.csv", cells)
    found = table_rows(work.config, _values(work, trained, kept, shares, truth), _chance(work, searched, truth))
    write_csv(workdir / "table.csv", found)
    return found


def _values(work: Work, trained: Trained, kept: list[Row], shares: Shares, truth: Truth) -> Values:
    """What each rule picks of each split whose leaves all gave an architecture."""
    values: Values = {}
    for (split, seed), stands in trained.stands.items():
        for algorithm in work.config.study.algorithms:
            rows = [r for r in kept if (r["algorithm"], r["split"], r["seed"]) == (algorithm, stands, seed)]
            for rule, value in picked(rows, shares, truth).items():
                values.setdefault((split, algorithm, rule), {})[seed] = value
    return values


def _chance(work: Work, searched: list[Row], truth: Truth) -> dict[str, dict[int, float]]:
    """The random search of each seed; of a table also the mean of all cells and the expected best of K."""
    chance: dict[str, dict[int, float]] = {}
    if searched:
        chance["random search"] = {row["seed"]: truth[tuple(row["op_ids"])] for row in searched}
    if work.table is not None:
        space, study = work.context.space, work.config.study
        known = work.table.query(space.enumerate_connected(), study.data.name)
        for k, name in ((1, "random cell"), (8, "best of 8 by the truth")):
            chance[name] = {seed: expected_best(known, k) for seed in study.seeds}
    return chance


def _random_epochs(work: Work, trained: Trained) -> int:
    """Epochs of each network of the random search: together, the images of the dearest split."""
    context, study = work.context, work.config.study
    most = 1 + max(leaf.number for leaf in trained.leaves)
    images = max(images_of(context, work.config, algorithm, most) for algorithm in study.algorithms)
    images += max(trained.scoring.values(), default=0)
    return max(1, round(images / (max(1, study.random) * steps_per_epoch(context) * study.data.batch)))
