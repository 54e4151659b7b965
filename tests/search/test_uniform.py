"""Uniform paths and FairNAS: how often each operation is trained."""

import jax
import numpy as np
import pytest
from scipy import stats

from jaxnas.search.uniform import fairnas, uniform
from jaxnas.spaces import TOY
from jaxnas.testing.algorithms import FULL, context

UNEVEN = np.array([[False, True, True], [True, True, True]])
PAIRED = np.array([[False, True, True], [True, False, True]])


def draws(algorithm, mask: np.ndarray, n: int = 3000):
    draw = jax.jit(jax.vmap(lambda key: algorithm.forwards(key, (), mask, context())))
    return jax.device_get(draw(jax.random.split(jax.random.key(2), n)))


@pytest.mark.parametrize("mask", [FULL, UNEVEN], ids=["full", "uneven"])
def test_uniform_paths_are_uniform_over_the_connected(mask: np.ndarray) -> None:
    paths = draws(uniform(TOY), mask).choices[:, 0]
    inside = TOY.enumerate(mask)
    seen, times = np.unique(paths, axis=0, return_counts=True)
    np.testing.assert_array_equal(seen, inside[TOY.connected(inside)])
    assert stats.chisquare(times).pvalue > 1e-3


@pytest.mark.parametrize("mask", [FULL, PAIRED], ids=["full", "paired"])
def test_fairnas_trains_every_open_operation_once_a_step(mask: np.ndarray) -> None:
    paths, coefficients, _ = draws(fairnas(TOY), mask)
    count = mask[0].sum()
    np.testing.assert_allclose(coefficients, np.broadcast_to([1 / count] * count + [0] * (3 - count), (3000, 3)))
    for e in range(2):
        expected = np.broadcast_to(np.flatnonzero(mask[e]), (3000, count))
        np.testing.assert_array_equal(np.sort(paths[:, :count, e], axis=1), expected)


def test_fairnas_goes_round_where_an_edge_has_fewer() -> None:
    paths, coefficients, _ = draws(fairnas(TOY), UNEVEN)
    np.testing.assert_allclose(coefficients, 1 / 3)
    times = np.stack([(paths[:, :, 0] == o).sum(1) for o in range(3)], 1)
    np.testing.assert_array_equal(np.sort(times, 1), np.broadcast_to([0, 1, 2], (3000, 3)))
    assert (times[:, 0] == 0).all()
    np.testing.assert_array_equal(paths[:, 2, 0], paths[:, 0, 0])
    assert stats.binomtest(int((times[:, 1] == 2).sum()), 3000).pvalue > 1e-3


def test_permutations_of_fairnas_are_uniform_and_independent() -> None:
    paths = draws(fairnas(TOY), FULL, 7200).choices
    _, times = np.unique(paths.reshape(-1, 6), axis=0, return_counts=True)
    assert len(times) == 36 and stats.chisquare(times).pvalue > 1e-3


def test_both_weigh_open_operations_evenly() -> None:
    for factory in (uniform, fairnas):
        np.testing.assert_allclose(factory(TOY).probabilities((), UNEVEN), [[0, 0.5, 0.5], [1 / 3] * 3])
