"""True accuracies of every architecture of a space: what a run sees of a benchmark, whatever file it came from."""

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from jaxnas.spaces.base import Architecture, SearchSpace
from jaxnas.types import UserError, truncated_repr


@dataclass(frozen=True)
class Table:
    """Accuracies in percent by data set, each [N] in the order of `space.enumerate()`.

    `source` names the file and, where the file's format tells, how the networks were trained and tested.
    """

    space: SearchSpace
    source: str
    accuracies: dict[str, np.ndarray]
    sha256: str = ""  # of the official file that the accuracies were first read from
    notes: tuple[str, ...] = ()  # a sentence for each thing that the reader passed over

    def check(self, dataset: str) -> None:
        """Raises UserError if the table has no such data set."""
        if dataset not in self.accuracies:
            raise UserError(f"{self.source} has no accuracies on {dataset!r}; it has {sorted(self.accuracies)}")

    def query(self, op_ids: np.ndarray, dataset: str) -> np.ndarray:
        """True accuracies of architectures, percent. op_ids int [A, E] -> float [A]."""
        self.check(dataset)
        return self.accuracies[dataset][position(self.space, op_ids)]


class Row(NamedTuple):
    """One architecture as a file has it."""

    place: str  # where in the file, for messages
    op_ids: tuple[int, ...]  # [E]
    accuracies: Mapping[str, Any]  # by data set; the same data sets in every row; not yet checked


def position(space: SearchSpace, op_ids: np.ndarray) -> np.ndarray:
    """Row of every architecture in `space.enumerate()`. op_ids int [A, E] -> int [A]."""
    return np.ravel_multi_index(tuple(np.asarray(op_ids).T), (len(space.ops),) * len(space.edges))


def decode(space: SearchSpace, text: Any, place: str) -> tuple[int, ...]:
    """op_ids [E] of a benchmark's string. Raises UserError naming `place` for anything else."""
    if not isinstance(text, str):
        raise UserError(f"{place}: an architecture of {space.name} is a text, not a {type(text).__name__}")
    try:
        return space.decode(text).op_ids
    except ValueError as error:  # UserError, or numbers of thousands of digits
        raise UserError(f"{place}: {error}") from error


def check_percent(where: str, accuracies: Mapping[str, np.ndarray]) -> None:
    """Raises UserError for a data set whose accuracies, [N], all lie in 0 .. 1, as fractions do."""
    for dataset, values in accuracies.items():
        if values.max() <= 1:
            raise UserError(
                f"{where}: {truncated_repr(dataset)} lies in 0 .. 1 for every architecture, up to {values.max():g}, as "
                "fractions do; accuracies are percent, so multiply them by 100"
            )


def build(space: SearchSpace, where: str, source: str, rows: Iterable[Row], sha256: str) -> Table:
    """The table of rows in any order; names of data sets become lower case.

    Raises UserError naming the place for a value outside 0 .. 100 and an architecture that is given twice, and naming
    `where` with the count for architectures that are missing, and for fractions instead of percent.
    """
    accuracies: dict[str, np.ndarray] = {}
    seen = np.zeros(space.size, bool)
    for row in rows:
        index = functools.reduce(lambda high, op: high * len(space.ops) + op, row.op_ids, 0)  # `position`, of one
        if seen[index]:
            name = space.encode(Architecture(row.op_ids))
            raise UserError(f"{row.place}: {truncated_repr(name)} is given twice")
        seen[index] = True
        for dataset, value in row.accuracies.items():
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not 0 <= value <= 100:
                raise UserError(f"{row.place}: {dataset} must be a percentage from 0 to 100, not {_told(value)}")
            accuracies.setdefault(dataset.lower(), np.full(space.size, np.nan))[index] = value
    if not seen.all():
        raise UserError(f"{where} lacks {int((~seen).sum())} of the {space.size} architectures of {space.name}")
    check_percent(where, accuracies)
    return Table(space, source, accuracies, sha256)


def _told(value: Any) -> str:
    # Only plain values are shown: the repr of a deeply nested one would itself fail.
    return truncated_repr(value) if isinstance(value, str | int | float) else f"a {type(value).__name__}"
