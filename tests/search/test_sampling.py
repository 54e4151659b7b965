"""Architectures drawn inside jit: connected, inside the mask, uniform, and fit to probe an edge."""

from collections.abc import Iterable

import jax
import numpy as np
import pytest
from scipy import stats

from jaxnas.metrics.probes import path_background
from jaxnas.search import ALGORITHMS, sample_connected
from jaxnas.search.base import sample_path
from jaxnas.spaces import NAS_BENCH_201, TOY

one_draw = jax.jit(jax.vmap(lambda key, mask: sample_connected(key, NAS_BENCH_201, mask), (0, None)))
one_background = jax.jit(jax.vmap(path_background(NAS_BENCH_201), (0, None, None)))


def only(*rows: tuple[int, ...]) -> np.ndarray:
    return np.array([[o in row for o in range(5)] for row in rows])


FULL = NAS_BENCH_201.full_mask()
SMALL = only((0, 1), (0, 3), (1,), (0, 2), (0,), (0, 4))  # 16 architectures, of which 11 are connected
NARROW = only((0, 1, 2), (0,), (0, 3), (0,), (0,), (0, 4))  # the only route is 0, 1, 2, 3
MASKS = {"full": FULL, "small": SMALL, "narrow": NARROW}


def keys(seed: int) -> jax.Array:
    return jax.random.split(jax.random.key(seed), 500)


def draws(seeds: Iterable[int], mask: np.ndarray) -> np.ndarray:
    """500 architectures for each seed, [A, 6]."""
    return np.concatenate([one_draw(keys(seed), mask) for seed in seeds])


def backgrounds(seeds: Iterable[int], mask: np.ndarray, edge: int) -> np.ndarray:
    """500 backgrounds for each seed, [A, 6]."""
    return np.concatenate([one_background(keys(seed), mask, np.int32(edge)) for seed in seeds])


@pytest.mark.parametrize("name", MASKS)
def test_draws_are_connected_and_inside_the_mask(name):
    op_ids = draws([0], MASKS[name])
    assert op_ids.dtype == np.int32 and op_ids.shape == (500, 6)
    assert NAS_BENCH_201.connected(op_ids).all()
    assert MASKS[name][np.arange(6), op_ids].all()


def test_draws_are_uniform_over_the_connected_architectures():
    op_ids = draws(range(8), SMALL)
    inside = NAS_BENCH_201.enumerate(SMALL)
    expected = inside[NAS_BENCH_201.connected(inside)]
    seen, times = np.unique(op_ids, axis=0, return_counts=True)
    assert len(expected) == 11
    np.testing.assert_array_equal(seen, expected)
    assert stats.chisquare(times).pvalue > 1e-3


def test_every_operation_of_the_full_space_is_drawn_as_often_as_among_the_connected():
    op_ids = draws(range(8), FULL)
    everything = NAS_BENCH_201.enumerate()
    connected = everything[NAS_BENCH_201.connected(everything)]
    for e in range(6):
        expected = np.bincount(connected[:, e], minlength=5) / len(connected) * 4_000
        assert stats.chisquare(np.bincount(op_ids[:, e], minlength=5), expected).pvalue > 1e-4


def test_the_same_key_draws_the_same_and_other_keys_do_not():
    first = draws([3], FULL)
    again = np.asarray(one_draw(keys(3)[::-1], FULL))
    np.testing.assert_array_equal(first, again[::-1])
    assert len(np.unique(first, axis=0)) > 450


def test_a_mask_of_one_architecture_gives_that_one():
    op_ids = draws([0], only((1,), (0,), (4,), (0,), (2,), (3,)))
    assert np.unique(op_ids, axis=0).tolist() == [[1, 0, 4, 0, 2, 3]]


PATHS = ([3], [0, 4], [1, 5], [0, 2, 5])  # edges 3<-0; 1<-0, 3<-1; 2<-0, 3<-2; 1<-0, 2<-1, 3<-2


def fitting(mask: np.ndarray, edge: int) -> set[tuple[int, ...]]:
    """Backgrounds of a mask, -1 on the edge, that should be drawn, by its paths."""
    opened = mask.copy()
    opened[edge] = [False, False, False, True, False]
    op_ids = NAS_BENCH_201.enumerate(opened)
    live = np.stack([(op_ids[:, path] != 0).all(1) for path in PATHS], 1)
    through = np.array([edge in path for path in PATHS])
    between, around = (live & through).any(1), (live & ~through).any(1)
    fits = between & around if (between & around).any() else between if between.any() else np.ones(len(op_ids), bool)
    op_ids = op_ids[fits]
    op_ids[:, edge] = -1
    return set(map(tuple, op_ids.tolist()))


BRIDGE = only((0, 3), (0,), (0, 1), (0,), (0,), (0, 4))  # the only route is 0, 1, 2, 3: `none` cuts it
DEAD = only((0,), (0, 2), (1, 3), (0, 1), (2, 4), (3,))  # nothing reaches node 1


@pytest.mark.parametrize("edge", range(6))
@pytest.mark.parametrize("name", [*MASKS, "bridge", "dead"])
def test_backgrounds_are_those_over_which_operations_can_be_compared(name, edge):
    mask = {**MASKS, "bridge": BRIDGE, "dead": DEAD}[name]
    op_ids = backgrounds([4], mask, edge)
    compared = NAS_BENCH_201.comparable(mask)[edge]
    for op in np.flatnonzero(compared):
        probe = op_ids.copy()
        probe[:, edge] = op
        assert NAS_BENCH_201.connected(probe).all()
    op_ids[:, edge] = -1
    assert set(map(tuple, op_ids.tolist())) <= fitting(mask, edge)
    if name == "dead":
        assert compared.any() == (edge not in (2, 4))


def test_backgrounds_are_uniform():
    op_ids = backgrounds(range(8), SMALL, 5)
    op_ids[:, 5] = -1
    seen, times = np.unique(op_ids, axis=0, return_counts=True)
    assert set(map(tuple, seen.tolist())) == fitting(SMALL, 5)
    assert len(seen) == 3  # edge 3 open, and one of edges 0 and 1 at least
    assert stats.chisquare(times).pvalue > 1e-3


def test_an_algorithm_without_a_draw_of_its_own_draws_each_edge_by_its_row():
    rows = np.array([[0.6, 0.0, 0.4], [0.1, 0.7, 0.2]])
    algorithm = ALGORITHMS["uniform"](TOY)._replace(probabilities=lambda state, mask: rows)
    draw = jax.jit(jax.vmap(lambda key: sample_path(algorithm, key, (), TOY.full_mask())))
    seen, times = np.unique(np.concatenate([draw(keys(seed)) for seed in range(4)]), axis=0, return_counts=True)
    np.testing.assert_array_equal(seen, [[0, 0], [0, 1], [0, 2], [2, 0], [2, 1], [2, 2]])
    expected = 2_000 * (rows[0, [0, 2], None] * rows[1]).reshape(-1)
    assert stats.chisquare(times, expected).pvalue > 1e-3
