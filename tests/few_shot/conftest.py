"""The small problem that tests of the methods share: real digits, the toy space, four steps an epoch."""

import pytest

from jaxnas.data import load
from jaxnas.few_shot.run_context import RunContext, prepare
from jaxnas.spaces import TOY
from jaxnas.spaces.tree import Split, SplitTree
from jaxnas.splitting import grow
from tests.few_shot.small import SMALL


@pytest.fixture(scope="session")
def context() -> RunContext:
    return prepare(SMALL, load(SMALL.data, SMALL.seed))


@pytest.fixture(scope="session")
def tree() -> SplitTree:
    """Edge 1<-0 of the toy space split into {none, skip} and {convolution}."""
    found = grow(TOY, (2,), lambda node, parts: Split(0, ((0, 1), (2,)), None, None, 1))
    return found
