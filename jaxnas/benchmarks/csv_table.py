"""True accuracies from a CSV file: a column `architecture` and one column of percent for each data set."""

import csv
import hashlib
import io
from collections.abc import Iterator
from pathlib import Path

from jaxnas.benchmarks.contents import read_bytes
from jaxnas.benchmarks.table import Row, Table, build, decode
from jaxnas.spaces.base import SearchSpace
from jaxnas.types import UserError, truncated_repr


def read_csv(space: SearchSpace, path: Path) -> Table:
    """The table of a CSV with a column `architecture` and one column of percent for each data set.

    A column `index` is ignored. Raises UserError naming the file and line for a missing file, another space, a value
    outside 0 .. 100, an architecture that is given twice, or architectures that are missing.
    """
    try:
        content = read_bytes(path)
        reader = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""))
        columns = [c for c in reader.fieldnames or [] if c not in ("index", "architecture")]
        if "architecture" not in (reader.fieldnames or []) or not columns:
            raise UserError(
                f"{path} needs columns 'architecture' and data sets, it has {truncated_repr(reader.fieldnames)}"
            )
        if len({c.lower() for c in columns}) < len(columns):
            raise UserError(f"{path} has a data set in two columns: {truncated_repr(columns)}")
        rows = _rows(space, path, reader, columns)
        return build(space, str(path), path.name, rows, hashlib.sha256(content).hexdigest())
    except (csv.Error, UnicodeDecodeError) as error:
        raise UserError(f"{path} is no CSV text file ({error})") from error


def recognises_csv(path: Path) -> bool:
    """Whether the first line is a header with a column `architecture`."""
    if not path.is_file():
        return False
    with open(path, "rb") as handle:
        head = handle.readline(10_000).decode("utf-8-sig", errors="replace")
    return "architecture" in head.strip().split(",")


def _rows(space: SearchSpace, path: Path, reader: csv.DictReader, columns: list[str]) -> Iterator[Row]:
    for row in reader:
        place = f"{path} line {reader.line_num}"
        op_ids = decode(space, row["architecture"] or "", place)
        yield Row(place, op_ids, {column: _percentage(row[column]) for column in columns})


def _percentage(text: str | None) -> float | str | None:
    # What is no percentage stays as it is written, for the message.
    try:
        return value if 0 <= (value := float(text or "")) <= 100 else text
    except ValueError:
        return text
