"""From uint8 images on the device to the floats a network sees: batches, augmentation, normalisation; all jitted."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxnas.config import DataConfig
from jaxnas.data.split import Split
from jaxnas.types import Array, Key


class Images(NamedTuple):
    """A pytree of examples on the device. images uint8 [..., n, H, W, C], labels int32 [..., n]."""

    images: Array
    labels: Array


class Pipeline(NamedTuple):
    """How images become network inputs, float32 [B, H, W, C]."""

    augment: Callable[[Key, Array], Array]
    """(key, uint8 [B, H, W, C]) -> normalised; random crop, flip and cutout, as configured. The key is consumed."""
    normalise: Callable[[Array], Array]
    """(uint8 [B, H, W, C]) -> normalised, nothing random."""


class Colours(NamedTuple):
    """Mean and deviation of each channel, in 0 .. 1."""

    mean: tuple[float, ...]
    deviation: tuple[float, ...]


def colours_of(split: Split) -> Colours:
    """Exact statistics of the pixels, from how often each of the 256 values occurs in each channel."""
    values = np.arange(256) / 255
    counts = [np.bincount(split.images[..., c].ravel(), minlength=256) for c in range(split.images.shape[-1])]
    mean = [float(values @ n / n.sum()) for n in counts]
    variance = [float((values - m) ** 2 @ n / n.sum()) for n, m in zip(counts, mean, strict=True)]
    return Colours(tuple(mean), tuple(v**0.5 for v in variance))


def build_pipeline(config: DataConfig, colours: Colours) -> Pipeline:
    """Images are normalised by the colours of the training part, those held out for validation included.

    These are a constant of the data set and not of the seed, so that all seeds run one compiled program.
    """
    mean, deviation = np.array(colours.mean), np.maximum(colours.deviation, 1e-6)
    scale = jnp.asarray(1 / (255 * deviation), jnp.float32)
    shift = jnp.asarray(-mean / deviation, jnp.float32)

    def normalise(images: Array) -> Array:
        return images.astype(jnp.float32) * scale.reshape(1, 1, 1, -1) + shift.reshape(1, 1, 1, -1)

    def augment(key: Key, images: Array) -> Array:
        crop_key, flip_key, cut_key = jax.random.split(key, 3)
        if config.crop:
            images = _random_crop(crop_key, images, config.crop)
        if config.flip:
            flipped = jax.random.bernoulli(flip_key, 0.5, (images.shape[0], 1, 1, 1))
            images = jnp.where(flipped, images[:, :, ::-1], images)
        x = normalise(images)
        return _cutout(cut_key, x, config.cutout) if config.cutout else x

    return Pipeline(augment, normalise)


def _random_crop(key: Key, x: Array, pad: int) -> Array:
    """Pads by `pad` black pixels and cuts the original size at a random place of its own for each image."""
    padded = jnp.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    corners = jax.random.randint(key, (x.shape[0], 2), 0, 2 * pad + 1)
    return jax.vmap(lambda image, corner: lax.dynamic_slice(image, (corner[0], corner[1], 0), x.shape[1:]))(
        padded, corners
    )


def _cutout(key: Key, x: Array, length: int) -> Array:
    """Zeroes (the mean colour) a square around a random pixel, clipped at the border (DeVries & Taylor, 2017)."""
    inside = []
    for side, axis_key in zip(x.shape[1:3], jax.random.split(key), strict=True):
        centre = jax.random.randint(axis_key, (x.shape[0], 1), 0, side)
        offset = jnp.arange(side)[None, :] - (centre - length // 2)
        inside.append((offset >= 0) & (offset < length))
    hole = inside[0][:, :, None] & inside[1][:, None, :]
    return jnp.where(hole[..., None], 0.0, x)


def on_device(split: Split) -> Images:
    """The examples of a split as device arrays."""
    return Images(jnp.asarray(split.images), jnp.asarray(split.labels))


def fixed_batches(split: Split, size: int) -> Images:
    """The first batches of `size` examples, images [n, size, H, W, C]; the remainder is dropped."""
    n = len(split) // size
    images = split.images[: n * size].reshape(n, size, *split.images.shape[1:])
    return Images(jnp.asarray(images), jnp.asarray(split.labels[: n * size].reshape(n, size)))


def epoch_order(key: Key, examples: int, batch: int) -> Array:
    """Indices of one epoch in random order, int [steps, batch]; the remainder is dropped. The key is consumed."""
    steps = examples // batch
    return jax.random.permutation(key, examples)[: steps * batch].reshape(steps, batch)


def padded_batches(split: Split, size: int) -> Images:
    """All examples in batches of `size`; the last is filled up with blank images of label -1, which nothing counts."""
    missing = -len(split) % size
    images = np.concatenate([split.images, np.zeros((missing, *split.images.shape[1:]), np.uint8)])
    labels = np.concatenate([split.labels, np.full(missing, -1, np.int32)])
    return Images(jnp.asarray(images.reshape(-1, size, *images.shape[1:])), jnp.asarray(labels.reshape(-1, size)))
