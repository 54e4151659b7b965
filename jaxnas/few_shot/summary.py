"""The plain tables and lines of the terminal."""

from typing import Any

from rich import box
from rich.console import Group
from rich.table import Column, Table
from rich.text import Text

from jaxnas.few_shot.result_file import Result, read_result
from jaxnas.few_shot.verdict import answer
from jaxnas.report.format import count, estimate, stage_name


def summary(result: dict[str, Any]) -> Group:
    """What `result.json` says: the contenders in a table, then the answer as on the page, then the time."""
    found = read_result(result, "result.json")
    lines = [Text(sentence) for sentence in answer(found)]
    if found.seconds:
        spent = [f"{stage_name(stage)} {s:.0f}" for stage, s in found.seconds.items() if stage != "together"]
        lines.append(Text(f"Seconds: {', '.join([*spent, f'together {sum(found.seconds.values()):.0f}'])}"))
    tables = [_contenders(found)] if found.contenders else []
    tables += [_rankings(found)] if any(c.reliability for c in found.contenders) else []
    return Group(*tables, *lines)


def _contenders(result: Result) -> Table:
    """Test accuracies in percent with their 95 % intervals."""
    shown = Table(Column("found by", overflow="fold"), box=box.SIMPLE, title="few-shot NAS beside its controls")
    for name in ("test, %", "true, %", "Kendall tau", "images"):
        shown.add_column(name, justify="right", no_wrap=True)
    for c in result.contenders:
        # An interval goes below its value: beside it, the table would be wider than a usual terminal.
        values = [estimate(c.test), estimate(c.true), estimate(c.kendall, 3)]
        cells = (c.name, *(value.replace(" ", "\n", 1) for value in values), count(c.images))
        shown.add_row(*map(Text, cells), style="bold" if c.kind == "method" else None)
    return shown


def _rankings(result: Result) -> Table:
    """What only several seeds tell of rankings: differences paired by seed and cell, and how alike two seeds rank."""
    shown = Table(Column("Kendall tau", overflow="fold"), box=box.SIMPLE)
    for name in ("method minus this", "between two seeds"):
        shown.add_column(name, justify="right", no_wrap=True)
    for c in result.contenders:
        if c.reliability is not None:
            shown.add_row(*map(Text, (c.name, estimate(c.kendall_difference, 3), estimate(c.reliability, 3))))
    return shown
