"""A problem on the toy space whose losses are formulas: what searches do in expectation can be worked out beside it."""

from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.search import SearchAlgorithm
from jaxnas.search.alpha import Logits
from jaxnas.search.base import SearchState
from jaxnas.testing.algorithms import FULL, PAIRS, SINGLES, context, score
from jaxnas.types import Array

DRAWS = 8000
ALPHA = np.array([[0.3, -0.4, 0.8], [-0.2, 0.5, 0.1]])
PLAIN = Logits(rate=0.1, decay=0.0, betas=(0.0, 0.999))  # the first moment is the gradient itself


def slope(op_weights: np.ndarray) -> np.ndarray:
    """dL / d op_weights [..., 2, 3], by hand."""
    first, second = op_weights[..., 0, :], op_weights[..., 1, :]
    of_score = np.stack([second @ PAIRS.T, first @ PAIRS], -2) + SINGLES
    return (1 + 0.6 * score(op_weights))[..., None, None] * of_score


def one_hot(op_ids: Array) -> np.ndarray:
    return np.eye(3)[np.asarray(op_ids)]


def softmax(logits: np.ndarray, mask: np.ndarray = FULL) -> np.ndarray:
    """Over the last axis of [..., 2, 3], float64."""
    e = np.where(mask, np.exp(logits - logits.max(-1, keepdims=True)), 0.0)
    return e / e.sum(-1, keepdims=True)


@cache
def _estimates(algorithm: SearchAlgorithm) -> Any:
    def one(key: Array, state: SearchState, mask: Array, progress: Array) -> Array:
        new = algorithm.update(key, state, mask, context(progress))
        return jax.tree.leaves(getattr(new, "logits", new).opt)[1]  # first moments, after the count

    return jax.jit(jax.vmap(one, (0, None, None, None)))


def estimates(
    algorithm: SearchAlgorithm, state: SearchState, mask: np.ndarray = FULL, progress: float = 0.5
) -> np.ndarray:
    """DRAWS estimates [DRAWS, E, O] of the gradient, from as many keys; the algorithm's logits are PLAIN."""
    keys = jax.random.split(jax.random.key(11), DRAWS)
    return np.asarray(_estimates(algorithm)(keys, state, jnp.asarray(mask), progress), np.float64)


def assert_expected(draws: np.ndarray, expected: np.ndarray, error: np.ndarray | float = 0.0) -> None:
    """The mean of draws [n, ...] lies within 4.5 standard errors; `error` is that of the expectation."""
    own = np.hypot(draws.std(0, ddof=1) / len(draws) ** 0.5, error)
    assert (own < 0.06 * np.abs(expected).max()).all()  # or anything would do
    np.testing.assert_array_less(np.abs(draws.mean(0) - expected), 4.5 * own + 1e-5)
