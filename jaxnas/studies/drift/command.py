"""Does a search drift to skip connections? What two selectors would take from one supernet, epoch by epoch.

    python -m experiments.drift cifar10-small --workdir out/drift --data.root DATA --table TABLE.csv

Trains one algorithm for each seed, and every few epochs takes the arg-max of its probabilities and the architecture
of perturbation (without tuning). The same command goes on where it was stopped. Writes `drift.csv`, a row for each
epoch that was looked at, seed and selector, and `report.html`. `cifar10-small` takes 79 minutes on one CPU core.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from jaxnas.config import NetConfig, OptimizerConfig, to_dict
from jaxnas.console import GOES_ON, cli_main, parse_preset
from jaxnas.few_shot.images import load_and_warn
from jaxnas.few_shot.truth_table import read_and_tell
from jaxnas.report.document import write_page
from jaxnas.report.format import note
from jaxnas.studies.drift import run as drift
from jaxnas.studies.drift.page import drift_page
from jaxnas.studies.frame import run_shown
from jaxnas.studies.search.cells import prepare_study, validate_study
from jaxnas.studies.search.config import StudyConfig
from jaxnas.studies.search.presets import STUDIES
from jaxnas.training import NonFiniteLoss
from jaxnas.workdir import Progress, open_stage, open_workdir, write_csv

PRESETS: dict[str, StudyConfig] = {
    # The toy space on real digits: seconds.
    "smoke": replace(STUDIES["smoke"], algorithms=("darts",), selectors=("magnitude",)),
    # Three cells a stage and few images: two thousand steps of each seed.
    "cifar10-small": replace(
        STUDIES["cifar10-small"],
        data=replace(STUDIES["cifar10-small"].data, train=2_560, valid=2_560, batch=64),
        net=NetConfig(channels=8, cells=3),
        optimizer=OptimizerConfig(),
        algorithms=("darts",),
        selectors=("magnitude",),
        seeds=(0, 1),
        epochs=50,
    ),
}
ABOUT: dict[str, str] = {
    "smoke": "DARTS on the toy space, scikit-learn's digits; needs nothing; seconds",
    "cifar10-small": (
        "DARTS on 5,120 images of CIFAR-10 at 16x16, 50 epochs, two seeds; needs --data.root, best --table; 79 "
        "minutes on one CPU core"
    ),
}
"""what each preset runs, needs, takes and gives"""


@dataclass(frozen=True)
class Command:
    """Follow what a search favours."""

    workdir: Path
    """directory for the results; a stopped run goes on there"""
    config: Annotated[StudyConfig, tyro.conf.arg(name="")]
    every: int = 5
    """epochs between two looks"""
    rate: float = 3e-3
    """learning rate of the logits; ten times the published one, for as many fewer steps"""


def run(command: Command, show: Progress) -> list[drift.Row]:
    """Trains and looks; returns the rows of `drift.csv`. Raises UserError before work, NonFiniteLoss."""
    config = command.config
    space = validate_study(config)
    drift.validate_drift(config, command.every, command.rate)
    table = None if config.table is None else read_and_tell(space, config.table)
    dataset = load_and_warn(config.data, config.seeds[0])
    context = prepare_study(config, dataset)
    if table is not None:
        table.check(config.data.name)
    settings = {**to_dict(config), "every": command.every, "rate": command.rate}
    digest = sha256(dataset.train.images.tobytes() + dataset.valid.images.tobytes()).hexdigest()
    with open_workdir(command.workdir, settings, {"images": digest}, ("strategy", "data.root", "table")):
        stages = partial(open_stage, command.workdir, note=note, show=show)
        with stages("follow") as stage:
            drift.follow(context, config, command.every, command.rate, stage)
        rows = drift.drift_rows(context, config, command.workdir / "metrics.jsonl", table)
        write_csv(command.workdir / "drift.csv", rows)
        write_page(command.workdir / "report.html", drift_page(rows))
    return rows


@cli_main({NonFiniteLoss: 3}, GOES_ON)
def main(arguments: Sequence[str], prog: str = "jaxnas drift") -> None:
    """Runs and prints. 0, 2 for bad input, 3 where every supernet diverged, 130 when stopped at the keyboard."""
    console = Console()
    command = parse_preset(lambda preset: Command(tyro.MISSING, preset), PRESETS, ABOUT, prog, arguments)
    rows = run_shown(run, command, console)
    for row in [row for row in rows if row["epoch"] == command.config.epochs]:
        text = f"seed {row['seed']} {row['selector']:>12} {row['skips']} of {row['edges']} skip {row['architecture']}"
        console.print(text, highlight=False, markup=False)
    console.print(f"written to {command.workdir}", highlight=False)
