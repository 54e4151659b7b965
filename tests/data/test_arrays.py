"""Reading images from an .npz in both spellings, and refusing other forms, false claims and pickles."""

import io
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jaxnas.data.arrays import read_arrays
from jaxnas.foreign import npz
from jaxnas.types import UserError
from tests.data.files import Call, image_arrays


def saved(root: Path, values: dict[str, Any], compressed: bool = True) -> Path:
    path = root / "data.npz"
    (np.savez_compressed if compressed else np.savez)(path, **values)
    return path


def refusal(path: Path, part: str = "train") -> str:
    with pytest.raises(UserError) as caught:
        read_arrays(path, part)
    assert str(path) in str(caught.value)
    return str(caught.value)


def npy(array: np.ndarray, **header: Any) -> bytes:
    """An .npy file whose header may lie."""
    stream = io.BytesIO()
    claims = {"descr": array.dtype.str, "fortran_order": False, "shape": array.shape} | header
    np.lib.format.write_array_header_1_0(stream, claims)
    return stream.getvalue() + array.tobytes()


def zipped(root: Path, members: dict[str, bytes]) -> Path:
    path = root / "data.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return path


def members(**changed: bytes) -> dict[str, bytes]:
    return {name: npy(array) for name, array in image_arrays().items()} | changed


@pytest.mark.parametrize("spelling", ["train_images", "x_train"])
@pytest.mark.parametrize("channels", [None, 1, 3])
@pytest.mark.parametrize("part", [0, 2], ids=["train", "test"])
@pytest.mark.parametrize("compressed", [True, False])
def test_arrays_arrive_in_both_spellings(
    spelling: str, channels: int | None, part: int, compressed: bool, tmp_path: Path
) -> None:
    values = image_arrays(channels, spelling)
    path = saved(tmp_path, values | {"val_images": np.zeros(3)}, compressed)
    images, labels = list(values.values())[part : part + 2]
    for root in (path, tmp_path):
        split = read_arrays(root, "test" if part else "train").split
        np.testing.assert_array_equal(split.images.reshape(images.shape), images)
        np.testing.assert_array_equal(split.labels, labels)
        assert split.images.shape == (len(labels), 8, 12, channels or 1)
        assert (split.labels.dtype, split.classes, split.names) == (np.int32, 3, ())


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.uint64, ">i4"])
@pytest.mark.parametrize("column", [True, False])
def test_labels_of_every_whole_type_and_as_a_column_are_read(kind: Any, column: bool, tmp_path: Path) -> None:
    values = image_arrays()
    for name in ("train_labels", "test_labels"):
        values[name] = values[name].astype(kind).reshape(-1, 1) if column else values[name].astype(kind)
    assert read_arrays(saved(tmp_path, values), "test").split.labels.tolist() == [2, 1, 0, 1, 2]


def test_names_are_read_and_say_how_many_classes_there_are(tmp_path: Path) -> None:
    split = read_arrays(saved(tmp_path, image_arrays() | {"names": np.array(["a", "bee", "c", "d"])}), "test").split
    assert (split.classes, split.names) == (4, ("a", "bee", "c", "d"))


def test_a_column_major_array_is_read(tmp_path: Path) -> None:
    values = image_arrays()
    split = read_arrays(
        saved(tmp_path, values | {"train_images": np.asfortranarray(values["train_images"])}), "train"
    ).split
    np.testing.assert_array_equal(split.images, values["train_images"])


BAD: dict[str, dict[str, Any]] = {
    "float images": {"train_images": np.zeros((9, 8, 12, 3))},
    "16 bits": {"test_images": np.zeros((5, 8, 12, 3), np.uint16)},
    "flat images": {"train_images": np.zeros((9, 288), np.uint8)},
    "other sides": {"test_images": np.zeros((5, 12, 8, 3), np.uint8)},
    "no images": {"test_images": np.zeros((0, 8, 12, 3), np.uint8), "test_labels": np.zeros(0, int)},
    "no sides": {"train_images": np.zeros((9, 0, 12, 3), np.uint8), "test_images": np.zeros((5, 0, 12, 3), np.uint8)},
    "float labels": {"train_labels": np.zeros(9)},
    "text labels": {"train_labels": np.array(["a"] * 9)},
    "seconds": {"train_labels": np.zeros(9, "m8[s]")},
    "one-hot": {"train_labels": np.eye(9, dtype=int)},
    "too few labels": {"train_labels": np.arange(8)},
    "negative label": {"train_labels": np.arange(9) - 1},
    "huge label": {"train_labels": np.array([0] * 8 + [2**63], np.uint64)},
    "one class": {"train_labels": np.zeros(9, int)},
    "unknown test class": {"test_labels": np.array([0, 1, 2, 3, 0])},
    "2^32 + 1": {"test_labels": np.array([0, 1, 2, 2**32 + 1, 0])},
    "few names": {"names": np.array(["a", "b"])},
    "labels from 1 on, with names": {"train_labels": np.arange(9) % 3 + 1, "names": np.array(["a", "b", "c"])},
    "names of numbers": {"names": np.arange(3)},
    "square names": {"names": np.array([["a", "b", "c"]])},
    "objects": {"train_labels": np.array([None] * 9)},
    "records": {"train_labels": np.zeros(9, [("a", "i4")])},
}


@pytest.mark.parametrize("name", BAD)
def test_other_forms_are_refused(name: str, tmp_path: Path) -> None:
    part = "test" if any("test" in key for key in BAD[name]) else "train"
    refusal(saved(tmp_path, image_arrays() | BAD[name]), part)


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        ([1, 2, 3, 4], "labels 1, 2, 3, 4 of {} are the classes 0 .. 3, in this order"),
        ([0, 10, 50], "labels 0, 10, 50 of {} are the classes 0 .. 2, in this order"),
        ([2**40, 7], "labels 7, 1099511627776 of {} are the classes 0 .. 1, in this order"),
        ([8, 2, 3, 4, 5, 6, 9], "labels 2, 3, 4, 5, 6 and 2 more of {} are the classes 0 .. 6, in this order"),
    ],
)
def test_other_labels_are_numbered_in_ascending_order_and_told(labels: list[int], told: str, tmp_path: Path) -> None:
    train = np.resize(labels, 9)
    path = saved(tmp_path, image_arrays() | {"train_labels": train, "test_labels": np.full(5, labels[-1])})
    found, test = read_arrays(path, "train"), read_arrays(path, "test")
    assert found.warnings == test.warnings == (told.format(path),)
    ordered = sorted(labels)
    assert found.split.names == test.split.names == tuple(map(str, ordered))
    assert found.split.classes == len(labels)
    assert found.split.labels.tolist() == [ordered.index(label) for label in train]
    assert test.split.labels.tolist() == [ordered.index(labels[-1])] * 5


def test_labels_that_are_no_places_of_names_are_refused_with_what_is_allowed(tmp_path: Path) -> None:
    values = image_arrays() | {"train_labels": np.arange(9) % 3 + 1, "names": np.array(["a", "b", "c"])}
    assert "train labels must be 0 .. 2, one for each of the names, and some are 3" in refusal(saved(tmp_path, values))
    values = image_arrays() | {"train_labels": np.arange(9) % 3 + 1}
    message = refusal(saved(tmp_path, values), "test")
    assert "test labels must be 1, 2, 3, that training images have, and some are 0" in message


def test_names_of_any_characters_are_read(tmp_path: Path) -> None:
    names = ["a", "b\x1b[2J", "<script>"]
    assert read_arrays(saved(tmp_path, image_arrays() | {"names": np.array(names)}), "train").split.names == tuple(
        names
    )


@pytest.mark.parametrize("sides", [(3, 32, 32), (1, 28, 28), (4, 16, 16), (3, 8, 12)])
def test_channels_that_come_first_are_recognised(sides: tuple[int, ...], tmp_path: Path) -> None:
    images = {name: np.zeros((n, *sides), np.uint8) for name, n in (("train_images", 9), ("test_images", 5))}
    message = refusal(saved(tmp_path, image_arrays() | images))
    assert f"(9, {sides[0]}, {sides[1]}, {sides[2]}) have the channels first" in message
    assert "images.transpose(0, 2, 3, 1)" in message
    turned = {name: array.transpose(0, 2, 3, 1) for name, array in images.items()}
    assert read_arrays(saved(tmp_path, image_arrays() | turned), "train").split.images.shape == (
        9,
        *sides[1:],
        sides[0],
    )


@pytest.mark.parametrize(
    ("sides", "shape"),
    [
        ((4, 4, 3), (4, 4, 3)),
        ((4, 16, 3), (4, 16, 3)),
        ((8, 8, 16), (8, 8, 16)),
        ((4, 8), (4, 8, 1)),
        ((4, 4, 4), (4, 4, 4)),
    ],
)
def test_other_sides_are_height_width_channels(sides: tuple[int, ...], shape: tuple[int, ...], tmp_path: Path) -> None:
    images = {name: np.zeros((n, *sides), np.uint8) for name, n in (("train_images", 9), ("test_images", 5))}
    assert read_arrays(saved(tmp_path, image_arrays() | images), "train").split.images.shape == (9, *shape)


def test_more_channels_than_images_have_are_refused(tmp_path: Path) -> None:
    images = {name: np.zeros((n, 32, 3, 32), np.uint8) for name, n in (("train_images", 9), ("test_images", 5))}
    assert "32 channels; [n, H, W, C] is read with C at most 16" in refusal(saved(tmp_path, image_arrays() | images))


@pytest.mark.parametrize("missing", ["train_images", "train_labels", "test_images", "test_labels"])
def test_a_missing_array_is_told_with_what_was_expected(missing: str, tmp_path: Path) -> None:
    values = image_arrays()
    del values[missing]
    message = refusal(saved(tmp_path, values))
    assert missing in message
    assert "x_train" in message


def test_an_absent_file_is_told(tmp_path: Path) -> None:
    assert str(tmp_path / "data.npz") in refusal(tmp_path)


@pytest.mark.parametrize(
    "header",
    [
        {"shape": (2**40, 8, 12, 3)},
        {"shape": (10, 8, 12, 3)},
        {"shape": (-9, -8, 12, 3)},
        {"shape": (2**32, 2**32, 2**32, 2**32)},
        {"descr": "|O"},
        {"descr": "<u2", "shape": (9, 8, 6, 3)},
    ],
    ids=["huge", "one-more", "negative", "overflow", "objects", "wider"],
)
def test_a_header_that_claims_another_size_or_type_is_refused(header: dict[str, Any], tmp_path: Path) -> None:
    refusal(zipped(tmp_path, members(train_images=npy(image_arrays()["train_images"], **header))))


def test_an_array_larger_than_the_bound_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(tmp_path, image_arrays())
    monkeypatch.setattr(npz, "LARGEST", 9 * 8 * 12 * 3 - 1)
    monkeypatch.setattr(np.lib.format, "read_array", None)
    assert "at most 2591 bytes" in refusal(path)


def test_a_hostile_array_is_refused_and_does_not_run(tmp_path: Path) -> None:
    marker = tmp_path / "it ran"
    hostile = np.array([Call(os.system, f"touch '{marker}'")] * 9, object)
    path = saved(tmp_path, image_arrays() | {"train_labels": hostile})
    refusal(path)
    assert not marker.exists()
    np.load(path, allow_pickle=True)["train_labels"]
    assert marker.exists()


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA], ids=["bzip2", "lzma"])
def test_a_member_packed_in_another_way_is_refused(method: int, tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members().items():
            archive.writestr(f"{name}.npy", content)
    assert str(method) in refusal(path)


@pytest.mark.parametrize(
    "content", [b"", b"404: not found", b"PK\x05\x06" + bytes(18)], ids=["empty", "text", "no-members"]
)
def test_a_file_that_is_no_archive_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "data.npz").write_bytes(content)
    refusal(tmp_path / "data.npz")
