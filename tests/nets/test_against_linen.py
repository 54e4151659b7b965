"""Layers against flax's own, at the shapes of the networks: values, first and second derivatives, two precisions."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnas.nets import layers

BATCH = 3
CONVOLUTIONS = [  # side of the image, channels in and out, size and stride of the kernel
    *[(32, 3, 16, 3, 1), (32, 16, 48, 3, 1), (32, 16, 16, 1, 1)],
    *[(32, 16, 32, 3, 2), (16, 32, 96, 3, 1), (16, 32, 64, 3, 2)],
    *[(8, 64, 64, 3, 1), (8, 64, 192, 1, 1), (4, 2, 2, 3, 1), (2, 4, 4, 5, 1)],
]


def draw(*shape: int, seed: int = 0) -> jax.Array:
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


def of_images(layer):
    return lambda x, *weights: layer(x.swapaxes(0, 1), *weights).swapaxes(0, 1)


def linen_conv(size: int, stride: int):
    def apply(x, kernel):
        pad = size // 2
        module = nn.Conv(kernel.shape[-1], (size, size), stride, [(pad, pad)] * 2, use_bias=False, dtype=x.dtype)
        return module.apply({"params": {"kernel": kernel}}, x)

    return apply


def linen_norm(x):
    module = nn.BatchNorm(use_running_average=False, epsilon=1e-5, use_bias=False, use_scale=False, dtype=x.dtype)
    stats = {"mean": jnp.zeros(x.shape[-1]), "var": jnp.ones(x.shape[-1])}
    return module.apply({"batch_stats": stats}, x, mutable=["batch_stats"])[0]


def linen_pool(x):
    return nn.avg_pool(x, (3, 3), padding="SAME", count_include_pad=False)


def derivatives(layer, *arguments):
    """Value, gradient and gradient of a squared gradient, of a scalar that is not linear in the output."""
    every = tuple(range(len(arguments)))

    def value(*arguments):
        return jnp.mean(jnp.tanh(layer(*arguments)))

    def squared_gradient(*arguments):
        return sum(jnp.sum(g**2) for g in jax.grad(value, every)(*arguments))

    def all_of_them(*arguments):
        return layer(*arguments), jax.grad(value, every)(*arguments), jax.grad(squared_gradient, every)(*arguments)

    return jax.jit(all_of_them)(*arguments)


def assert_same(ours, theirs, *arguments, tolerance: float = 1e-5) -> None:
    for a, b in zip(
        jax.tree.leaves(derivatives(ours, *arguments)), jax.tree.leaves(derivatives(theirs, *arguments)), strict=True
    ):
        assert a.dtype == b.dtype
        a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
        assert np.abs(a - b).max() <= tolerance * np.abs(b).max()


@pytest.mark.parametrize(("side", "inputs", "outputs", "size", "stride"), CONVOLUTIONS)
def test_convolutions(side: int, inputs: int, outputs: int, size: int, stride: int) -> None:
    ours = of_images(layers.conv if stride == 1 else layers.strided_conv)
    x, kernel = draw(BATCH, side, side, inputs), draw(size, size, inputs, outputs, seed=1) / size / inputs**0.5
    assert_same(ours, linen_conv(size, stride), x, kernel)


@pytest.mark.parametrize("shape", [(BATCH, 32, 32, 16), (BATCH, 8, 8, 64), (1, 2, 2, 5)])
def test_norms_and_pooling(shape: tuple[int, ...]) -> None:
    x = 2 + 3 * draw(*shape)
    assert_same(lambda x: layers.norm(x, "batch", None)[0], linen_norm, x, tolerance=3e-5)
    assert_same(of_images(layers.average_pool_3x3), linen_pool, x)
    assert_same(layers.relu, nn.relu, x - 2)


def test_the_gradient_reaches_the_statistics_of_a_norm() -> None:
    x, weights = draw(6, 3), draw(2, 3, seed=2)

    def weighted(x):
        return sum(jnp.sum(w * v) for w, v in zip(weights, layers.norm(x, "batch", None)[1], strict=True))

    expected = (weights[:1] + 2 * weights[1:] * (x - x.mean(0, keepdims=True))) / 6
    np.testing.assert_allclose(jax.grad(weighted)(x), expected, atol=1e-5)


@pytest.mark.parametrize("layer", [
    lambda x, k: layers.conv(x, k),
    lambda x, k: layers.strided_conv(x, k),
    lambda x, k: layers.norm(x, "batch", None)[0],
    lambda x, k: layers.average_pool_3x3(x),
])  # fmt: skip
def test_bfloat16_gives_the_numbers_of_float32_to_its_own_precision(layer) -> None:
    x, kernel = draw(8, BATCH, 8, 4), draw(3, 3, 4, 4, seed=1) / 6

    def value_and_gradients(x, kernel):
        y, back = jax.vjp(layer, x, kernel)
        return y, *back(jnp.cos(y))

    exact = value_and_gradients(x, kernel)
    rounded = value_and_gradients(x.astype(jnp.bfloat16), kernel.astype(jnp.bfloat16))
    for a, b in zip(rounded, exact, strict=True):
        assert a.dtype == jnp.bfloat16
        assert np.abs(np.asarray(a, np.float32) - b).max() <= 0.03 * max(np.abs(b).max(), 1e-3)
