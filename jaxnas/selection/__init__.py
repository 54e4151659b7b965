"""Architectures from a trained sub-supernet, and which sub-supernet; numpy only, scores come from outside.

A selector of one's own is a factory with keyword settings -> Selector and a line in SELECTORS.
"""

from collections.abc import Callable

from jaxnas.selection.base import Selected, Selector, Trained
from jaxnas.selection.evolution import Evaluated, evaluations, evolution, no_history, propose
from jaxnas.selection.leaves import ESTIMATES, RULES, Arms
from jaxnas.selection.magnitude import magnitude
from jaxnas.selection.perturbation import perturbation, zero_cost_perturbation
from jaxnas.selection.regularised import regularised_evolution
from jaxnas.selection.sampled import best_of_sampled, enumeration, random

SELECTORS: dict[str, Callable[..., Selector]] = {
    selector.__name__: selector
    for selector in (
        magnitude,
        perturbation,
        zero_cost_perturbation,
        best_of_sampled,
        evolution,
        regularised_evolution,
        enumeration,
        random,
    )
}
"""name -> factory of an architecture selector, with keyword settings"""

__all__ = [
    "ESTIMATES",
    "RULES",
    "SELECTORS",
    "Arms",
    "Evaluated",
    "Selected",
    "Selector",
    "Trained",
    "evaluations",
    "no_history",
    "propose",
]
