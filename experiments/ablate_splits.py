"""Which split, with which search, and does it help beyond its controls? All splits, searches and seeds in one study.

    python -m experiments.ablate_splits digits --trees out/metrics/trees --workdir out/splits
    python -m experiments.ablate_splits digits --trees SPLITS.json --splits gm snip random:3 none --workdir out/splits
    python -m experiments.ablate_splits digits --trees out/metrics/trees --workdir out/1 --shard 1 3
    python -m experiments.ablate_splits digits --trees out/metrics/trees --workdir out/all --merge out/1 out/2 out/3

For each seed one supernet is warmed up; from it all leaves of all splits are trained on one axis by each algorithm, and
a selector takes an architecture from each. Splits that are alike are trained once. Controls see as many images: as many
unsplit supernets as a split has leaves, random splits, a random search. The same command goes on where it was stopped.
Writes `cells.csv` (a row for each split, algorithm, seed and leaf) and `table.csv` (means over seeds of what each rule
picks of the leaves, the oracle among them, with differences from the controls paired by seed).
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import jax
import tyro
from rich import box
from rich.console import Console
from rich.table import Table

from experiments.ablations import SPLITS
from experiments.console import GOES_ON, interval, told
from jaxnas.benchmarks import read_table
from jaxnas.config import SplitAblationConfig
from jaxnas.data import load
from jaxnas.methods.split_ablation import check
from jaxnas.methods.split_ablation_run import merge, run_ablation, shard_of, trees_of
from jaxnas.parallel import use_every_core
from jaxnas.report import note
from jaxnas.training import NonFiniteLoss
from jaxnas.types import UserError
from jaxnas.workdir import Progress, progress

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


def run(command: Command, show: Progress) -> Rows:
    """The whole ablation or its part; returns the rows of `table.csv`. Raises UserError, NonFiniteLoss."""
    config = command.config
    space = check(config)
    if command.merge and command.shard is not None:
        raise UserError("a run trains one shard (--shard I N) or joins all of them (--merge DIR ...), not both")
    if command.shard is not None:
        config = shard_of(config, *command.shard)
    trees = trees_of(space, config, command.trees)
    table = None if config.study.table is None else read_table(space, config.study.table)
    if config.study.quick_compile:
        jax.config.update("jax_disable_most_optimizations", True)
    dataset = load(config.study.data, command.config.study.seeds[0])  # the same images in every shard
    if command.merge:
        return merge(config, command.workdir, command.merge, dataset, table, trees, note, show)
    return run_ablation(config, command.workdir, dataset, table, trees, note, show)


def shown(rows: Rows) -> Table:
    """What an oracle and the best validation accuracy pick, beside the controls."""
    table = Table("split", "algorithm", "rule", "n", "true accuracy", "less unsplit", "less random", box=box.SIMPLE)
    for row in rows:
        if row["rule"] in ("oracle", "validation", ""):
            cells = [interval(row, name) for name in ("true_accuracy", "from_unsplit", "from_random")]
            table.add_row(row["split"], row["algorithm"], row["rule"], str(row["seeds"]), *cells)
    return table


@told({NonFiniteLoss: 3}, GOES_ON)
def main(arguments: Sequence[str]) -> None:
    """Runs and prints. 0, 2 for bad input, 3 where every supernet diverged, 130 when stopped at the keyboard."""
    console = Console()
    commands = {name: (name, Command(tyro.MISSING, preset)) for name, preset in SPLITS.items()}
    command = tyro.extras.overridable_config_cli(commands, prog="python -m experiments.ablate_splits", args=arguments)
    use_every_core()
    with progress(console) as show:
        rows = run(command, show)
    console.print(shown(rows))
    console.print(f"written to {command.workdir}", highlight=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
