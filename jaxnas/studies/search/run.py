"""A study in its work directory: cells that go on after a kill, then the tables."""

from collections.abc import Callable
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from jaxnas.benchmarks import Table
from jaxnas.config import to_dict
from jaxnas.data import Dataset
from jaxnas.spaces.base import SearchSpace
from jaxnas.spaces.split_file import read_splits
from jaxnas.studies.search.cells import Row, Scope, prepare_study, search_scopes
from jaxnas.studies.search.config import StudyConfig
from jaxnas.studies.search.costs import costs_of, epochs_of
from jaxnas.studies.search.tables import conclude
from jaxnas.types import UserError
from jaxnas.workdir import Progress, open_journal, open_stage, open_workdir, write_csv

MAY_CHANGE = ("strategy", "data.root", "table")  # of a config; what is read there is told by its digest


def run_study(
    config: StudyConfig,
    workdir: Path,
    dataset: Dataset,
    table: Table | None,
    scopes: list[Scope],
    note: Callable[[list[dict[str, Any]]], str],
    show: Progress,
) -> tuple[list[Row], list[Row]]:
    """Every cell and its worth; writes `cells.csv`, `supernets.csv` and `summary.csv`; rows of the first and the last.

    Raises UserError before work starts.
    """
    context = prepare_study(config, dataset)
    if table is not None:
        table.check(config.data.name)
    digest = sha256(dataset.train.images.tobytes() + dataset.valid.images.tobytes()).hexdigest()
    truth = None if table is None else sha256(table.accuracies[config.data.name].tobytes()).hexdigest()
    masks = {scope.name: np.asarray(scope.mask, int).tolist() for scope in scopes}
    inputs = {"images": digest, "truth": truth, "scopes": masks}
    with open_workdir(workdir, to_dict(config), inputs, MAY_CHANGE, strategy=context.config.strategy):
        journal, stages = open_journal(workdir), partial(open_stage, workdir, note=note, show=show)
        costs = costs_of(context, config, scopes)
        epochs = {equal: epochs_of(config, costs, equal) for equal in config.equal}
        lengths = {(name, of[name]): None for name in config.algorithms for of in epochs.values()}
        search_scopes(context, config, journal, scopes, [*lengths], stages)
        cells, supernets, summary = conclude(context, config, journal, dataset, table, scopes, costs, stages)
        for name, rows in (("cells", cells), ("supernets", supernets), ("summary", summary)):
            write_csv(workdir / f"{name}.csv", rows)
    return cells, summary


def scopes_of(
    space: SearchSpace, splits: Path | None, split: str | None, dataset: str, leaf: int | None
) -> list[Scope]:
    """The whole space, or the leaves of a split in a file, or one of them. Raises UserError for what is not there."""
    if splits is None:
        if split is not None or leaf is not None:
            raise UserError("a split or a leaf is named, but no file of splits (--splits FILE)")
        return [Scope("whole", space.full_mask())]
    found = [s for s in read_splits(space, splits) if s.dataset in (None, dataset) and split in (None, s.metric)]
    if len(found) != 1:
        names = sorted({s.metric for s in read_splits(space, splits) if s.dataset in (None, dataset)})
        raise UserError(f"{splits} has {len(found)} splits of that name on {dataset}; name one (--split) of {names}")
    masks = found[0].masks
    if leaf is not None and not 0 <= leaf < len(masks):
        raise UserError(f"leaf must lie in 0 .. {len(masks) - 1}, it is {leaf}")
    chosen = range(len(masks)) if leaf is None else [leaf]
    return [Scope(f"{found[0].metric} {k}", masks[k]) for k in chosen]
