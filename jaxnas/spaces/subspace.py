"""A part of a search space, either a mask or an explicit set of architectures, with one way to ask both."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from jaxnas.spaces.base import SearchSpace, mask_size
from jaxnas.types import Mask, UserError


class SubSpace(NamedTuple):
    """What is in a part of a space, and how to draw from it."""

    size: int  # architectures
    contains: Callable[[np.ndarray], np.ndarray]  # op_ids int [..., E] -> bool [...]
    sample: Callable[[np.random.Generator, int], np.ndarray]  # (rng, n) -> op_ids int [n, E], uniform, with replacement


def masked(space: SearchSpace, mask: Mask) -> SubSpace:
    """The architectures of a mask [E, O]. Raises UserError for a wrong shape or an edge without an operation."""
    mask = space.check_mask(mask)
    open_ops = [np.flatnonzero(row) for row in mask]

    def contains(op_ids: np.ndarray) -> np.ndarray:
        return mask[np.arange(len(mask)), op_ids].all(-1)

    def sample(rng: np.random.Generator, n: int) -> np.ndarray:
        return np.stack([rng.choice(ops, n) for ops in open_ops], -1)

    return SubSpace(mask_size(mask), contains, sample)


def explicit(space: SearchSpace, members: np.ndarray) -> SubSpace:
    """The architectures that `members`, bool [N] in the order of `space.enumerate()`, names. Raises UserError."""
    members = np.asarray(members)
    if members.shape != (space.size,) or members.dtype != bool or not members.any():
        raise UserError(
            f"members must be {space.size} truth values, one of them True or more, not {members.dtype} of shape "
            f"{members.shape} with {np.count_nonzero(members)} that are"
        )
    inside = np.flatnonzero(members)
    shape = (len(space.ops),) * len(space.edges)

    def contains(op_ids: np.ndarray) -> np.ndarray:
        return members[np.ravel_multi_index(tuple(np.moveaxis(op_ids, -1, 0)), shape)]

    def sample(rng: np.random.Generator, n: int) -> np.ndarray:
        return space.enumerate()[rng.choice(inside, n)]

    return SubSpace(len(inside), contains, sample)
