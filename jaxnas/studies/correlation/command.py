"""How well metrics of untrained networks rank architectures whose true accuracy is known.

    python -m experiments.correlate_metrics cifar10 --benchmark TABLE.csv --workdir out/correlate --data.root DATA

Draws architectures from the whole space, gives each weights of its own, scores it with every metric on one batch of
training images, and correlates scores and truth. The same command goes on where it was stopped. The work directory
then holds `scores.csv`, a row for each architecture, and `correlations.csv`, a row for each metric. `cifar10` takes 5 s
an architecture on 2 CPU cores. docs/extending.md says how to write a metric.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich import box
from rich.console import Console
from rich.table import Table

from jaxnas.config import DataConfig, NetConfig, to_dict
from jaxnas.console import GOES_ON, cli_main, parse_preset
from jaxnas.distributed.parallel import use_wide_vectors
from jaxnas.few_shot.images import load_and_warn
from jaxnas.few_shot.truth_table import read_and_tell
from jaxnas.spaces import Architecture
from jaxnas.studies.correlation.config import CorrelationConfig
from jaxnas.studies.correlation.run import (
    build_scorer,
    correlations,
    drawn_architectures,
    metrics_of,
    validate_correlation,
)
from jaxnas.types import UserError
from jaxnas.workdir import Progress, open_journal, open_workdir, progress, write_csv

PRESETS: dict[str, CorrelationConfig] = {
    # As zero-cost proxies are published, but with 8 channels instead of 16.
    "cifar10": CorrelationConfig(),
    # Every metric in minutes, on real images that ship with scikit-learn; its truth is that of another data set.
    "digits": CorrelationConfig(
        data=DataConfig(name="digits", train=1024, valid=384, batch=32),
        net=NetConfig(channels=4, cells=1),
        architectures=40,
    ),
}
ABOUT: dict[str, str] = {
    "cifar10": (
        "every metric on 300 architectures and a batch of CIFAR-10; needs --data.root; 5 s an architecture on 2 "
        "CPU cores"
    ),
    "digits": (
        "every metric on 40 architectures and a batch of digits; needs nothing but a table; minutes on 2 CPU cores"
    ),
}
"""what each preset runs, needs, takes and gives"""


@dataclass(frozen=True)
class Command:
    """Correlate metrics of untrained networks with true accuracies."""

    benchmark: Path
    """table of true accuracies: CSV, or a file written by experiments.import_benchmark"""
    workdir: Path
    """directory for the scores; a stopped run goes on there"""
    config: Annotated[CorrelationConfig, tyro.conf.arg(name="")]
    truth: str | None = None
    """data set of the table to compare with; None: the one whose images are scored"""


def run(command: Command, show: Progress) -> list[dict[str, Any]]:
    """Scores what is missing, writes both tables, and returns the second. Raises UserError before work starts."""
    config = command.config
    space = validate_correlation(config)
    table = read_and_tell(space, command.benchmark)
    truth = command.truth or config.data.name
    table.check(truth)
    dataset = load_and_warn(config.data, config.seed)
    inputs = {"table": table.source, "table_sha256": table.sha256, "truth": truth}
    with open_workdir(command.workdir, to_dict(config), inputs) as workdir:
        drawn = drawn_architectures(config)
        journal = open_journal(workdir)
        known = {unit[1]: row for unit, row in journal.under("scores")}
        scored = set(next(iter(known.values()), metrics_of(config)))
        if other := scored ^ set(metrics_of(config)):  # all metrics, but of other plugins
            raise UserError(
                f"{workdir} holds scores of other metrics than there are now ({', '.join(sorted(other))}); load the "
                "plugins that it was started with, or choose another --workdir"
            )
        missing = [number for number in range(len(drawn)) if number not in known]
        if missing:
            scorer = build_scorer(config, dataset)
            for number in missing:
                show("score", number, len(drawn), "")
                known[number] = journal.once(["scores", number], partial(scorer.run, number, drawn[number]))
        rows = [known[number] for number in range(len(drawn))]
        show("score", len(drawn), len(drawn), "")
        true = table.query(drawn, truth)
        texts = [space.encode(Architecture(tuple(op_ids.tolist()))) for op_ids in drawn]
        named = zip(texts, true.tolist(), rows, strict=True)
        write_csv(workdir / "scores.csv", [{"architecture": a, "true_accuracy": t, **row} for a, t, row in named])
        found = correlations(rows, true)
        write_csv(workdir / "correlations.csv", found)
        return found


def shown(found: Sequence[dict[str, Any]]) -> Table:
    """The correlations with their intervals beside the published ones."""
    table = Table("metric", "Spearman", "95 %", "published", "Kendall", "95 %", box=box.SIMPLE)
    for row in found:
        cells = []
        for kind in ("spearman", "kendall"):
            value, low, high = (row[name] for name in (kind, f"{kind}_low", f"{kind}_high"))
            cells += ["-" if value is None else f"{value:.2f}", "-" if low is None else f"{low:.2f} .. {high:.2f}"]
        published = "-" if row["published"] is None else f"{row['published']:.2f}"
        table.add_row(row["metric"], *cells[:2], published, *cells[2:])
    return table


@cli_main(stopped=GOES_ON)
def main(arguments: Sequence[str], prog: str = "jaxnas correlate-metrics") -> None:
    """Scores and prints. 0, 2 for bad input, or 130 for a run stopped at the keyboard."""
    console = Console()
    command = parse_preset(lambda preset: Command(tyro.MISSING, tyro.MISSING, preset), PRESETS, ABOUT, prog, arguments)
    use_wide_vectors()
    with progress(console) as show:
        found = run(command, show)
    console.print(shown(found))
