"""Evolution on validation accuracy, as SPOS searches its supernet (Guo et al., ECCV 2020), inside one mask.

`propose` is a pure function of what was evaluated so far: the caller scores what it returns and appends it. The
parent pool is cumulative over generations, every architecture is visited once, half of a generation are mutants and
half uniform crossovers, filled up at random. A mask with no more connected architectures than the budget is
enumerated. Only connected architectures of the mask are ever proposed.
"""

from typing import NamedTuple

import numpy as np

from jaxnas.config import SearchConfig
from jaxnas.selection.base import (
    Generator,
    Selected,
    Selector,
    Trained,
    best,
    check_budget,
    check_counts,
    check_viable,
)
from jaxnas.spaces.base import SearchSpace
from jaxnas.types import Mask

_TRIES = 10  # draws for each wanted child before the generation is filled up at random


class Taken(NamedTuple):
    """What another selector took from a leaf, and what that cost."""

    row: int  # of the architectures evaluated
    drawn: int  # the first so many of them were drawn at random, to compare leaves by
    evaluations: int  # all of them: of mixtures, losses and scores too, and by the parent


class Evaluated(NamedTuple):
    """Architectures evaluated in one leaf, in order of evaluation."""

    op_ids: np.ndarray  # int32 [A, E]
    scores: np.ndarray  # float [A]; larger = better
    parent: np.ndarray = np.zeros(0)  # float [a], by the supernet of the whole space, of the first a; none: a = 0
    taken: Taken | None = None  # None: evolution evaluated, and takes the best


def no_history(space: SearchSpace) -> Evaluated:
    """Nothing evaluated yet."""
    return Evaluated(np.zeros((0, len(space.edges)), np.int32), np.zeros(0))


def evaluated(history: Evaluated, op_ids: np.ndarray, scores: np.ndarray) -> Evaluated:
    """A history with more architectures [a, E] and their scores [a]."""
    rows, values = np.concatenate([history.op_ids, op_ids]), np.concatenate([history.scores, scores])
    return history._replace(op_ids=rows, scores=values)


def evaluations(space: SearchSpace, mask: Mask, config: SearchConfig) -> int:
    """How many architectures of a mask will be evaluated: the budget, or all that are connected."""
    return min(config.budget, len(_connected(space, mask)))


def propose(
    rng: np.random.Generator, space: SearchSpace, mask: Mask, history: Evaluated, config: SearchConfig
) -> np.ndarray:
    """The next architectures to evaluate, int32 [a, E] with a <= config.population; none when the budget is spent."""
    candidates = _connected(space, mask)
    visited = {tuple(row) for row in history.op_ids.tolist()}
    wanted = min(config.population, evaluations(space, mask, config) - len(visited))
    if wanted <= 0:
        return history.op_ids[:0]
    children: list[tuple[int, ...]] = []
    if visited and len(candidates) > config.budget:
        children = _breed(rng, space, mask, history, config, wanted, visited)
    missing = wanted - len(children)
    if missing:
        taken = visited | set(children)
        rest = [row for row in map(tuple, candidates.tolist()) if row not in taken]
        children += [rest[i] for i in rng.choice(len(rest), missing, replace=False)]
    return np.array(children, np.int32).reshape(wanted, len(space.edges))


def evolution(
    population: int = SearchConfig.population,
    parents: int = SearchConfig.parents,
    mutation: float = SearchConfig.mutation,
) -> Selector:
    """The most accurate of what `propose` asks for until the budget is spent; the first of equals wins.

    All on the same images. The score is the accuracy. Enumerates a mask no larger than the budget.
    """
    check_counts(population=population, parents=parents)

    def select(rng: Generator, trained: Trained, mask: Mask, budget: int) -> Selected:
        check_budget(budget, 1, "evolution")
        space, mask = trained.space, check_viable(trained.space, mask)
        config = SearchConfig(budget=budget, population=population, parents=parents, mutation=mutation)
        history = no_history(space)
        while len(proposed := propose(rng, space, mask, history, config)):
            history = evaluated(history, proposed, trained.accuracy(proposed))
        chosen = best(history.scores)
        return Selected(history.op_ids[chosen], float(history.scores[chosen]), len(history.scores))

    return select


def _connected(space: SearchSpace, mask: Mask) -> np.ndarray:
    candidates = space.enumerate(mask)
    return candidates[np.asarray(space.connected(candidates))]


def _breed(
    rng: np.random.Generator,
    space: SearchSpace,
    mask: Mask,
    history: Evaluated,
    config: SearchConfig,
    wanted: int,
    visited: set[tuple[int, ...]],
) -> list[tuple[int, ...]]:
    """Up to `wanted` new connected children of the best architectures so far: mutants first, then crossovers."""
    best = np.argsort(-history.scores, kind="stable")[: config.parents]
    parents = history.op_ids[best]
    children: list[tuple[int, ...]] = []
    for breed, goal in ((_mutate, wanted // 2), (_cross, wanted)):
        for _ in range(_TRIES * wanted):
            if len(children) >= goal:
                break
            child = breed(rng, parents, mask, config.mutation)
            row = tuple(child.tolist())
            if row not in visited and row not in children and bool(space.connected(child)):
                children.append(row)
    return children


def _mutate(rng: np.random.Generator, parents: np.ndarray, mask: Mask, chance: float) -> np.ndarray:
    child = parents[rng.integers(len(parents))].copy()
    for edge in np.flatnonzero(rng.random(child.size) < chance):
        child[edge] = rng.choice(np.flatnonzero(mask[edge]))
    return child


def _cross(rng: np.random.Generator, parents: np.ndarray, mask: Mask, chance: float) -> np.ndarray:
    del mask, chance  # both parents lie in the mask, so the child does
    mother, father = parents[rng.integers(len(parents), size=2)]
    return np.where(rng.random(mother.size) < 0.5, mother, father)
