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

import tyro
from rich import box
from rich.console import Console
from rich.table import Table

from jaxnas.console import GOES_ON, cli_main, interval
from jaxnas.distributed.parallel import use_every_core
from jaxnas.studies.split_ablation.presets import SPLITS
from jaxnas.studies.split_ablation.work import Command, Rows, launch, run
from jaxnas.training import NonFiniteLoss
from jaxnas.workdir import progress


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
    commands = {name: (name, Command(tyro.MISSING, preset)) for name, preset in SPLITS.items()}
    command = tyro.extras.overridable_config_cli(commands, prog=prog, args=arguments)
    use_every_core()
    if command.launcher is not None:
        rows = launch(command, command.launcher)
    else:
        with progress(console) as show:
            rows = run(command, show)
    console.print(shown(rows))
    console.print(f"written to {command.workdir}; open {command.workdir / 'report.html'}", highlight=False)
