"""Architectures from a trained sub-supernet, and which sub-supernet; numpy only, scores come from outside."""

from jaxnas.selection.evolution import Evaluated, evaluations, no_history, propose
from jaxnas.selection.leaves import ESTIMATES, RULES, Arms, leaf_bias

__all__ = ["ESTIMATES", "RULES", "Arms", "Evaluated", "evaluations", "leaf_bias", "no_history", "propose"]
