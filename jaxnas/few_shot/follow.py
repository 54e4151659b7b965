"""Scores of a few cells every so many epochs, while supernets train: their truth joins them at the end, in `curves`."""

from collections.abc import Callable
from typing import Any

import numpy as np

from jaxnas.distributed import parallel
from jaxnas.few_shot.run_context import RunContext
from jaxnas.few_shot.sample import uniform_cells
from jaxnas.training.loop import Describe, nothing_more
from jaxnas.types import Params

MOST = 200  # cells
ScorePaths = Callable[[RunContext, Params, list[np.ndarray]], list[np.ndarray]]


def follower(context: RunContext, masks: np.ndarray, epochs: int, score_paths: ScorePaths) -> Describe:
    """What training on masks [K, E, O] tells every `truth.every` epochs and at the end: `sample`, scores of its cells.

    Each of the K scores the followed cells inside it, in their order.
    """
    every = context.config.truth.every
    if not every:
        return nothing_more
    cells = followed_cells(context)
    paths = [cells[of] for of in inside(masks, cells)]

    def told(epoch: int, states: Any) -> list[dict[str, Any]]:
        if epoch % every and epoch != epochs:
            return nothing_more(epoch, states)
        scores = score_paths(context, parallel.gather_all(states).params, paths)
        return [{"sample": [round(float(score), 4) for score in of]} for of in scores]

    return told


def followed_cells(context: RunContext) -> np.ndarray:
    """The first of the uniform sample, int [A, E]."""
    return uniform_cells(context)[:MOST]


def inside(masks: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Which mask [K, E, O] holds which cell [A, E] -> bool [K, A]; of a partition each cell lies in one."""
    return np.asarray(masks[:, np.arange(cells.shape[1]), cells].all(-1))
