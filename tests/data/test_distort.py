"""Distortions against hand-worked moves and bilinear sums in plain loops; what of a data set they leave alone."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from jaxnas.config import DataConfig
from jaxnas.data import Split, load
from jaxnas.data.distort import NOISE, distort, moved
from jaxnas.types import UserError

DIGITS = DataConfig(name="digits", train=300, valid=200, distort=0.5)
IMAGE = np.random.default_rng(0).integers(0, 256, (5, 5, 2)).astype(np.uint8)
ONE, NOWHERE = np.ones(2), np.zeros(2)


def shifted(image: np.ndarray) -> np.ndarray:
    """One pixel down, two to the left."""
    out = np.zeros_like(image)
    out[1:, :-2] = image[:-1, 2:]
    return out


def slanted(image: np.ndarray) -> np.ndarray:
    """Each row a pixel further to the right than the one above; the middle row stays."""
    out = np.zeros_like(image)
    for y in range(5):
        for x in range(5):
            if 0 <= x - (y - 2) < 5:
                out[y, x] = image[y, x - (y - 2)]
    return out


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, lambda image: image),
        ({"shift": np.array([1.0, -2.0])}, shifted),
        ({"angle": np.pi / 2}, np.rot90),
        ({"shear": 1.0}, slanted),
        ({"scale": -ONE}, lambda image: image[::-1, ::-1]),
    ],
    ids=["none", "shift", "quarter turn", "shear", "both axes turned round"],
)
def test_moves_that_hit_pixels_move_pixels(change: dict, expected: Callable[[np.ndarray], np.ndarray]) -> None:
    still = {"angle": 0.0, "shear": 0.0, "scale": ONE, "shift": NOWHERE}
    np.testing.assert_allclose(moved(IMAGE, **(still | change)), expected(IMAGE), atol=1e-9)


def test_a_move_between_pixels_is_the_bilinear_sum_over_pixels() -> None:
    angle, shear, scale, shift = 0.4, -0.2, np.array([1.3, 0.8]), np.array([0.6, -0.9])
    image = IMAGE[:4].astype(float)  # 4 x 5
    centre = np.array([1.5, 2.0])
    expected = np.zeros_like(image)
    for y in range(4):
        for x in range(5):
            # From where (y, x) comes: the shift, the turn, the slant and the scale undone one after the other.
            v, u = np.array([y, x]) - centre - shift
            v, u = np.cos(angle) * v + np.sin(angle) * u, -np.sin(angle) * v + np.cos(angle) * u
            v, u = v, u - shear * v
            v, u = np.array([v, u]) / scale + centre
            for b in range(4):
                for a in range(5):
                    expected[y, x] += max(0, 1 - abs(v - b)) * max(0, 1 - abs(u - a)) * image[b, a]
    np.testing.assert_allclose(moved(image, angle, shear, scale, shift), expected, atol=1e-9)


def test_flat_images_stay_flat_inside_but_for_noise_of_the_stated_deviation() -> None:
    flat = Split(np.full((400, 12, 12, 1), 128, np.uint8), np.zeros(400, np.int32), 1)
    inside = distort(flat, 0.5, [0]).images[:, 5:7, 5:7].astype(float)
    spread = (inside - inside.mean((1, 2), keepdims=True)).std((1, 2, 3), ddof=1) / 255
    # Uniform deviations up to d have a mean square of d^2 / 3.
    assert (spread**2).mean() == pytest.approx((0.5 * NOISE) ** 2 / 3, rel=0.2)


def test_parts_are_distorted_once_whatever_the_seed_and_keep_their_labels() -> None:
    first, again, other = load(DIGITS, 3), load(DIGITS, 3), load(DIGITS, 4)
    plain = load(replace(DIGITS, distort=0.0), 3)
    parts = [(of.train, of.valid, of.test()) for of in (first, again, plain)]
    for distorted, same, as_it_was in zip(*parts, strict=True):
        np.testing.assert_array_equal(distorted.images, same.images)
        np.testing.assert_array_equal(distorted.labels, as_it_was.labels)
        assert (distorted.images != as_it_was.images).any((1, 2, 3)).all()
    np.testing.assert_array_equal(first.test().images, other.test().images)
    whole = [{image.tobytes() for part in (of.train, of.valid) for image in part.images} for of in (first, other)]
    assert len(whole[0] & whole[1]) > 100  # an image that both seeds drew was distorted alike
    assert first.colours == other.colours


def test_stronger_distortions_take_images_further_from_what_they_were() -> None:
    plain = load(replace(DIGITS, distort=0.0), 0).test().images.astype(float)
    away = [np.abs(load(replace(DIGITS, distort=s), 0).test().images - plain).mean() for s in (0.1, 0.4, 1.0)]
    assert 0 < away[0] < away[1] < away[2]


@pytest.mark.parametrize("strength", [-0.1, 1.5, float("nan")])
def test_a_strength_out_of_range_is_an_error(strength: float) -> None:
    with pytest.raises(UserError, match=r"data\.distort must lie in 0 \.\. 1, it is"):
        load(replace(DIGITS, distort=strength), 0)
