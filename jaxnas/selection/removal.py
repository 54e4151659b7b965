"""Discretising a supernet edge by edge, by what it loses when one operation is removed from its mixture."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from jaxnas.selection.base import Generator, Trained
from jaxnas.spaces.base import SearchSpace
from jaxnas.types import Mask

Value = Callable[[Trained, np.ndarray], np.ndarray]
"""(sub-supernet, op_weights [A, E, O] with one operation removed in each) -> [A]; smaller = what was removed mattered
more"""


class Removals(NamedTuple):
    """Operations removed one at a time, and what the supernet was without each."""

    pairs: np.ndarray  # int [A, 2]; edge, operation
    values: np.ndarray  # float [A]; smaller = mattered more

    def ranked(self) -> "Removals":
        """By value, the smallest first; equals as they were, and what is not a number last."""
        order = np.argsort(self.values, kind="stable")
        return Removals(self.pairs[order], self.values[order])


Look = Callable[[Sequence[int]], Removals]
"""edges -> the removal of every open operation of these edges, by edge and operation, from the supernet as it is now"""
Turn = Callable[[Look, Sequence[int]], Removals]
"""(look, undecided edges) -> the decisions of the next turn, the preferred first; every operation of some edge"""


class Order(NamedTuple):
    """Which edge is decided next."""

    start: Callable[[Generator, Look, Sequence[int]], Turn]
    """(generator, look, undecided edges) -> the rule of every turn"""
    most: Callable[[Sequence[int]], int]
    """open operations of every undecided edge -> removals of a whole run at most"""


class Decided(NamedTuple):
    """A discretised supernet."""

    op_ids: np.ndarray  # int32 [E]
    values: np.ndarray  # float [decisions]; of the removals that decided
    evaluations: int


def decide(
    rng: Generator,
    trained: Trained,
    mask: Mask,
    order: Order,
    value: Value,
    tune: bool = False,
    frozen: bool = False,
) -> Decided:
    """Edge by edge the operation without which the supernet is worst, until one operation is left on every edge.

    An edge with one open operation is decided and costs nothing. A decision that would leave no connected architecture
    is passed over for the next; every edge has one that does not. `tune`: the supernet is trained on after each
    decision but the last, and unless `frozen` the probabilities are those it then has. The mask must hold a connected
    architecture.
    """
    original, evaluations = trained.probabilities, 0
    deciding: list[float] = []

    def look(edges: Sequence[int]) -> Removals:
        nonlocal evaluations
        pairs = np.argwhere(mask)
        pairs = pairs[np.isin(pairs[:, 0], edges)]
        weights = np.repeat(mixture(original if frozen else trained.probabilities, mask)[None], len(pairs), 0)
        weights[np.arange(len(pairs)), pairs[:, 0], pairs[:, 1]] = 0.0  # the others keep their weights
        evaluations += len(pairs)
        return Removals(pairs, np.asarray(value(trained, weights), float))

    turn = order.start(rng, look, undecided(mask))
    while edges := undecided(mask):
        mask, decided_by = _first_viable(trained.space, mask, turn(look, edges).ranked())
        deciding.append(decided_by)
        if tune and undecided(mask):
            trained = trained.narrowed(mask)
    return Decided(mask.argmax(1).astype(np.int32), np.array(deciding), evaluations)


def _first_viable(space: SearchSpace, mask: Mask, decisions: Removals) -> tuple[Mask, float]:
    """The mask after the first decision that leaves a connected architecture, and its value."""
    narrower = np.repeat(mask[None], len(decisions.pairs), 0)
    for left, (edge, op) in zip(narrower, decisions.pairs, strict=True):
        left[edge] = np.arange(mask.shape[1]) == op
    first = int(np.argmax(space.viable(narrower)))
    return narrower[first], float(decisions.values[first])


def undecided(mask: Mask) -> list[int]:
    """Edges with more than one open operation, ascending."""
    return np.flatnonzero(mask.sum(1) > 1).tolist()


def mixture(probabilities: np.ndarray, mask: Mask) -> np.ndarray:
    """Probabilities [E, O] renormalised over a mask, float64 [E, O]: one-hot where one operation is open.

    An edge whose open operations all have probability 0 weighs them alike.
    """
    inside = np.where(mask, np.asarray(probabilities, np.float64), 0.0)
    inside = np.where(inside.any(1, keepdims=True), inside, mask)
    return inside / inside.sum(1, keepdims=True)
