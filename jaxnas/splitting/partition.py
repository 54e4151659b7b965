"""Grouping the open operations of one edge: exhaustive search for the best cut."""

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

Groups = tuple[tuple[int, ...], ...]  # operation ids; each group ascending, groups by their first operation


class Partition(NamedTuple):
    """The best grouping of one edge."""

    groups: Groups
    value: float  # of the objective; smaller = better separated
    margin: float | None  # how much worse the second-best grouping is; None if there is only one
    ties: int  # groupings with exactly this value, this one included


def size_normalised_cut(similarity: np.ndarray, groups: Groups) -> float:
    """Mean similarity between groups minus mean similarity within groups; similarity [O, O], symmetric.

    Means over pairs, so that positive similarities do not favour groups of 1 and 4 by the mere number of pairs, as
    the summed cut of the metric-driven study does. Without any pair inside a group (all groups of one operation)
    there is nothing to compare with, and the value is 0, what equal similarities would give. At least two operations.
    """
    group_of = {op: g for g, group in enumerate(groups) for op in group}
    # Exact sums of differences from one fixed pair: groupings that tie by arithmetic tie in floating point too,
    # and rounding decides nothing.
    first, second = sorted(group_of)[:2]
    base = float(similarity[first, second])
    within: list[float] = []
    between: list[float] = []
    for a, b in combinations(sorted(group_of), 2):
        (within if group_of[a] == group_of[b] else between).append(float(similarity[a, b]) - base)
    return math.fsum(between) / len(between) - math.fsum(within) / len(within) if within and between else 0.0


def best_partition(
    similarity: np.ndarray,
    operations: Sequence[int],
    groups: int,
    allowed: Callable[[Groups], bool] = lambda groups: True,
) -> Partition | None:
    """The grouping of the open `operations` into `groups` parts with the smallest cut; None if none is allowed.

    similarity [O, O] is indexed by operation id, never by position. Of exact ties the first in enumeration order
    (`set_partitions`) is taken, and their number is returned.
    """
    found = [
        (size_normalised_cut(similarity, parts), parts)
        for parts in set_partitions(operations, groups)
        if allowed(parts)
    ]
    if not found:
        return None
    values = np.array([value for value, _ in found])
    best = int(values.argmin())
    others = np.delete(values, best)
    margin = float(others.min() - values[best]) if others.size else None
    return Partition(found[best][1], float(values[best]), margin, int((values == values[best]).sum()))


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
