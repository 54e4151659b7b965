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


def best_of_sampled(n: int = 100, draw: str = "uniform") -> Selector:
    """The most accurate of `n` distinct connected architectures, fewer where the budget or the mask holds fewer.

    `uniform`: drawn without replacement, as random search with weight sharing does (Li & Talwalkar, UAI 2019).
    `probable`: the n of the largest product of probabilities, as SETN does (Dong & Yang, ICCV 2019); no chance in it,
    the first of equals. All are scored on the same images, where codes of NAS-Bench-201 give each candidate a batch
    of its own. The score is the accuracy; the first drawn of equals wins.
    """
    check_counts(n=n)
    drawn = named(DRAWS, "draw", draw)

    def select(rng: Generator, trained: Trained, mask: Mask, budget: int) -> Selected:
        check_budget(budget, 1, "best_of_sampled")
        inside = connected_of(trained.space, mask)
        return _most_accurate(trained, drawn(rng, trained.probabilities, inside, min(n, budget, len(inside))))

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


def _uniform(rng: Generator, probabilities: np.ndarray, inside: np.ndarray, n: int) -> np.ndarray:
    del probabilities
    return rng.choice(inside, n, replace=False)


def _probable(rng: Generator, probabilities: np.ndarray, inside: np.ndarray, n: int) -> np.ndarray:
    del rng
    return inside[np.argsort(-path_probabilities(probabilities, inside), kind="stable")[:n]]


Draw = Callable[[Generator, np.ndarray, np.ndarray, int], np.ndarray]
"""(generator, probabilities [E, O], op_ids [A, E] to draw from, n) -> op_ids [n, E], distinct"""
DRAWS: dict[str, Draw] = {"uniform": _uniform, "probable": _probable}
