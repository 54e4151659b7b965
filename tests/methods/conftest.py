"""The small problem that tests of the methods share: real digits, the toy space, four steps an epoch."""

import numpy as np
import pytest

from jaxnas.data import load
from jaxnas.methods.problem import Problem, prepare
from jaxnas.spaces import TOY
from jaxnas.spaces.tree import SplitTree
from jaxnas.splitting import by_similarity, grow
from tests.methods.small import SMALL


@pytest.fixture(scope="session")
def problem() -> Problem:
    return prepare(SMALL, load(SMALL.data, SMALL.seed))


@pytest.fixture(scope="session")
def tree() -> SplitTree:
    """Edge 1<-0 of the toy space split into {none, skip} and {convolution}."""
    similarity = np.zeros((2, 3, 3))
    similarity[0, 0, 1] = similarity[0, 1, 0] = 1
    found = grow(TOY, (2,), by_similarity(TOY, lambda node: similarity))
    assert (found.nodes[0].split.edge, found.nodes[0].split.groups) == (0, ((0, 1), (2,)))
    return found
