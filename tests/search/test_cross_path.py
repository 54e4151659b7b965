"""Cross-path learning: the teacher's average and the targets of each path, against numpy."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.search.cross_path import cross_path
from jaxnas.spaces import TOY
from jaxnas.testing.algorithms import FULL, PAIRS, context, outputs
from tests.search.small import one_hot


def test_the_teacher_is_the_moving_average_of_the_weights_from_the_start_on() -> None:
    algorithm, expected = cross_path(TOY, momentum=0.9), PAIRS
    state = algorithm.init(jax.random.key(0), FULL, context().params)
    for number in range(3):
        weights = PAIRS + 0.7 * (number + 1) ** 2
        task = context()._replace(params=jnp.asarray(weights, jnp.float32))
        state = algorithm.update(jax.random.key(number), state, FULL, task)
        expected = 0.9 * expected + 0.1 * weights
    np.testing.assert_allclose(state.params, expected, rtol=1e-5)


def test_each_path_is_taught_by_the_labels_and_the_teacher_on_the_other_path() -> None:
    algorithm, teacher = cross_path(TOY, mix=0.3), PAIRS[::-1].copy()
    state = algorithm.init(jax.random.key(0), FULL, jnp.asarray(teacher, jnp.float32))
    forwards = jax.jit(lambda key: algorithm.forwards(key, state, FULL, context()))
    different = 0
    for key in jax.random.split(jax.random.key(1), 8):
        paths, coefficients, targets = forwards(key)
        assert TOY.connected(np.asarray(paths)).all()
        np.testing.assert_allclose(coefficients, 0.5)
        for own, other in ((0, 1), (1, 0)):
            e = np.exp(outputs(one_hot(paths[other]), teacher))
            expected = 0.7 * np.array([[0, 0, 1], [1, 0, 0]]) + 0.3 * e / e.sum(-1, keepdims=True)
            np.testing.assert_allclose(targets[own], expected, rtol=1e-4)
        different += (np.abs(targets[0] - targets[1]) > 1e-3).any()
    assert different >= 3
