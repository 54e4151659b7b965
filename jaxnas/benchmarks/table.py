"""True accuracies of every architecture of a space, read once from a CSV file."""

import csv
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jaxnas.spaces.base import SearchSpace
from jaxnas.types import UserError, brief


@dataclass(frozen=True)
class Table:
    """Accuracies in percent by data set, each [N] in the order of `space.enumerate()`; `source` names the file."""

    space: SearchSpace
    source: str
    accuracies: dict[str, np.ndarray]

    def check(self, dataset: str) -> None:
        """Raises UserError if the table has no such data set."""
        if dataset not in self.accuracies:
            raise UserError(f"{self.source} has no accuracies on {dataset!r}; it has {sorted(self.accuracies)}")

    def query(self, op_ids: np.ndarray, dataset: str) -> np.ndarray:
        """True accuracies of architectures, percent. op_ids int [A, E] -> float [A]."""
        self.check(dataset)
        return self.accuracies[dataset][position(self.space, op_ids)]


def position(space: SearchSpace, op_ids: np.ndarray) -> np.ndarray:
    """Row of every architecture in `space.enumerate()`. op_ids int [A, E] -> int [A]."""
    return np.ravel_multi_index(tuple(np.asarray(op_ids).T), (len(space.ops),) * len(space.edges))


def read_csv(space: SearchSpace, path: Path) -> Table:
    """The table of a CSV with a column `architecture` and one column of percent for each data set.

    A column `index` is ignored. Raises UserError naming the file and line for a missing file, another space, a value
    outside 0 .. 100, an architecture that is given twice, or architectures that are missing.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as handle:
            reader = csv.DictReader(handle)
            columns = [c for c in reader.fieldnames or [] if c not in ("index", "architecture")]
            if "architecture" not in (reader.fieldnames or []) or not columns:
                raise UserError(f"{path} needs columns 'architecture' and data sets, it has {brief(reader.fieldnames)}")
            accuracies = {c.lower(): np.full(space.size, np.nan) for c in columns}
            for row in reader:
                _read_row(space, row, columns, accuracies, f"{path} line {reader.line_num}")
    except OSError as error:
        raise UserError(f"cannot read the table {path}: {error.strerror}") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise UserError(f"{path} is no CSV text file ({error})") from error
    missing = int(np.isnan(next(iter(accuracies.values()))).sum())
    if missing:
        raise UserError(f"{path} lacks {missing} of the {space.size} architectures of {space.name}")
    return Table(space, path.name, accuracies)


def _read_row(
    space: SearchSpace, row: dict[str, str], columns: list[str], accuracies: dict[str, np.ndarray], where: str
) -> None:
    try:
        architecture = space.decode(row["architecture"] or "")
    except UserError as error:
        raise UserError(f"{where}: {error}") from error
    index = int(position(space, np.array([architecture.op_ids]))[0])
    for column in columns:
        try:
            value = float(row[column])
        except (TypeError, ValueError):
            value = math.nan
        if not 0 <= value <= 100:
            raise UserError(f"{where}: {column} must be a percentage from 0 to 100, not {brief(row[column])}")
        if not math.isnan(accuracies[column.lower()][index]):
            raise UserError(f"{where}: {brief(row['architecture'])} is given twice")
        accuracies[column.lower()][index] = value
