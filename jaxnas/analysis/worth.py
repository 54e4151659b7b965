"""Every split of a file on every data set it is of: sub-supernets, statistics, and what chance gives."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from jaxnas.analysis.nulls import Null, Shape, null, percentiles, shape_of
from jaxnas.analysis.splits import SplitStatistics, SubSupernet, split_statistics, sub_supernets
from jaxnas.spaces.base import SearchSpace
from jaxnas.spaces.split_file import NamedSplit, membership

NULLS = {"same_edges": False, "random_edges": True}  # name -> whether edges are drawn, too


class Worth(NamedTuple):
    """One split on one data set."""

    metric: str
    dataset: str
    split: NamedSplit
    sets: np.ndarray  # bool [K, N]
    subs: list[SubSupernet]
    statistics: SplitStatistics
    nulls: dict[str, Null]  # by the names of NULLS
    percentiles: dict[str, SplitStatistics]  # of `statistics` in each null


def weigh(space: SearchSpace, splits: Sequence[NamedSplit], accuracies: Mapping[str, np.ndarray]) -> list[Worth]:
    """The worth of splits by true accuracies, {data set: float [N]}; a split of no data set in particular on all.

    Splits of one shape on one data set share their random trees. Splits of other data sets are left out.
    """
    known: dict[tuple[str, Shape | None], dict[str, Null]] = {}
    found = []
    for split in splits:
        sets, shape = membership(space, split.masks), shape_of(split.tree)
        for dataset in accuracies if split.dataset is None else {split.dataset} & set(accuracies):
            values = accuracies[dataset]
            if (dataset, shape) not in known:
                known[dataset, shape] = {name: null(space, shape, values, drawn) for name, drawn in NULLS.items()}
            chance, statistics = known[dataset, shape], split_statistics(sets, values)
            places = {name: percentiles(statistics, of) for name, of in chance.items()}
            subs = sub_supernets(sets, values)
            found.append(Worth(split.metric, dataset, split, sets, subs, statistics, chance, places))
    return found


def identical(worths: Sequence[Worth]) -> list[list[Worth]]:
    """The splits in groups that share the same architectures out alike, in whatever order; in the order given."""
    groups: dict[bytes, list[Worth]] = {}
    for worth in worths:
        # Each architecture by the first one of its sub-supernet: the same for every order of them.
        first = worth.sets.argmax(1)[worth.sets.argmax(0)]
        groups.setdefault(first.tobytes(), []).append(worth)
    return list(groups.values())
