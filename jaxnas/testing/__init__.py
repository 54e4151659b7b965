"""What metrics, search algorithms and selectors promise, as functions that authors of new ones call in their tests.

Each raises AssertionError with a sentence that says what does not hold; its docstring lists what must. They run on
small spaces and take seconds; nothing is trained.
"""

from jaxnas.testing.algorithms import check_algorithm
from jaxnas.testing.base import TRIANGLE
from jaxnas.testing.metrics import check_metric
from jaxnas.testing.selectors import check_selector

__all__ = ["TRIANGLE", "check_algorithm", "check_metric", "check_selector"]
