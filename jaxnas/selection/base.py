"""What an architecture selector is: how it sees a trained sub-supernet, and what it answers."""

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar

import numpy as np

from jaxnas.spaces.base import SearchSpace
from jaxnas.types import Mask, UserError

Generator = np.random.Generator
T = TypeVar("T")


class Trained(NamedTuple):
    """A trained sub-supernet as a selector sees it: host functions of numpy arrays, the same images for every choice.

    Choices are op_ids, int [A, E], or op_weights, float [A, E, O].
    """

    space: SearchSpace
    probabilities: np.ndarray
    """float [E, O], what its search algorithm holds of the operations; rows sum to 1, closed operations exactly 0"""
    accuracy: Callable[[np.ndarray], np.ndarray]
    """choices -> percent [A] on the validation images"""
    loss: Callable[[np.ndarray], np.ndarray]
    """choices -> mean cross-entropy [A] on the validation images, nats; SMALLER is better"""
    score: Callable[[Generator, np.ndarray], np.ndarray]
    """(generator, choices) -> zero-cost score [A] on one fresh batch that the generator draws; larger = better"""
    narrowed: Callable[[Mask], "Trained"]
    """mask [E, O] -> itself, trained on for the tuning epochs under that narrower mask"""
    draw: Callable[[Generator, int], np.ndarray]
    """(generator, n) -> op_ids int [n, E], draws from its search algorithm's own distribution, connected or not"""


class Selected(NamedTuple):
    """The architecture that was chosen, and what it cost."""

    op_ids: np.ndarray  # int [E]
    score: float
    """what it was chosen by; larger = better, and comparable only within one selector"""
    evaluations: int
    """choices whose accuracy, loss or score was computed; each of the A counts one"""


Selector = Callable[[Generator, Trained, Mask, int], Selected]
"""(generator, trained, mask, budget of evaluations) -> choice: inside the mask, within the budget, and the same for
the same generator. A mask without a connected architecture is a UserError."""


def check_viable(space: SearchSpace, mask: Mask) -> Mask:
    """The mask itself, bool [E, O]. Raises UserError for a wrong shape, or where it holds no connected architecture."""
    mask = space.check_mask(mask)
    if not bool(space.viable(mask)):
        raise UserError("the mask holds no connected architecture: there is none to choose")
    return mask


def connected_of(space: SearchSpace, mask: Mask) -> np.ndarray:
    """The connected architectures of a mask [E, O] in enumeration order, int32 [A, E]; UserError where none is."""
    return space.enumerate_connected(check_viable(space, mask))


def best(scores: np.ndarray) -> int:
    """Index of the largest of scores [A]: the first of equals, and never a NaN where there is a number."""
    return int(np.argsort(-np.asarray(scores), kind="stable")[0])


def check_budget(budget: int, needed: int, what: str) -> None:
    """Raises UserError, before any work, for a budget below the evaluations that `what` needs."""
    if budget < needed:
        raise UserError(f"{what} needs {needed} evaluations, the budget is {budget}")


def check_counts(**settings: int) -> None:
    """Raises UserError for a setting below 1."""
    for name, value in settings.items():
        if value < 1:
            raise UserError(f"{name} must be at least 1, it is {value}")


def named(registry: Mapping[str, T], what: str, name: str) -> T:
    """The entry of a registry. Raises UserError for another name."""
    if name not in registry:
        raise UserError(f"unknown {what} {name!r}; allowed: {sorted(registry)}")
    return registry[name]
