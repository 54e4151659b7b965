"""How much a split of given edges could gather at best."""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jaxnas.analysis.ranks import top_share
from jaxnas.spaces.base import SearchSpace
from jaxnas.types import UserError

MOST = 5  # edges: of six, the boxes of five operations would fill the memory


class Ceiling(NamedTuple):
    """The box of some edges that gathers most of the top."""

    share: float  # of the top, in the box
    n_architectures: int
    mask: np.ndarray  # bool [E, O]; all operations open on the other edges


def ceiling(space: SearchSpace, accuracies: np.ndarray, edges: Sequence[int], n: int, top: float = 0.01) -> Ceiling:
    """The largest share of the top in one box of at most n architectures, by trying all boxes.

    Of equal ones it is the smallest. A box keeps some operations on each of `edges` and all on the others.
    accuracies [N] in the order of `space.enumerate()`; top: as a share of the space, ties included. Raises UserError
    for edges that do not exist, and for an n that no box has.
    """
    shape = space.shape
    smallest = shape[1] ** (shape[0] - len(edges))
    distinct = len(set(edges)) == len(edges) and all(0 <= edge < shape[0] for edge in edges)
    if not distinct or not 1 <= len(edges) <= MOST:
        raise UserError(f"edges must be 1 to {MOST} of 0 to {shape[0] - 1}, each once, not {list(edges)}")
    if n < smallest:
        raise UserError(f"a box of edges {list(edges)} has at least {smallest} architectures, not {n}")
    ids = space.enumerate()[top_share(accuracies, top)][:, list(edges)]
    counts = np.zeros((shape[1],) * len(edges), int)  # of the top, by the operations on these edges
    np.add.at(counts, tuple(ids.T), 1)
    subsets = np.array([s for s in itertools.product((False, True), repeat=shape[1]) if any(s)])  # [S, O]
    for axis in range(len(edges) - 1):
        counts = np.moveaxis(np.tensordot(subsets.astype(int), counts, (1, axis)), 0, axis)
    # On the last edge the best operations of any number are the ones that hold most.
    order = np.argsort(-counts, axis=-1, kind="stable")
    held = np.take_along_axis(counts, order, -1).cumsum(-1)  # [S, ..., S, O]
    kept = subsets.sum(1)
    sizes = np.full((1,) * len(edges), smallest)
    for axis in range(len(edges)):
        along = kept if axis < len(edges) - 1 else np.arange(1, shape[1] + 1)
        sizes = sizes * along.reshape([-1 if i == axis else 1 for i in range(len(edges))])
    value = np.where(sizes <= n, held, -1)
    best = value.max()
    place = np.unravel_index(np.argmin(np.where(value == best, sizes, space.size + 1)), value.shape)
    mask = space.full_mask()
    for axis, edge in enumerate(edges[:-1]):
        mask[edge] = subsets[place[axis]]
    mask[edges[-1]] = np.isin(np.arange(shape[1]), order[place[:-1]][: place[-1] + 1])
    return Ceiling(float(best / len(ids)), int(sizes[place]), mask)
