"""Disjoint seeded parts, the checks of a split, and averaging over blocks."""

import numpy as np
import pytest

from jaxnas.data import Split, divide
from jaxnas.types import UserError


def numbered(n: int) -> Split:
    """Images [n, 1, 1, 2] of unique pixels, labels that follow from them."""
    ids = np.arange(n)
    images = np.stack([ids // 256, ids % 256], -1).astype(np.uint8).reshape(n, 1, 1, 2)
    return Split(images, (ids % 7).astype(np.int32), 7)


def ids(split: Split) -> list[int]:
    return (split.images[:, 0, 0, 0].astype(int) * 256 + split.images[:, 0, 0, 1]).tolist()


def test_parts_are_disjoint_and_of_the_asked_sizes() -> None:
    parts = divide(numbered(1000), {"train": 500, "valid": 300, "test": 150}, seed=3)
    found = [i for part in parts.values() for i in ids(part)]
    assert {name: len(part) for name, part in parts.items()} == {"train": 500, "valid": 300, "test": 150}
    assert len(set(found)) == len(found) == 950
    assert set(found) <= set(range(1000))


def test_parts_that_need_everything_get_everything() -> None:
    parts = divide(numbered(300), {"a": 299, "b": 1}, seed=0)
    assert sorted(ids(parts["a"]) + ids(parts["b"])) == list(range(300))


def test_labels_stay_with_their_images() -> None:
    part = divide(numbered(1000), {"train": 700}, seed=1)["train"]
    assert part.labels.tolist() == [i % 7 for i in ids(part)]


def test_a_division_is_fixed_by_its_seed() -> None:
    first, again, other = (divide(numbered(400), {"a": 200, "b": 200}, seed=seed) for seed in (5, 5, 6))
    assert ids(first["a"]) == ids(again["a"])
    assert ids(first["b"]) == ids(again["b"])
    assert set(ids(first["a"])) != set(ids(other["a"]))


def test_a_division_is_shuffled() -> None:
    assert ids(divide(numbered(100), {"a": 100}, seed=0)["a"]) != list(range(100))


@pytest.mark.parametrize("sizes", [{"a": 11}, {"a": 6, "b": 5}, {"a": 5, "b": 0}, {"a": 12, "b": -2}])
def test_sizes_that_do_not_fit_are_refused(sizes: dict[str, int]) -> None:
    with pytest.raises(UserError, match="10"):
        divide(numbered(10), sizes, seed=0)


def test_take_keeps_the_asked_order() -> None:
    part = numbered(300).take(np.array([290, 4, 4]))
    assert ids(part) == [290, 4, 4]
    assert part.labels.tolist() == [290 % 7, 4, 4]


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        (np.zeros((2, 4, 4, 3), np.float32), np.zeros(2, np.int32)),
        (np.zeros((2, 4, 4), np.uint8), np.zeros(2, np.int32)),
        (np.zeros((2, 4, 4, 3), np.uint8), np.zeros(3, np.int32)),
        (np.zeros((2, 4, 4, 3), np.uint8), np.zeros((2, 1), np.int32)),
        (np.zeros((2, 4, 4, 3), np.uint8), np.array([0, 10], np.int32)),
        (np.zeros((2, 4, 4, 3), np.uint8), np.array([0, -1], np.int32)),
        (np.zeros((2, 4, 4, 3), np.uint8), np.array([0, 0.5])),
    ],
    ids=["float-images", "no-channels", "more-labels", "one-hot-like", "label-10", "label--1", "float-labels"],
)
def test_a_split_refuses_other_forms(images: np.ndarray, labels: np.ndarray) -> None:
    with pytest.raises(UserError):
        Split(images, labels, 10)


def test_blocks_are_averaged_and_rounded() -> None:
    image = np.array(
        [
            [[10, 0], [20, 0], [255, 1], [255, 2]],
            [[30, 1], [40, 1], [255, 3], [254, 4]],
        ],
        np.uint8,
    )
    small = Split(image[None], np.array([3], np.int32), 10).downsampled(2)
    # (10 + 20 + 30 + 40) / 4 = 25, 1019 / 4 = 254.75 -> 255; channel 1: 2 / 4 = 0.5 -> 0 (to even), 10 / 4 = 2.5 -> 2
    assert small.images.tolist() == [[[[25, 0], [255, 2]]]]
    assert small.images.dtype == np.uint8
    assert small.labels.tolist() == [3]


def test_blocks_of_each_image_stay_apart() -> None:
    images = np.zeros((2, 6, 3, 1), np.uint8)
    images[0, :3], images[0, 3:], images[1, 3:] = 9, 18, 90
    small = Split(images, np.zeros(2, np.int32), 1).downsampled(3)
    assert small.images[..., 0].tolist() == [[[9], [18]], [[0], [90]]]


def test_a_factor_of_one_changes_nothing() -> None:
    split = numbered(10)
    np.testing.assert_array_equal(split.downsampled(1).images, split.images)


@pytest.mark.parametrize("factor", [0, -2, 3, 16])
def test_a_factor_that_does_not_divide_the_sides_is_refused(factor: int) -> None:
    with pytest.raises(UserError, match="8x8"):
        Split(np.zeros((1, 8, 8, 1), np.uint8), np.zeros(1, np.int32), 1).downsampled(factor)


def test_names_belong_to_the_classes_and_stay_with_every_part() -> None:
    split = Split(np.zeros((6, 4, 4, 1), np.uint8), np.arange(6) % 2, 2, ("cat", "dog"))
    parts = (split.take(np.array([1])), split.downsampled(2), divide(split, {"a": 3}, seed=0)["a"])
    assert [part.names for part in parts] == [("cat", "dog")] * 3
    for names in (("cat",), ("cat", "dog", "eel")):
        with pytest.raises(UserError, match="2 classes"):
            Split(split.images, split.labels, 2, names)


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(UserError, match="-1"):
        divide(numbered(10), {"a": 5}, seed=-1)
