"""Import true accuracies once: any known format in, one small table out.

    python -m experiments.import_benchmark NATS-tss-v1_0-3ffb9-simple nats.npz
    python -m experiments.import_benchmark NAS-Bench-201-v1_1-096897.pth nas-bench-201.npz
    python -m experiments.import_benchmark site-packages/analognasbench analog.npz
    python -m experiments.import_benchmark mine.csv mine.npz --architecture-column cell --datasets folder=accuracy

The format is found out from what the source holds. The table is checked as a whole before it is written; it says
where it came from, and it is what a run needs of the benchmark.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from rich.console import Console

from jaxnas.benchmarks import READERS, Table, write_compact
from jaxnas.console import cli_main
from jaxnas.few_shot.truth_table import read_and_tell
from jaxnas.spaces import SPACES, Architecture
from jaxnas.types import UserError


@dataclass(frozen=True)
class Command:
    """Convert a benchmark of true accuracies to one small table."""

    source: Annotated[Path, tyro.conf.Positional]
    """file or folder of the benchmark"""
    out: Annotated[Path, tyro.conf.Positional]
    """the table to write, an .npz"""
    format: str = "auto"
    """format of the source; auto: found out from what it holds"""
    space: str = "nas-bench-201"
    """search space of the benchmark"""
    architecture_column: str | None = None
    """of a CSV: its column of architectures; by default architecture, arch_str or arch"""
    datasets: tuple[str, ...] = ()
    """of a CSV: its columns of data sets, each COLUMN or NAME=COLUMN where a run calls the data set NAME; by default
    those of known data sets"""


def run(command: Command) -> Table:
    """Reads, checks and writes, and tells what was passed over; returns the table. Raises UserError."""
    if command.space not in SPACES:
        raise UserError(f"there is no space {command.space!r}; allowed: {sorted(SPACES)}")
    if command.out.suffix != ".npz":
        raise UserError(f"the table is an .npz file, not {str(command.out)!r}")
    columns = {"architecture": command.architecture_column, "datasets": command.datasets}
    table = read_and_tell(SPACES[command.space], command.source, format=command.format, **columns)
    write_compact(table, command.out)
    return table


def summary(table: Table) -> list[str]:
    """What a table holds, a line each: its source, and the mean and best of every data set."""
    lines = [table.source, f"sha256 {table.sha256}"]
    for dataset, values in table.accuracies.items():
        best = Architecture(tuple(table.space.enumerate()[np.argmax(values)].tolist()))
        lines.append(f"{dataset}: mean {values.mean():.2f}, best {values.max():.2f} of {table.space.encode(best)}")
    return lines


@cli_main()
def main(arguments: Sequence[str], prog: str = "jaxnas import-benchmark") -> None:
    """Imports and prints what was found. 0, or 2 for bad input."""
    about = f"Convert a benchmark of true accuracies to one small table. Formats: auto, {', '.join(READERS)}."
    command = tyro.cli(Command, prog=prog, description=about, args=arguments)
    for line in [*summary(run(command)), f"written to {command.out}"]:
        Console().print(line, highlight=False, markup=False, soft_wrap=True)
