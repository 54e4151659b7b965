"""Architectures from a trained sub-supernet; numpy only, scores come from outside."""

from jaxnas.selection.evolution import Evaluated, evaluations, no_history, propose

__all__ = ["Evaluated", "evaluations", "no_history", "propose"]
