"""Probes that the tests of metrics share."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnas.metrics import Probe
from jaxnas.nets import Network
from jaxnas.testing import TRIANGLE
from tests.conftest import small_network


@pytest.fixture(scope="session")
def toy_probe(toy: Network, batch):
    """op_ids of the toy space, float weights or ids -> what a metric is told of that architecture."""
    params = toy.init(jax.random.key(5))

    def probe(
        *op_ids: int, mixed: bool = False, key: int = 0, params=params, images=batch[0], labels=batch[1]
    ) -> Probe:
        ids = jnp.asarray(op_ids, jnp.int32)
        choice = jax.nn.one_hot(ids, 3) if mixed else ids
        return Probe(jax.random.key(key), params, choice, jnp.ones((2, 3), bool), jnp.int32(-1), images, labels)

    return probe


@pytest.fixture(scope="session")
def paired():
    """R = 2 batches of 16 images for the toy network."""
    rng = np.random.default_rng(1)
    images = jnp.asarray(rng.normal(size=(2, 16, 8, 8, 3)), jnp.float32)
    return images, jnp.asarray(rng.integers(0, 10, (2, 16)), jnp.int32)


@pytest.fixture(scope="session")
def triangle() -> Network:
    return small_network(TRIANGLE)


@pytest.fixture(scope="session")
def triangle_params(triangle: Network):
    return triangle.init(jax.random.key(5))
