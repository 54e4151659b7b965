"""How far rankings agree at best in the setting of a preset, before anything is split or searched.

    python -m experiments.ceilings digits --workdir out/ceilings
    python -m experiments.ceilings cifar10-small --workdir out/ceilings --data.root DATA --truth.table TABLE.csv

Trains some architectures alone with several seeds, and compares them with the table and with each other; trains
supernets that are not split with several seeds, and compares how they rank the same architectures. The same command
goes on where it was stopped. Writes `ceilings.csv`, a row for each comparison, and `accuracies.csv`, a row for each
architecture; docs/reading-a-run.md names their columns. `smoke` takes 22 s on 2 CPU cores.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Annotated

import tyro
from rich import box
from rich.console import Console
from rich.table import Table

from jaxnas.config import to_dict
from jaxnas.console import GOES_ON, cli_main, parse_preset
from jaxnas.distributed import parallel
from jaxnas.few_shot.images import load_and_warn
from jaxnas.few_shot.presets import ABOUT
from jaxnas.few_shot.presets import PRESETS as RUNS
from jaxnas.few_shot.run_context import prepare
from jaxnas.few_shot.truth_table import read_and_tell
from jaxnas.report.format import note
from jaxnas.studies.ceilings.config import CeilingsConfig
from jaxnas.studies.ceilings.run import Row, accuracy_rows, ceiling_rows, measure, validate_ceilings
from jaxnas.studies.frame import run_shown
from jaxnas.training import NonFiniteLoss
from jaxnas.workdir import Progress, open_stage, open_workdir, write_csv

PRESETS = {name: CeilingsConfig(run=config) for name, config in RUNS.items()}
MAY_CHANGE = ("run.strategy", "run.data.root", "run.truth.table")


@dataclass(frozen=True)
class Command:
    """Measure how far rankings agree at best."""

    workdir: Path
    """directory for the results; a stopped run goes on there"""
    config: Annotated[CeilingsConfig, tyro.conf.arg(name="")]


def run(command: Command, show: Progress) -> list[Row]:
    """Trains what is missing, writes both files, and returns the rows of `ceilings.csv`. Raises UserError."""
    config, path = command.config, command.workdir
    space = validate_ceilings(config)
    table = None if config.run.truth.table is None else read_and_tell(space, config.run.truth.table)
    dataset = load_and_warn(config.run.data, config.run.seed)
    context = prepare(config.run, dataset)
    if table is not None:
        table.check(config.run.data.name)
    parallel.use_quick_compile(config.run.quick_compile)
    digest = sha256(dataset.train.images.tobytes() + dataset.valid.images.tobytes()).hexdigest()
    with open_workdir(path, to_dict(config), {"images": digest}, MAY_CHANGE):
        stages = partial(open_stage, path, note=note, show=show)
        found = measure(context, config, dataset.test, table, stages)
        rows = ceiling_rows(context, found)
        write_csv(path / "accuracies.csv", accuracy_rows(context, found))
        write_csv(path / "ceilings.csv", rows)
    return rows


def shown(rows: list[Row]) -> Table:
    """The means over seeds."""
    table = Table("Kendall's tau-b", "mean", "95 %", "seeds", "architectures", box=box.SIMPLE)
    for row in [row for row in rows if row["seed"] is None]:
        value, low, high = ("-" if row[name] is None else f"{row[name]:z.2f}" for name in ("kendall", "low", "high"))
        table.add_row(row["compared"], value, f"{low} .. {high}", str(row["seeds"]), str(row["architectures"]))
    return table


@cli_main({NonFiniteLoss: 3}, GOES_ON)
def main(arguments: Sequence[str], prog: str = "jaxnas ceilings") -> None:
    """Runs and prints. 0, 2 for bad input, 3 where everything diverged, 130 when stopped at the keyboard."""
    console = Console()
    command = parse_preset(lambda preset: Command(tyro.MISSING, preset), PRESETS, ABOUT, prog, arguments)
    rows = run_shown(run, command, console)
    console.print(shown(rows))
    console.print(f"written to {command.workdir}", highlight=False)
