"""Convolution, norm and pooling as pure functions, each fast and differentiable twice in scan, switch, map and vmap.

Features lie in memory as [H, B, W, C]: rows of all images side by side. XLA's convolution on CPU divides the width of
an image among cores, and seldom a batch; so laid, a batch is one wide image and costs no copy to become one.
"""

from typing import Literal

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_batching import custom_vmap

from jaxnas.distributed import parallel
from jaxnas.types import Array

NormMode = Literal["batch", "given", "none"]
NORM_EPSILON = 1e-5


@jax.custom_vjp
def conv(x: Array, kernel: Array) -> Array:
    """Convolution of stride 1, zero-padded to the same size: x [H, B, W, C], kernel [k, k, C, D] -> [H, B, W, D].

    k is odd.

    Its derivative is its own: the input gradient is this convolution with the flipped kernel, the weight gradient
    one matrix product of shifted arrays. XLA's own gradient convolutions fall back to a naive loop on CPU inside
    scan, map and switch (hundreds of times slower), and these rules, being made of `conv` and products, keep second
    derivatives fast. Reverse mode only: forward mode (jax.jvp) cannot pass a custom_vjp.
    """
    return _same_conv(x, kernel)


def _conv_forward(x: Array, kernel: Array) -> tuple[Array, tuple[Array, Array]]:
    return conv(x, kernel), (x, kernel)


def _conv_backward(residuals: tuple[Array, Array], gradient: Array) -> tuple[Array, Array]:
    x, kernel = residuals
    return conv(gradient, kernel[::-1, ::-1].swapaxes(2, 3)), _kernel_gradient(x, gradient, kernel.shape[0])


conv.defvjp(_conv_forward, _conv_backward)


def _kernel_gradient(x: Array, gradient: Array, size: int) -> Array:
    """Gradient on the kernel, [k, k, C, D], as one product of k shifts of the input and k of the output's gradient.

    Columns are shifted in x and rows, the other way, in the gradient: k + k copies are joined, not k * k.
    """
    height, _, width, _ = x.shape
    pad = size // 2
    columns = _padded(x, columns=(pad, pad))
    rows = _padded(gradient, rows=(pad, pad))
    inputs = jnp.concatenate([columns[:, :, j : j + width] for j in range(size)], -1)
    outputs = jnp.concatenate([rows[size - 1 - i : size - 1 - i + height] for i in range(size)], -1)
    if not parallel.examples_are_spread():  # one axis saves a copy, but examples on several devices would be gathered
        inputs, outputs = (a.reshape(-1, a.shape[-1]) for a in (inputs, outputs))
    summed = tuple(range(inputs.ndim - 1))
    product = lax.dot_general(inputs, outputs, ((summed, summed), ((), ())))
    return product.reshape(size, x.shape[-1], size, gradient.shape[-1]).transpose(2, 0, 1, 3)


@custom_vmap
def _same_conv(x: Array, kernel: Array) -> Array:
    if kernel.shape[0] == 1:
        return x @ kernel[0, 0]
    if jax.default_backend() != "cpu" or parallel.examples_are_spread():  # one wide image would tie examples together
        return lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("HNWC", "HWIO", "HNWC"))
    height, batch, width, channels = x.shape
    pad = kernel.shape[0] // 2
    apart = _padded(x, columns=(0, pad))  # columns of zeros between the images
    wide = apart.reshape(1, height, batch * (width + pad), channels)
    y = lax.conv_general_dilated(wide, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
    return y.reshape(height, batch, width + pad, -1)[:, :, :width]


@_same_conv.def_vmap
def _batched_conv(size: int, batched: list[bool], x: Array, kernel: Array) -> tuple[Array, bool]:
    # A vmapped kernel would become a grouped convolution, 20-100 times slower: batched matrix products instead.
    if batched[1]:
        return jax.vmap(_product_conv, in_axes=(0 if batched[0] else None, 0), axis_size=size)(x, kernel), True
    height, batch = x.shape[1:3]
    merged = _same_conv(x.swapaxes(0, 1).reshape(height, size * batch, *x.shape[3:]), kernel)
    return merged.reshape(height, size, batch, *merged.shape[2:]).swapaxes(0, 1), True


def _product_conv(x: Array, kernel: Array) -> Array:
    return _patches(x, kernel.shape[0], 1) @ kernel.reshape(-1, kernel.shape[-1])


def strided_conv(x: Array, kernel: Array) -> Array:
    """Convolution of stride 2, padded by k // 2 on every side. x [H, B, W, C], H and W even -> [H / 2, B, W / 2, D].

    One pixel of padding on each side is what the reference networks use; XLA's "SAME" pads (0, 1) here and is
    another function. Written as one matrix product of strided patches, differentiable natively to any order.
    """
    return _patches(x, kernel.shape[0], 2) @ kernel.reshape(-1, kernel.shape[-1])


def _patches(x: Array, size: int, stride: int) -> Array:
    """Zero-padded neighbourhoods, [H / stride, B, W / stride, size * size * C]."""
    height, _, width, _ = x.shape
    pad = (size // 2, size // 2)
    padded = _padded(x, pad, pad)
    shifted = [padded[i : i + height : stride, :, j : j + width : stride] for i in range(size) for j in range(size)]
    return jnp.concatenate(shifted, -1)


def _padded(x: Array, rows: tuple[int, int] = (0, 0), columns: tuple[int, int] = (0, 0)) -> Array:
    # lax.pad: jnp.pad traces a function of its own for each call, a tenth of a step's tracing
    return lax.pad(x, jnp.zeros((), x.dtype), ((*rows, 0), (0, 0, 0), (*columns, 0), (0, 0, 0)))


def norm(x: Array, mode: NormMode, stats: tuple[Array, Array] | None) -> tuple[Array, tuple[Array, Array]]:
    """Batch norm without affine part, [..., C], and the (mean, variance) [C] it used.

    batch: statistics of this batch, biased variance; given: `stats`; none: the identity. Statistics are float32, also
    of bfloat16 inputs.
    """
    if mode == "none":
        channels = x.shape[-1]
        return x, (jnp.zeros(channels), jnp.ones(channels))
    if mode == "given":
        if stats is None:
            raise ValueError("norm mode 'given' needs the statistics of Network.forward")
        return _standardise(x, *stats), stats
    y, mean, variance = batch_norm(x)
    return y, (mean, variance)


@jax.custom_vjp
def batch_norm(x: Array) -> tuple[Array, Array, Array]:
    """x [..., C] standardised by the mean and the biased variance of each channel; and these, float32 [C].

    Its derivative is its own: two sums and one pass, and nothing kept but the output; the chain rule through mean and
    variance takes twice as many.
    """
    wide = x.astype(jnp.float32)
    mean = _mean(wide)
    variance = _mean(jnp.square(wide - _as(mean, x)))
    return _standardise(x, mean, variance), mean, variance


def _norm_forward(x: Array) -> tuple[tuple[Array, Array, Array], tuple[Array, Array]]:
    y, mean, variance = batch_norm(x)
    return (y, mean, variance), (y, variance)


def batch_norm_gradient(y: Array, variance: Array, gradients: tuple[Array, Array, Array]) -> Array:
    """Gradient on the input of `batch_norm`, from its output y, its variance [C] and the gradients on its results."""
    gradient, into_mean, into_variance = gradients
    examples = y.size // y.shape[-1]
    deviation = jnp.sqrt(variance + NORM_EPSILON)
    wide, standard = gradient.astype(jnp.float32), y.astype(jnp.float32)
    slope = _mean(wide * standard) / deviation - 2 * into_variance * deviation / examples
    constant = _mean(wide) / deviation - into_mean / examples
    return (wide * _as(1 / deviation, y) - standard * _as(slope, y) - _as(constant, y)).astype(y.dtype)


def _norm_backward(residuals: tuple[Array, Array], gradients: tuple[Array, Array, Array]) -> tuple[Array]:
    return (batch_norm_gradient(*residuals, gradients),)


batch_norm.defvjp(_norm_forward, _norm_backward)


def _standardise(x: Array, mean: Array, variance: Array) -> Array:
    scale = lax.rsqrt(variance + NORM_EPSILON)
    return ((x.astype(jnp.float32) - _as(mean, x)) * _as(scale, x)).astype(x.dtype)


def _mean(x: Array) -> Array:
    return x.mean(tuple(range(x.ndim - 1)))


def _as(channels: Array, x: Array) -> Array:
    """[C] with the rank of x, for strict rank promotion."""
    return channels.reshape((1,) * (x.ndim - 1) + (-1,))


@jax.custom_vjp
def relu(x: Array) -> Array:
    """max(x, 0); on the way back its output tells where the input was positive, so that nothing else is kept."""
    return jnp.maximum(x, 0)


def _relu_forward(x: Array) -> tuple[Array, Array]:
    y = relu(x)
    return y, y


relu.defvjp(_relu_forward, lambda y, gradient: (lax.select(y > 0, gradient, jnp.zeros_like(gradient)),))


def affine(x: Array, scale: Array, bias: Array) -> Array:
    """x * scale + bias over the last axis; scale and bias [C]."""
    return x * _as(scale, x) + _as(bias, x)


def average_pool_3x3(x: Array) -> Array:
    """Mean of the 3x3 neighbourhood, stride 1, over the pixels inside the image only. [H, B, W, C] -> the same."""
    return _box_sum(x) / _pixels_inside(x.shape[0], x.shape[2]).astype(x.dtype)


@jax.custom_vjp
def _box_sum(x: Array) -> Array:
    """Sum of the 3x3 neighbourhood, zeros outside; its own transpose."""
    height, _, width, _ = x.shape
    padded = _padded(x, (1, 1), (1, 1))
    of_columns = padded[:, :, :width] + padded[:, :, 1:-1] + padded[:, :, 2:]
    return of_columns[:height] + of_columns[1:-1] + of_columns[2:]


_box_sum.defvjp(lambda x: (_box_sum(x), None), lambda _, gradient: (_box_sum(gradient),))


def _pixels_inside(height: int, width: int) -> Array:
    rows, columns = ([float(min(i + 1, n - 1) - max(i - 1, 0) + 1) for i in range(n)] for n in (height, width))
    return (jnp.array(rows)[:, None] * jnp.array(columns)[None, :])[:, None, :, None]


def average_pool_2x2(x: Array) -> Array:
    """Mean of disjoint 2x2 blocks. [H, B, W, C] -> [H / 2, B, W / 2, C]."""
    h, b, w, c = x.shape
    return x.reshape(h // 2, 2, b, w // 2, 2, c).mean((1, 4))
