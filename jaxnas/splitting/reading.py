"""What R batches say of the operations of an edge, in a form that can be resampled; numpy only."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np


class EdgeReading(NamedTuple):
    """The similarity of the operations of one edge as a function of how much every batch counts."""

    pool: Callable[[np.ndarray], np.ndarray]
    """shares [..., R] of the batches that count, which sum to 1 -> similarity [..., O, O]"""
    counted: int | None  # R, batches that count; None: not by batches
    scored: int | None = None  # batches that were scored; more than R where some disconnected what they compared
    backgrounds: int | None = None  # distinct ones among those that count

    def mean(self) -> np.ndarray:
        """The similarity [O, O] in which all batches count alike."""
        count = self.counted or 1
        return self.pool(np.full(count, 1 / count))


Readings = Sequence[EdgeReading | None]
"""by edge, [E]; None: nothing is known of the edge"""


def of_batches(similarity: np.ndarray) -> EdgeReading:
    """Of the similarities [R, O, O] of R batches, whose mean decides."""
    values = np.asarray(similarity, float)

    def pool(shares: np.ndarray) -> np.ndarray:
        # Summed batch by batch, so that equal pairs stay equal.
        return np.asarray((shares[..., None, None] * values).sum(-3))

    return EdgeReading(pool, len(values), len(values))


def as_readings(given: np.ndarray | Readings) -> Readings:
    """Readings themselves, or those of similarities [E, R, O, O] of R batches, or of [E, O, O]."""
    if not isinstance(given, np.ndarray):
        return given
    if given.ndim == 4:
        return [of_batches(of_edge) for of_edge in given]
    return [of_batches(of_edge[None])._replace(counted=None, scored=None) for of_edge in given]
