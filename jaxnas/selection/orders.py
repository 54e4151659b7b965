"""Which edge a supernet is discretised on next (the variants of Xiang et al., AAAI 2023)."""

from collections.abc import Callable, Sequence

import numpy as np

from jaxnas.selection.base import Generator
from jaxnas.selection.removal import Look, Order, Removals, Turn


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
