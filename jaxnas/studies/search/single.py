"""One search: one algorithm trains one supernet, one selector takes one architecture from it.

    python -m experiments.search digits --algorithm gdas --selection magnitude --workdir out/search
    python -m experiments.search digits --algorithm darts --selection perturbation --workdir out/leaf \\
        --splits out/digits/split_tree.json --leaf 3

A cell of `experiments.selection_study` on its own, with the same settings and the same files in the work directory.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from jaxnas.console import GOES_ON, cli_main, parse_preset
from jaxnas.studies.frame import run_shown
from jaxnas.studies.search import command as selection_study
from jaxnas.studies.search.config import StudyConfig
from jaxnas.studies.search.presets import ABOUT, STUDIES
from jaxnas.training import NonFiniteLoss


@dataclass(frozen=True)
class Command:
    """One algorithm, one selector, one supernet."""

    workdir: Path
    """directory for the results; a stopped run goes on there"""
    config: Annotated[StudyConfig, tyro.conf.arg(name="")]
    algorithm: str = "darts"
    """how the supernet is trained: a name of `jaxnas.search.ALGORITHMS`"""
    selection: str = "magnitude"
    """how the architecture is taken: a name of `jaxnas.selection.SELECTORS`"""
    seed: int = 0
    """one seed for everything"""
    splits: Path | None = None
    """splits by metric and data set, the split_tree.json of a run, or a folder of such trees; None: the whole space"""
    split: str | None = None
    """metric of the split, where the file holds several"""
    leaf: int | None = None
    """the leaf to search, counted from 0; None: every one"""


@cli_main({NonFiniteLoss: 3}, GOES_ON)
def main(arguments: Sequence[str], prog: str = "jaxnas search") -> None:
    """Runs and prints. 0, 2 for bad input, 3 where the supernet diverged, 130 when stopped at the keyboard."""
    console = Console()
    # Of one cell, the statistics of the study would cost more than the search.
    presets = {name: replace(preset, ranked=0, random=0) for name, preset in STUDIES.items()}
    command = parse_preset(lambda preset: Command(tyro.MISSING, preset), presets, ABOUT, prog, arguments)
    config = replace(
        command.config, algorithms=(command.algorithm,), selectors=(command.selection,), seeds=(command.seed,)
    )
    study = selection_study.Command(command.workdir, config, command.splits, command.split, command.leaf)
    cells, summary = run_shown(selection_study.run, study, console)
    console.print(selection_study.shown(summary))
    for cell in cells:
        console.print(cell["error"] or cell["architecture"], highlight=False, markup=False)
    console.print(f"written to {command.workdir}; open {command.workdir / 'report.html'}", highlight=False)
