"""The plain tables and lines of the terminal."""

from typing import Any

from rich import box
from rich.console import Group
from rich.table import Column, Table
from rich.text import Text

from jaxnas.report.records import Result, read_result
from jaxnas.report.words import answer, count, estimate, stage_name


def note(rows: list[dict[str, Any]]) -> str:
    """The mean over leaves of what a stage reports, in a few characters."""
    names = {"loss": "loss {:.3f}", "accuracy": "accuracy {:.1f}%", "best_accuracy": "best {:.1f}%"}
    found = {name: [row[name] for row in rows if name in row] for name in names}
    return "  ".join(names[name].format(sum(v) / len(v)) for name, v in found.items() if v)


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
