"""Which split, with which search, and does it help beyond its controls? All splits, searches and seeds in one study.

    python -m experiments.ablate_splits digits --trees out/metrics/trees --workdir out/splits
    python -m experiments.ablate_splits digits --trees SPLITS.json --splits gm snip random:3 none --workdir out/splits
    python -m experiments.ablate_splits digits --splits metric:snip random:2 none --workdir out/splits
    python -m experiments.ablate_splits digits --trees out/metrics/trees --workdir out/1 --shard 1 3
    python -m experiments.ablate_splits digits --trees out/metrics/trees --workdir out/all --merge out/1 out/2 out/3
    python -m experiments.ablate_splits digits --trees out/metrics/trees --workdir out/all --launcher slurm --shards 3

For each seed one supernet is warmed up, on which `metric:NAME` grows a tree; from it all leaves of all splits are
trained on one axis by each algorithm, and a selector takes an architecture from each. Splits that are alike are trained
once. Controls see as many images: as many unsplit supernets as a split has leaves, random splits, a random search. The
same command goes on where it was stopped.
`--launcher` runs every shard as a job (in WORKDIR/shard-I, its log in WORKDIR/jobs), waits for them, and joins them in
one more job.

Writes `cells.csv` (a row for each split, algorithm, seed and leaf) and `table.csv` (means over seeds of what each rule
picks of the leaves, the oracle among them, with differences from the controls paired by seed), and `report.html`, both
on a page; docs/reading-a-run.md names the columns. `cifar10-small` with the algorithms `uniform` and `dsnas` takes 77
minutes on one CPU core.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from rich import box
from rich.console import Console
from rich.table import Table

from jaxnas.config import to_dict
from jaxnas.console import GOES_ON, cli_main, interval, parse_preset
from jaxnas.distributed import parallel
from jaxnas.distributed.parallel import use_every_core
from jaxnas.few_shot.images import load_and_warn
from jaxnas.few_shot.truth_table import read_and_tell
from jaxnas.report.document import write_page
from jaxnas.report.format import note, read_csv
from jaxnas.studies.frame import run_shown
from jaxnas.studies.launch import LaunchConfig, Outcome, run_jobs
from jaxnas.studies.split_ablation.config import SplitAblationConfig
from jaxnas.studies.split_ablation.leaves import validate_split_ablation
from jaxnas.studies.split_ablation.page import ablation_page
from jaxnas.studies.split_ablation.presets import ABOUT, SPLITS
from jaxnas.studies.split_ablation.run import merge, run_ablation, shard_of, trees_of
from jaxnas.training import NonFiniteLoss
from jaxnas.types import UserError
from jaxnas.workdir import Progress, read_json

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Command:
    """Splits crossed with search algorithms and seeds."""

    workdir: Path
    """directory for the results; a stopped run goes on there"""
    config: Annotated[SplitAblationConfig, tyro.conf.arg(name="")]
    trees: Path | None = None
    """splits by metric and data set, a split_tree.json, or a folder of trees METRIC-SEED.json"""
    shard: tuple[int, int] | None = None
    """I N: only the I-th of N parts of the seeds, on this machine"""
    merge: tuple[Path, ...] = ()
    """work directories of all shards: join them instead of training"""
    launcher: Literal["slurm", "local"] | None = None
    """train and join shards as jobs: of a cluster, or in processes of this machine"""
    shards: int = 1
    """jobs of the launcher, each with a part of the seeds"""
    launch: LaunchConfig = field(default_factory=LaunchConfig)
    """what each job is given"""


def run(command: Command, show: Progress) -> Rows:
    """The whole ablation or its part; returns the rows of `table.csv`. Raises UserError, NonFiniteLoss."""
    config = command.config
    space = validate_split_ablation(config)
    if command.merge and command.shard is not None:
        raise UserError("a run trains one shard (--shard I N) or joins all of them (--merge DIR ...), not both")
    if command.shard is not None:
        config = shard_of(config, *command.shard)
    trees = trees_of(space, config, command.trees)
    table = None if config.study.table is None else read_and_tell(space, config.study.table)
    parallel.use_quick_compile(config.study.quick_compile)
    dataset = load_and_warn(config.study.data, command.config.study.seeds[0])  # the same images in every shard
    if command.merge:
        rows = merge(config, command.workdir, command.merge, dataset, table, trees, note, show)
    else:
        rows = run_ablation(config, command.workdir, dataset, table, trees, note, show)
    tables = [read_csv(command.workdir / f"{name}.csv") for name in ("cells", "table")]
    write_page(command.workdir / "report.html", ablation_page(*tables))
    return rows


def launch(command: Command, launcher: str) -> Rows:
    """The whole ablation in jobs; returns the rows of `table.csv`. Raises UserError, which tells of failed jobs why."""
    config, workdir, of = command.config, command.workdir, command.shards
    if command.merge or command.shard is not None:
        raise UserError("--launcher makes the shards and joins them itself, without --shard and --merge")
    trees_of(validate_split_ablation(config), config, command.trees)
    shard_of(config, of, of)

    def jobs(commands: list[Command]) -> list[Outcome]:
        return run_jobs(launcher, command.launch, workdir / "jobs", [partial(work, one) for one in commands])

    parts = [replace(command, workdir=workdir / f"shard-{i + 1}", shard=(i + 1, of)) for i in range(of)]
    left = [part for part in parts if not finished(part)]
    ends = zip(left, jobs(left), strict=True) if left else ()
    failed = [f"{part.workdir.name} of {of} failed: {end.error}" for part, end in ends if end.error]
    if failed:
        raise UserError(f"{'; '.join(failed)}; what the others did is kept, and the same command goes on from it")
    (joined,) = jobs([replace(command, merge=tuple(part.workdir for part in parts))])
    if joined.error:
        raise UserError(f"joining the shards failed: {joined.error}")
    return joined.value


def finished(part: Command) -> bool:
    """Whether a shard of these very settings has its tables."""
    if part.shard is None or not (part.workdir / "table.csv").exists():
        return False
    return read_json(part.workdir / "config.json") == to_dict(shard_of(part.config, *part.shard))


def work(command: Command) -> Rows:
    """What a job does."""
    use_every_core()
    return run(command, lambda stage, done, total, said: print(stage, done, total, said, flush=True))


def shown(rows: Rows) -> Table:
    """What an oracle and the best validation accuracy pick, beside the controls."""
    table = Table("split", "algorithm", "rule", "n", "true accuracy", "less unsplit", "less random", box=box.SIMPLE)
    for row in rows:
        if row["rule"] in ("oracle", "validation", ""):
            cells = [interval(row, name) for name in ("true_accuracy", "from_unsplit", "from_random")]
            table.add_row(row["split"], row["algorithm"], row["rule"], str(row["seeds"]), *cells)
    return table


@cli_main({NonFiniteLoss: 3}, GOES_ON)
def main(arguments: Sequence[str], prog: str = "jaxnas ablate-splits") -> None:
    """Runs and prints. 0, 2 for bad input, 3 where every supernet diverged, 130 when stopped at the keyboard."""
    console = Console()
    command = parse_preset(lambda preset: Command(tyro.MISSING, preset), SPLITS, ABOUT, prog, arguments)
    launcher = command.launcher
    rows = run_shown(run, command, console) if launcher is None else launch(command, launcher)
    console.print(shown(rows))
    console.print(f"written to {command.workdir}; open {command.workdir / 'report.html'}", highlight=False)
