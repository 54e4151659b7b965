"""Which rule picks the right sub-supernet, and at what budget: rules replayed on tables of true accuracies.

    python -m experiments.select_supernets full --splits SPLITS.json --benchmark TABLE.csv --workdir out/select

Arms are the sub-supernets of the splits in a file and of random splits of the same shapes; a pull is the true accuracy
of a random architecture, with noise. `--run DIR` adds the trained sub-supernets of a few-shot run: its arms are drawn
from the ranking sample, scored by the sub-supernets themselves; if it ran with `--search.leaf-bias`, also less the bias
of each. Writes `outcomes.csv` (a row for each split, rule,
noise and budget), `summary.csv` (means over splits with intervals) and `report.html`. `full` takes 22 minutes for 36
splits on 2 CPU cores.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich import box
from rich.console import Console
from rich.table import Table

from jaxnas.console import cli_main, parse_preset
from jaxnas.few_shot.truth_table import read_and_tell
from jaxnas.report.document import write_page
from jaxnas.selection import RULES
from jaxnas.spaces import SPACES, read_splits
from jaxnas.studies.leaf_selection.page import regret_page
from jaxnas.studies.leaf_selection.run import Outcome, Summary, check, of_run, of_splits, replay, summarise
from jaxnas.workdir import Progress, progress, write_csv


@dataclass(frozen=True)
class Setting:
    """What is replayed."""

    budgets: tuple[int, ...] = (8, 16, 40, 80, 200, 600)
    """evaluations that a rule may spend on all sub-supernets together"""
    noises: tuple[float, ...] = (0.0, 2.0)
    """deviation of the noise on a pull, points"""
    rules: tuple[str, ...] = ()
    """rules to replay, names of jaxnas.selection.RULES; none: all of them"""
    repetitions: int = 32
    """repetitions of every rule on every split"""
    random_splits: int = 1
    """random trees beside each split, of its shape, on random edges"""
    seed: int = 0
    """one seed for everything"""


PRESETS = {"full": Setting(), "quick": Setting(budgets=(8, 40), noises=(2.0,), repetitions=8)}
ABOUT: dict[str, str] = {
    "full": "every rule at six budgets, with and without noise; 22 minutes on 2 CPU cores",
    "quick": "every rule at two budgets, few repetitions; a minute",
}
"""what each preset runs, needs, takes and gives"""


@dataclass(frozen=True)
class Command:
    """Replay rules that choose a sub-supernet."""

    splits: Path
    """splits by metric and data set, the split_tree.json of a run, or a folder of such trees"""
    benchmark: Path
    """table of true accuracies: CSV, or a file written by experiments.import_benchmark"""
    workdir: Path
    """folder for the results"""
    setting: Annotated[Setting, tyro.conf.arg(name="")]
    run: Path | None = None
    """also the work directory of a finished few-shot run, whose data set must be in the table"""


def run(command: Command, show: Progress) -> list[Summary]:
    """Replays everything, writes the files, and returns the means. Raises UserError before work starts."""
    setting, space = command.setting, SPACES["nas-bench-201"]
    rules = setting.rules or tuple(RULES)
    check(rules, setting.budgets, setting.noises, setting.repetitions)
    splits = read_splits(space, command.splits)
    table = read_and_tell(space, command.benchmark)
    trials = [] if command.run is None else of_run(space, command.run, table)
    for split in splits:
        if split.dataset is not None:
            table.check(split.dataset)
    for dataset, accuracies in table.accuracies.items():
        here = [split for split in splits if split.dataset in (None, dataset)]
        trials += of_splits(here, dataset, accuracies, setting.random_splits, setting.seed)
    command.workdir.mkdir(parents=True, exist_ok=True)
    found: list[Outcome] = []
    for number, trial in enumerate(trials):
        show("replay", number, len(trials), trial.name)
        seed = setting.seed + 1_000_003 * number
        found += replay([trial], rules, setting.budgets, setting.noises, setting.repetitions, seed)
    show("replay", len(trials), len(trials), "")
    summary = summarise(found)
    rows = [row._asdict() for row in summary]
    write_csv(command.workdir / "outcomes.csv", [outcome._asdict() for outcome in found])
    write_csv(command.workdir / "summary.csv", rows)
    write_page(command.workdir / "report.html", regret_page(rows, setting.repetitions))
    return summary


def shown(summary: Sequence[Summary]) -> Table:
    """Mean regret by rule and budget."""
    budgets = sorted({row.budget for row in summary})
    table = Table("scores", "noise", "rule", *("any" if b == 0 else str(b) for b in budgets), box=box.SIMPLE)
    for source, noise, rule in dict.fromkeys((row.source, row.noise, row.rule) for row in summary):
        of = {row.budget: row for row in summary if (row.source, row.noise, row.rule) == (source, noise, rule)}
        table.add_row(source, f"{noise:g}", rule, *(f"{of[b].regret:.2f}" if b in of else "" for b in budgets))
    return table


@cli_main()
def main(arguments: Sequence[str], prog: str = "jaxnas select-supernets") -> None:
    """Replays and prints. 0, 2 for bad input, or 130 for a run stopped at the keyboard."""
    console = Console()
    command = parse_preset(
        lambda preset: Command(tyro.MISSING, tyro.MISSING, tyro.MISSING, preset), PRESETS, ABOUT, prog, arguments
    )
    with progress(console) as show:
        summary = run(command, show)
    console.print(shown(summary))
    console.print(f"written to {command.workdir / 'report.html'}", highlight=False)
