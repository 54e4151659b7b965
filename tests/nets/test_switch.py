"""Sub-supernets on different paths under vmap: the numbers of each alone, at the arithmetic of each alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnas import arithmetic
from jaxnas.distributed import parallel
from jaxnas.nets.switch import switch

SKIP, CONV = 1, 2  # of the toy space
PATHS = np.array([[SKIP, CONV], [CONV, CONV], [CONV, SKIP]], np.int32)


@pytest.fixture(scope="module")
def gradient(toy, batch):
    """Gradient of a loss of one sub-supernet on its path."""

    def loss(params, op_ids):
        logits, _ = toy.forward(params, batch[0], op_ids)
        return jnp.square(logits).mean()

    return jax.grad(loss)


@pytest.fixture(scope="module")
def weights(toy):
    return jax.vmap(toy.init)(jax.random.split(jax.random.key(0), len(PATHS)))


def test_gradients_under_vmap_are_those_of_each_path_alone(gradient, weights) -> None:
    together = jax.jit(jax.vmap(gradient))(weights, PATHS)
    alone = jax.jit(gradient)
    for k, op_ids in enumerate(PATHS):
        expected = alone(parallel.item(weights, k), op_ids)
        for got, wanted in zip(jax.tree.leaves(together), jax.tree.leaves(expected), strict=True):
            np.testing.assert_allclose(got[k], wanted, rtol=1e-4, atol=1e-6)
        closed = np.flatnonzero(op_ids != CONV)
        assert not together["stage1"]["nor_conv_3x3_kernel"][k][:, closed].any()


def test_every_item_costs_its_own_path_and_no_other(gradient, weights) -> None:
    def products(paths):
        return arithmetic.count(jax.vmap(gradient), weights, np.array(paths, np.int32)).products

    nothing, mixed = products([[SKIP, SKIP]] * 3), products(PATHS)
    every = products([[CONV, CONV]] * 3)
    # 4 of the 6 edges of the three paths are convolutions, all alike in cost.
    assert 3 * (mixed - nothing) == 2 * (every - nothing) > 0


def test_one_path_for_all_stays_one_switch(gradient, weights) -> None:
    together = jax.jit(jax.vmap(gradient, (0, None)))(weights, PATHS[1])
    expected = jax.jit(gradient)(parallel.item(weights, 2), PATHS[1])
    for got, wanted in zip(jax.tree.leaves(together), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(got[2], wanted, rtol=1e-4, atol=1e-6)


def test_first_and_second_derivatives_by_hand() -> None:
    def cube(index, x):
        return switch((lambda x: 5 * x, lambda x: x**3), index, x)

    first, second = jax.grad(cube, 1), jax.grad(jax.grad(cube, 1), 1)
    index, x = jnp.array([0, 1, 1]), jnp.array([2.0, 2.0, 3.0])
    assert jax.vmap(cube)(index, x).tolist() == [10, 8, 27]
    assert jax.vmap(first)(index, x).tolist() == [5, 12, 27]
    assert jax.vmap(second)(index, x).tolist() == [0, 12, 18]
