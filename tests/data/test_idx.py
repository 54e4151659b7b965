"""Reading MNIST-like IDX files, packed or not, and refusing every other header and length."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from jaxnas.data.idx import FASHION_MNIST, MNIST, Idx, idx_files, read_idx
from jaxnas.types import UserError
from tests.data.files import SMALL_MNIST, idx_bytes, idx_examples, write_idx


def refusal(root: Path, part: str = "test", data: Idx = SMALL_MNIST) -> str:
    with pytest.raises(UserError) as caught:
        read_idx(data, root, part)
    return str(caught.value)


@pytest.mark.parametrize("packed", [True, False], ids=["gzipped", "plain"])
@pytest.mark.parametrize("below", [".", "mnist", "MNIST/raw"])
@pytest.mark.parametrize("part", ["train", "test"])
def test_pixels_and_labels_arrive_from_every_place(part: str, below: str, packed: bool, tmp_path: Path) -> None:
    write_idx(tmp_path / below, packed)
    split = read_idx(SMALL_MNIST, tmp_path, part)
    images, labels = idx_examples(part)
    np.testing.assert_array_equal(split.images[..., 0], images)
    np.testing.assert_array_equal(split.labels, labels)
    assert (split.images.dtype, split.labels.dtype, split.classes) == (np.uint8, np.int32, 10)
    assert split.names == tuple("0123456789")


def test_these_tests_write_what_the_format_says() -> None:
    # magic 0x00000803: unsigned bytes, three dimensions; 60000 = 0xea60, 28 = 0x1c
    assert idx_bytes(np.zeros((60_000, 28, 28), np.uint8))[:16].hex(" ", -4) == "00000803 0000ea60 0000001c 0000001c"
    assert idx_bytes(np.array([7, 9], np.uint8)).hex(" ", -4) == "00000801 00000002 0709"


def test_the_official_sizes_and_names_are_expected() -> None:
    assert MNIST.records == FASHION_MNIST.records == {"train": 60_000, "test": 10_000}
    assert FASHION_MNIST.names[0] == "T-shirt/top" and FASHION_MNIST.names[9] == "Ankle boot"


def test_the_folder_of_the_data_set_goes_before_the_root(tmp_path: Path) -> None:
    write_idx(tmp_path)
    inner = write_idx(tmp_path / "mnist")
    assert {path.parent for path in idx_files(SMALL_MNIST, tmp_path)} == {inner}


def test_the_packed_file_goes_before_the_plain_one(tmp_path: Path) -> None:
    write_idx(tmp_path)
    write_idx(tmp_path, packed=False)
    assert {path.suffix for path in idx_files(SMALL_MNIST, tmp_path)} == {".gz"}


def test_absent_files_are_told_with_the_places(tmp_path: Path) -> None:
    message = refusal(tmp_path)
    for words in (str(tmp_path / "mnist"), str(tmp_path / "MNIST" / "raw"), "t10k-labels-idx1-ubyte.gz"):
        assert words in message


@pytest.mark.parametrize("name", ["t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"])
def test_a_missing_file_is_named(name: str, tmp_path: Path) -> None:
    (write_idx(tmp_path) / f"{name}.gz").unlink()
    assert name in refusal(tmp_path)


@pytest.mark.parametrize(
    "header",
    [
        "00000801 00000005 0000001c 0000001c",  # one dimension
        "00000903 00000005 0000001c 0000001c",  # signed bytes
        "00000d03 00000005 0000001c 0000001c",  # floats
        "01000803 00000005 0000001c 0000001c",
        "03080000 05000000 1c000000 1c000000",  # little-endian
        "00000803 00000004 0000001c 0000001c",
        "00000803 00000005 0000001c 0000001d",
        "00000803 ffffffff ffffffff ffffffff",
        "1f8c0800 00000000 00000000 00000000",
        "",
    ],
)
@pytest.mark.parametrize("packed", [True, False], ids=["gzipped", "plain"])
def test_another_header_is_refused(header: str, packed: bool, tmp_path: Path) -> None:
    write_idx(tmp_path, packed)
    content = bytes.fromhex(header) + bytes(5 * 28 * 28)
    path = tmp_path / ("t10k-images-idx3-ubyte" + (".gz" if packed else ""))
    path.write_bytes(gzip.compress(content) if packed else content)
    message = refusal(tmp_path)
    assert str(path) in message
    assert "00000803 00000005 0000001c 0000001c" in message


@pytest.mark.parametrize("change", [-1, 1, -3000])
def test_another_length_is_refused(change: int, tmp_path: Path) -> None:
    path = write_idx(tmp_path, packed=False) / "t10k-images-idx3-ubyte"
    whole = path.read_bytes()
    path.write_bytes(whole[:change] if change < 0 else whole + bytes(change))
    message = refusal(tmp_path)
    assert str(path) in message
    assert str(16 + 5 * 28 * 28) in message


@pytest.mark.parametrize("label", [10, 255])
def test_a_label_out_of_range_is_refused(label: int, tmp_path: Path) -> None:
    path = write_idx(tmp_path, packed=False) / "t10k-labels-idx1-ubyte"
    path.write_bytes(idx_bytes(np.array([1, 2, 3, label, 0], np.uint8)))
    message = refusal(tmp_path)
    assert str(path) in message
    assert str(label) in message


def test_no_more_is_unpacked_than_the_file_may_hold(tmp_path: Path) -> None:
    path = write_idx(tmp_path) / "t10k-labels-idx1-ubyte.gz"
    bomb = gzip.compress(idx_bytes(np.zeros(5, np.uint8)) + bytes(2**24))
    path.write_bytes(bomb[:-100])  # its damaged end is never reached
    assert "must hold 13 bytes, and holds more" in refusal(tmp_path)


@pytest.mark.parametrize("end", [b"junk", b"\x1f\x8b", gzip.compress(b"more")], ids=["text", "magic", "member"])
def test_what_lies_behind_the_stream_is_refused(end: bytes, tmp_path: Path) -> None:
    path = write_idx(tmp_path) / "t10k-labels-idx1-ubyte.gz"
    path.write_bytes(path.read_bytes() + end)
    assert str(path) in refusal(tmp_path)


def test_first_bytes_say_whether_a_file_is_packed(tmp_path: Path) -> None:
    write_idx(tmp_path)
    for name in ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"):
        path = tmp_path / f"{name}.gz"
        path.write_bytes(gzip.decompress(path.read_bytes()))
    write_idx(tmp_path / "other")
    for path in sorted((tmp_path / "other").iterdir()):
        path.rename(path.with_suffix(""))
    for root in (tmp_path, tmp_path / "other"):
        np.testing.assert_array_equal(read_idx(SMALL_MNIST, root, "test").images[..., 0], idx_examples("test")[0])


def test_a_file_that_begins_as_gzip_does_and_is_none_is_named(tmp_path: Path) -> None:
    path = write_idx(tmp_path, packed=False) / "t10k-labels-idx1-ubyte"
    path.write_bytes(b"\x1f\x8b" + path.read_bytes())
    assert f"cannot read {path}: its gzip data are damaged or end early" in refusal(tmp_path)


def test_names_with_a_dot_and_folders_with_the_names_of_files_are_passed(tmp_path: Path) -> None:
    for path in sorted(write_idx(tmp_path, packed=False).iterdir()):
        path.rename(tmp_path / path.name.replace("-idx", ".idx"))
        (tmp_path / path.name).mkdir()
    np.testing.assert_array_equal(read_idx(SMALL_MNIST, tmp_path, "test").labels, idx_examples("test")[1])


def test_litter_beside_the_files_is_passed_over(tmp_path: Path) -> None:
    for path in sorted(write_idx(tmp_path).iterdir()):
        (tmp_path / f"._{path.name}").write_bytes(b"\0\5\x16\7")
        (tmp_path / path.name.replace(".gz", " (1).gz")).write_bytes(b"cut")
    assert len(read_idx(SMALL_MNIST, tmp_path, "train")) == 12


def test_a_file_as_the_root_is_told_with_what_is_wanted(tmp_path: Path) -> None:
    path = write_idx(tmp_path) / "t10k-labels-idx1-ubyte.gz"
    assert f"{path} is a file; --data.root names the folder that holds" in refusal(path)
