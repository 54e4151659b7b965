"""Convolution, norm and pooling as pure functions, each fast and differentiable twice in scan, switch, map and vmap."""

from typing import Literal

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_batching import custom_vmap

from jaxnas.types import Array

NormMode = Literal["batch", "given", "none"]
NORM_EPSILON = 1e-5


@jax.custom_vjp
def conv(x: Array, kernel: Array) -> Array:
    """Convolution of stride 1, zero-padded to the same size: x [B, H, W, C], kernel [k, k, C, D] -> [B, H, W, D].

    k is odd.

    Its derivative is its own: the input gradient is this convolution with the flipped kernel, the weight gradient
    one matrix product of shifted inputs. XLA's own gradient convolutions fall back to a naive loop on CPU inside
    scan, map and switch (20 times slower), and these rules, being made of `conv` and products, keep second
    derivatives fast. Reverse mode only: forward mode (jax.jvp) cannot pass a custom_vjp.
    """
    return _same_conv(x, kernel)


def _conv_forward(x: Array, kernel: Array) -> tuple[Array, tuple[Array, Array]]:
    return conv(x, kernel), (x, kernel)


def _conv_backward(residuals: tuple[Array, Array], gradient: Array) -> tuple[Array, Array]:
    x, kernel = residuals
    into_x = conv(gradient, kernel[::-1, ::-1].swapaxes(2, 3))
    into_kernel = jnp.einsum("bhwp,bhwd->pd", _patches(x, kernel.shape[0], 1), gradient)
    return into_x, into_kernel.reshape(kernel.shape)


conv.defvjp(_conv_forward, _conv_backward)


@custom_vmap
def _same_conv(x: Array, kernel: Array) -> Array:
    return lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


@_same_conv.def_vmap
def _batched_conv(size: int, batched: list[bool], x: Array, kernel: Array) -> tuple[Array, bool]:
    # A vmapped kernel would become a grouped convolution, 20-100 times slower: batched matrix products instead.
    if batched[1]:
        return jax.vmap(_product_conv, in_axes=(0 if batched[0] else None, 0), axis_size=size)(x, kernel), True
    merged = _same_conv(x.reshape(-1, *x.shape[2:]), kernel)
    return merged.reshape(*x.shape[:2], *merged.shape[1:]), True


def _product_conv(x: Array, kernel: Array) -> Array:
    return _patches(x, kernel.shape[0], 1) @ kernel.reshape(-1, kernel.shape[-1])


def strided_conv(x: Array, kernel: Array) -> Array:
    """Convolution of stride 2, padded by k // 2 on every side. x [B, H, W, C], H and W even -> [B, H / 2, W / 2, D].

    One pixel of padding on each side is what the reference networks use; XLA's "SAME" pads (0, 1) here and is
    another function. Written as one matrix product of strided patches, differentiable natively to any order.
    """
    return _patches(x, kernel.shape[0], 2) @ kernel.reshape(-1, kernel.shape[-1])


def _patches(x: Array, size: int, stride: int) -> Array:
    """Zero-padded neighbourhoods, [B, H / stride, W / stride, size * size * C]."""
    if size == 1 and stride == 1:
        return x
    pad = size // 2
    height, width = x.shape[1:3]
    padded = jnp.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    shifted = [padded[:, i : i + height : stride, j : j + width : stride] for i in range(size) for j in range(size)]
    return jnp.concatenate(shifted, -1)


def norm(x: Array, mode: NormMode, stats: tuple[Array, Array] | None) -> tuple[Array, tuple[Array, Array]]:
    """Batch norm without affine part, [..., C], and the (mean, variance) [C] it used.

    batch: statistics of this batch, biased variance; given: `stats`; none: the identity.
    """
    if mode == "none":
        channels = x.shape[-1]
        return x, (jnp.zeros(channels, x.dtype), jnp.ones(channels, x.dtype))
    if mode == "given":
        if stats is None:
            raise ValueError("norm mode 'given' needs the statistics of Network.forward")
        mean, variance = stats
    else:
        axes = tuple(range(x.ndim - 1))
        mean = x.mean(axes)
        variance = jnp.square(x - mean.reshape((1,) * len(axes) + (-1,))).mean(axes)
    shape = (1,) * (x.ndim - 1) + (-1,)
    scale = lax.rsqrt(variance + NORM_EPSILON)
    return (x - mean.reshape(shape)) * scale.reshape(shape), (mean, variance)


def affine(x: Array, scale: Array, bias: Array) -> Array:
    """x * scale + bias over the last axis; scale and bias [C]."""
    shape = (1,) * (x.ndim - 1) + (-1,)
    return x * scale.reshape(shape) + bias.reshape(shape)


def average_pool_3x3(x: Array) -> Array:
    """Mean of the 3x3 neighbourhood, stride 1, over the pixels inside the image only. [B, H, W, C] -> the same."""
    sums = x
    for axis in (1, 2):
        width = [(0, 0)] * 4
        width[axis] = (1, 1)
        padded = jnp.pad(sums, width)
        length = x.shape[axis]
        before, here, after = (lax.slice_in_dim(padded, i, i + length, axis=axis) for i in range(3))
        sums = before + here + after
    return sums / _pixels_inside(*x.shape[1:3])


def _pixels_inside(height: int, width: int) -> Array:
    rows, columns = ([float(min(i + 1, n - 1) - max(i - 1, 0) + 1) for i in range(n)] for n in (height, width))
    return (jnp.array(rows)[:, None] * jnp.array(columns)[None, :])[None, :, :, None]


def average_pool_2x2(x: Array) -> Array:
    """Mean of disjoint 2x2 blocks. [B, H, W, C] -> [B, H / 2, W / 2, C]."""
    b, h, w, c = x.shape
    return x.reshape(b, h // 2, 2, w // 2, 2, c).mean((2, 4))
