"""Layers against scipy, numpy loops and XLA's own convolution, in first and second derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from scipy.signal import correlate2d

from jaxnas.nets import layers
from jaxnas.nets.layers import norm


def of_images(layer):
    """A layer as a function of images [B, H, W, C]."""
    return lambda x, *weights: layer(x.swapaxes(0, 1), *weights).swapaxes(0, 1)


conv, strided_conv = of_images(layers.conv), of_images(layers.strided_conv)
average_pool_2x2, average_pool_3x3 = of_images(layers.average_pool_2x2), of_images(layers.average_pool_3x3)


def draw(*shape: int, seed: int = 0) -> jax.Array:
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


def xla_conv(x: jax.Array, kernel: jax.Array, stride: int = 1) -> jax.Array:
    pad = kernel.shape[0] // 2
    return lax.conv_general_dilated(
        x, kernel, (stride, stride), [(pad, pad)] * 2, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


@pytest.mark.parametrize("size", [1, 3, 5])
def test_conv_is_a_zero_padded_correlation(size: int) -> None:
    x, kernel = draw(2, 5, 4, 3), draw(size, size, 3, 2, seed=1)
    expected = np.zeros((2, 5, 4, 2))
    for b in range(2):
        for c in range(3):
            for d in range(2):
                expected[b, :, :, d] += correlate2d(x[b, :, :, c], kernel[:, :, c, d], mode="same")
    np.testing.assert_allclose(conv(x, kernel), expected, atol=1e-5)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [1, 3])
def test_derivatives_to_second_order_are_those_of_xla(size: int, stride: int) -> None:
    x, kernel = draw(2, 6, 4, 3), draw(size, size, 3, 2, seed=1)
    ours = conv if stride == 1 else strided_conv

    def through(f):
        def value(x, kernel):
            return jnp.sum(jnp.tanh(f(x, kernel)))

        def squared_gradient(x, kernel):
            return sum(jnp.sum(g**2) for g in jax.grad(value, (0, 1))(x, kernel))

        return value(x, kernel), jax.grad(value, (0, 1))(x, kernel), jax.grad(squared_gradient, (0, 1))(x, kernel)

    got = through(ours)
    expected = through(lambda x, k: xla_conv(x, k, stride))
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("in_axes", [(0, 0), (0, None), (None, 0)])
def test_a_vmapped_conv_is_no_grouped_convolution_and_has_the_same_gradient(in_axes) -> None:
    x = draw(*((3,) if in_axes[0] == 0 else ()), 2, 4, 4, 3)
    kernel = draw(*((3,) if in_axes[1] == 0 else ()), 3, 3, 3, 2, seed=1)

    def gradient(x, kernel):
        return jax.grad(lambda x, k: jnp.sum(jnp.tanh(conv(x, k))), (0, 1))(x, kernel)

    batched = jax.jit(jax.vmap(gradient, in_axes))
    one = [gradient(x[i] if in_axes[0] == 0 else x, kernel[i] if in_axes[1] == 0 else kernel) for i in range(3)]
    for got, expected in zip(jax.tree.leaves(batched(x, kernel)), zip(*one, strict=True), strict=True):
        np.testing.assert_allclose(got, np.stack(expected), atol=1e-4)
    text = batched.lower(x, kernel).as_text()
    assert "feature_group_count = 1 " in text or "stablehlo.convolution" not in text
    assert "batch_group_count = 3" not in text and "feature_group_count = 3" not in text


@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (5, 4)])
def test_pooling_divides_by_the_pixels_inside_the_image(shape: tuple[int, int]) -> None:
    x = draw(2, *shape, 3)
    expected = np.empty_like(x)
    for i in range(shape[0]):
        for j in range(shape[1]):
            window = x[:, max(i - 1, 0) : i + 2, max(j - 1, 0) : j + 2]
            expected[:, i, j] = window.mean((1, 2))
    np.testing.assert_allclose(average_pool_3x3(x), expected, atol=1e-6)


def test_pooling_2x2_by_hand() -> None:
    x = jnp.arange(16.0).reshape(1, 4, 4, 1)
    np.testing.assert_allclose(average_pool_2x2(x)[0, :, :, 0], [[2.5, 4.5], [10.5, 12.5]])


def test_norm_modes() -> None:
    x = 3 + 2 * draw(4, 3, 3, 5)
    y, (mean, variance) = norm(x, "batch", None)
    flat = np.asarray(x, np.float64).reshape(-1, 5)
    np.testing.assert_allclose(mean, flat.mean(0), rtol=1e-5)
    np.testing.assert_allclose(variance, flat.var(0), rtol=1e-5)
    np.testing.assert_allclose(y.reshape(-1, 5), (flat - flat.mean(0)) / np.sqrt(flat.var(0) + 1e-5), atol=1e-5)
    np.testing.assert_allclose(norm(x[:1], "given", (mean, variance))[0], y[:1], atol=1e-6)
    np.testing.assert_array_equal(norm(x, "none", None)[0], x)
    with pytest.raises(ValueError, match="statistics"):
        norm(x, "given", None)
