"""Rows of a CSV file as pages use them: numbers that may be missing, names as they are written in text."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxnas.analysis import mean_interval
from jaxnas.report.records import LARGEST, Estimate

Row = dict[str, Any]  # by column: a number, its text, or '' and None where nothing is known


def read_rows(path: Path) -> list[Row]:
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


def estimated(row: Row, column: str) -> Estimate | None:
    """A column with the interval that `_low` and `_high` beside it give; None without a value."""
    value = number(row.get(column))
    return (
        None if value is None else Estimate(value, number(row.get(f"{column}_low")), number(row.get(f"{column}_high")))
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


def mean_of(values: Iterable[float]) -> Estimate | None:
    """Their mean with Student's interval; None without values."""
    found = np.array([*values])
    return Estimate(*mean_interval(found)) if len(found) else None
