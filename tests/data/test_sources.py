"""Every data set by name: what each source must give, loading without a leak, sizes, warnings and strictness."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from jaxnas.config import DataConfig
from jaxnas.data import SOURCES, Split, checksums, imagenet16, load, sources
from jaxnas.data.split import Reading
from jaxnas.types import UserError
from tests.data.files import (
    PYTHON10,
    PYTHON100,
    SMALL10,
    SMALL100,
    SMALL_MNIST,
    image_arrays,
    write_archive,
    write_folder,
    write_idx,
    write_imagenet16,
    write_images,
)

Reads = list[tuple[DataConfig, str]]
SIZES = {"digits": (1408, 389), "imagenet16-120": (30, 3), "mnist": (12, 5), "fashion-mnist": (12, 5), "npz": (9, 5)}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a small version of every data set."""
    for name, small in {"CIFAR10": SMALL10, "CIFAR100": SMALL100, "MNIST": SMALL_MNIST}.items():
        monkeypatch.setattr(sources, name, small)
    fashion = replace(SMALL_MNIST, name="fashion-mnist", folder="FashionMNIST", names=sources.FASHION_MNIST.names)
    monkeypatch.setattr(sources, "FASHION_MNIST", fashion)
    monkeypatch.setattr(imagenet16, "RECORDS", {"train": 30, "test": 3})
    write_folder(PYTHON10, tmp_path)
    write_archive(PYTHON100, tmp_path)
    write_imagenet16(tmp_path)
    write_idx(tmp_path / "mnist")
    write_idx(tmp_path / "fashion-mnist")
    write_images(tmp_path, {"train/a": 8, "train/b": 2, "test/a": 2, "test/b": 2})
    np.savez(tmp_path / "data.npz", **image_arrays())
    return tmp_path


@pytest.mark.parametrize("name", SOURCES)
def test_every_source_gives_both_parts_of_one_kind(name: str, root: Path) -> None:
    config = DataConfig(name=name, root=root, size=8)
    train, test = (SOURCES[name](config, part).split for part in ("train", "test"))
    assert (len(train), len(test)) == SIZES.get(name, (10, 4))
    for part in (train, test):
        assert (part.images.dtype, part.labels.dtype) == (np.uint8, np.int32)
        assert part.images.shape[1:] == train.images.shape[1:]
        assert (part.classes, part.names) == (train.classes, train.names)
    assert not {image.tobytes() for image in train.images} & {image.tobytes() for image in test.images}
    np.testing.assert_array_equal(SOURCES[name](config, "train").split.images, train.images)


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_every_source_is_loaded_with_named_classes(name: str, root: Path) -> None:
    dataset = load(DataConfig(name=name, root=root, size=8, train=None, valid=None), seed=0)
    total = SIZES.get(name, (10, 4))[0]
    assert (len(dataset.valid), len(dataset.train)) == (total // 4, total - total // 4)
    assert len(dataset.classes) == dataset.train.classes
    known = {"cifar10": "airplane", "cifar100": "apple", "fashion-mnist": "T-shirt/top", "folder": "a"}
    assert dataset.classes[0] == known.get(name, "0")


@pytest.mark.parametrize("name", sorted(set(SOURCES) - {"digits"}))
@pytest.mark.parametrize("exists", [True, False])
def test_absent_files_are_told_with_the_folder(name: str, exists: bool, tmp_path: Path) -> None:
    root = tmp_path if exists else tmp_path / "nowhere"
    with pytest.raises(UserError) as caught:
        load(DataConfig(name=name, root=root), seed=0)
    assert str(root) in str(caught.value)


def test_the_settings_name_every_source() -> None:
    text = Path(sources.__file__).parent.parent.joinpath("config", "parts.py").read_text()
    named = text.split('"""data set: ')[1].split('"""')[0]
    assert named.split(", ") == list(SOURCES)


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
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    """The calls of a source `numbered`: 300 training images, 40 test images of 4x4 that show their number."""
    calls: Reads = []

    def source(config: DataConfig, part: str) -> Reading:
        calls.append((config, part))
        n = {"train": 300, "test": 40}[part]
        images = np.broadcast_to(np.arange(n)[:, None, None, None] % 256, (n, 4, 4, 1)).astype(np.uint8)
        return Reading(Split(images, np.arange(n, dtype=np.int32), n))

    monkeypatch.setitem(SOURCES, "numbered", source)
    return calls


def test_the_test_set_is_not_read_before_it_is_asked_for(reads: Reads) -> None:
    config = DataConfig(name="numbered", root=Path("there"), train=20, valid=10)
    dataset = load(config, seed=0)
    assert reads == [(config, "train")]
    assert len(dataset.test()) == 40
    assert reads == [(config, "train"), (config, "test")]


def test_fewer_test_images_are_drawn_from_the_test_set(reads: Reads) -> None:
    test = load(DataConfig(name="numbered", train=20, valid=10, test=15), seed=0).test()
    assert len(set(test.labels.tolist())) == len(test) == 15
    assert set(test.labels.tolist()) <= set(range(40))
    np.testing.assert_array_equal(test.images[:, 0, 0, 0], test.labels)


def test_every_part_is_downsampled(reads: Reads) -> None:
    dataset = load(DataConfig(name="numbered", train=20, valid=10, downsample=2), seed=0)
    assert {part.images.shape[1:] for part in (dataset.train, dataset.valid, dataset.test())} == {(2, 2, 1)}


@pytest.mark.parametrize("sizes", [(300, 1), (0, 10), (10, 0)])
def test_sizes_beyond_the_training_set_are_refused(sizes: tuple[int, int], reads: Reads) -> None:
    with pytest.raises(UserError, match="300"):
        load(DataConfig(name="numbered", train=sizes[0], valid=sizes[1]), seed=0)


def test_more_test_images_than_there_are_is_refused(reads: Reads) -> None:
    dataset = load(DataConfig(name="numbered", train=20, valid=10, test=41), seed=0)
    with pytest.raises(UserError, match="41"):
        dataset.test()


def test_an_unknown_name_is_told_with_the_allowed_ones() -> None:
    with pytest.raises(UserError) as caught:
        load(DataConfig(name="mnits"), seed=0)
    for name in ("'mnits'", "digits", "cifar10", "cifar100", "imagenet16-120", "'mnist'", "folder", "npz"):
        assert name in str(caught.value)


@pytest.mark.parametrize(
    ("train", "valid", "expected"),
    [(None, None, (225, 75)), (None, 10, (290, 10)), (20, None, (20, 280)), (200, 100, (200, 100)), (7, 9, (7, 9))],
)
def test_sizes_left_open_share_the_training_part(
    train: int | None, valid: int | None, expected: tuple[int, int], reads: Reads
) -> None:
    dataset = load(DataConfig(name="numbered", train=train, valid=valid), seed=0)
    assert (len(dataset.train), len(dataset.valid)) == expected
    assert not set(dataset.train.labels.tolist()) & set(dataset.valid.labels.tolist())


@pytest.mark.parametrize(("train", "valid"), [(None, 300), (None, 301), (300, None), (400, None), (None, 0)])
def test_sizes_that_leave_nothing_are_refused(train: int | None, valid: int | None, reads: Reads) -> None:
    with pytest.raises(UserError, match="300 images"):
        load(DataConfig(name="numbered", train=train, valid=valid), seed=0)


def test_a_negative_seed_is_refused(reads: Reads) -> None:
    with pytest.raises(UserError, match="-3"):
        load(DataConfig(name="numbered", train=20, valid=10), seed=-3)


@pytest.mark.parametrize("name", sorted(sources.OFFICIAL_FILES))
def test_files_that_are_not_the_official_ones_are_told_and_refused_if_strict(name: str, root: Path) -> None:
    if name == "cifar10":  # of single batches nothing is published; the archive is read where there is no folder
        for path in (root / PYTHON10.folder).iterdir():
            path.unlink()
        write_archive(PYTHON10, root)
    config = DataConfig(name=name, root=root, train=5, valid=4)
    warnings = [sentence for sentence in load(config, seed=0).warnings if "official" in sentence]
    assert len(warnings) == {"cifar10": 1, "cifar100": 1, "imagenet16-120": 11}.get(name, 4)
    assert all(warning.startswith(str(root)) for warning in warnings)
    assert {Path(warning.split(" is not ")[0]).name for warning in warnings} <= set(checksums.KNOWN[name])
    with pytest.raises(UserError) as caught:
        load(config, seed=0, strict=True)
    assert str(caught.value) == warnings[0]


@pytest.mark.parametrize("name", ["cifar10", "digits", "folder", "npz"])
def test_files_of_which_nothing_is_published_pass(name: str, root: Path) -> None:
    config = DataConfig(name=name, root=root, train=5, valid=4, size=8)
    assert not any("official" in sentence for sentence in load(config, seed=0, strict=True).warnings)


def test_colours_are_those_of_the_training_part_for_every_seed() -> None:
    first, second = load(DIGITS, seed=0), load(DIGITS, seed=1)
    pixels = np.concatenate([first.train.images, first.valid.images]) / 255  # together the whole training part
    assert first.colours == second.colours
    np.testing.assert_allclose(first.colours.mean, pixels.mean((0, 1, 2)), rtol=1e-9)
    np.testing.assert_allclose(first.colours.deviation, pixels.std((0, 1, 2)), rtol=1e-9)


def made(monkeypatch: pytest.MonkeyPatch, train: np.ndarray, test: np.ndarray, labels: list[int]) -> DataConfig:
    """A data set of these pixels, and what asks for it: 12 training images and the rest to validate."""
    names = ("a", "b\n", "\udcff", "<script>")

    def source(config: DataConfig, part: str) -> Reading:
        images = train if part == "train" else test
        return Reading(Split(images, np.resize(labels, len(images)).astype(np.int32), 4, names), ("a is odd",))

    monkeypatch.setitem(SOURCES, "made", source)
    return DataConfig(name="made", train=12, valid=None)


def pixels(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, 8, 8, 3), np.uint8)


def test_classes_are_named_as_they_can_be_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = load(made(monkeypatch, pixels(16), pixels(4, 1), [0, 1, 2, 3]), 0)
    assert dataset.classes == ("a", "b\\n", "\\udcff", "<script>")
    assert "".join(dataset.classes).encode() and all(name.isprintable() for name in dataset.classes)
    assert dataset.warnings == ("a is odd",)


def test_classes_without_images_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    config = made(monkeypatch, pixels(14), pixels(4, 1), [1] * 12 + [0, 2])
    assert load(config, 0).warnings[1:] == (
        "no training image of 1 of 4 classes: <script>",
        "no validation image of 3 of 4 classes: a, \\udcff, <script>",
    )


@pytest.mark.parametrize("settings", [{}, {"distort": 0.8}, {"downsample": 2}, {"test": 8}])
def test_images_that_are_in_two_parts_are_counted(settings: dict[str, float], monkeypatch: pytest.MonkeyPatch) -> None:
    once = pixels(12)
    train, test = np.concatenate([once, once[:4]]), np.concatenate([once[:3], pixels(5, 1)])
    config = replace(made(monkeypatch, train, test, [0, 1, 2, 3]), **settings)
    for seed in range(3):
        dataset, plain = load(config, seed), load(replace(config, distort=0.0, downsample=1), seed)
        inside = {name: {image.tobytes() for image in getattr(plain, name).images} for name in ("train", "valid")}
        both = sum(image.tobytes() in inside["train"] for image in plain.valid.images)
        assert dataset.warnings[1:] == told("validation", [(both, "training")])
        leaks = [sum(image.tobytes() in inside[name] for image in test) for name in ("train", "valid")]
        assert dataset.leaks() == told("test", list(zip(leaks, ("training", "validation"), strict=True)))
        assert sum(leaks) >= 3


def told(part: str, leaks: list[tuple[int, str]]) -> tuple[str, ...]:
    """The sentences on images of a part that other parts have too."""
    counts = [(f"{n} images are" if n > 1 else "1 image is", other) for n, other in leaks if n]
    return tuple(f"of the {part} part {same} also in the {other} part, pixel by pixel" for same, other in counts)


def test_leaks_of_the_test_part_are_looked_for_when_they_are_asked_for(reads: Reads) -> None:
    config = DataConfig(name="numbered", train=20, valid=10)
    dataset = load(config, seed=0)
    assert reads == [(config, "train")]
    assert dataset.leaks() and dataset.test()
    assert reads == [(config, "train"), (config, "test")]  # and the part is read once


def test_digits_and_their_parts_have_no_image_twice() -> None:
    dataset = load(replace(DIGITS, distort=0.75), seed=0)
    assert dataset.warnings == dataset.leaks() == ()
