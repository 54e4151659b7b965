"""What every metric says of every edge of a supernet, and how far to trust it.

    python -m experiments.ablate_metrics digits --workdir out/metrics
    python -m experiments.ablate_metrics cifar10-small --workdir out/metrics --data.root DATA
    python -m experiments.ablate_metrics cifar10-small --workdir out/dice --data.root DATA --backgrounds 2

Scores all operations of all edges by every metric, on supernets of several seeds, new and warmed up, and says which
groups each metric would make of an edge, how far noise between batches reaches, and how far metrics, seeds and
warm-ups agree; with `--backgrounds 2`, whether another draw of backgrounds takes another edge. The same command goes on
where it was stopped; with more `--metrics` it adds those. Writes `scores.csv`, `similarity.csv`, `groupings.csv`,
`edges.csv`, `agreement.csv`, `cost.csv`, `trees/` and `report.html`; docs/reading-a-run.md names their columns.
`smoke` takes 68 s on 2 CPU cores; `cifar10-small` took 51 minutes on one core with 10,000 training images in batches of
64.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Annotated

import tyro
from rich import box
from rich.console import Console
from rich.table import Table

from jaxnas.config import SplitConfig, to_dict
from jaxnas.console import GOES_ON, cli_main, parse_preset
from jaxnas.distributed import parallel
from jaxnas.few_shot.images import load_and_warn
from jaxnas.few_shot.presets import PRESETS as RUNS
from jaxnas.report.document import write_page
from jaxnas.report.format import note
from jaxnas.studies.frame import run_shown
from jaxnas.studies.metric_ablation.config import MetricAblationConfig
from jaxnas.studies.metric_ablation.page import Material, answer, metric_page
from jaxnas.studies.metric_ablation.run import measure_units, prepare_ablation, validate_metric_ablation
from jaxnas.studies.metric_ablation.tables import COLUMNS, Tables, tables
from jaxnas.studies.split_ablation.presets import METRICS
from jaxnas.training import NonFiniteLoss
from jaxnas.workdir import Progress, open_journal, open_stage, open_workdir, write_csv, write_json

_SMALL = RUNS["cifar10-small"]
PRESETS: dict[str, MetricAblationConfig] = {
    # The toy space on real digits: a first look.
    "smoke": MetricAblationConfig(
        data=replace(RUNS["smoke"].data, train=128, batch=32),
        net=RUNS["smoke"].net,
        split=SplitConfig(groups=(2, 2), batches=4),
        metrics=("gradient_matching", "grad_norm", "random"),
        tree_metrics=("gradient_matching",),
        seeds=(0, 1),
        warmups=(0, 1),
        quick_compile=True,
    ),
    # NAS-Bench-201 on scikit-learn's digits, every metric; trees of four leaves, as experiments.ablate_splits takes.
    "digits": MetricAblationConfig(
        data=RUNS["digits"].data,
        net=RUNS["digits"].net,
        optimizer=RUNS["digits"].optimizer,
        split=RUNS["digits"].split,
        tree_metrics=METRICS,
        seeds=(0, 1, 2),
        warmups=(0, 50),
    ),
    # CIFAR-10 averaged to 16x16, every metric.
    "cifar10-small": MetricAblationConfig(
        data=_SMALL.data,
        net=_SMALL.net,
        optimizer=_SMALL.optimizer,
        split=replace(_SMALL.split, batches=16),
        tree_metrics=METRICS,
    ),
}
ABOUT: dict[str, str] = {
    "smoke": "three metrics on the toy space, scikit-learn's digits; needs nothing; about a minute on 2 CPU cores",
    "digits": "every metric on digits, five seeds; needs nothing; was not measured",
    "cifar10-small": (
        "every metric on CIFAR-10 at 16x16, five seeds; needs --data.root; about an hour on one CPU core"
    ),
}
"""what each preset runs, needs, takes and gives"""


@dataclass(frozen=True)
class Command:
    """Compare metrics edge by edge."""

    workdir: Path
    """directory for the results; a stopped run goes on there"""
    config: Annotated[MetricAblationConfig, tyro.conf.arg(name="")]


def run(command: Command, show: Progress) -> tuple[Tables, list[str]]:
    """Measures what is missing and writes all files; the tables and the sentences of the page. Raises UserError."""
    config, path = command.config, command.workdir
    space = validate_metric_ablation(config)
    parallel.use_quick_compile(config.quick_compile)
    dataset = load_and_warn(config.data, config.seeds[0])
    context = prepare_ablation(config, dataset)
    digest = sha256(dataset.train.images.tobytes()).hexdigest()
    with open_workdir(path, to_dict(config), {"images": digest}, ("metrics", "strategy", "data.root")):
        rows = measure_units(context, config, open_journal(path), partial(open_stage, path, note=note, show=show), show)
        found = tables(space, config, rows)
        for name, lines in found._asdict().items():
            write_csv(path / f"{name}.csv", lines, COLUMNS[name])
        (path / "trees").mkdir(exist_ok=True)
        for row in [row for row in rows if "tree" in row]:
            write_json(path / "trees" / f"{row['metric']}-{row['seed']}.json", row["tree"])
        edges = [space.edge_name(edge) for edge in range(len(space.edges))]
        rows_of = (found.similarity, found.groupings, found.edges, found.agreement, found.cost)
        material = Material(space.ops, edges, *rows_of)
        write_page(path / "report.html", metric_page(material))
    return found, answer(material)


def shown(found: Tables, longest: int) -> Table:
    """After the longest warm-up: edges that are decided, agreement between seeds beside chance, seconds."""
    table = Table("metric", "decided edges", "seeds agree", "95 % of chance", "s a node", box=box.SIMPLE)
    for cost in found.cost:
        mine = [row for row in found.groupings if (row["metric"], row["warmup"]) == (cost["metric"], longest)]
        decided = [row for row in mine if row["margin_low"] is not None and row["margin_low"] > 0]
        seeds = [
            f"{row['value']:z.2f}|{row['chance_low']:z.2f} .. {row['chance_high']:z.2f}"
            for row in found.agreement
            if (row["kind"], row["metric_a"], row["warmup_a"]) == ("seeds", cost["metric"], longest)
        ]
        seconds = "-" if cost["node_seconds"] is None else f"{cost['node_seconds']:.2f}"
        table.add_row(cost["metric"], f"{len(decided)} of {len(mine)}", *next(iter(seeds), "-|-").split("|"), seconds)
    return table


@cli_main({NonFiniteLoss: 3}, GOES_ON)
def main(arguments: Sequence[str], prog: str = "jaxnas ablate-metrics") -> None:
    """Runs and prints. 0, 2 for bad input, 3 where every supernet diverged, 130 when stopped at the keyboard."""
    console = Console()
    command = parse_preset(lambda preset: Command(tyro.MISSING, preset), PRESETS, ABOUT, prog, arguments)
    found, said = run_shown(run, command, console)
    console.print(shown(found, max(command.config.warmups)))
    for line in [*said, f"written to {command.workdir / 'report.html'}"]:
        console.print(line, highlight=False, markup=False, soft_wrap=True)
