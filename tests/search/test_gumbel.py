"""SNAS and GDAS in expectation, against simulations in numpy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxnas.search.alpha import AlphaState
from jaxnas.search.gumbel import gdas, snas
from jaxnas.spaces import TOY
from jaxnas.testing.algorithms import FULL, NARROW, context, loss
from tests.search.small import ALPHA, DRAWS, PLAIN, assert_expected, estimates, one_hot, slope, softmax

SNAS, GDAS = snas(TOY, logits=PLAIN), gdas(TOY, logits=PLAIN)
# Gumbel noise from exponential waiting times.
NOISE = -np.log(np.random.default_rng(0).exponential(size=(DRAWS, 2, 3)))


def start(algorithm, mask: np.ndarray) -> AlphaState:
    return algorithm.init(jax.random.key(0), mask, None)._replace(alpha=jnp.asarray(ALPHA, jnp.float32))


def soft_draws(alpha: np.ndarray, mask: np.ndarray, temperature: float) -> np.ndarray:
    return softmax((alpha + NOISE) / temperature, mask)


@pytest.mark.parametrize("mask", [FULL, NARROW], ids=["full", "narrow"])
def test_snas_follows_the_expected_loss_of_soft_draws(mask: np.ndarray) -> None:
    temperature = 0.55  # half-way from 1 to .1
    differences = np.zeros((DRAWS, 2, 3))
    for index in np.ndindex(2, 3):
        h = np.zeros((2, 3))
        h[index] = 1e-4
        up, down = (loss(soft_draws(ALPHA + d, mask, temperature)) for d in (h, -h))
        differences[:, *index] = (up - down) / 2e-4
    got = estimates(SNAS, start(SNAS, mask), mask, 0.5)
    assert_expected(got, differences.mean(0), differences.std(0, ddof=1) / DRAWS**0.5)
    assert (got[:, ~mask] == 0).all()


@pytest.mark.parametrize("mask", [FULL, NARROW], ids=["full", "narrow"])
def test_gdas_takes_the_slope_at_the_path_through_the_soft_draw(mask: np.ndarray) -> None:
    progress, temperature = 0.8, 10 - 0.8 * 9.9
    soft = soft_draws(ALPHA, mask, temperature)
    at_path = slope(one_hot(soft.argmax(-1)))
    expected = soft * (at_path - (soft * at_path).sum(-1, keepdims=True)) / temperature
    got = estimates(GDAS, start(GDAS, mask), mask, progress)
    assert_expected(got, expected.mean(0), expected.std(0, ddof=1) / DRAWS**0.5)
    assert (got[:, ~mask] == 0).all()


@pytest.mark.parametrize("algorithm", [SNAS, GDAS], ids=["snas", "gdas"])
def test_the_largest_draw_follows_softmax_of_alpha_at_every_temperature(algorithm) -> None:
    state = start(algorithm, NARROW)
    draw = jax.jit(jax.vmap(lambda key, p: algorithm.forwards(key, state, NARROW, context(p)).choices[0], (0, None)))
    for progress in (0.0, 1.0):
        draws = np.asarray(draw(jax.random.split(jax.random.key(4), 5000), progress))
        counts = one_hot(draws if draws.dtype == np.int32 else draws.argmax(-1)).sum(0)
        for seen, expected, row in zip(counts, 5000 * softmax(ALPHA, NARROW), NARROW, strict=True):
            assert stats.chisquare(seen[row], expected[row]).pvalue > 1e-3


def test_the_temperature_falls_from_start_to_end() -> None:
    # Of one and the same noise the ratios of op_weights are powers of each other: 1 / temperature.
    state = start(SNAS, FULL)
    logs = [np.log(SNAS.forwards(jax.random.key(1), state, FULL, context(p)).choices[0, 0]) for p in (0.0, 0.5)]
    np.testing.assert_allclose((logs[1] - logs[1][0])[1:] / (logs[0] - logs[0][0])[1:], 1 / 0.55, rtol=1e-4)
