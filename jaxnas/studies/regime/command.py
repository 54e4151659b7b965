"""In which setting supernets rank at all: tau of unsplit supernets and agreement of their seeds against minutes.

    python -m experiments.regime cifar10-small --point wide --net.channels 16 --phases 60 --workdir out/regime \\
        --data.root DATA --truth.table TABLE.csv

Each call trains the supernets of one point, in WORKDIR/POINT, and writes `points.csv`, `report.html` and its figures of
all points in WORKDIR. `--truth.table` has to be given. The same command goes on where it was stopped.
docs/reading-a-run.md names the columns. With batches of 64 the three seeds of a point that see a million images took 11
to 12 minutes at 16x16 and 4 at 8x8, on one CPU core.
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
from jaxnas.few_shot.sample import uniform_cells
from jaxnas.few_shot.truth_table import read_and_tell
from jaxnas.few_shot.validation import check_images
from jaxnas.report.document import write_page
from jaxnas.report.format import note
from jaxnas.report.svg import standalone
from jaxnas.studies.frame import run_shown
from jaxnas.studies.regime.config import RegimeConfig
from jaxnas.studies.regime.page import panels, regime_page
from jaxnas.studies.regime.run import IMAGES, Row, cost, follow, look_rows, point_rows, seed_of, validate_regime
from jaxnas.training import NonFiniteLoss
from jaxnas.types import UserError
from jaxnas.workdir import (
    Progress,
    flat,
    open_stage,
    open_workdir,
    read_json,
    read_jsonl,
    write_csv,
    write_json,
)

PRESETS = {name: RegimeConfig(run=config) for name, config in RUNS.items()}
MAY_CHANGE = ("run.strategy", "run.data.root", "run.truth.table")


@dataclass(frozen=True)
class Command:
    """Measure how well supernets rank in one setting."""

    workdir: Path
    """directory of all points"""
    point: str
    """name of this setting, which becomes a folder in WORKDIR; a stopped point goes on there"""
    config: Annotated[RegimeConfig, tyro.conf.arg(name="")]


def run(command: Command, show: Progress) -> list[Row]:
    """Trains what is missing of the point, writes the files, and returns its rows. Raises UserError."""
    config, path = command.config, command.workdir / command.point
    if Path(command.point).name != command.point or command.point in ("", ".."):
        raise UserError(f"a point is named like a folder, not {command.point!r}")
    space = validate_regime(config)
    table = read_and_tell(space, Path(str(config.run.truth.table)))
    table.check(config.run.data.name)
    own = sorted({seed_of(config, IMAGES, seed) for seed in config.seeds})
    images = {seed: load_and_warn(config.run.data, seed) for seed in own}
    run_context = {seed: prepare(config.run, of) for seed, of in images.items()}
    context = run_context[config.seeds[0]]
    check_images(context.train, context.valid, config.recalibrate, 0)
    parallel.use_quick_compile(config.run.quick_compile)
    parts = [part.images.tobytes() for of in images.values() for part in (of.train, of.valid)]
    truth = table.query(uniform_cells(context), config.run.data.name)
    inputs = {"images": sha256(b"".join(parts)).hexdigest(), "truth": sha256(truth.tobytes()).hexdigest()}
    with open_workdir(path, to_dict(config), inputs, MAY_CHANGE):
        if not (path / "result.json").exists():
            stages = partial(open_stage, path, note=note, show=show)
            for seed in config.seeds:
                follow(run_context[seed_of(config, IMAGES, seed)], config, seed, stages)
            metrics = read_jsonl(path / "metrics.jsonl")
            write_csv(path / "looks.csv", look_rows(context, config, metrics, truth))
            write_json(path / "result.json", {"rows": point_rows(config, metrics, truth, cost(context, config))})
        rows: list[Row] = read_json(path / "result.json")["rows"]
    points = all_points(command.workdir)
    write_csv(command.workdir / "points.csv", points)
    write_page(command.workdir / "report.html", regime_page(points))
    for name, drawing in panels(points).items():
        write_page(command.workdir / f"{name}.svg", standalone(drawing))
    return rows


def all_points(workdir: Path) -> list[Row]:
    """The rows of every finished point of a directory, each with its name and what its config has of its own."""
    found = [(path.parent.name, path) for path in sorted(workdir.glob("*/result.json")) if "rows" in read_json(path)]
    configs = {name: flat(read_json(path.parent / "config.json")) for name, path in found}
    same = {key for key in next(iter(configs.values())) if len({str(of.get(key)) for of in configs.values()}) == 1}
    return [
        {
            "point": name,
            **row,
            "settings": " ".join(
                f"{key}={value}" for key, value in configs[name].items() if key not in same and key not in MAY_CHANGE
            ),
        }
        for name, path in found
        for row in read_json(path)["rows"]
    ]


def shown(rows: list[Row]) -> Table:
    """The means over seeds of one point."""
    table = Table("read by", "tau-b", "95 %", "deviation", "between seeds", "minutes a seed", box=box.SIMPLE)
    for row in rows:
        numbers = [row[k] for k in ("kendall", "kendall_low", "kendall_high", "deviation", "reliability")]
        tau, low, high, deviation, between = ("-" if of is None else f"{of:.2f}" for of in numbers)
        table.add_row(row["evaluation"], tau, f"{low} .. {high}", deviation, between, f"{row['minutes']:.1f}")
    return table


@cli_main({NonFiniteLoss: 3}, GOES_ON)
def main(arguments: Sequence[str], prog: str = "jaxnas regime") -> None:
    """Runs and prints. 0, 2 for bad input, 3 where training diverged, 130 when stopped at the keyboard."""
    console = Console()
    command = parse_preset(lambda preset: Command(tyro.MISSING, tyro.MISSING, preset), PRESETS, ABOUT, prog, arguments)
    rows = run_shown(run, command, console)
    console.print(shown(rows))
    console.print(f"written to {command.workdir}", highlight=False)
