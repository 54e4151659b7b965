"""What the tests of commands share."""

from typing import Any

import pytest

from tests.experiments import forked


@pytest.fixture(scope="session")
def processes() -> Any:
    """The server that commands are forked from."""
    return forked.server()
