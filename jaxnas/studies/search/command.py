"""Which search algorithm, with which way to take an architecture from its supernet: all pairs, over seeds.

    python -m experiments.selection_study digits --workdir out/study
    python -m experiments.selection_study cifar10-small --workdir out/study --data.root DATA --table TABLE.csv
    python -m experiments.selection_study digits --workdir out/leaves --splits out/digits/split_tree.json

Every algorithm trains a supernet for each seed (and each leaf of a split); every selector takes an architecture from
each. Beside them: a random search at the cost of each algorithm, random cells, how well each supernet ranks a random
sample, and how far seeds agree. `--equal` says what the algorithms have the same of, epochs, images or arithmetic; of
several each is a comparison. The same command goes on where it was stopped, cell by cell. Writes `cells.csv` (a row for
each algorithm, selector, sub-space and seed), `supernets.csv`, `summary.csv` (means over seeds with intervals), and
`report.html`, all of it on a page; docs/reading-a-run.md names the columns. `cifar10-small` takes 1 h 48 min on 2 CPU
cores.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich import box
from rich.console import Console
from rich.table import Column, Table

from jaxnas.console import GOES_ON, cli_main, interval, parse_preset
from jaxnas.distributed import parallel
from jaxnas.few_shot.images import load_and_warn
from jaxnas.few_shot.truth_table import read_and_tell
from jaxnas.report.document import write_page
from jaxnas.report.format import note, read_csv
from jaxnas.studies.frame import run_shown
from jaxnas.studies.search.cells import validate_study
from jaxnas.studies.search.config import StudyConfig
from jaxnas.studies.search.page import study_page
from jaxnas.studies.search.presets import ABOUT, STUDIES
from jaxnas.studies.search.run import run_study, scopes_of
from jaxnas.training import NonFiniteLoss
from jaxnas.workdir import Progress

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Command:
    """Search algorithms crossed with selectors."""

    workdir: Path
    """directory for the results; a stopped run goes on there"""
    config: Annotated[StudyConfig, tyro.conf.arg(name="")]
    splits: Path | None = None
    """to search each leaf: splits by metric and data set, the split_tree.json of a run, or a folder of such trees;
    None: the whole space"""
    split: str | None = None
    """metric of the split, where the file holds several"""
    leaf: int | None = None
    """only this leaf, counted from 0"""


def run(command: Command, show: Progress) -> tuple[Rows, Rows]:
    """The whole study; returns the rows of `cells.csv` and `summary.csv`. Raises UserError, NonFiniteLoss."""
    config = command.config
    space = validate_study(config)
    scopes = scopes_of(space, command.splits, command.split, config.data.name, command.leaf)
    table = None if config.table is None else read_and_tell(space, config.table)
    parallel.use_quick_compile(config.quick_compile)
    dataset = load_and_warn(config.data, config.seeds[0])
    found = run_study(config, command.workdir, dataset, table, scopes, note, show)
    tables = [read_csv(command.workdir / f"{name}.csv") for name in ("cells", "supernets", "summary")]
    write_page(command.workdir / "report.html", study_page(*tables))
    return found


def shown(summary: Rows) -> Table:
    """Means over seeds."""
    heads = "equal", "algorithm", "selector", "scope", "n", "true accuracy", "above random", "regret", "evaluations"
    table = Table(*(Column(head, overflow="fold") for head in heads), box=box.SIMPLE)
    for row in summary:
        beside = f" ({row['control_of']})" if row["control_of"] else ""
        cells = [row["equal"], row["algorithm"] or "-", row["selector"] + beside, row["scope"], _count(row)]
        cells += [interval(row, name) for name in ("true_accuracy", "difference", "regret")]
        table.add_row(*cells, "-" if row["evaluations"] is None else f"{row['evaluations']:.0f}")
    return table


def _count(row: dict[str, Any]) -> str:
    if row["seeds"] is None:
        return "all"
    return f"{row['seeds'] - row['failed']}" + (f" ({row['failed']} failed)" if row["failed"] else "")


@cli_main({NonFiniteLoss: 3}, GOES_ON)
def main(arguments: Sequence[str], prog: str = "jaxnas selection-study") -> None:
    """Runs and prints. 0, 2 for bad input, 3 where every supernet diverged, 130 when stopped at the keyboard."""
    console = Console()
    command = parse_preset(lambda preset: Command(tyro.MISSING, preset), STUDIES, ABOUT, prog, arguments)
    _, summary = run_shown(run, command, console)
    console.print(shown(summary))
    console.print(f"written to {command.workdir}; open {command.workdir / 'report.html'}", highlight=False)
