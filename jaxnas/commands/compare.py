"""One table over several runs: what each contender of each run reached, and at what cost.

    python -m experiments.compare out/digits out/cifar10-small --csv runs.csv

A run is the work directory of one seed, or one that holds several; accuracies of the latter are means over seeds.
Intervals are of 95 %: over test images for one seed, over seeds for several, so the two are not to be compared.
Below it each contender less the method of the first run, paired by seed, and tau by cell too: where both have the same
seeds, and the same test images, or the same cells with the same truth. What else the settings of the runs differ in is
listed, so that a difference is not taken for one of metrics when the networks were trained longer, say.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro
from rich import box
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from jaxnas.analysis import Interval
from jaxnas.console import cli_main
from jaxnas.few_shot.paired import differences
from jaxnas.few_shot.read import Run, read_run, read_total, seed_folders
from jaxnas.few_shot.result_file import Contender
from jaxnas.few_shot.verdict import how_far
from jaxnas.report.format import count, estimate
from jaxnas.types import UserError
from jaxnas.workdir import flat, write_csv

MEASURES = ("test_accuracy", "true_accuracy", "kendall")
APART = {
    f"{name}_difference": title for name, title in zip(MEASURES, ("test, points", "true, points", "tau"), strict=True)
}

NO_MATTER = ("seed", "seeds", "strategy", "data.root", "truth.table", "quick_compile")
"""settings by which numbers do not differ, or that stand in the table"""


@dataclass(frozen=True)
class Command:
    """Compare finished runs in one table."""

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """work directories, of one seed or of several"""
    csv: Path | None = None
    """also write the rows to this file"""


def compared(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """The rows of all runs, each with its differences from the method of the first."""
    runs = {str(path): _by_seed(path) for path in paths}
    found = [row for path in paths for row in rows(path, runs[str(path)])]
    for row in found:
        first = None if row is found[0] else found[0]
        apart = first and differences(runs[row["run"]], row["contender"], runs[first["run"]], first["contender"])
        for name, value in zip(MEASURES, apart or (None,) * len(MEASURES), strict=True):
            row |= _numbers(f"{name}_difference", value)
    return found


def _by_seed(path: Path) -> dict[int, Run]:
    """The runs of a directory by seed: by that of the folder, where it holds several."""
    folders = seed_folders(path)
    if folders:
        return {int(folder.name.removeprefix("seed-")): read_run(folder) for folder in folders}
    run = read_run(path)
    seed = run.config.get("seed", 0)
    return {seed if isinstance(seed, int) else 0: run}


def rows(path: Path, by_seed: dict[int, Run]) -> list[dict[str, Any]]:
    """The contenders of one run with its data set, seeds and seconds. Raises UserError if it is not finished."""
    result, runs = read_total(path), [*by_seed.values()]
    if result is None:
        far = "; ".join(f"{run.path.name}: {how_far(run.stages, run.metrics)}" for run in runs if run.result is None)
        raise UserError(f"{path} is unfinished, it has no result.json; {far or 'its seeds are done'}")
    true = None if result.true is None else Interval(result.true)
    alone = Contender("chosen", "method", test=result.test, true=true)  # of a run without controls
    seconds = [sum(run.result.seconds.values()) for run in runs if run.result is not None]
    common = {"run": str(path), "data": _data(runs[0]), "seeds": len(result.seeds), "seconds": round(sum(seconds), 2)}
    return [{**common, **_fields(contender)} for contender in result.contenders or (alone,)]


def labels(found: Sequence[dict[str, Any]]) -> dict[str, str]:
    """How the tables name each run: without the folders that all have in common."""
    paths = dict.fromkeys(row["run"] for row in found)
    common = os.path.commonpath(paths) if len(paths) > 1 else ""
    shorter = {path: os.path.relpath(path, common) if common else path for path in paths}
    return {path: Path(path).name if short == "." else short for path, short in shorter.items()}


def settings(paths: Sequence[Path]) -> list[str]:
    """A line for each run whose settings differ from those of the first: what is set there, and what in the first."""
    configs = {str(path): flat(next(iter(_by_seed(path).values())).config) for path in paths}
    first = str(paths[0])
    lines = []
    for path, config in configs.items():
        names = sorted({*config, *configs[first]} - {*NO_MATTER})
        apart = [n for n in names if config.get(n) != configs[first].get(n)]
        told = "; ".join(f"{name} {config.get(name)} (not {configs[first].get(name)})" for name in apart)
        lines += [f"{path} has other settings than {first}: {told}"] if apart else []
    return lines


def table(found: Sequence[dict[str, Any]]) -> Table:
    """All rows, accuracies in percent with the interval below; what is of the whole run stands in its first row."""
    named = labels(found)
    shown = Table(
        *(Column(name, overflow="fold") for name in ("run", "contender")), box=box.SIMPLE, padding=(0, 1, 0, 0)
    )
    for name in ("test, %", "true, %", "tau", "images", "seconds"):
        shown.add_column(name, justify="right", no_wrap=True)
    for i, row in enumerate(found):
        first = i == 0 or found[i - 1]["run"] != row["run"]
        if first:
            shown.add_section()
        seeds = f"{row['data']}\n{row['seeds']} seed{'s' if row['seeds'] > 1 else ''}"
        values = [estimate(_estimate(row, name), 3 if name == "kendall" else 2).replace(" ", "\n") for name in MEASURES]
        texts = f"{named[row['run']]}\n{seeds}" if first else "", row["contender"], *values
        shown.add_row(*map(Text, (*texts, count(row["images"]), f"{row['seconds']:.0f}" if first else "")))
    return shown


def apart(found: Sequence[dict[str, Any]]) -> Table:
    """The differences from the method of the first run, of the rows that have any."""
    named = labels(found)
    title = f"less {found[0]['contender']} of {named[found[0]['run']]}, paired by seed"
    names = (Column(name, overflow="fold") for name in ("run", "contender"))
    shown = Table(*names, title=title, box=box.SIMPLE, title_justify="left")
    for name in APART.values():
        shown.add_column(name, justify="right", no_wrap=True)
    for row in found:
        if any(row[name] is not None for name in APART):
            values = [
                estimate(_estimate(row, name), 3 if "kendall" in name else 2).replace(" ", "\n", 1) for name in APART
            ]
            shown.add_row(*map(Text, (named[row["run"]], row["contender"], *values)))
    return shown


@cli_main()
def main(arguments: Sequence[str], prog: str = "jaxnas compare") -> None:
    """Prints the table and writes the CSV. 0, or 2 for bad input."""
    command = tyro.cli(Command, prog=prog, args=arguments)
    found = compared(command.runs)
    if not found:
        raise UserError("name at least one work directory to compare")
    if command.csv is not None:
        write_csv(command.csv, found)
    console = Console()
    console.print(table(found))
    if any(row[name] is not None for row in found for name in APART):
        console.print(apart(found))
    for line in settings(command.runs):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _fields(contender: Contender) -> dict[str, Any]:
    fields: dict[str, Any] = {"contender": contender.name, "kind": contender.kind}
    for name, value in zip(MEASURES, (contender.test, contender.true, contender.kendall), strict=True):
        fields |= _numbers(name, value)
    return {**fields, "images": contender.images}


def _numbers(name: str, value: Interval | None) -> dict[str, float | None]:
    return {
        name: value and value.value,
        f"{name}_low": value and value.low,
        f"{name}_high": value and value.high,
    }


def _estimate(row: dict[str, Any], name: str) -> Interval | None:
    value = row[name]
    return None if value is None else Interval(value, row[f"{name}_low"], row[f"{name}_high"])


def _data(run: Run) -> str:
    data = run.config.get("data")
    return str(data.get("name", "-")) if isinstance(data, dict) else "-"
