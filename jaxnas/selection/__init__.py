"""Architectures from a trained sub-supernet, and which sub-supernet; numpy only, scores come from outside.

A selector of one's own is a factory with keyword settings -> Selector and a line in SELECTORS.
"""

from collections.abc import Callable
from functools import partial

from jaxnas.selection.base import Selected, Selector, Trained
from jaxnas.selection.evolution import Evaluated, Taken, evaluated, evaluations, evolution, no_history, propose
from jaxnas.selection.leaves import ESTIMATES, RULES, Arms, leaf_bias
from jaxnas.selection.magnitude import magnitude
from jaxnas.selection.perturbation import perturbation, zero_cost_perturbation
from jaxnas.selection.regularised import regularised_evolution
from jaxnas.selection.sampled import best_of_sampled, enumeration, random

SELECTORS: dict[str, Callable[..., Selector]] = {
    "magnitude": magnitude,
    "perturbation": partial(perturbation, tune=True),
    "perturbation_loss": partial(perturbation, criterion="loss", tune=True),
    "zero_cost_perturbation": zero_cost_perturbation,
    "best_of_sampled": best_of_sampled,
    "best_of_probable": partial(best_of_sampled, draw="probable"),
    "best_of_learnt": partial(best_of_sampled, draw="learnt"),
    "evolution": evolution,
    "regularised_evolution": regularised_evolution,
    "enumeration": enumeration,
    "random": random,
}
"""Selectors of architectures by name: factories of a `Selector`, with keyword settings.

Example:
    >>> import numpy as np
    >>> from jaxnas import SELECTORS, SPACES
    >>> from jaxnas.selection import Trained
    >>> learnt = np.array([[0.1, 0.2, 0.7], [0.1, 0.5, 0.4]])  # float [E, O]; `magnitude` looks at nothing else
    >>> trained = Trained(SPACES["toy"], learnt, None, None, None, None, None)
    >>> select = SELECTORS["magnitude"]()
    >>> select(np.random.default_rng(0), trained, SPACES["toy"].full_mask(), 100).op_ids.tolist()
    [2, 1]
"""

__all__ = [
    "ESTIMATES",
    "RULES",
    "SELECTORS",
    "Arms",
    "Evaluated",
    "Selected",
    "Selector",
    "Taken",
    "Trained",
    "evaluated",
    "evaluations",
    "leaf_bias",
    "no_history",
    "propose",
]
