"""The table of true accuracies of a command, with what is to be said of it."""

from pathlib import Path
from typing import Any

from jaxnas.benchmarks import Table, read_table
from jaxnas.console import print_line
from jaxnas.spaces import SearchSpace


def read_and_tell(space: SearchSpace, path: Path, **how: Any) -> Table:
    """The table, after a line on stderr for each thing that its reader passed over.

    how: the other arguments of `read_table`. Raises UserError as that does.
    """
    table = read_table(space, path, **how)
    for note in table.notes:
        print_line(f"note: {note}", "yellow")
    return table
