"""The table of a dry run: what would be done, and what it would take."""

from collections.abc import Mapping, Sequence

from rich.console import Group
from rich.table import Column, Table
from rich.text import Text

from jaxnas.analysis import seeds_needed
from jaxnas.report.format import duration, stage_name

ASSUMED = (0.5, 1.0, 2.0)  # deviations, points, where none are measured


def forecast_table(
    work: Sequence[tuple[str, int, int, int]],
    seconds: Sequence[float],
    memory: int,
    seeds: int,
    deviations: Mapping[str, float],
) -> Group:
    """work: (stage, networks, training steps and evaluated batches of each network) in order; seconds of each for all
    `seeds`; memory in bytes; deviations: of contenders, as `seeds_text` takes them."""
    names = ("networks", "steps of each", "batches evaluated by each", "about")
    table = Table("stage", *(Column(name, justify="right") for name in names), title="dry run: nothing was started")
    for (stage, networks, steps, batches), spent in zip(work, seconds, strict=True):
        table.add_row(stage_name(stage), str(networks), f"{steps:,}", f"{batches:,}", duration(spent))
    table.add_section()
    table.add_row("together", "", "", "", duration(sum(seconds)))
    more = f"Compilation comes on top. Memory of the fullest device: about {memory / 2**20:,.0f} MiB."
    return Group(table, Text(more), Text(seeds_text(sum(seconds) / seeds, deviations)))


def seeds_text(seconds: float, deviations: Mapping[str, float]) -> str:
    """How many seeds, of so many seconds each, a difference of one point needs.

    deviations: contender -> deviation between finished seeds of the method's difference from it, points; where there
    are none, some are assumed.
    """
    named = [(f"from {name}, whose differences in the finished seeds deviate", of) for name, of in deviations.items()]
    lines = ["Seeds that tell a difference of one point of accuracy (paired t-test at 5 %, power 80 %):"]
    for start, deviation in named or [("if differences between seeds deviate", of) for of in ASSUMED]:
        needed = seeds_needed(deviation)
        said = f"{needed:,} seeds, about {duration(needed * seconds)}" if needed else "more than a million"
        lines.append(f"  {start} by {deviation:.2f} points: {said}")
    return "\n".join(lines)
