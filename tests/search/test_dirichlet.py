"""DrNAS against the moments of the Dirichlet distribution, scipy's entropy, and differences of both."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats

from jaxnas.search.dirichlet import divergence_from_uniform, drnas
from jaxnas.spaces import TOY
from jaxnas.testing.algorithms import FULL, NARROW, PAIRS, SINGLES, context
from tests.search.small import ALPHA, DRAWS, PLAIN, assert_expected, estimates

ALGORITHM = drnas(TOY, logits=PLAIN)
DIVERGENCE = drnas(TOY, "divergence", PLAIN._replace(decay=0.5))
MASKS = {"full": FULL, "narrow": NARROW}


def rows(alpha: np.ndarray, mask: np.ndarray) -> list[np.ndarray]:
    """Concentrations of the open operations, by edge."""
    values = np.where(alpha > 0, alpha + 1, np.exp(alpha))
    return [value[row] for value, row in zip(values, mask, strict=True)]


def expected_loss(alpha: np.ndarray, mask: np.ndarray) -> float:
    """E[s + .3 s^2] of the score, from first and second moments; rows sum to 1, so that it is bilinear throughout."""
    table = (PAIRS + SINGLES[0][:, None] + SINGLES[1][None, :])[np.ix_(*mask)]
    first, second = rows(alpha, mask)
    moments = [(np.diag(a) + np.outer(a, a)) / (a.sum() * (a.sum() + 1)) for a in (first, second)]
    mean = first @ table @ second / first.sum() / second.sum()
    return mean + 0.3 * np.einsum("ij,kl,ik,jl", table, table, *moments)


def by_differences(function, alpha: np.ndarray) -> np.ndarray:
    gradient = np.empty_like(alpha)
    for index in np.ndindex(alpha.shape):
        h = np.zeros_like(alpha)
        h[index] = 1e-5
        gradient[index] = (function(alpha + h) - function(alpha - h)) / 2e-5
    return gradient


def start(algorithm, mask: np.ndarray, alpha: np.ndarray = ALPHA):
    return algorithm.init(jax.random.key(0), mask, None)._replace(alpha=jnp.asarray(alpha, jnp.float32))


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
def test_alpha_follows_the_expected_loss(mask: np.ndarray) -> None:
    expected = by_differences(lambda alpha: expected_loss(alpha, mask), ALPHA)
    got = estimates(ALGORITHM, start(ALGORITHM, mask), mask)
    assert_expected(got, expected)
    assert (got[:, ~mask] == 0).all()


@jax.jit
def draw(keys, state, mask):
    return jax.vmap(lambda key: ALGORITHM.forwards(key, state, mask, context()).choices[0])(keys)


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
def test_draws_have_the_means_and_variances_of_the_concentrations(mask: np.ndarray) -> None:
    state = start(ALGORITHM, mask)
    drawn = np.asarray(draw(jax.random.split(jax.random.key(3), DRAWS), state, mask), np.float64)
    mean, square = np.zeros((2, 2, 3))
    for e, a in enumerate(rows(ALPHA, mask)):
        mean[e, mask[e]] = a / a.sum()
        square[e, mask[e]] = a * (a + 1) / (a.sum() * (a.sum() + 1))
    assert_expected(drawn, mean)
    assert_expected(drawn**2, square)
    np.testing.assert_allclose(ALGORITHM.probabilities(state, mask), mean, atol=1e-6)


def divergence(alpha: np.ndarray, mask: np.ndarray) -> float:
    """Of a distribution from the uniform one of density (n - 1)!: minus its entropy, minus the log of that."""
    return sum(-stats.dirichlet(a).entropy() - special.gammaln(len(a)) for a in rows(alpha, mask))


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
def test_divergence_is_that_of_scipy(mask: np.ndarray) -> None:
    got = jax.jit(divergence_from_uniform)
    np.testing.assert_allclose(got(ALPHA.astype(np.float32), mask), divergence(ALPHA, mask), rtol=1e-5)
    np.testing.assert_allclose(got(jnp.zeros((2, 3)), mask), 0, atol=1e-5)
    assert divergence(ALPHA, mask) > 0.05


@jax.jit
def update_flat(state, mask):
    """On a loss that is 0 everywhere."""
    flat = context()._replace(valid_loss=lambda w, p: 0.0 * p.sum())
    return DIVERGENCE.update(jax.random.key(0), state, mask, flat)


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
def test_as_a_regulariser_a_thousandth_of_it_is_added(mask: np.ndarray) -> None:
    alpha = np.array([[1.5, -1.0, 2.0], [-0.7, 0.5, 3.0]])
    new = update_flat(start(DIVERGENCE, mask, alpha), mask)
    expected = 1e-3 * by_differences(lambda alpha: divergence(alpha, mask), alpha)  # no decay on top
    np.testing.assert_allclose(jax.tree.leaves(new.opt)[1], expected, rtol=1e-3, atol=1e-8)


def test_another_regulariser_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"decay.*divergence.*'kl'"):
        drnas(TOY, "kl")
