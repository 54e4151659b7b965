"""The curves of a run as TensorBoard events, without TensorFlow.

    pip install tensorboardX
    python -m experiments.tensorboard out/digits
    tensorboard --logdir out/digits/tensorboard

Every number of `metrics.jsonl` becomes a scalar `stage/quantity/leaf_K` over epochs, or over the architectures
evaluated by a search. The file's own rows stay the record; this is a view of them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro
from rich.console import Console

from jaxnas.console import cli_main
from jaxnas.few_shot.read import read_metrics
from jaxnas.types import UserError

STEPS = ("epoch", "evaluated", "generation")  # what counts as a step; the first that a row has


@dataclass(frozen=True)
class Command:
    """Write the learning curves of a run as TensorBoard events."""

    workdir: tyro.conf.Positional[Path]
    """work directory of one seed"""
    logdir: Path | None = None
    """folder for the events; WORKDIR/tensorboard if not given"""


def scalars(rows: Sequence[dict[str, Any]]) -> list[tuple[str, float, int]]:
    """(tag, value, step) of every number in rows of metrics; rows without a step have no place on a curve."""
    found = []
    for row in rows:
        step = next((row[name] for name in STEPS if isinstance(row.get(name), int)), None)
        if step is None:
            continue
        end = f"/leaf_{row['leaf']}" if isinstance(row.get("leaf"), int) else ""
        for name, value in row.items():
            number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
            if number and name not in (*STEPS, "leaf"):
                found.append((f"{row['stage']}/{name}{end}", float(value), step))
    return found


def write(workdir: Path, logdir: Path) -> int:
    """Writes the events and returns how many. Raises UserError for no metrics, a used folder or a missing package."""
    try:
        from tensorboardX import SummaryWriter
    except ImportError as error:
        raise UserError("TensorBoard events need a package that is not here: pip install tensorboardX") from error
    found = scalars(read_metrics(workdir / "metrics.jsonl"))
    if not found:
        raise UserError(f"{workdir} has no curves: metrics.jsonl is absent or has no row with any of {list(STEPS)}")
    try:
        used = logdir.exists() and any(logdir.iterdir())
        if used:  # a second file of events beside the first would draw every curve twice
            raise UserError(f"{logdir} is not an empty folder; remove it or choose another --logdir")
        with SummaryWriter(str(logdir)) as writer:
            for tag, value, step in found:
                writer.add_scalar(tag, value, step)
    except OSError as error:
        raise UserError(f"cannot write to {logdir}: {error.strerror}") from error
    return len(found)


@cli_main()
def main(arguments: Sequence[str], prog: str = "jaxnas tensorboard") -> None:
    """Writes and says where. 0, or 2 for bad input."""
    command = tyro.cli(Command, prog=prog, args=arguments)
    logdir = command.workdir / "tensorboard" if command.logdir is None else command.logdir
    written = write(command.workdir, logdir)
    Console().print(f"{written} points written to {logdir}", highlight=False, markup=False, soft_wrap=True)
