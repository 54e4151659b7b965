"""Grouping the open operations of one edge: exhaustive search for the best grouping."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from jaxnas.splitting.objectives import Groups, Objective, size_normalised_cut
from jaxnas.types import UserError

Allowed = Callable[[Groups], bool]


class Partition(NamedTuple):
    """The best grouping of one edge; of exact ties the first."""

    groups: Groups
    value: float  # of the objective; smaller = better separated
    margin: float | None  # how much worse the second-best grouping is; None if there is only one
    tied: tuple[Groups, ...]  # groupings with exactly this value, in enumeration order, this one included

    @property
    def ties(self) -> int:
        """How many groupings have exactly this value; 1 = no tie."""
        return len(self.tied)


def best_partition(
    similarity: np.ndarray,
    operations: Sequence[int],
    groups: int,
    *,
    objective: Objective = size_normalised_cut,
    min_size: int = 1,
    allowed: Allowed = lambda groups: True,
) -> Partition | None:
    """The grouping of the open `operations` into `groups` parts with the smallest objective; None if none is allowed.

    Every grouping is tried.

    Args:
        similarity: float [O, O], symmetric, larger = more alike; indexed by operation id, never by position. The
            diagonal is not read.
        operations: ids of the open operations.
        groups: number of parts, none of them empty.
        objective: what a good grouping has little of: a function of OBJECTIVES, or one's own.
        min_size: operations that a part holds at least.
        allowed: groups -> whether they may be the answer.

    Returns:
        The `Partition`: of exact ties the first in enumeration order (`set_partitions`), with all that tie. None if no
        grouping is allowed.

    Raises:
        UserError: for similarities of open operations that are not finite: they would decide the grouping without a
            word.

    Source:
        The default objective takes means over pairs, where the codes of the metric-driven study (Ly-Manson et al. 2024)
        and of GM-NAS (Hu et al. 2022, on NAS-Bench-201) take sums: `cross_sum` is theirs, that of GM-NAS with
        `min_size=2`.

    Example:
        >>> import numpy as np
        >>> from jaxnas import best_partition
        >>> kinds = np.array([0, 0, 1, 1])
        >>> found = best_partition(1.0 * (kinds[:, None] == kinds), range(4), groups=2)
        >>> found.groups, found.value, found.ties
        (((0, 1), (2, 3)), -1.0, 1)
    """
    found = groupings(operations, groups, min_size, allowed)
    if not found:
        return None
    block = similarity[np.ix_(operations, operations)]
    if not np.isfinite(block[np.triu_indices(len(block), 1)]).all():
        raise UserError(f"similarities of the open operations {list(operations)} must be finite, not {block.tolist()}")
    values = np.array([objective(similarity, parts) for parts in found])
    best = int(values.argmin())
    others = np.delete(values, best)
    margin = float(others.min() - values[best]) if others.size else None
    tied = tuple(parts for parts, value in zip(found, values, strict=True) if value == values[best])
    return Partition(found[best], float(values[best]), margin, tied)


def groupings(operations: Sequence[int], groups: int, min_size: int, allowed: Allowed) -> list[Groups]:
    """All allowed groupings into `groups` parts of at least `min_size` operations, in the order of `set_partitions`."""
    found = set_partitions(operations, groups)
    return [parts for parts in found if min(map(len, parts)) >= min_size and allowed(parts)]


def set_partitions(operations: Sequence[int], groups: int) -> Iterator[Groups]:
    """Every way to put the operations into `groups` non-empty unordered groups, each once."""
    ordered = sorted(operations)

    def place(index: int, parts: list[list[int]]) -> Iterator[Groups]:
        if index == len(ordered):
            if len(parts) == groups:
                yield tuple(tuple(part) for part in parts)
            return
        for part in parts:
            part.append(ordered[index])
            yield from place(index + 1, parts)
            part.pop()
        if len(parts) < groups:
            parts.append([ordered[index]])
            yield from place(index + 1, parts)
            parts.pop()

    return place(0, [])
