"""Normalisation, crop, flip and cutout against windows computed in numpy, and the making of batches."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import jax
import numpy as np
import pytest

from jaxnas.config import DataConfig
from jaxnas.data import Split, build_pipeline, colours_of, epoch_order, fixed_batches, on_device
from jaxnas.data.pipeline import padded_batches

PLAIN = DataConfig(crop=0, flip=False, cutout=0)
HEIGHT, WIDTH, CHANNELS = 6, 5, 2


def random_split(n: int, seed: int = 0) -> Split:
    rng = np.random.default_rng(seed)
    dark = rng.integers(0, 100, (n, HEIGHT, WIDTH, 1))
    bright = rng.integers(150, 256, (n, HEIGHT, WIDTH, 1))
    return Split(np.concatenate([dark, bright], -1).astype(np.uint8), rng.integers(0, 10, n).astype(np.int32), 10)


def normalised(images: np.ndarray, train: np.ndarray) -> np.ndarray:
    """(x - mean) / deviation, channel by channel, in float64."""
    channels = [
        (images[..., c] - train[..., c].mean(dtype=np.float64)) / train[..., c].std(dtype=np.float64)
        for c in range(images.shape[-1])
    ]
    return np.stack(channels, -1)


def matches(images: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """Which candidate equals each image; images [B, H, W, C], candidates [N, B, H, W, C] -> bool [N, B]."""
    return (np.abs(candidates - images[None]) < 1e-4).all((2, 3, 4))


SPLIT = random_split(600)
EXPECTED = normalised(SPLIT.images, SPLIT.images)
ALL = DataConfig(crop=2, flip=True, cutout=2)


@cache
def compiled(config: DataConfig) -> Callable[[jax.Array, np.ndarray], jax.Array]:
    return jax.jit(build_pipeline(config, colours_of(SPLIT)).augment)


def augmented(config: DataConfig, seed: int = 0, images: np.ndarray = SPLIT.images) -> np.ndarray:
    return np.asarray(compiled(config)(jax.random.key(seed), images))


def test_training_images_have_mean_zero_and_deviation_one_in_every_channel() -> None:
    train = random_split(200)
    x = np.asarray(build_pipeline(PLAIN, colours_of(train)).normalise(train.images))
    assert x.dtype == np.float32
    np.testing.assert_allclose(x.mean((0, 1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(x.std((0, 1, 2)), 1, atol=1e-5)


def test_other_images_are_normalised_by_the_training_images() -> None:
    train, other = random_split(50), random_split(20, seed=1)
    x = build_pipeline(PLAIN, colours_of(train)).normalise(other.images)
    np.testing.assert_allclose(x, normalised(other.images, train.images), atol=1e-5)


def test_a_channel_of_one_colour_becomes_about_zero() -> None:
    train = random_split(10)
    train.images[..., 1] = 77
    x = np.asarray(build_pipeline(PLAIN, colours_of(train)).normalise(train.images))
    assert np.abs(x[..., 1]).max() < 0.1


def test_without_crop_flip_and_cutout_images_are_only_normalised() -> None:
    np.testing.assert_allclose(augmented(PLAIN), EXPECTED, atol=1e-5)


def windows(pad: int, images: np.ndarray) -> np.ndarray:
    """Every window of the raw images padded with black, normalised, [(2 pad + 1)^2, B, H, W, C]."""
    height, width = images.shape[1:3]
    padded = np.pad(images, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    corners = [(y, x) for y in range(2 * pad + 1) for x in range(2 * pad + 1)]
    return np.stack([normalised(padded[:, y : y + height, x : x + width], SPLIT.images) for y, x in corners])


def test_a_crop_is_a_window_of_the_image_padded_with_black_and_every_window_occurs() -> None:
    found = matches(augmented(replace(PLAIN, crop=2)), windows(2, SPLIT.images))
    assert found.shape[0] == 25
    assert (found.sum(0) == 1).all()
    assert found.any(1).all()


def test_a_flip_mirrors_some_images_and_leaves_the_others() -> None:
    mirrored = np.stack([EXPECTED[..., WIDTH - 1 - x, :] for x in range(WIDTH)], -2)
    found = matches(augmented(replace(PLAIN, flip=True)), np.stack([EXPECTED, mirrored]))
    assert (found.sum(0) == 1).all()
    assert 200 < found[1].sum() < 400


@pytest.mark.parametrize("seed", range(3))
def test_digits_without_flips_are_never_mirrored(seed: int) -> None:
    found = matches(augmented(DataConfig(name="digits", crop=1, flip=False), seed), windows(1, SPLIT.images))
    assert (found.sum(0) == 1).all()


@pytest.mark.parametrize("length", [2, 3])
def test_cutout_zeroes_the_clipped_square_around_a_pixel_and_every_pixel_occurs(length: int) -> None:
    assert np.abs(EXPECTED).min() > 1e-6
    cut = augmented(replace(PLAIN, cutout=length))
    holes = cut == 0
    assert (holes.all(-1) == holes.any(-1)).all()
    np.testing.assert_allclose(np.where(holes, 0, cut), np.where(holes, 0, EXPECTED), atol=1e-5)
    allowed = set()
    for y in range(HEIGHT):
        for x in range(WIDTH):
            square = np.zeros((HEIGHT, WIDTH), bool)
            top, left = y - length // 2, x - length // 2
            square[max(top, 0) : top + length, max(left, 0) : left + length] = True
            allowed.add(square.tobytes())
    assert {hole.tobytes() for hole in holes[..., 0]} == allowed


def test_the_same_key_gives_the_same_images_and_another_key_others() -> None:
    first, again, other = (augmented(ALL, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any((1, 2, 3)).mean() > 0.9


def test_images_of_a_batch_are_augmented_each_in_its_own_way() -> None:
    x = augmented(replace(PLAIN, crop=2), images=np.repeat(SPLIT.images[:1], len(SPLIT), 0))
    assert len({image.tobytes() for image in x}) == 25


def test_augmented_images_keep_shape_and_type() -> None:
    x = augmented(ALL)
    assert (x.shape, x.dtype) == ((600, HEIGHT, WIDTH, CHANNELS), np.float32)


def test_a_split_on_the_device_keeps_its_values_and_types() -> None:
    split = random_split(7)
    images, labels = on_device(split)
    assert isinstance(images, jax.Array)
    assert (images.dtype, labels.dtype) == (np.uint8, np.int32)
    np.testing.assert_array_equal(images, split.images)
    np.testing.assert_array_equal(labels, split.labels)


@pytest.mark.parametrize(("examples", "batch", "steps"), [(12, 4, 3), (14, 4, 3), (3, 4, 0)])
def test_an_epoch_shows_no_example_twice_and_drops_the_remainder(examples: int, batch: int, steps: int) -> None:
    order = np.asarray(epoch_order(jax.random.key(0), examples, batch))
    assert order.shape == (steps, batch)
    assert len(set(order.ravel().tolist())) == steps * batch
    assert set(order.ravel().tolist()) <= set(range(examples))


def test_epochs_are_shuffled_by_their_key() -> None:
    first, again, other = (np.asarray(epoch_order(jax.random.key(k), 40, 8)).ravel().tolist() for k in (0, 0, 1))
    assert first == again
    assert sorted(first) == sorted(other) == list(range(40))
    assert first != other
    assert first != list(range(40))


@pytest.mark.parametrize(("n", "batches"), [(8, 2), (11, 2), (3, 0)])
def test_fixed_batches_are_the_first_examples_in_order(n: int, batches: int) -> None:
    split = random_split(n)
    images, labels = fixed_batches(split, 4)
    assert images.shape == (batches, 4, HEIGHT, WIDTH, CHANNELS)
    assert [np.asarray(image).tobytes() for batch in images for image in batch] == [
        image.tobytes() for image in split.images[: batches * 4]
    ]
    assert np.asarray(labels).ravel().tolist() == split.labels[: batches * 4].tolist()


@pytest.mark.parametrize(("n", "batches"), [(8, 2), (9, 3), (11, 3), (3, 1)])
def test_padded_batches_keep_every_example_and_mark_the_padding(n: int, batches: int) -> None:
    split = random_split(n)
    images, labels = (np.asarray(a) for a in padded_batches(split, 4))
    assert images.shape == (batches, 4, HEIGHT, WIDTH, CHANNELS)
    assert (images.dtype, labels.dtype) == (np.uint8, np.int32)
    np.testing.assert_array_equal(images.reshape(-1, HEIGHT, WIDTH, CHANNELS)[:n], split.images)
    assert labels.ravel().tolist() == split.labels.tolist() + [-1] * (batches * 4 - n)
    assert not images.reshape(-1, HEIGHT, WIDTH, CHANNELS)[n:].any()
