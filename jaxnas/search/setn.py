"""SETN: weights by uniform paths, operations weighed by a softmax apart from them (Dong & Yang, ICCV 2019)."""

from jaxnas.search.alpha import Logits
from jaxnas.search.base import SearchAlgorithm
from jaxnas.search.darts import darts
from jaxnas.search.uniform import uniform
from jaxnas.spaces.base import SearchSpace


def setn(space: SearchSpace, logits: Logits | None = None) -> SearchAlgorithm:
    """One uniform connected path trains the weights; alpha as in first-order DARTS, on all open operations together.

    As the code released with NAS-Bench-201 runs it, except that its paths may be disconnected.
    """
    return darts(space, "first", logits)._replace(forwards=uniform(space).forwards)
