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


# Which edge is discretised next: the variants of Xiang et al., AAAI 2023.


def _means(removals: Removals) -> tuple[np.ndarray, np.ndarray]:
    """Edges, ascending, and the mean value of each."""
    edges = np.unique(removals.pairs[:, 0])
    return edges, np.array([removals.values[removals.pairs[:, 0] == edge].mean() for edge in edges])


def _one_by_one(arrange: Callable[[Generator, Look, Sequence[int]], Sequence[int]], looks: int = 1) -> Order:
    """Edges in an order that is fixed at the start, each decided by removals when its turn comes."""

    def start(rng: Generator, look: Look, edges: Sequence[int]) -> Turn:
        queue = [int(edge) for edge in arrange(rng, look, edges)]
        return lambda look, left: look([next(edge for edge in queue if edge in left)])

    return Order(start, lambda counts: looks * sum(counts))


def _by_best_operation(rng: Generator, look: Look, edges: Sequence[int]) -> Sequence[int]:
    del rng
    return list(dict.fromkeys(look(edges).ranked().pairs[:, 0].tolist()))


def _by_mean(rng: Generator, look: Look, edges: Sequence[int]) -> Sequence[int]:
    del rng
    found, means = _means(look(edges))
    return found[np.argsort(means, kind="stable")].tolist()


def _greedy(turn: Turn) -> Order:
    """Every turn looks at all undecided edges anew."""

    def most(counts: Sequence[int]) -> int:  # the edge of the fewest operations decided first
        return sum((turns + 1) * count for turns, count in enumerate(sorted(counts)))

    return Order(lambda rng, look, edges: turn, most)


def _any_operation(look: Look, left: Sequence[int]) -> Removals:
    return look(left)


def _lowest_edge(look: Look, left: Sequence[int]) -> Removals:
    removals = look(left)
    edges, means = _means(removals)
    of_edge = removals.pairs[:, 0] == edges[np.argsort(means, kind="stable")[0]]
    return Removals(removals.pairs[of_edge], removals.values[of_edge])


ORDERS: dict[str, Order] = {
    "random": _one_by_one(lambda rng, look, edges: rng.permutation(edges).tolist()),
    "forward": _one_by_one(lambda rng, look, edges: edges),
    "reverse": _one_by_one(lambda rng, look, edges: edges[::-1]),
    "global_op_greedy": _greedy(_any_operation),
    "global_edge_greedy": _greedy(_lowest_edge),
    "global_op_once": _one_by_one(_by_best_operation, looks=2),
    "global_edge_once": _one_by_one(_by_mean, looks=2),
}
"""name -> order.

`global_op_greedy` decides the removal of the smallest value of all, `global_edge_greedy` the edge of the smallest mean,
by the values that gave the mean (the released code draws another batch for them). The two `once` rank the edges at the
start, by their smallest value or their mean, and look at each again when its turn comes; decided by the values of the
start, both would be the same. The released code means to do this, but takes the edges last first, whatever their rank.
Equal edges: the first.
"""
