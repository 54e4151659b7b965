"""The page of a run, made again from its files.

    python -m experiments.report out/digits

Writes `report.html` in a work directory of any age or state: of one seed, or of several with a page for each.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro
from rich.console import Console

from jaxnas.console import cli_main
from jaxnas.few_shot.page import write_report


@dataclass(frozen=True)
class Command:
    """Write report.html of a run."""

    workdir: tyro.conf.Positional[Path]
    """work directory of one seed, or the directory that holds seed-0, seed-1, ..."""


@cli_main()
def main(arguments: Sequence[str], prog: str = "jaxnas report") -> None:
    """Writes the page and prints its path. 0, or 2 for a directory without a run or with a damaged file."""
    command = tyro.cli(Command, prog=prog, args=arguments)
    page = write_report(command.workdir)
    Console().print(f"written to {page}", highlight=False, markup=False, soft_wrap=True)
