"""One-shot search: how architectures are drawn and weighed while a sub-supernet is trained."""

from jaxnas.search.base import Problem, SearchAlgorithm
from jaxnas.search.darts import darts
from jaxnas.search.sampling import sample_connected

__all__ = ["Problem", "SearchAlgorithm", "darts", "sample_connected"]
