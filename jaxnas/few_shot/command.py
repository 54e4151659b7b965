"""Few-shot NAS end to end, with its controls: warm up, split, train the leaves, search, select, judge.

    python -m experiments.few_shot digits --workdir out/digits
    python -m experiments.few_shot cifar10-small --workdir out/small --data.root DATA --truth.table TABLE.csv
    python -m experiments.few_shot digits --workdir out/digits-seeds --seeds 0 1 2
    python -m experiments.few_shot cifar10 ... --coordinator HOST:PORT --num-processes 4 --process-id 0  # 1, 2, 3

The same command with the same directory goes on where it was stopped. Every field of the config has a dotted flag
(`--help` lists them). docs/reading-a-run.md says what the work directory then holds, docs/concepts.md what happens.

`smoke` takes 75 s and `digits` 124 s a seed on 2 CPU cores. `--dry-run` measures for a minute how long a run will take
on this machine, and says how many seeds a difference of one point needs.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console, Group

from jaxnas import config as configs
from jaxnas.benchmarks import Table
from jaxnas.console import GOES_ON, cli_main, parse_preset
from jaxnas.data import load
from jaxnas.distributed import hosts, parallel
from jaxnas.few_shot.config import FewShotConfig
from jaxnas.few_shot.forecast import forecast
from jaxnas.few_shot.forecast_table import forecast_table
from jaxnas.few_shot.images import load_and_warn, warn
from jaxnas.few_shot.page import write_report
from jaxnas.few_shot.presets import ABOUT, PRESETS
from jaxnas.few_shot.run import finished_seeds, run_few_shot
from jaxnas.few_shot.run_context import prepare, validate_few_shot
from jaxnas.few_shot.seeds import deviations, join_seeds, read_scores
from jaxnas.few_shot.summary import summary
from jaxnas.few_shot.truth_table import read_and_tell
from jaxnas.training import NonFiniteLoss
from jaxnas.types import UserError
from jaxnas.workdir import Progress, locked, progress, told_in_one_line, write_json

PROG = "jaxnas few-shot"


@dataclass(frozen=True)
class Command:
    """Few-shot NAS end to end on one data set."""

    workdir: Path
    """directory for the artefacts of the run; a stopped run goes on there"""
    config: Annotated[FewShotConfig, tyro.conf.arg(name="")]
    seeds: tuple[int, ...] | None = None
    """run each of these seeds, in WORKDIR/seed-N, and compare over all seeds that are there"""
    strict_data: bool = False
    """refuse files that are not as their distributor published them, instead of a warning"""
    dry_run: bool = False
    """print stages, steps, memory and the time to expect, and run nothing"""
    processes: Annotated[hosts.Hosts, tyro.conf.arg(name="")] = hosts.ALONE


def run(command: Command, table: Table | None, show: Progress) -> dict[str, Any]:
    """One seed, or several and their table; returns what WORKDIR/result.json holds. Raises UserError, NonFiniteLoss."""
    config, workdir = command.config, command.workdir
    other = "seed-*" if command.seeds is None else "config.json"
    if hosts.on_process_zero(lambda: any(workdir.glob(other))):
        raise UserError(
            f"{workdir} holds a run {'of several seeds' if command.seeds is None else 'of one seed'}; "
            "choose another --workdir"
        )
    if command.seeds is None:
        result = _one(command, config, workdir, table, show)
    else:
        with hosts.entered_by_process_zero(_held(workdir)):
            there = hosts.on_process_zero(
                lambda: [int(p.name[5:]) for p in workdir.glob("seed-*") if p.name[5:].isdigit()]
            )
            results = {}
            for seed in sorted({*command.seeds, *there}):
                folder = workdir / f"seed-{seed}"
                results[seed] = _one(command, replace(config, seed=seed), folder, table, _named(show, seed))
            scores = hosts.on_process_zero(
                lambda: [read_scores(workdir / f"seed-{seed}" / "ranking.csv") for seed in results]
            )
            result = join_seeds(results, scores)
            hosts.on_process_zero(write_json, workdir / "result.json", result)
    hosts.on_process_zero(lambda: str(write_report(workdir)))
    return result


def plan(command: Command, table: Table | None) -> Group:
    """The table of a dry run; times one step and one evaluation. Raises UserError as the run itself would."""
    dataset = load(command.config.data, command.config.seed, command.strict_data)
    if table is not None:
        table.check(command.config.data.name)
    parallel.use_quick_compile(command.config.quick_compile)
    found = forecast(prepare(command.config, dataset), table is not None, command.seeds or ())
    seeds = len(command.seeds or (0,))
    finished = finished_seeds(command.config, command.workdir)
    times = [seeds * seconds for seconds in found.seconds]
    return forecast_table(found.work, times, found.memory, seeds, deviations(finished))


def _one(command: Command, config: FewShotConfig, workdir: Path, table: Table | None, show: Progress) -> dict[str, Any]:
    dataset = load_and_warn(config.data, config.seed, command.strict_data)
    result = run_few_shot(config, workdir, dataset, table, show=show, seeds=command.seeds or ())
    warn(result.get("warnings", ()))
    return result


@contextmanager
def _held(workdir: Path) -> Iterator[None]:
    """The directory of several seeds, made and locked. Raises UserError where that cannot be."""
    with told_in_one_line(workdir):
        workdir.mkdir(parents=True, exist_ok=True)
        with locked(workdir):
            yield


def _named(show: Progress, seed: int) -> Progress:
    return lambda stage, done, total, note: show(f"{stage} ({seed})", done, total, note)


def parse(arguments: Sequence[str], prog: str = PROG) -> Command:
    """The command line: a preset, or the config.json of a former run, then flags. Raises UserError, SystemExit."""
    known, about = dict(PRESETS), dict(ABOUT)
    if arguments and arguments[0].endswith(".json"):
        try:
            known[arguments[0]] = configs.from_dict(FewShotConfig, json.loads(Path(arguments[0]).read_text()))
        except (OSError, ValueError) as error:
            raise UserError(f"cannot read the config {arguments[0]}: {error}") from error
        about[arguments[0]] = "the settings of a former run"
    return parse_preset(lambda preset: Command(tyro.MISSING, preset), known, about, prog, arguments)


def main(arguments: Sequence[str], prog: str = PROG) -> int:
    """0; 2 for bad input, 3 for a diverged run, 4 where another process of the run ended, 130 when stopped."""
    return hosts.leave(_main(arguments, prog))


@cli_main({NonFiniteLoss: 3, hosts.PeerLost: hosts.ENDED}, stopped=GOES_ON)
def _main(arguments: Sequence[str], prog: str) -> None:
    """Parses, checks everything that can be checked, runs, prints."""
    command = parse(arguments, prog)
    parallel.use_every_core()
    hosts.join(command.processes)
    console = Console(quiet=hosts.process() > 0)
    space = validate_few_shot(command.config)
    seeds = command.seeds
    if seeds is not None and (len(set(seeds)) < max(2, len(seeds)) or min(seeds) < 0):
        raise UserError(f"--seeds must be two or more different numbers from 0 on, not {list(seeds)}")
    path = command.config.truth.table
    table = None if path is None else read_and_tell(space, path)
    if command.dry_run:
        console.print(plan(command, table))
        return
    with progress(console) as show:
        result = run(command, table, show)
    console.print(summary(result))
    console.print(f"written to {command.workdir}; open {command.workdir / 'report.html'}", highlight=False)
