"""Sub-supernets whose every accuracy is known: a table of paths, and mixtures that expect over it."""

from typing import NamedTuple

import numpy as np

from jaxnas.selection import Trained
from jaxnas.spaces import NAS_BENCH_201, TOY, SearchSpace
from jaxnas.types import Mask

FORK = SearchSpace(name="fork", ops=("none", "skip_connect", "nor_conv_3x3"), edges=((1, 0), (2, 0), (2, 1)))


def only(*rows: tuple[int, ...], ops: int = 5) -> Mask:
    return np.array([[o in row for o in range(ops)] for row in rows])


MASKS = {
    "full": (NAS_BENCH_201, NAS_BENCH_201.full_mask()),
    "leaf": (NAS_BENCH_201, only((0, 1), (2, 3, 4), (0, 1, 2, 3, 4), (0, 3), (0, 1, 2, 3, 4), (0, 4))),
    "mostly disconnected": (NAS_BENCH_201, only((0, 1, 2), (0,), (0, 1, 2, 3, 4), (0,), (0,), (0, 1, 2, 3, 4))),
    "one cell": (NAS_BENCH_201, only((1,), (0,), (4,), (0,), (2,), (3,))),
    "one connected cell": (NAS_BENCH_201, only((0, 1), (0,), (0, 4), (0,), (0,), (0, 3))),
    "toy": (TOY, TOY.full_mask()),
    "fork": (FORK, FORK.full_mask()),
}


class Calls(NamedTuple):
    """What a selector asked for, in order."""

    shapes: list[tuple[int, ...]]  # of the choices of every call
    choices: list[np.ndarray]
    tuned: list[Mask]

    @property
    def evaluations(self) -> int:
        return sum(shape[0] for shape in self.shapes)


def additive(space: SearchSpace, seed: int) -> np.ndarray:
    """A table [A] in enumeration order that is a sum of one weight for each edge and operation, from 0 to 100."""
    weights = np.random.default_rng(seed).random(space.shape) * 100 / len(space.edges)
    return weights[np.arange(len(space.edges)), space.enumerate()].sum(1)


def dirichlet(mask: Mask, seed: int) -> np.ndarray:
    drawn = np.where(mask, np.random.default_rng(seed).random(mask.shape) + 0.01, 0.0)
    return drawn / drawn.sum(1, keepdims=True)


def uniform(mask: Mask) -> np.ndarray:
    return mask / mask.sum(1, keepdims=True)


def expected(table: np.ndarray, space: SearchSpace, choices: np.ndarray) -> np.ndarray:
    """Table entries of op_ids [A, E]; of op_weights [A, E, O] the sum of the table by products of weights."""
    edges, ops = space.shape
    if choices.ndim == 2:
        return table[index(space, choices)]
    values = []
    for weights in choices:
        left = table.reshape((ops,) * edges)
        for row in weights:
            left = np.tensordot(row, left, 1)
        values.append(float(left))
    return np.array(values)


def planted(
    space: SearchSpace,
    table: np.ndarray,
    probabilities: np.ndarray,
    noise: float = 0.0,
    later: np.ndarray | None = None,
) -> tuple[Trained, Calls]:
    """Accuracy: the table; loss: 100 - accuracy; score: accuracy and, on each batch, noise for each operation.

    Tuned, it has the probabilities `later` (default: the same), which are then renormalised over its mask.
    """
    calls = Calls([], [], [])

    def asked(choices: np.ndarray) -> np.ndarray:
        calls.shapes.append(choices.shape)
        calls.choices.append(choices.copy())
        return expected(table, space, choices)

    def score(rng: np.random.Generator, choices: np.ndarray) -> np.ndarray:
        batch = noise * rng.normal(size=space.shape)
        weights = np.eye(space.shape[1])[choices] if choices.ndim == 2 else choices
        return asked(choices) + (weights * batch).sum((1, 2))

    def narrowed(mask: Mask) -> Trained:
        calls.tuned.append(mask)
        now = np.where(mask, probabilities if later is None else later, 0.0)
        return trained._replace(probabilities=now / now.sum(1, keepdims=True))

    def draw(rng: np.random.Generator, n: int) -> np.ndarray:
        return np.stack([rng.choice(len(row), n, p=row) for row in probabilities], 1)

    trained = Trained(space, probabilities, asked, lambda choices: 100.0 - asked(choices), score, narrowed, draw)
    return trained, calls


def connected(space: SearchSpace, mask: Mask) -> np.ndarray:
    inside = space.enumerate(mask)
    return inside[space.connected(inside)]


def index(space: SearchSpace, op_ids: np.ndarray) -> np.ndarray:
    return np.ravel_multi_index(tuple(np.moveaxis(np.asarray(op_ids), -1, 0)), (len(space.ops),) * len(space.edges))
