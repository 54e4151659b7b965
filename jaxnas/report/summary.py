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
    return Group(*([_contenders(found)] if found.contenders else []), *lines)


def _contenders(result: Result) -> Table:
    """Test accuracies in percent with their 95 % intervals."""
    shown = Table(Column("found by", overflow="fold"), box=box.SIMPLE, title="few-shot NAS beside its controls")
    # Over several seeds, what only these tell.
    several = any(c.reliability for c in result.contenders)
    more = ("method's tau\nminus this", "tau between\nseeds") if several else ()
    for name in ("test, %", "true, %", "Kendall tau", *more, "images"):
        shown.add_column(name, justify="right", no_wrap=True)
    for c in result.contenders:
        # An interval goes below its value: beside it, the table would be wider than a usual terminal.
        values = [estimate(c.test), estimate(c.true), estimate(c.kendall, 3)]
        values += [estimate(c.kendall_difference, 3), estimate(c.reliability, 3)] if several else []
        cells = (c.name, *(value.replace(" ", "\n", 1) for value in values), count(c.images))
        shown.add_row(*map(Text, cells), style="bold" if c.kind == "method" else None)
    return shown
