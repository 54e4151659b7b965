"""The operations that the search algorithm holds for the most probable."""

import numpy as np

from jaxnas.selection.base import Generator, Selected, Selector, Trained, best, check_viable, connected_of
from jaxnas.types import Mask, UserError


def magnitude(connected: bool = True) -> Selector:
    """The most probable architecture, by the product of its operations' probabilities; no evaluations.

    Each edge takes its most probable open operation, the first of equals: the end of DARTS (Liu et al., ICLR 2019)
    with `none` in the running, as the algorithms of NAS-Bench-201 have it. Where that is disconnected, the most
    probable connected architecture of the mask is taken, found by enumeration, the first of equals. With
    `connected=False` the disconnected one is returned, as published codes do. The score is the product. Raises
    UserError where no operation is more probable than another, after uniform paths say: there is nothing to choose by.
    """

    def select(rng: Generator, trained: Trained, mask: Mask, budget: int) -> Selected:
        del rng, budget
        mask = check_viable(trained.space, mask)
        if mask.sum(1).max() > 1 and all(
            np.ptp(row[open_]) == 0 for row, open_ in zip(trained.probabilities, mask, strict=True)
        ):
            raise UserError("no operation is more probable than another: magnitude has nothing to choose by")
        op_ids = np.where(mask, trained.probabilities, -1.0).argmax(1).astype(np.int32)
        if connected and not bool(trained.space.connected(op_ids)):
            inside = connected_of(trained.space, mask)
            op_ids = inside[best(path_probabilities(trained.probabilities, inside))]
        return Selected(op_ids, float(path_probabilities(trained.probabilities, op_ids[None])[0]), 0)

    return select


def path_probabilities(probabilities: np.ndarray, op_ids: np.ndarray) -> np.ndarray:
    """Probability of every architecture: probabilities [E, O] and op_ids int [A, E] -> float64 [A]."""
    of_edges = np.asarray(probabilities, np.float64)[np.arange(op_ids.shape[1]), op_ids]
    # Sorted, so that the same factors in another order round to the same product and tie.
    return np.sort(of_edges, 1).prod(1)
