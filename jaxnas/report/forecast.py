"""The table of a dry run: what would be done, and what it would take."""

from collections.abc import Sequence

from rich.console import Group
from rich.table import Column, Table
from rich.text import Text

from jaxnas.report.words import stage_name


def forecast_table(work: Sequence[tuple[str, int, int, int]], seconds: Sequence[float], memory: int) -> Group:
    """work: (stage, networks, training steps and evaluated batches of each network) in order; memory in bytes."""
    names = ("networks", "steps of each", "batches evaluated by each", "about")
    table = Table("stage", *(Column(name, justify="right") for name in names), title="dry run: nothing was started")
    for (stage, networks, steps, batches), spent in zip(work, seconds, strict=True):
        table.add_row(stage_name(stage), str(networks), f"{steps:,}", f"{batches:,}", duration(spent))
    table.add_section()
    table.add_row("together", "", "", "", duration(sum(seconds)))
    more = f"Compilation comes on top. Memory of the fullest device: about {memory / 2**20:,.0f} MiB."
    return Group(table, Text(more))


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    for unit, size in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} seconds"
