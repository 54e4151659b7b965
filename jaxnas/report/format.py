"""Numbers and names as pages and terminals write them, and rows of CSV files that may lack some."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxnas.analysis import Interval, mean_interval

LARGEST = 1e12  # of any number that is read; what is larger is a damaged file and cannot be drawn
STAGES = {"warm_up": "warm-up", "alone": "trained alone"}
UNSURE = "no difference can be told"
UNKNOWN = "-"  # in a table
Row = dict[str, Any]  # by column: a number, its text, or '' and None where nothing is known


def stage_name(stage: str) -> str:
    """A stage as it is written in text."""
    return STAGES.get(stage, stage.replace("_", " "))


def listed(names: Sequence[str]) -> str:
    """a, b and c."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def estimate(value: Interval | None, digits: int = 2) -> str:
    """`62.20 [61.25, 63.14]` for tables; a dash where nothing is known."""
    if value is None:
        return UNKNOWN
    interval = (
        "" if value.low is None or value.high is None else f" [{value.low:z.{digits}f}, {value.high:z.{digits}f}]"
    )
    return f"{value.value:z.{digits}f}{interval}"


def percent(value: float | None) -> str:
    """A bare accuracy for a table."""
    return UNKNOWN if value is None else f"{value:.2f}"


def count(value: int | None) -> str:
    """A number of things for a table."""
    return UNKNOWN if value is None else f"{value:,}"


def spoken(value: Interval) -> str:
    """`62.20 % (95 % interval 61.25 to 63.14)` for sentences."""
    exact = value.low is None or value.high is None or value.low == value.high  # all were counted, none was drawn
    return f"{value.value:.2f} %" + ("" if exact else f" (95 % interval {value.low:.2f} to {value.high:.2f})")


def sign(value: Interval | None) -> int | None:
    """1 or -1 if the whole interval lies on that side of zero, 0 if it holds zero, None if there is no interval."""
    if value is None or value.low is None or value.high is None:
        return None
    return 1 if value.low > 0 else -1 if value.high < 0 else 0


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    for unit, size in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} seconds"


def note(rows: list[dict[str, Any]]) -> str:
    """The mean over leaves of what a stage reports, in a few characters."""
    names = {"loss": "loss {:.3f}", "accuracy": "accuracy {:.1f}%", "best_accuracy": "best {:.1f}%"}
    found = {name: [row[name] for row in rows if name in row] for name in names}
    return "  ".join(names[name].format(sum(v) / len(v)) for name, v in found.items() if v)


def read_csv(path: Path) -> list[Row]:
    """Every row of a file with a header; all values are text."""
    with open(path, newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def number(value: Any) -> float | None:
    """A value as a number; None where it is empty, no number, not finite, or larger than anything that is drawn."""
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return found if abs(found) <= LARGEST else None


def estimated(row: Row, column: str) -> Interval | None:
    """A column with the interval that `_low` and `_high` beside it give; None without a value."""
    value = number(row.get(column))
    return (
        None if value is None else Interval(value, number(row.get(f"{column}_low")), number(row.get(f"{column}_high")))
    )


def plain(name: object) -> str:
    """A name as it is written in text."""
    return str(name).replace("_", " ")


def several(count: int, what: str) -> str:
    """`1 seed`, `3 seeds`."""
    return f"{count} {what}" + ("" if count == 1 else "s")


def by_seed(rows: Sequence[Row], names: Sequence[str], column: str) -> dict[tuple[str, ...], dict[str, float]]:
    """A column of the rows that have it: the values of some name columns -> seed -> value."""
    found: dict[tuple[str, ...], dict[str, float]] = {}
    for row in rows:
        value = number(row.get(column))
        if value is not None:
            found.setdefault(tuple(str(row[name]) for name in names), {})[str(row["seed"])] = value
    return found


def mean_of(values: Iterable[float]) -> Interval | None:
    """Their mean with Student's interval; None without values."""
    found = np.array([*values])
    return mean_interval(found) if len(found) else None
