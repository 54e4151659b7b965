"""Reading ImageNet16-120 from the batch files of downsampled ImageNet, and refusing damaged and hostile files."""

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jaxnas.data import imagenet16
from jaxnas.data.imagenet16 import read_imagenet16
from jaxnas.types import UserError
from tests.data.files import Call, write_imagenet16

TRAIN = [f"train_data_batch_{i}" for i in range(1, 11)]
BATCH_LABELS = [1, 120, 121, 1000, 57]  # three of the first 120 classes


def encoded(rows: Any, labels: Any, protocol: int = 2) -> bytes:
    return pickle.dumps({"data": rows, "labels": labels, "mean": np.zeros(768)}, protocol)


def batch_rows(name: str) -> np.ndarray:
    return np.random.default_rng(len(name) + ord(name[-1])).integers(0, 256, (5, 768), np.uint8)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder ImageNet16 with five images a file, of which three count."""
    monkeypatch.setattr(imagenet16, "RECORDS", {"train": 30, "test": 3})
    return write_imagenet16(tmp_path)


def refusal(root: Path, part: str = "test") -> str:
    with pytest.raises(UserError) as caught:
        read_imagenet16(root, part)
    return str(caught.value)


def test_the_official_sizes_are_expected() -> None:
    assert imagenet16.RECORDS == {"train": 151_700, "test": 6_000}


@pytest.mark.parametrize("inside", [True, False], ids=["root-holds-it", "root-is-it"])
@pytest.mark.parametrize(("part", "names"), [("train", TRAIN), ("test", ["val_data"])])
def test_pixels_and_labels_of_the_first_120_classes_arrive(
    part: str, names: list[str], inside: bool, folder: Path
) -> None:
    split = read_imagenet16(folder.parent if inside else folder, part)
    rows = np.concatenate([batch_rows(name)[[0, 1, 4]] for name in names])
    y, x, c = np.indices((16, 16, 3))
    np.testing.assert_array_equal(split.images, rows[:, c * 256 + y * 16 + x])
    assert split.labels.tolist() == [0, 119, 56] * len(names)
    assert (split.images.dtype, split.labels.dtype, split.classes) == (np.uint8, np.int32, 120)


def test_one_marked_value_is_found_at_its_row_column_and_channel(folder: Path) -> None:
    rows = np.zeros((3, 768), np.uint8)
    rows[1, 512 + 3 * 16 + 11] = 9
    (folder / "val_data").write_bytes(encoded(rows, [5, 6, 7], protocol=4))
    assert np.argwhere(read_imagenet16(folder, "test").images == 9).tolist() == [[1, 3, 11, 2]]


def test_an_absent_folder_is_told_with_what_was_expected(tmp_path: Path) -> None:
    message = refusal(tmp_path / "nowhere")
    assert str(tmp_path / "nowhere") in message
    assert "val_data" in message


@pytest.mark.parametrize(("name", "part"), [("train_data_batch_10", "train"), ("val_data", "test")])
def test_a_missing_file_is_named(name: str, part: str, folder: Path) -> None:
    (folder / name).unlink()
    assert name in refusal(folder, part)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.2, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_named(share: float, folder: Path) -> None:
    content = (folder / "val_data").read_bytes()
    (folder / "val_data").write_bytes(content[: int(share * len(content))])
    assert str(folder / "val_data") in refusal(folder)


@pytest.mark.parametrize(
    "rows",
    [np.zeros((5, 3072), np.uint8), np.zeros((5, 768)), np.zeros(5 * 768, np.uint8), None],
    ids=["32x32", "float64", "flat", "none"],
)
def test_pixels_of_another_form_are_refused(rows: Any, folder: Path) -> None:
    (folder / "val_data").write_bytes(encoded(rows, BATCH_LABELS))
    message = refusal(folder)
    assert str(folder / "val_data") in message
    assert "768" in message


@pytest.mark.parametrize(
    "labels",
    [
        np.array([BATCH_LABELS]),
        np.array([1.0] * 5),
        ["1"] * 5,
        [1.0] * 5,
        [True] * 5,
        [1] * 4,
        None,
        [1] * 4 + [10**30],
    ],
    ids=["row", "array of floats", "strings", "floats", "bools", "too-few", "none", "huge"],
)
def test_labels_of_another_form_are_refused(labels: Any, folder: Path) -> None:
    (folder / "val_data").write_bytes(encoded(np.zeros((5, 768), np.uint8), labels))
    assert str(folder / "val_data") in refusal(folder)


@pytest.mark.parametrize("labels", [np.array(BATCH_LABELS, "<u2"), tuple(BATCH_LABELS), np.array([BATCH_LABELS]).T])
def test_labels_of_every_harmless_form_are_read(labels: Any, folder: Path) -> None:
    (folder / "val_data").write_bytes(encoded(np.zeros((5, 768), np.uint8), labels, protocol=5))
    assert read_imagenet16(folder, "test").labels.tolist() == [0, 119, 56]


@pytest.mark.parametrize(
    "labels", [[0, 139, 2, 1], [3, 2, 1, 1001], [3, 2, 1, -1], [3, 2, 1, 2**32 + 1]], ids=["0", "1001", "-1", "2^32+1"]
)
@pytest.mark.parametrize("name", ["val_data", "train_data_batch_4"])
def test_labels_that_are_not_counted_from_1_are_refused(name: str, labels: list[int], folder: Path) -> None:
    (folder / name).write_bytes(encoded(np.zeros((4, 768), np.uint8), labels))
    message = refusal(folder, "test" if name == "val_data" else "train")
    assert str(folder / name) in message
    assert f"must lie in 1 .. 1000, as the official ones do, not {min(labels)} .. {max(labels)}" in message


def test_all_that_a_half_unpacked_folder_lacks_is_named(folder: Path) -> None:
    for name in ("train_data_batch_3", "train_data_batch_10", "val_data"):
        (folder / name).unlink()
    assert "lacks train_data_batch_3, train_data_batch_10 of ImageNet16" in refusal(folder, "train")
    assert "lacks val_data of ImageNet16" in refusal(folder, "test")


@pytest.mark.parametrize("labels", [[1, 2, 3, 4, 500], [1, 2, 500, 1000, 121]], ids=["one-more", "one-less"])
def test_another_number_of_images_is_told_with_both_numbers(labels: list[int], folder: Path) -> None:
    (folder / "val_data").write_bytes(encoded(np.zeros((5, 768), np.uint8), labels))
    message = refusal(folder)
    assert str(folder) in message
    assert f"{sum(1 <= label <= 120 for label in labels)} test images" in message
    assert "expected 3" in message


@pytest.mark.parametrize("protocol", [2, 4])
def test_a_hostile_file_is_refused_and_does_not_run(protocol: int, folder: Path) -> None:
    marker = folder / "it ran"
    content = encoded([Call(os.system, f"touch '{marker}'")], [1], protocol)
    (folder / "train_data_batch_7").write_bytes(content)
    message = refusal(folder, "train")
    assert str(folder / "train_data_batch_7") in message
    assert "refused" in message
    assert not marker.exists()
    pickle.loads(content)
    assert marker.exists()
