"""A problem on the toy space whose losses are formulas: what searches do in expectation can be worked out beside it."""

from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.search import SearchAlgorithm, StepContext
from jaxnas.search.alpha import Logits
from jaxnas.search.base import SearchState
from jaxnas.spaces import TOY
from jaxnas.types import Array

FULL = TOY.full_mask()
NARROW = np.array([[False, True, True], [True, True, False]])
SINGLE = np.array([[False, True, False], [False, False, True]])
MASKS = {"full": FULL, "narrow": NARROW, "single": SINGLE}

PAIRS = np.array([[0.9, -1.2, 0.4], [-0.5, 1.5, 2.1], [1.1, 0.3, -0.8]])  # of an operation of edge 0 and one of edge 1
SINGLES = np.array([[0.5, -0.3, 0.2], [-0.7, 0.6, 1.0]])
DRAWS = 8000
ALPHA = np.array([[0.3, -0.4, 0.8], [-0.2, 0.5, 0.1]])
PLAIN = Logits(rate=0.1, decay=0.0, betas=(0.0, 0.999))  # the first moment is the gradient itself


def score(op_weights: Array, pairs: Array = PAIRS) -> Any:
    """Bilinear in the rows of op_weights [..., 2, 3]."""
    first, second = op_weights[..., 0, :], op_weights[..., 1, :]
    return ((first @ pairs) * second + first * SINGLES[0] + second * SINGLES[1]).sum(-1)


def loss(op_weights: Array, pairs: Array = PAIRS) -> Any:
    """[..., 2, 3] -> [...]."""
    s = score(op_weights, pairs)
    return s + 0.3 * s**2


def slope(op_weights: np.ndarray) -> np.ndarray:
    """dL / d op_weights [..., 2, 3], by hand."""
    first, second = op_weights[..., 0, :], op_weights[..., 1, :]
    of_score = np.stack([second @ PAIRS.T, first @ PAIRS], -2) + SINGLES
    return (1 + 0.6 * score(op_weights))[..., None, None] * of_score


def outputs(op_weights: Array, pairs: Array = PAIRS) -> Any:
    """Logits [2, 3] of two examples."""
    s = score(op_weights, pairs)
    return np.array([[1.0, 0.0, -1.0], [0.5, -2.0, 0.1]]) * s + np.array([[0.0, 0.2, 0.0], [0.0, 0.0, 0.4]])


def one_hot(op_ids: Array) -> np.ndarray:
    return np.eye(3)[np.asarray(op_ids)]


def softmax(logits: np.ndarray, mask: np.ndarray = FULL) -> np.ndarray:
    """Over the last axis of [..., 2, 3], float64."""
    e = np.where(mask, np.exp(logits - logits.max(-1, keepdims=True)), 0.0)
    return e / e.sum(-1, keepdims=True)


def context(progress: Array = 0.5) -> StepContext:
    """`loss` by its weights, the pairs; the training batch has another."""

    def mixed(choice: Array) -> Array:
        return jax.nn.one_hot(choice, 3) if jnp.issubdtype(choice.dtype, jnp.integer) else choice

    params = jnp.asarray(PAIRS, jnp.float32)
    return StepContext(
        train_loss=lambda w, choice: (loss(mixed(choice), w) - 2.0) ** 2,
        valid_loss=lambda w, choice: loss(mixed(choice), w),
        train_logits=lambda w, choice: outputs(mixed(choice), w),
        train_labels=jnp.array([2, 0]),
        valid_accuracy=lambda w, choice: jax.nn.sigmoid(-loss(mixed(choice), w)),
        params=params,
        unrolled=lambda gradient: params - 0.01 * gradient,
        progress=jnp.asarray(progress),
    )


def matrices(tree: Any) -> list[np.ndarray]:
    """Leaves of a state that are [..., E, O]: logits, moments, operations left."""
    return [np.asarray(leaf) for leaf in jax.tree.leaves(tree) if leaf.shape[-2:] == TOY.shape]


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
