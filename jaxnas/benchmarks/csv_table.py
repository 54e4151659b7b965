"""True accuracies from a CSV file: a column of architectures and one column of percent for each data set."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from jaxnas.benchmarks.contents import read_bytes, unpacked
from jaxnas.benchmarks.sheet import Sheet, columns_of, open_sheet
from jaxnas.benchmarks.table import Row, Table, build, decode
from jaxnas.spaces.base import SearchSpace
from jaxnas.types import UserError, truncated_repr

ARCHITECTURE = ("architecture", "arch_str", "arch")
# Columns that are taken unasked: the data sets of `--data.name`, and the half of CIFAR-10 that NAS-Bench-201 trains on.
DATASETS = (
    *("digits", "cifar10", "cifar10-valid", "cifar100", "imagenet16-120", "mnist", "fashion-mnist", "folder", "npz"),
)
NUMBER = re.compile(r"[+-]?(\d+[.,]?\d*|[.,]\d+)([eE][+-]?\d+)?", re.ASCII)


def read_csv(space: SearchSpace, path: Path, architecture: str | None = None, datasets: Sequence[str] = ()) -> Table:
    """The table of a CSV with a column of architectures and one column of percent for each data set.

    architecture: the name of the first; by default one of ARCHITECTURE. datasets: which columns are data sets, each
    COLUMN, or NAME=COLUMN; by default those of DATASETS. Case, spaces, `-` and `_` of names are ignored. Other columns
    are ignored and listed in the table's notes. Raises UserError naming the file and line for a missing file or column,
    another space, a value outside 0 .. 100, an architecture that is given twice, or architectures that are missing.
    """
    content = read_bytes(path)
    sheet = open_sheet(unpacked(content, str(path)), str(path))
    place = _architectures(sheet.columns, path, architecture)
    places = _datasets(sheet.columns, path, place, datasets)
    rows = _rows(space, path, sheet, place, places)
    table = build(space, str(path), path.name, rows, hashlib.sha256(content).hexdigest())
    rest = [column for i, column in enumerate(sheet.columns) if i not in (place, *places.values())]
    note = f"{path}: columns that are no data sets are ignored: {truncated_repr(rest, 300)}"
    return replace(table, notes=(note,) if rest else ())


def recognises_csv(path: Path) -> bool:
    """Whether it begins with a header with a column of architectures."""
    return path.is_file() and not {_plain(name) for name in ARCHITECTURE}.isdisjoint(map(_plain, columns_of(path)))


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]", "", name).casefold()


def _place(columns: Sequence[str], path: Path, name: str, exact: bool) -> int | None:
    """Where a column stands: if `exact` the one of just this name, or else of this name but for what _plain ignores."""
    places = [i for i, column in enumerate(columns) if column == name.strip()] if exact else []
    places = places or [i for i, column in enumerate(columns) if _plain(column) == _plain(name)]
    if len(places) > 1:
        found = truncated_repr([columns[i] for i in places])
        raise UserError(f"{path} has {truncated_repr(name)} in two columns: {found}")
    return places[0] if places else None


def _architectures(columns: Sequence[str], path: Path, asked: str | None) -> int:
    names = ARCHITECTURE if asked is None else (asked,)
    place = next((i for name in names if (i := _place(columns, path, name, asked is not None)) is not None), None)
    if place is None:
        expected = f"one of {list(names)} or the one that --architecture-column of import-benchmark names"
        if asked is not None:
            expected = truncated_repr(asked)
        raise UserError(f"{path} needs a column of architectures, {expected}; it has {_listed(columns)}")
    return place


def _datasets(columns: Sequence[str], path: Path, taken: int, asked: Sequence[str]) -> dict[str, int]:
    """Data set -> place of its column. Raises UserError for none, one that is not there, and one given twice."""
    places: dict[str, int] = {}
    for text in asked or DATASETS:
        name, place = text, _place(columns, path, text, bool(asked))
        if place is None and "=" in text:
            name, _, column = text.partition("=")
            place = _place(columns, path, column, exact=True)
        name = next((known for known in DATASETS if _plain(known) == _plain(name)), name.strip().lower())
        if place is not None and place != taken and name and name not in places:
            places[name] = place
        elif asked:
            raise UserError(
                f"{path}: data set {truncated_repr(text)} must be a column beside that of architectures, or "
                f"NAME=COLUMN, and every name is given once; it has {_listed(columns)}"
            )
    if not places:
        raise UserError(
            f"{path} has no column of a known data set, {list(DATASETS)}, and --datasets of import-benchmark names "
            f"none; it has {_listed(columns)}"
        )
    return places


def _listed(columns: Sequence[str]) -> str:
    return f"the columns {truncated_repr(list(columns), 300)}" if columns else "no columns"


def _rows(space: SearchSpace, path: Path, sheet: Sheet, place: int, places: dict[str, int]) -> Iterator[Row]:
    for line, cells in sheet.rows:
        where = f"{path} line {line}"
        if len(cells) <= max(place, *places.values()):
            raise UserError(f"{where} has {len(cells)} cells, the header has {len(sheet.columns)}")
        values = {name: _percentage(cells[i], f"{where}: {sheet.columns[i]}") for name, i in places.items()}
        yield Row(where, decode(space, cells[place], where), values)


def _percentage(text: str, where: str) -> float:
    """The number of a cell; it may have a decimal comma and end with a percent sign."""
    number = text.removesuffix("%").rstrip()
    value = float(number.replace(",", ".")) if NUMBER.fullmatch(number) else -1
    if not 0 <= value <= 100:
        raise UserError(f"{where} must be a percentage from 0 to 100, not {truncated_repr(text)}")
    return value
