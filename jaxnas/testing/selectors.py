"""What every selector promises, on planted sub-supernets whose every accuracy is known."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from jaxnas.selection import Selected, Selector, Trained
from jaxnas.spaces import NAS_BENCH_201, TOY, SearchSpace
from jaxnas.testing.base import TRIANGLE, require
from jaxnas.types import Mask, UserError

BUDGET = 300  # evaluations, or as many as there are connected architectures


class Calls(NamedTuple):
    """What a selector asked for, in order."""

    shapes: list[tuple[int, ...]]  # of the choices of every call
    choices: list[np.ndarray]
    tuned: list[Mask]

    @property
    def evaluations(self) -> int:
        return sum(shape[0] for shape in self.shapes)


def check_selector(factory: Callable[[], Selector]) -> None:
    """Raises AssertionError unless a factory of a selector, without settings, keeps to what all in SELECTORS do.

    On planted sub-supernets of NAS-Bench-201, the toy space and the triangle, of any shape:

    - it chooses a connected architecture inside the mask, int [E], and leaves the mask as it is;
    - its score is a finite float, its evaluations the int number of choices whose accuracy, loss or score it asked for;
    - the same generator gives the same;
    - a budget is kept, or refused by a UserError before anything is evaluated; as many evaluations as there are
      connected architectures (at least 300) are enough;
    - a mask without a connected architecture is refused by a UserError before anything is evaluated.
    """
    for where, (space, mask) in MASKS.items():
        _check_choice(factory, space, mask, where)
    space, mask = MASKS["full"]
    for budget in (0, 1, 5, 30):
        chosen, calls = _selected(factory, space, mask, budget)
        spent = calls.evaluations
        require(chosen is not None or not spent, f"a budget of {budget} is refused after {spent} evaluations")
        require(spent <= budget, f"of a budget of {budget} it spends {spent} evaluations")
    chosen, calls = _selected(factory, NAS_BENCH_201, DISCONNECTED, BUDGET)
    require(chosen is None, "a mask without a connected architecture must be refused by a UserError")
    require(not calls.evaluations, "a mask without a connected architecture is refused only after evaluations")


def _check_choice(factory: Callable[[], Selector], space: SearchSpace, mask: Mask, where: str) -> None:
    enough = max(BUDGET, int(space.connected(space.enumerate(mask)).sum()))
    given = mask.copy()
    for budget in (BUDGET, enough):
        chosen, calls = _selected(factory, space, given, budget)
        if chosen is not None:
            break
    require(np.array_equal(given, mask), f"the mask of {where} is changed")
    if chosen is None:
        raise AssertionError(f"a budget of {enough} is refused on {where}, as many as there are architectures")
    op_ids = np.asarray(chosen.op_ids)
    whole = op_ids.shape == (len(space.edges),) and np.issubdtype(op_ids.dtype, np.integer)
    require(whole, f"op_ids must be int [{len(space.edges)}], they are {op_ids.dtype} {list(op_ids.shape)}")
    inside = mask[np.arange(len(mask)), op_ids].all()
    require(inside and space.connected(op_ids), f"{op_ids.tolist()} is outside the mask of {where}, or disconnected")
    real = type(chosen.score) is float and np.isfinite(chosen.score)
    require(real, f"score must be a finite float, it is {chosen.score!r}")
    require(isinstance(chosen.evaluations, int), f"evaluations must be an int, it is {chosen.evaluations!r}")
    asked = calls.evaluations
    require(asked == chosen.evaluations, f"it says {chosen.evaluations} evaluations on {where}, it asked for {asked}")
    require(asked <= budget, f"of a budget of {budget} it spends {asked} evaluations on {where}")
    again, _ = _selected(factory, space, given, budget)
    alike = again is not None and np.array_equal(again.op_ids, op_ids) and again[1:] == chosen[1:]
    require(alike, f"the same generator gives {chosen} and then {again} on {where}")


def _selected(
    factory: Callable[[], Selector], space: SearchSpace, mask: Mask, budget: int
) -> tuple[Selected | None, Calls]:
    """What is chosen, None where it is refused, and what was asked for."""
    drawn = np.where(mask, np.random.default_rng(2).random(mask.shape) + 0.01, 0.0)
    trained, calls = planted(space, additive(space, 1), drawn / drawn.sum(1, keepdims=True), noise=5.0)
    try:
        return factory()(np.random.default_rng(3), trained, mask, budget), calls
    except UserError:
        return None, calls


def only(*rows: tuple[int, ...], ops: int = 5) -> Mask:
    """The mask of these operations on each edge."""
    return np.array([[o in row for o in range(ops)] for row in rows])


MASKS = {
    "full": (NAS_BENCH_201, NAS_BENCH_201.full_mask()),
    "leaf": (NAS_BENCH_201, only((0, 1), (2, 3, 4), (0, 1, 2, 3, 4), (0, 3), (0, 1, 2, 3, 4), (0, 4))),
    "mostly disconnected": (NAS_BENCH_201, only((0, 1, 2), (0,), (0, 1, 2, 3, 4), (0,), (0,), (0, 1, 2, 3, 4))),
    "one cell": (NAS_BENCH_201, only((1,), (0,), (4,), (0,), (2,), (3,))),
    "one connected cell": (NAS_BENCH_201, only((0, 1), (0,), (0, 4), (0,), (0,), (0, 3))),
    "toy": (TOY, TOY.full_mask()),
    "triangle": (TRIANGLE, TRIANGLE.full_mask()),
}
DISCONNECTED = only((1, 2), (0,), (1, 2), (0,), (0,), (0,))


def additive(space: SearchSpace, seed: int) -> np.ndarray:
    """A table [A] in enumeration order that is a sum of one weight for each edge and operation, from 0 to 100."""
    weights = np.random.default_rng(seed).random(space.shape) * 100 / len(space.edges)
    return weights[np.arange(len(space.edges)), space.enumerate()].sum(1)


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


def index(space: SearchSpace, op_ids: np.ndarray) -> np.ndarray:
    """Where architectures [..., E] stand in enumeration order."""
    return np.ravel_multi_index(tuple(np.moveaxis(np.asarray(op_ids), -1, 0)), (len(space.ops),) * len(space.edges))


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
