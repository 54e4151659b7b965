"""GreedyNAS: what is kept, what the pool holds, and how often it is drawn from; against Python lists."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxnas.search.greedynas import GreedyState, greedynas, merge
from jaxnas.spaces import TOY
from jaxnas.testing.algorithms import FULL, context, loss
from tests.search.small import one_hot

CONNECTED = TOY.enumerate()[TOY.connected(TOY.enumerate())]  # [4, 2]
LOSSES = np.array([loss(path) for path in one_hot(CONNECTED)])
BEST = CONNECTED[LOSSES.argmin()]


def pool_of(*entries: tuple[int, int, float], size: int = 4) -> GreedyState:
    pool, losses = np.zeros((size, 2), np.int32), np.full(size, np.inf, np.float32)
    for n, (first, second, value) in enumerate(entries):
        pool[n], losses[n] = (first, second), value
    return GreedyState(jnp.zeros((1, 2), jnp.int32), jnp.asarray(pool), jnp.asarray(losses))


def content(state: GreedyState) -> list[tuple[int, int, float]]:
    finite = np.isfinite(state.losses)
    return [(*map(int, p), float(v)) for p, v in zip(state.pool[finite], state.losses[finite], strict=True)]


def test_the_pool_holds_the_lowest_losses_each_path_once_with_its_newest_loss() -> None:
    state = pool_of((1, 1, 0.5), (2, 1, 1.0), (2, 2, 2.0))
    kept = jnp.array([[2, 1], [1, 2], [1, 2]])
    state = jax.jit(merge)(state, kept, jnp.array([3.0, 1.5, 1.5]))
    assert content(state) == [(1, 1, 0.5), (1, 2, 1.5), (2, 2, 2.0), (2, 1, 3.0)]
    state = jax.jit(merge)(state, jnp.array([[0, 1], [0, 2], [0, 2]]), jnp.array([1.0, 9.0, 9.0]))
    assert content(state) == [(1, 1, 0.5), (0, 1, 1.0), (1, 2, 1.5), (2, 2, 2.0)]


def test_the_paths_of_lowest_validation_loss_are_kept() -> None:
    algorithm = greedynas(TOY, paths=40, kept=3, pool=6)
    update = jax.jit(lambda key, s: algorithm.update(key, s, FULL, context(0.0)))
    state = update(jax.random.key(1), pool_of(size=6)._replace(kept=jnp.zeros((3, 2), jnp.int32)))
    np.testing.assert_array_equal(state.kept, np.broadcast_to(BEST, (3, 2)))  # four paths, drawn ten times each
    assert content(state) == [(*BEST, pytest.approx(LOSSES.min()))]
    np.testing.assert_array_equal(algorithm.probabilities(state, FULL), one_hot(BEST))
    ran = algorithm.forwards(jax.random.key(0), state, FULL, context())
    np.testing.assert_array_equal(ran.choices, state.kept)
    np.testing.assert_allclose(ran.coefficients, 1 / 3)


def test_all_that_is_drawn_is_kept_where_as_many_are_drawn() -> None:
    algorithm = greedynas(TOY, paths=5, kept=5, pool=6)
    start = pool_of(size=6)._replace(kept=jnp.zeros((5, 2), jnp.int32))
    state = jax.jit(lambda s: algorithm.update(jax.random.key(3), s, FULL, context(0.0)))(start)
    drawn = {tuple(path) for path in np.asarray(state.kept).tolist()}
    assert {entry[:2] for entry in content(state)} == drawn
    assert all(value == pytest.approx(loss(one_hot(path)), rel=1e-5) for *path, value in content(state))


def test_the_pool_is_drawn_from_as_the_schedule_says() -> None:
    algorithm = greedynas(TOY, paths=3000, kept=3000, pool=4)
    worst = tuple(CONNECTED[LOSSES.argmax()].tolist())
    update = jax.jit(lambda s, p: algorithm.update(jax.random.key(4), s, FULL, context(p)).kept)
    state = pool_of((*worst, 1.0))._replace(kept=jnp.zeros((3000, 2), jnp.int32))
    for progress in (0.0, 0.5, 1.0):
        times = int((np.asarray(update(state, progress)) == worst).all(-1).sum())
        share = 0.8 * progress
        assert stats.binomtest(times, 3000, share + (1 - share) / 4).pvalue > 1e-3
    empty = pool_of()._replace(kept=state.kept)
    _, times = np.unique(update(empty, 1.0), axis=0, return_counts=True)
    assert len(times) == 4 and stats.chisquare(times).pvalue > 1e-3


def test_it_cannot_keep_more_than_it_draws() -> None:
    with pytest.raises(ValueError, match="10 paths, not 11"):
        greedynas(TOY, kept=11)
