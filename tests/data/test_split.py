"""Disjoint seeded parts, the checks of a split, averaging over blocks, and loading by name."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from jaxnas.config import DataConfig
from jaxnas.data import SOURCES, Split, divide, load
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


def counted(*splits: Split) -> Counter[tuple[bytes, int]]:
    pairs = (zip(split.images, split.labels.tolist(), strict=True) for split in splits)
    return Counter((image.tobytes(), label) for pair in pairs for image, label in pair)


DIGITS = DataConfig(name="digits", train=1024, valid=384)


def test_digits_are_divided_without_a_leak() -> None:
    dataset = load(DIGITS, seed=0)
    parts = dataset.train, dataset.valid, dataset.test()
    assert [len(part) for part in parts] == [1024, 384, 389]
    bunch = load_digits()
    original = np.rint(bunch.images * 255 / 16).astype(np.uint8)
    whole = Counter((image.tobytes(), int(label)) for image, label in zip(original, bunch.target, strict=True))
    assert max(whole.values()) == 1  # no image twice, so equal counts leave no image in two parts
    assert counted(*parts) == whole


def test_digits_keep_their_shape_and_use_the_range_of_pixels() -> None:
    train = load(DIGITS, seed=0).train
    assert train.images.shape == (1024, 8, 8, 1)
    assert (train.images.min(), train.images.max()) == (0, 255)
    assert set(train.labels.tolist()) == set(range(10))


def test_the_whole_test_set_is_the_same_for_every_seed() -> None:
    first, second = load(DIGITS, seed=0), load(DIGITS, seed=1)
    assert counted(first.train) != counted(second.train)
    np.testing.assert_array_equal(first.test().images, second.test().images)


def test_one_seed_gives_one_division() -> None:
    first, second = load(DIGITS, seed=4), load(DIGITS, seed=4)
    np.testing.assert_array_equal(first.train.images, second.train.images)
    np.testing.assert_array_equal(first.valid.images, second.valid.images)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, str]]:
    """The calls of a source `numbered`: 300 training images, 40 test images of 4x4 that show their number."""
    calls: list[tuple[Path, str]] = []

    def source(root: Path, part: str) -> Split:
        calls.append((root, part))
        n = {"train": 300, "test": 40}[part]
        images = np.broadcast_to(np.arange(n)[:, None, None, None] % 256, (n, 4, 4, 1)).astype(np.uint8)
        return Split(images, np.arange(n, dtype=np.int32), n)

    monkeypatch.setitem(SOURCES, "numbered", source)
    return calls


def test_the_test_set_is_not_read_before_it_is_asked_for(reads: list[tuple[Path, str]]) -> None:
    dataset = load(DataConfig(name="numbered", root=Path("there"), train=20, valid=10), seed=0)
    assert reads == [(Path("there"), "train")]
    assert len(dataset.test()) == 40
    assert reads == [(Path("there"), "train"), (Path("there"), "test")]


def test_fewer_test_images_are_drawn_from_the_test_set(reads: list[tuple[Path, str]]) -> None:
    test = load(DataConfig(name="numbered", train=20, valid=10, test=15), seed=0).test()
    assert len(set(test.labels.tolist())) == len(test) == 15
    assert set(test.labels.tolist()) <= set(range(40))
    np.testing.assert_array_equal(test.images[:, 0, 0, 0], test.labels)


def test_every_part_is_downsampled(reads: list[tuple[Path, str]]) -> None:
    dataset = load(DataConfig(name="numbered", train=20, valid=10, downsample=2), seed=0)
    assert {part.images.shape[1:] for part in (dataset.train, dataset.valid, dataset.test())} == {(2, 2, 1)}


@pytest.mark.parametrize("sizes", [(300, 1), (0, 10), (10, 0)])
def test_sizes_beyond_the_training_set_are_refused(sizes: tuple[int, int], reads: list[tuple[Path, str]]) -> None:
    with pytest.raises(UserError, match="300"):
        load(DataConfig(name="numbered", train=sizes[0], valid=sizes[1]), seed=0)


def test_more_test_images_than_there_are_is_refused(reads: list[tuple[Path, str]]) -> None:
    dataset = load(DataConfig(name="numbered", train=20, valid=10, test=41), seed=0)
    with pytest.raises(UserError, match="41"):
        dataset.test()


def test_an_unknown_name_is_told_with_the_allowed_ones() -> None:
    with pytest.raises(UserError) as caught:
        load(DataConfig(name="mnist"), seed=0)
    for name in ("'mnist'", "digits", "cifar10", "cifar100", "imagenet16-120"):
        assert name in str(caught.value)


@pytest.mark.parametrize("name", ["cifar10", "cifar100", "imagenet16-120"])
def test_absent_files_are_told_with_the_folder(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        load(DataConfig(name=name, root=tmp_path), seed=0)
    assert str(tmp_path) in str(caught.value)
