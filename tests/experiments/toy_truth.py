"""A table of true accuracies of the toy space, for commands that are judged by one."""

import csv
from pathlib import Path

from jaxnas.spaces import TOY

TRUTH = {(1, 1): 60.0, (1, 2): 70.0, (2, 1): 90.0, (2, 2): 80.0}  # of connected cells; others have 10


def write_table(path: Path) -> None:
    """The table as a file, for images of digits."""
    lines = [f"|{TOY.ops[a]}~0|+|{TOY.ops[b]}~1|,{TRUTH.get((a, b), 10.0)}" for a in range(3) for b in range(3)]
    path.write_text("architecture,digits\n" + "\n".join(lines) + "\n")


def read(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file, all text."""
    with open(path) as handle:
        return list(csv.DictReader(handle))
