"""SETN: uniform paths for the weights, the slope of the mixed form for alpha."""

import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from jaxnas.search.setn import setn
from jaxnas.spaces import TOY
from jaxnas.testing.algorithms import FULL, NARROW, context
from tests.search.small import ALPHA, PLAIN, slope, softmax

ALGORITHM = setn(TOY, PLAIN)


def start(mask: np.ndarray):
    return ALGORITHM.init(jax.random.key(0), mask, None)._replace(alpha=jnp.asarray(ALPHA, jnp.float32))


def test_alpha_follows_the_slope_at_its_softmax() -> None:
    new = jax.jit(lambda s: ALGORITHM.update(jax.random.key(0), s, NARROW, context()))(start(NARROW))
    p = softmax(ALPHA, NARROW)
    g = slope(p)
    expected = p * (g - (g * p).sum(-1, keepdims=True))
    np.testing.assert_allclose(jax.tree.leaves(new.opt)[1], expected, rtol=1e-4, atol=1e-6)
    assert np.abs(expected).max() > 0.05


def test_weights_are_trained_by_uniform_paths_whatever_alpha_says() -> None:
    draw = jax.jit(jax.vmap(lambda key: ALGORITHM.forwards(key, start(FULL), FULL, context()).choices[0]))
    paths, times = np.unique(draw(jax.random.split(jax.random.key(1), 2000)), axis=0, return_counts=True)
    assert TOY.connected(paths).all() and len(paths) == 4
    assert stats.chisquare(times).pvalue > 1e-3
