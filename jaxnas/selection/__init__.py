"""Architectures from a trained sub-supernet, and which sub-supernet; numpy only, scores come from outside."""

from collections.abc import Callable

from jaxnas.selection.base import Selected, Selector, Trained
from jaxnas.selection.evolution import Evaluated, evaluations, no_history, propose
from jaxnas.selection.leaves import ESTIMATES, RULES, Arms

SELECTORS: dict[str, Callable[..., Selector]] = {}
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
