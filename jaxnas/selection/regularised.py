"""Regularised evolution on validation accuracy, inside one mask (Real et al., AAAI 2019)."""

from collections import deque

import numpy as np

from jaxnas.selection.base import Generator, Selected, Selector, Trained, check_budget, check_counts, connected_of
from jaxnas.spaces.base import SearchSpace
from jaxnas.types import Mask

Row = tuple[int, ...]
_BIRTHS = 10  # children for each evaluation of the budget, after which a search that only meets known ones ends


def regularised_evolution(population: int = 10, tournament: int = 3) -> Selector:
    """The most accurate of all that was ever in a queue of `population`, of which the OLDEST dies with every birth.

    The parent is the best of `tournament` members drawn with replacement, the first drawn of equals; the child differs
    from it in one edge: an edge drawn uniformly, then another open operation of it. Only children that are connected
    are drawn, and a parent without any lives on as its own child. Sizes as NAS-Bench-201 has them (Real et al.: 100
    and 25); it draws a node first, and so favours edges to early nodes.

    A child that is known enters the queue with the accuracy it had, at no evaluation. The search ends when the budget
    is spent, when every connected architecture of the mask is known, or after ten children for each evaluation of the
    budget. The score is the accuracy; the first found of equals wins.
    """
    check_counts(population=population, tournament=tournament)

    def select(rng: Generator, trained: Trained, mask: Mask, budget: int) -> Selected:
        check_budget(budget, 1, "regularised_evolution")
        inside = connected_of(trained.space, mask)
        most = min(budget, len(inside))
        first = rng.choice(inside, min(population, most), replace=False)
        known: dict[Row, float] = dict(
            zip(map(tuple, first.tolist()), np.asarray(trained.accuracy(first)).tolist(), strict=True)
        )
        queue = deque(known)
        for _ in range(_BIRTHS * budget):
            if len(known) == most:
                break
            drawn = [queue[i] for i in rng.integers(len(queue), size=tournament)]
            child = _mutate(rng, trained.space, mask, max(drawn, key=known.__getitem__))
            if child not in known:
                known[child] = float(trained.accuracy(np.array([child], np.int32))[0])
            queue.append(child)
            queue.popleft()
        chosen = max(known, key=known.__getitem__)
        return Selected(np.array(chosen, np.int32), known[chosen], len(known))

    return select


def _mutate(rng: Generator, space: SearchSpace, mask: Mask, parent: Row) -> Row:
    """A connected architecture of the mask that differs from the parent in one edge; the parent where there is none."""
    others = np.argwhere(mask & (np.arange(mask.shape[1]) != np.array(parent)[:, None]))
    children = np.repeat(np.array([parent], np.int32), len(others), 0)
    children[np.arange(len(others)), others[:, 0]] = others[:, 1]
    alive = np.asarray(space.connected(children))
    if not alive.any():
        return parent
    edges = others[alive, 0]
    return tuple(rng.choice(children[alive][edges == rng.choice(np.unique(edges))]).tolist())
