"""Selectors that score some connected architectures of the mask at once, or none: best of a sample, all, and chance."""

from collections.abc import Callable

import numpy as np

from jaxnas.selection.base import (
    Generator,
    Selected,
    Selector,
    Trained,
    best,
    check_budget,
    check_counts,
    connected_of,
    named,
)
from jaxnas.selection.magnitude import path_probabilities
from jaxnas.types import Mask

ROUNDS = 20  # of n draws from what is learnt, before the most probable take the places that are free


def best_of_sampled(n: int = 100, draw: str = "uniform") -> Selector:
    """The most accurate of `n` connected architectures, fewer where the budget or the mask holds fewer.

    `uniform`: drawn without replacement, as random search with weight sharing does (Li & Talwalkar, UAI 2019).
    `probable`: the n of the largest product of probabilities, as SETN is read (Dong & Yang, ICCV 2019); no chance in
    it, the first of equals. `learnt`: n draws from the algorithm's own distribution, as ENAS is read (Pham et al., ICML
    2018), with its controller's dependence between edges; what is disconnected or outside the mask is drawn again, up
    to 20 n draws in all, and the most probable take the places that are still free; a cell drawn twice is scored once.

    The numbers are those of the code of NAS-Bench-201, which takes disconnected cells too and gives each candidate one
    batch of its own; here all are scored on the same images. The score is the accuracy; the first drawn of equals wins.
    """
    check_counts(n=n)
    drawn = named(DRAWS, "draw", draw)

    def select(rng: Generator, trained: Trained, mask: Mask, budget: int) -> Selected:
        check_budget(budget, 1, "best_of_sampled")
        inside = connected_of(trained.space, mask)
        return _most_accurate(trained, drawn(rng, trained, inside, min(n, budget)))

    return select


def enumeration() -> Selector:
    """The most accurate of all connected architectures of the mask, the first of equals; the score is its accuracy.

    Raises UserError for more architectures than the budget.
    """

    def select(rng: Generator, trained: Trained, mask: Mask, budget: int) -> Selected:
        del rng
        inside = connected_of(trained.space, mask)
        check_budget(budget, len(inside), "enumerating the connected architectures of this mask")
        return _most_accurate(trained, inside)

    return select


def random() -> Selector:
    """A uniform draw from the connected architectures of the mask, without evaluations: the control. Its score is 0."""

    def select(rng: Generator, trained: Trained, mask: Mask, budget: int) -> Selected:
        del budget
        return Selected(rng.choice(connected_of(trained.space, mask)), 0.0, 0)

    return select


def _most_accurate(trained: Trained, op_ids: np.ndarray) -> Selected:
    scores = np.asarray(trained.accuracy(op_ids))
    chosen = best(scores)
    return Selected(op_ids[chosen], float(scores[chosen]), len(op_ids))


def _uniform(rng: Generator, trained: Trained, inside: np.ndarray, n: int) -> np.ndarray:
    del trained
    return rng.choice(inside, min(n, len(inside)), replace=False)


def _probable(rng: Generator, trained: Trained, inside: np.ndarray, n: int) -> np.ndarray:
    del rng
    return inside[np.argsort(-path_probabilities(trained.probabilities, inside), kind="stable")[:n]]


def _learnt(rng: Generator, trained: Trained, inside: np.ndarray, n: int) -> np.ndarray:
    allowed, kept = {tuple(row) for row in inside.tolist()}, []
    for _ in range(ROUNDS):
        kept += [row for row in trained.draw(rng, n).tolist() if tuple(row) in allowed]
        if len(kept) >= n:
            break
    rows = np.array([*kept[:n], *_probable(rng, trained, inside, max(0, n - len(kept)))], np.int32)
    first = np.unique(rows, axis=0, return_index=True)[1]
    return rows[np.sort(first)]


Draw = Callable[[Generator, Trained, np.ndarray, int], np.ndarray]
"""(generator, trained, op_ids [A, E] to draw from, n) -> op_ids [n, E], distinct, fewer where fewer are found"""
DRAWS: dict[str, Draw] = {"uniform": _uniform, "probable": _probable, "learnt": _learnt}
