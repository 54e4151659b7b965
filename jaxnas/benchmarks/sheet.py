"""A table in a text file as its columns and rows, whatever its delimiter and encoding: the one parser of CSV files."""

import codecs
import csv
import io
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from jaxnas.foreign.packed import unpack
from jaxnas.types import UserError

DELIMITERS = (",", ";", "\t")
HEAD = 1 << 16  # bytes that hold the header of any table
# Marks at the start of a file; that of UTF-32 begins as the one of UTF-16 does.
MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}


class Sheet(NamedTuple):
    """The header of a table, and its rows one after the other."""

    columns: list[str]  # C names, without quotes and surrounding spaces; maybe empty
    rows: Iterator[tuple[int, list[str]]]  # number of the line, and C cells, fewer where the row ends early


def open_sheet(content: bytes, where: str) -> Sheet:
    """The table of a file's content, not packed. Lines of nothing are passed over.

    The delimiter is the one that divides the header best. What is no text becomes U+FFFD, and is for the
    reader of the cell to refuse. Raises UserError naming `where` and the line if a row has more cells than the header,
    also while rows are read.
    """
    text = _text(content)
    delimiter = max(DELIMITERS, key=lambda sign: _fit(text[:HEAD], sign))
    lines = _lines(text, delimiter, where)
    _, columns = next(lines, (0, []))
    return Sheet(columns, _bounded(lines, len(columns), where))


def columns_of(path: Path) -> list[str]:
    """The columns of a file, packed or not; none if it cannot be read."""
    try:
        with open(path, "rb") as stream:
            return open_sheet(unpack(stream, str(path), HEAD), str(path)).columns
    except (OSError, UserError):
        return []


def _text(content: bytes) -> str:
    for mark, encoding in MARKS.items():
        if content.startswith(mark):
            return content[len(mark) :].decode(encoding, errors="replace")
    return content.decode("utf-8", errors="replace")


def _fit(head: str, delimiter: str) -> tuple[bool, bool, int]:
    """How well a delimiter divides the header: into several columns, as many as the next row has, how many."""
    try:
        rows = [cells for _, cells in islice(_lines(head, delimiter, ""), 2)]
    except UserError:
        rows = []
    sizes = [len(cells) for cells in rows] or [0]
    return sizes[0] > 1, sizes[0] == sizes[-1], sizes[0]


def _lines(text: str, delimiter: str, where: str) -> Iterator[tuple[int, list[str]]]:
    found = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    try:
        for row in found:
            cells = [cell.strip() for cell in row]
            if any(cells):
                yield found.line_num, cells
    except csv.Error as error:
        raise UserError(f"{where} line {found.line_num} is no text of a table ({error})") from error


def _bounded(lines: Iterator[tuple[int, list[str]]], columns: int, where: str) -> Iterator[tuple[int, list[str]]]:
    for line, cells in lines:
        if any(cells[columns:]):
            raise UserError(
                f"{where} line {line} has {len(cells)} cells, the header has {columns}; text with a delimiter in it, "
                "such as a number with a decimal comma, needs quotes"
            )
        yield line, cells[:columns]
