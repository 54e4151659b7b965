"""What splits are worth by true accuracies, beside random splits of the same shape.

    python -m experiments.analyse_splits --splits published_splits.json --benchmark nats.csv --workdir out/splits
    python -m experiments.analyse_splits --splits out/cifar10/split_tree.json --benchmark nats.npz --workdir out/worth
    python -m experiments.analyse_splits --splits out/metrics/trees --benchmark nats.npz --workdir out/trees

SPLITS is a file of masks by metric and data set, the split tree of a run, or a folder of such trees; trees are judged
on every data set of the table. Writes sub_supernets.csv, splits.csv and report.html; docs/findings.md says how to read
them. 36 splits take 79 s on 2 CPU cores.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from rich.console import Console

from jaxnas.analysis import Ceiling, Worth, ceiling, is_partition, weigh
from jaxnas.benchmarks import Table
from jaxnas.console import cli_main
from jaxnas.few_shot.truth_table import read_and_tell
from jaxnas.report.document import write_page
from jaxnas.spaces import SPACES, NamedSplit, SearchSpace, read_splits
from jaxnas.studies.split_quality.page import Material, answer, split_page
from jaxnas.studies.split_quality.published import published_section
from jaxnas.types import UserError
from jaxnas.workdir import write_csv

Ceilings = dict[tuple[int, ...], dict[str, Ceiling]]  # edges -> data set -> the best box
BOX = 0.064  # of the space: 1,000 of the 15,625 cells of NAS-Bench-201


@dataclass(frozen=True)
class Command:
    """Say what splits are worth: where the good architectures lie, and how random splits compare."""

    splits: Path
    """masks by metric and data set (JSON), the split_tree.json of a run, or a folder of trees, NAME.json"""
    benchmark: Path
    """true accuracies: what import_benchmark wrote, or a CSV"""
    workdir: Path
    """directory for the two tables and the page"""
    space: str = "nas-bench-201"
    """search space of both"""


def read(command: Command) -> tuple[SearchSpace, list[NamedSplit], Table, list[str]]:
    """The inputs, checked, and notes on what is left out. Raises UserError."""
    if command.space not in SPACES:
        raise UserError(f"there is no space {command.space!r}; allowed: {sorted(SPACES)}")
    space = SPACES[command.space]
    splits, table = read_splits(space, command.splits), read_and_tell(space, command.benchmark)
    wanted = dict.fromkeys(split.dataset for split in splits if split.dataset is not None)
    missing = [name for name in wanted if name not in table.accuracies]
    kept = [split for split in splits if split.dataset not in missing]
    if not kept:
        raise UserError(
            f"{table.source} has accuracies on {sorted(table.accuracies)}, the splits are for {list(wanted)}"
        )
    note = f"Left out, for want of accuracies: {len(splits) - len(kept)} splits on {', '.join(missing)}."
    return space, kept, table, [note] if missing else []


def sub_rows(worths: Sequence[Worth]) -> list[dict[str, Any]]:
    """A row for each sub-supernet."""
    return [
        {"metric": worth.metric, "dataset": worth.dataset, "sub": k, **_numbers(sub._asdict())}
        for worth in worths
        for k, sub in enumerate(worth.subs)
    ]


def split_rows(worths: Sequence[Worth]) -> list[dict[str, Any]]:
    """A row for each split, with the percentile of each statistic in each null."""
    rows = []
    for worth in worths:
        row = {"metric": worth.metric, "dataset": worth.dataset, "is_partition": is_partition(worth.sets)}
        row |= _numbers(worth.statistics._asdict())
        for name, places in worth.percentiles.items():
            row |= _numbers({f"null_{name}_{field}": value for field, value in places._asdict().items()})
        rows.append(row)
    return rows


def ceilings(space: SearchSpace, worths: Sequence[Worth], accuracies: Mapping[str, np.ndarray]) -> tuple[int, Ceilings]:
    """The size of the boxes, and the best one of every set of as many edges as the splits use; none if those differ."""
    used = {worth.nulls["same_edges"].edges.shape[1] for worth in worths}
    edges, names = max(used), dict.fromkeys(worth.dataset for worth in worths)
    box = max(round(BOX * space.size), len(space.ops) ** (len(space.edges) - edges))
    if len(used) > 1 or not 1 <= edges <= 3:
        return box, {}
    sets = itertools.combinations(range(len(space.edges)), edges)
    return box, {s: {name: ceiling(space, accuracies[name], s, box) for name in names} for s in sets}


def run(command: Command) -> list[str]:
    """Reads, checks, computes and writes; returns the sentences of the page. Raises UserError."""
    space, splits, table, notes = read(command)
    path = command.workdir
    try:
        path.mkdir(parents=True, exist_ok=True)
        if (path / "config.json").exists():
            raise UserError(f"{path} holds a run, whose page this would replace; choose another --workdir")
        worths = weigh(space, splits, table.accuracies)
        write_csv(path / "sub_supernets.csv", sub_rows(worths))
        write_csv(path / "splits.csv", split_rows(worths))
    except OSError as error:
        raise UserError(f"cannot write to {path}: {error.strerror or error}") from error
    box, best = ceilings(space, worths, table.accuracies)
    material = Material(space, table.source, table.accuracies, worths, box, best, notes)
    write_page(path / "report.html", split_page(material, published_section(worths, table.accuracies)))
    return answer(material)


@cli_main()
def main(arguments: Sequence[str], prog: str = "jaxnas analyse-splits") -> None:
    """Analyses, and prints the answer. 0, or 2 for bad input."""
    command = tyro.cli(Command, prog=prog, args=arguments)
    for line in [*run(command), f"written to {command.workdir / 'report.html'}"]:
        Console().print(line, highlight=False, markup=False, soft_wrap=True)


def _numbers(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: round(value, 6) if isinstance(value, float) else value for name, value in fields.items()}
