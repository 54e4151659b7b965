"""A selector beside a supernet that answers at random: what it will cost, and whether its budget is enough."""

from inspect import signature
from typing import NamedTuple

import numpy as np

from jaxnas.few_shot.run_context import RunContext
from jaxnas.search import ALGORITHMS
from jaxnas.selection import SELECTORS, Selector, Trained
from jaxnas.types import Mask, UserError


class Rehearsal(NamedTuple):
    """What a selector asked for."""

    evaluations: int
    tunings: int  # how often it narrowed the supernet


def selector_of(context: RunContext, budget: int) -> Selector:
    """The selector of the config; one with a number `n` of architectures to score scores as many as it may."""
    factory = SELECTORS[context.config.selection.name]
    return factory(n=budget) if "n" in signature(factory).parameters else factory()


def rehearse(context: RunContext, mask: Mask, budget: int) -> Rehearsal:
    """What the config's selector asks for in a mask, where it hears random numbers. Raises its UserErrors."""
    space, rng, tunings = context.space, np.random.default_rng(0), 0
    algorithm = ALGORITHMS[context.config.search.algorithm](space)
    even = algorithm.probabilities is ALGORITHMS["uniform"](space).probabilities  # nothing is learnt
    weights = mask * (1.0 if even else rng.uniform(1, 2, mask.shape))

    def numbers(choices: np.ndarray) -> np.ndarray:
        return rng.uniform(size=len(choices))

    def narrowed(mask: Mask) -> Trained:
        nonlocal tunings
        tunings += 1
        return view

    view = Trained(
        space=space,
        probabilities=weights / weights.sum(1, keepdims=True),
        accuracy=numbers,
        loss=numbers,
        score=lambda rng, choices: numbers(choices),
        narrowed=narrowed,
        draw=lambda rng, n: np.stack([rng.choice(np.flatnonzero(row), n) for row in mask], 1),
    )
    found = selector_of(context, budget)(rng, view, mask, budget)
    return Rehearsal(found.evaluations, tunings)


def check_leaves(context: RunContext, masks: np.ndarray, budget: int, what: str) -> None:
    """Raises UserError, before leaves with masks [K, E, O] are trained, where the selector cannot take from one."""
    if context.config.selection.name == "evolution":
        return  # it can do with any budget
    for leaf, mask in enumerate(masks):
        try:
            rehearse(context, mask, budget)
        except UserError as error:
            raise UserError(f"{what}, leaf {leaf} of {len(masks)}: {error}") from error


def tuning_epochs(context: RunContext, masks: np.ndarray, budget: int) -> int:
    """Epochs that the selector trains leaves on between its decisions, all leaves together.

    Exact for a selector that narrows as often whatever it hears, as all of `SELECTORS` do.
    """
    selection = context.config.selection
    if selection.name == "evolution" or not selection.tune_epochs:
        return 0
    return selection.tune_epochs * sum(rehearse(context, mask, budget).tunings for mask in masks)
