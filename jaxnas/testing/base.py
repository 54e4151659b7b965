"""What contract tests share."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax
import numpy as np

from jaxnas.spaces import SearchSpace

TRIANGLE = SearchSpace("triangle", ("none", "skip_connect", "nor_conv_3x3"), ((1, 0), (2, 0), (2, 1)))
"""three nodes, all joined: the smallest space in which every operation of every edge can be compared"""
NONE, SKIP, CONV = range(3)  # operations of the triangle and of the toy space


def require(holds: Any, sentence: str) -> None:
    """Raises AssertionError with the sentence unless `holds`."""
    if not holds:
        raise AssertionError(sentence)


@contextmanager
def traced(what: str) -> Iterator[None]:
    """What goes wrong when jax traces the block, as an AssertionError."""
    try:
        yield
    except jax.errors.JAXTypeError as error:
        told = f"{what} must be a function of traced arrays, on which Python cannot branch"
        raise AssertionError(f"{told}: {str(error).splitlines()[0]}") from error


def same_bits(first: Any, second: Any) -> bool:
    """Whether two trees of arrays are the same, bit for bit."""
    leaves = zip(jax.tree.leaves(first), jax.tree.leaves(second), strict=True)
    return all(np.asarray(a).tobytes() == np.asarray(b).tobytes() for a, b in leaves)
