"""Speed of the library's steps against a plain PyTorch peer, against themselves, and against this machine.

    python -m experiments.benchmark quick --workdir out/benchmark-quick
    pip install torch==2.13.0 && python -m experiments.benchmark full --workdir out/benchmark

Our step is timed as a run takes it: one program runs a whole epoch, so it is a compiled scan of 4 steps that updates
the state in place, divided by 4. The peer is a loop of the same 4 steps on the same arrays, on all cores. Contenders
run in turn, repeat after repeat; numbers are medians, with their 25 and 75 % quantiles in WORKDIR/benchmark.json.
Compilation is timed apart. Every finished case is written at once, and the same command goes on with the missing ones.
`full` takes 30 minutes on 2 CPU cores. Without PyTorch the peers are left out. docs/performance.md says what was found.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich import box
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from experiments.bench import torch_steps
from experiments.bench.catalogue import catalogue
from experiments.bench.rows import SETTINGS, Case, Row, Setting, measure
from experiments.bench.timing import compiling_once
from jaxnas import config as configs
from jaxnas.console import GOES_ON, cli_main
from jaxnas.distributed import parallel
from jaxnas.spaces import SPACES
from jaxnas.types import UserError
from jaxnas.workdir import open_workdir, write_json
from jaxnas.workdir.files import environment

NAMES = ("case", "value", "25 .. 75 %", "unit", "peer", "its value", "ratio", "goal", "aim", "met")


@dataclass(frozen=True)
class Command:
    """Measure the library's steps against a plain PyTorch peer."""

    workdir: Path
    """directory for benchmark.json and environment.json; a stopped benchmark goes on there"""
    setting: Annotated[Setting, tyro.conf.arg(name="")]
    only: tuple[str, ...] = ()
    """only cases with a row whose name holds one of these; the others can follow later"""


def run(command: Command, show: Callable[[Row], None]) -> list[Row]:
    """Measures what is missing in the work directory; returns every row that is there. Raises UserError."""
    kept = command.workdir / "benchmark.json"
    if kept.exists() and not (command.workdir / "config.json").exists():
        raise UserError(f"{command.workdir} holds a benchmark.json of unknown setting; choose another --workdir")
    settings = configs.to_dict(command.setting)
    if command.setting.space not in SPACES:
        raise UserError(f"there is no space {command.setting.space!r}; allowed: {sorted(SPACES)}")
    numbers = {name: value for name, value in settings.items() if type(value) is int}
    small = [name for name, value in numbers.items() if value < (name != "seed")]
    if small:
        raise UserError(f"sizes and repeats must be at least 1, the seed 0: {small}")
    every = catalogue(command.setting)
    wanted = [case for case in every if not command.only or _is_named(case, command.only)]
    if not wanted:
        names = [line.case for case in every for line in case.lines]
        raise UserError(f"no row has a name with one of {list(command.only)}; there are {names}")
    inputs = {name: value for name, value in environment().items() if name != "command"} | {
        "torch": metadata.version("torch") if torch_steps.installed() else None
    }
    with open_workdir(command.workdir, settings, {"environment": inputs}, seed=command.setting.seed), compiling_once():
        rows = {row["case"]: row for row in _read(kept)}
        for case in wanted:
            if all(line.case in rows for line in case.lines):
                continue
            for row in measure(case):
                rows[row["case"]] = row
                show(row)
            write_json(kept, _ordered(every, rows))
    return _ordered(every, rows)


def table(rows: Sequence[Row]) -> Table:
    """The rows for the terminal."""
    caption = "the ratio is judged; without a peer, the value itself"
    if not torch_steps.installed():
        caption += f"; PyTorch peers are not installed: {torch_steps.INSTALL}"
    columns = (Column(name, justify="left" if name in ("case", "unit", "peer") else "right") for name in NAMES)
    shown = Table(*columns, box=box.SIMPLE, padding=(0, 1, 0, 0), title="benchmark", caption=Text(caption))
    for row in rows:
        spread = "" if row["spread"] is None else " .. ".join(map(_number, row["spread"]))
        met = {None: "", True: "yes", False: "no"}[row["met"]]
        numbers = [_number(row[name]) for name in ("peer_value", "ratio", "goal", "aim")]
        note = "" if row["note"] is None else f" ({row['note']})"
        case = Text(row["case"] + note)  # not markup: notes are foreign words
        shown.add_row(case, _number(row["value"]), spread, row["unit"], row["peer"] or "", *numbers, met)
    return shown


def _is_named(case: Case, words: Sequence[str]) -> bool:
    return any(word in line.case for line in case.lines for word in words)


def _ordered(cases: Sequence[Case], rows: dict[str, Row]) -> list[Row]:
    return [rows[line.case] for case in cases for line in case.lines if line.case in rows]


def _read(path: Path) -> list[Row]:
    """The rows of an earlier start. Raises UserError for anything else."""
    if not path.exists():
        return []
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is damaged ({error}); choose another --workdir") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) and "case" in row for row in rows):
        raise UserError(f"{path} is damaged (no list of cases); choose another --workdir")
    return rows


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}" if value < 1e4 else f"{value:,.0f}"


@cli_main(stopped=GOES_ON)
def main(arguments: Sequence[str], prog: str = "python -m experiments.benchmark") -> None:
    """Measures and prints. 0, 2 for bad input, or 130 for a benchmark stopped at the keyboard."""
    parallel.use_wide_vectors()  # as runs do
    console = Console()
    known = {name: (name, Command(tyro.MISSING, setting)) for name, setting in SETTINGS.items()}

    def show(row: dict[str, Any]) -> None:
        console.print(f"{row['case']}: {_number(row['value'])} {row['unit']}", highlight=False, markup=False)

    command = tyro.extras.overridable_config_cli(known, prog=prog, args=arguments)
    rows = run(command, show)
    console.print(table(rows))
    console.print(f"written to {command.workdir / 'benchmark.json'}", highlight=False, markup=False)
