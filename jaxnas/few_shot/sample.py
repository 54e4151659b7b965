"""The cells that judge rankings, or are ranked by, the same for every contender and every seed of a data set.

They are drawn by a constant, and no tree, seed or search has a part in it. `uniform_cells` are known before the work;
`top_cells` come from the truth, and so only the judgement may ask for them.
"""

import numpy as np

from jaxnas.few_shot.run_context import SAMPLE, RunContext
from jaxnas.spaces.tree import SplitTree

UNIFORM, TOP, LEAF, REFERENCE = range(4)
BEST = 0.1  # share of all connected cells that are the top
MOST_OF_A_LEAF = 50


def uniform_cells(context: RunContext) -> np.ndarray:
    """Connected cells drawn uniformly from the space, int [A, E]; a smaller sample is the start of a larger one."""
    truth = context.config.truth
    wanted = truth.alone if truth.table is None else truth.queried
    return _draw(context, [UNIFORM], context.space.enumerate_connected(), wanted)


def top_cells(context: RunContext, cells: np.ndarray, truth: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """More of the true best tenth of connected `cells` [N, E], uniformly from those that are not `drawn` [A, E] yet.

    truth [N] of the cells. With the drawn ones of that tenth they are a uniform sample of it. -> int [T, E].
    """
    best = truth >= best_tenth(truth)
    known = {tuple(row) for row in drawn.tolist()}
    rest = [row for row in cells[best].tolist() if tuple(row) not in known]
    return _draw(context, [TOP], np.array(rest, np.int32).reshape(-1, cells.shape[1]), context.config.truth.top)


def leaf_cells(context: RunContext, tree: SplitTree) -> list[np.ndarray]:
    """Of each leaf, connected cells drawn uniformly from it, int [a, E], a draw of its own for every leaf."""
    return [
        _draw(context, [LEAF, leaf], context.space.enumerate_connected(mask), MOST_OF_A_LEAF)
        for leaf, mask in enumerate(tree.masks())
    ]


def reference_cells(context: RunContext) -> np.ndarray:
    """Connected cells by whose scores those of others are ranked in a fusion, drawn uniformly, int [A, E]."""
    return _draw(context, [REFERENCE], context.space.enumerate_connected(), context.config.fusion)


def best_tenth(truth: np.ndarray) -> float:
    """The least accuracy of the best tenth of truth [N]."""
    return float(np.sort(truth)[-max(1, round(BEST * len(truth)))])


def _draw(context: RunContext, purpose: list[int], cells: np.ndarray, most: int) -> np.ndarray:
    names = f"{context.space.name} {context.config.data.name}".encode()
    rng = np.random.default_rng([SAMPLE, *purpose, *names])
    return cells[rng.permutation(len(cells))[:most]]
