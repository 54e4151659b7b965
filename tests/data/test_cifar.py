"""Reading CIFAR-10 and CIFAR-100 in every official layout, and refusing damaged and hostile files."""

import io
import os
import pickle
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from jaxnas.data.cifar import CIFAR10, CIFAR100, Cifar, read_cifar
from jaxnas.types import UserError

SMALL10 = replace(CIFAR10, records={"train": 10, "test": 4})
SMALL100 = replace(CIFAR100, records={"train": 10, "test": 4})


class Official(NamedTuple):
    """Names and encoding of one official distribution."""

    data: Cifar
    folder: str
    archive: str
    train: list[str]
    test: str
    encode: Callable[[np.ndarray, np.ndarray], bytes]


def pickled10(rows: np.ndarray, labels: np.ndarray) -> bytes:
    return pickle.dumps({b"data": rows, b"labels": labels.tolist(), b"batch_label": b"a batch"}, protocol=2)


def pickled100(rows: np.ndarray, labels: np.ndarray) -> bytes:
    coarse = (labels // 5).tolist()
    return pickle.dumps({b"coarse_labels": coarse, b"fine_labels": labels.tolist(), b"data": rows}, protocol=2)


def binary10(rows: np.ndarray, labels: np.ndarray) -> bytes:
    return b"".join(bytes([label, *row]) for label, row in zip(labels.tolist(), rows.tolist(), strict=True))


def binary100(rows: np.ndarray, labels: np.ndarray) -> bytes:
    records = zip(labels.tolist(), rows.tolist(), strict=True)
    return b"".join(bytes([label // 5, label, *row]) for label, row in records)


FIVE = ["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5"]
PYTHON10 = Official(SMALL10, "cifar-10-batches-py", "cifar-10-python.tar.gz", FIVE, "test_batch", pickled10)
BINARY10 = Official(
    SMALL10, "cifar-10-batches-bin", "cifar-10-binary.tar.gz", [f"{b}.bin" for b in FIVE], "test_batch.bin", binary10
)
PYTHON100 = Official(SMALL100, "cifar-100-python", "cifar-100-python.tar.gz", ["train"], "test", pickled100)
BINARY100 = Official(SMALL100, "cifar-100-binary", "cifar-100-binary.tar.gz", ["train.bin"], "test.bin", binary100)
every_layout = pytest.mark.parametrize(
    "official",
    [PYTHON10, BINARY10, PYTHON100, BINARY100],
    ids=["cifar10-python", "cifar10-binary", "cifar100-python", "cifar100-binary"],
)


def examples(part: str, data: Cifar) -> tuple[np.ndarray, np.ndarray]:
    """Channel-major rows uint8 [n, 3072] and labels [n] that reach the last class."""
    rng = np.random.default_rng(len(part))
    n = data.records[part]
    return rng.integers(0, 256, (n, 3072), np.uint8), np.append(rng.integers(0, data.classes, n - 1), data.classes - 1)


def contents(official: Official) -> dict[str, bytes]:
    rows, labels = examples("train", official.data)
    each = len(rows) // len(official.train)
    parts = {name: slice(i * each, (i + 1) * each) for i, name in enumerate(official.train)}
    files = {name: official.encode(rows[part], labels[part]) for name, part in parts.items()}
    return files | {official.test: official.encode(*examples("test", official.data))}


def write_folder(official: Official, root: Path, **changed: bytes | None) -> Path:
    """The official folder below `root`, with some files replaced, or left out (None)."""
    folder = root / official.folder
    folder.mkdir(parents=True)
    for name, content in (contents(official) | changed).items():
        if content is not None:
            (folder / name).write_bytes(content)
    return folder


def write_archive(official: Official, root: Path, **changed: bytes | None) -> Path:
    """The official archive below `root`, with some members replaced, or left out (None)."""
    path = root / official.archive
    with tarfile.open(path, "w:gz", compresslevel=1) as tar:
        for name, content in (contents(official) | changed).items():
            if content is not None:
                member = tarfile.TarInfo(f"{official.folder}/{name}")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return path


def refusal(data: Cifar, root: Path, part: str) -> str:
    with pytest.raises(UserError) as caught:
        read_cifar(data, root, part)
    return str(caught.value)


@every_layout
@pytest.mark.parametrize("write", [write_folder, write_archive], ids=["folder", "archive"])
@pytest.mark.parametrize("inside", [True, False], ids=["root-holds-it", "root-is-it"])
@pytest.mark.parametrize("part", ["train", "test"])
def test_pixels_and_labels_arrive_in_every_layout(
    official: Official, write: Callable[[Official, Path], Path], inside: bool, part: str, tmp_path: Path
) -> None:
    path = write(official, tmp_path)
    split = read_cifar(official.data, tmp_path if inside else path, part)
    rows, labels = examples(part, official.data)
    y, x, c = np.indices((32, 32, 3))
    np.testing.assert_array_equal(split.images, rows[:, c * 1024 + y * 32 + x])
    np.testing.assert_array_equal(split.labels, labels)
    assert (split.images.dtype, split.labels.dtype, split.classes) == (np.uint8, np.int32, official.data.classes)


def test_one_marked_value_is_found_at_its_row_column_and_channel(tmp_path: Path) -> None:
    rows = np.zeros((4, 3072), np.uint8)
    rows[2, 1024 + 5 * 32 + 7] = 200
    write_folder(PYTHON10, tmp_path, test_batch=pickled10(rows, np.arange(4)))
    images = read_cifar(SMALL10, tmp_path, "test").images
    assert np.argwhere(images).tolist() == [[2, 5, 7, 1]]
    assert images[2, 5, 7, 1] == 200


def test_the_official_test_set_has_ten_thousand_images(tmp_path: Path) -> None:
    (tmp_path / "test_batch.bin").write_bytes(bytes(10_000 * 3073))
    assert len(read_cifar(CIFAR10, tmp_path, "test")) == 10_000
    assert CIFAR10.records == CIFAR100.records == {"train": 50_000, "test": 10_000}


def python2_pickle(rows: np.ndarray, labels: np.ndarray) -> bytes:
    """A batch opcode by opcode as Python 2 wrote it: byte strings, and arrays of numpy.core.multiarray."""

    def string(value: bytes) -> bytes:
        return b"T" + len(value).to_bytes(4, "little") + value

    def number(value: int) -> bytes:
        return b"J" + value.to_bytes(4, "little", signed=True)

    def several(*values: bytes) -> bytes:
        return b"(" + b"".join(values) + b"t"

    dtype = b"cnumpy\ndtype\n" + several(string(b"u1"), number(0), number(1)) + b"R"
    dtype += several(number(3), string(b"|"), b"NNN", number(-1), number(-1), number(0)) + b"b"
    array = b"cnumpy.core.multiarray\n_reconstruct\n"
    array += several(b"cnumpy\nndarray\n", several(number(0)), string(b"b")) + b"R"
    shape = several(*(number(side) for side in rows.shape))
    array += several(number(1), shape, dtype, b"\x89", string(rows.tobytes())) + b"b"
    listed = b"(" + b"".join(number(label) for label in labels.tolist()) + b"l"
    return b"\x80\x02(" + string(b"data") + array + string(b"labels") + listed + b"d."


def with_protocol(protocol: int, key: Callable[[str], Any] = str) -> Callable[[np.ndarray, np.ndarray], bytes]:
    return lambda rows, labels: pickle.dumps({key("data"): rows, key("labels"): labels.tolist()}, protocol)


@pytest.mark.parametrize(
    "encode",
    [
        python2_pickle,
        with_protocol(2),
        with_protocol(2, key=str.encode),
        with_protocol(4),
        with_protocol(4, key=str.encode),
        lambda rows, labels: pickled10(rows, labels).replace(b"numpy._core.multiarray", b"numpy.core.multiarray"),
        lambda rows, labels: pickled10(np.asfortranarray(rows), labels),
    ],
    ids=["python2", "2", "2-bytes", "4", "4-bytes", "2-numpy1", "column-major"],
)
def test_pickles_of_every_age_are_read(encode: Callable[[np.ndarray, np.ndarray], bytes], tmp_path: Path) -> None:
    rows, labels = examples("test", SMALL10)
    write_folder(PYTHON10, tmp_path, test_batch=encode(rows, labels))
    split = read_cifar(SMALL10, tmp_path, "test")
    np.testing.assert_array_equal(split.images[:, 3, 9, 2], rows[:, 2048 + 3 * 32 + 9])
    np.testing.assert_array_equal(split.labels, labels)


@pytest.mark.parametrize("exists", [True, False])
def test_an_absent_data_set_is_told_with_what_was_expected(exists: bool, tmp_path: Path) -> None:
    root = tmp_path if exists else tmp_path / "nowhere"
    message = refusal(CIFAR10, root, "train")
    for name in (str(root), "cifar-10-batches-py", "cifar-10-python.tar.gz", "cifar-10-binary.tar.gz"):
        assert name in message


@pytest.mark.parametrize("part", ["train", "test"])
@pytest.mark.parametrize("official", [PYTHON10, BINARY10], ids=["python", "binary"])
def test_a_missing_batch_file_is_named(official: Official, part: str, tmp_path: Path) -> None:
    name = official.train[2] if part == "train" else official.test
    (write_folder(official, tmp_path) / name).unlink()
    assert name in refusal(official.data, tmp_path, part)


@pytest.mark.parametrize("part", ["train", "test"])
@pytest.mark.parametrize("official", [PYTHON10, BINARY10], ids=["python", "binary"])
def test_a_missing_archive_member_is_named(official: Official, part: str, tmp_path: Path) -> None:
    name = official.train[2] if part == "train" else official.test
    path = write_archive(official, tmp_path, **{name: None})
    message = refusal(official.data, tmp_path, part)
    assert str(path) in message
    assert name in message


def test_a_folder_in_place_of_a_batch_file_is_named(tmp_path: Path) -> None:
    folder = write_folder(PYTHON10, tmp_path, data_batch_4=None)
    (folder / "data_batch_4").mkdir()
    assert str(folder / "data_batch_4") in refusal(SMALL10, tmp_path, "train")


@pytest.mark.parametrize("kind", [tarfile.DIRTYPE, tarfile.SYMTYPE], ids=["folder", "link-to-itself"])
def test_an_archive_member_that_is_no_file_is_named(kind: bytes, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / PYTHON10.archive, "w:gz") as tar:
        member = tarfile.TarInfo("cifar-10-batches-py/test_batch")
        member.type, member.linkname = kind, "test_batch"
        tar.addfile(member)
    assert "test_batch" in refusal(SMALL10, tmp_path, "test")


@pytest.mark.parametrize("share", [0.0, 0.001, 0.01, 0.03, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("encode", [python2_pickle, with_protocol(2), with_protocol(4)], ids=["python2", "2", "4"])
def test_a_truncated_pickle_is_named(
    encode: Callable[[np.ndarray, np.ndarray], bytes], share: float, tmp_path: Path
) -> None:
    whole = encode(*examples("test", SMALL10))
    folder = write_folder(PYTHON10, tmp_path, test_batch=whole[: int(share * len(whole))])
    assert str(folder / "test_batch") in refusal(SMALL10, tmp_path, "test")


def test_a_pickle_without_its_last_byte_is_named(tmp_path: Path) -> None:
    folder = write_folder(PYTHON10, tmp_path, test_batch=pickled10(*examples("test", SMALL10))[:-1])
    assert str(folder / "test_batch") in refusal(SMALL10, tmp_path, "test")


@pytest.mark.parametrize("official", [BINARY10, BINARY100], ids=["cifar10", "cifar100"])
@pytest.mark.parametrize("change", [-1, 1, -3073, 3073, 3074, -(10**6)])
def test_a_binary_file_of_another_size_is_named_with_both_sizes(
    official: Official, change: int, tmp_path: Path
) -> None:
    whole = contents(official)[official.test]
    content = whole[:change] if change < 0 else whole + bytes(change)
    folder = write_folder(official, tmp_path, **{official.test: content})
    message = refusal(official.data, tmp_path, "test")
    for words in (str(folder / official.test), str(len(content)), str(len(whole))):
        assert words in message


@pytest.mark.parametrize("records", [1, 3, 5])
def test_a_pickle_with_another_number_of_images_is_named(records: int, tmp_path: Path) -> None:
    content = pickled10(np.zeros((records, 3072), np.uint8), np.zeros(records, int))
    folder = write_folder(PYTHON10, tmp_path, test_batch=content)
    message = refusal(SMALL10, tmp_path, "test")
    assert str(folder / "test_batch") in message
    assert f"{records} images, expected 4" in message


@pytest.mark.parametrize(
    "data",
    [
        np.zeros((4, 3071), np.uint8),
        np.zeros((4, 768), np.uint8),
        np.zeros((4, 3072), np.int8),
        np.zeros((4, 3072), np.float32),
        np.zeros(4 * 3072, np.uint8),
        np.zeros((4, 3, 32, 32), np.uint8),
        bytes(4 * 3072),
        [[0] * 3072] * 4,
        None,
    ],
    ids=["3071-wide", "768-wide", "int8", "float32", "flat", "square", "bytes", "list", "none"],
)
def test_pixels_of_another_form_are_refused(data: Any, tmp_path: Path) -> None:
    folder = write_folder(PYTHON10, tmp_path, test_batch=pickle.dumps({"data": data, "labels": [0, 1, 2, 3]}, 2))
    message = refusal(SMALL10, tmp_path, "test")
    assert str(folder / "test_batch") in message
    assert "3072" in message


@pytest.mark.parametrize(
    "labels",
    [None, (0, 1, 2, 3), np.arange(4), [0, 1, 2, 3.0], [0, 1, 2, True], [0, 1, 2, "3"], [0, 1, 2], [0, 1, 2, 3, 4], 7],
    ids=["none", "tuple", "array", "float", "bool", "string", "too-few", "too-many", "number"],
)
def test_labels_of_another_form_are_refused(labels: Any, tmp_path: Path) -> None:
    batch = {"data": np.zeros((4, 3072), np.uint8), "labels": labels}
    folder = write_folder(PYTHON10, tmp_path, test_batch=pickle.dumps(batch, 2))
    message = refusal(SMALL10, tmp_path, "test")
    assert str(folder / "test_batch") in message
    assert "'labels'" in message


@pytest.mark.parametrize("key", ["data", "labels"])
def test_a_batch_without_a_key_is_refused(key: str, tmp_path: Path) -> None:
    batch = {"data": np.zeros((4, 3072), np.uint8), "labels": [0] * 4}
    del batch[key]
    folder = write_folder(PYTHON10, tmp_path, test_batch=pickle.dumps(batch, 2))
    message = refusal(SMALL10, tmp_path, "test")
    assert str(folder / "test_batch") in message
    assert repr(key) in message


@pytest.mark.parametrize("batch", [[1, 2], b"data", None, np.zeros((4, 3072), np.uint8)])
def test_a_pickle_that_holds_no_dict_is_refused(batch: Any, tmp_path: Path) -> None:
    folder = write_folder(PYTHON10, tmp_path, test_batch=pickle.dumps(batch, 2))
    message = refusal(SMALL10, tmp_path, "test")
    assert str(folder / "test_batch") in message
    assert "expected a dict" in message


@pytest.mark.parametrize("label", [-1, 10, 2**32 + 3, -(2**32), 10**30], ids=["-1", "10", "2^32+3", "-2^32", "10^30"])
def test_a_pickled_label_out_of_range_is_refused(label: int, tmp_path: Path) -> None:
    batch = {"data": np.zeros((4, 3072), np.uint8), "labels": [0, 1, 2, label]}
    folder = write_folder(PYTHON10, tmp_path, test_batch=pickle.dumps(batch, 2))
    assert str(folder / "test_batch") in refusal(SMALL10, tmp_path, "test")


@pytest.mark.parametrize("official", [BINARY10, BINARY100], ids=["cifar10", "cifar100"])
def test_a_binary_label_out_of_range_is_refused(official: Official, tmp_path: Path) -> None:
    rows, labels = examples("test", official.data)
    labels[1] = official.data.classes
    folder = write_folder(official, tmp_path, **{official.test: official.encode(rows, labels)})
    assert str(folder / official.test) in refusal(official.data, tmp_path, "test")


class Call:
    """Pickles as a call of `function`."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


def payloads(marker: Path) -> Iterator[Call]:
    yield Call(os.system, f"touch '{marker}'")
    yield Call(eval, f"open({str(marker)!r}, 'w').close()")
    yield Call(Path(marker).write_text, "")


PLACES: dict[str, Callable[[Call], Any]] = {
    "whole file": lambda call: call,
    "entry": lambda call: {"data": np.zeros((4, 3072), np.uint8), "labels": [0] * 4, "more": call},
    "label": lambda call: {"data": np.zeros((4, 3072), np.uint8), "labels": [0, 0, 0, call]},
    "key": lambda call: {call: 0},
    "array element": lambda call: {"data": np.array([call], object), "labels": [0]},
    "nested": lambda call: {"data": [({"deep": [(call,)]},)], "labels": [0]},
}


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("payload", [0, 1, 2], ids=["os.system", "eval", "method"])
@pytest.mark.parametrize("place", PLACES)
def test_a_hostile_pickle_is_refused_and_does_not_run(place: str, payload: int, protocol: int, tmp_path: Path) -> None:
    marker = tmp_path / "it ran"
    content = pickle.dumps(PLACES[place](list(payloads(marker))[payload]), protocol)
    folder = write_folder(PYTHON10, tmp_path, test_batch=content)
    message = refusal(SMALL10, tmp_path, "test")
    assert str(folder / "test_batch") in message
    assert "refused" in message
    assert not marker.exists()


@pytest.mark.parametrize("payload", [0, 1, 2], ids=["os.system", "eval", "method"])
def test_the_hostile_pickles_do_run_in_a_plain_unpickler(payload: int, tmp_path: Path) -> None:
    marker = tmp_path / "it ran"
    pickle.loads(pickle.dumps(PLACES["entry"](list(payloads(marker))[payload])))
    assert marker.exists()


def test_a_hostile_pickle_inside_an_archive_is_refused_and_does_not_run(tmp_path: Path) -> None:
    marker = tmp_path / "it ran"
    content = pickle.dumps(PLACES["nested"](Call(os.system, f"touch '{marker}'")))
    path = write_archive(PYTHON10, tmp_path, data_batch_5=content)
    message = refusal(SMALL10, tmp_path, "train")
    assert str(path) in message
    assert "data_batch_5" in message
    assert not marker.exists()


def test_an_array_of_forged_pointers_is_refused(tmp_path: Path) -> None:
    bare = Call(np.dtype, "O", False, True)
    bare.call += ((3, "|", None, None, None, -1, -1, 0),)  # the flags of numbers, so raw bytes count as objects
    forged = Call(np._core.multiarray._reconstruct, np.ndarray, (0,), b"b")
    forged.call += ((1, (2,), bare, False, b"A" * 16),)
    content = pickle.dumps({"data": np.zeros((4, 3072), np.uint8), "labels": [0] * 4, "more": forged}, 2)
    folder = write_folder(PYTHON10, tmp_path, test_batch=content)
    assert str(folder / "test_batch") in refusal(SMALL10, tmp_path, "test")


@pytest.mark.parametrize("share", [0.0, 0.0003, 0.01, 0.5, 0.9])
@pytest.mark.parametrize("official", [PYTHON10, BINARY10], ids=["python", "binary"])
def test_a_truncated_archive_is_named(official: Official, share: float, tmp_path: Path) -> None:
    path = write_archive(official, tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    assert str(path) in refusal(official.data, tmp_path, "test")


def test_an_archive_with_overwritten_bytes_is_named_or_still_readable(tmp_path: Path) -> None:
    rows = np.arange(4 * 3072).astype(np.uint8).reshape(4, 3072)  # compressible: a byte of the stream is many pixels
    only_test = {**dict.fromkeys(BINARY10.train), BINARY10.test: binary10(rows, np.arange(4))}
    path = write_archive(BINARY10, tmp_path, **only_test)
    whole = path.read_bytes()
    refusals = set()
    for start in range(0, len(whole), 4):
        path.write_bytes(whole[:start] + b"\xff" * 16 + whole[start + 16 :])
        try:
            assert len(read_cifar(SMALL10, tmp_path, "test")) == 4
        except UserError as error:
            refusals.add(str(error))
    assert len(refusals) > 3
    assert [message for message in refusals if str(path) not in message] == []


def test_a_text_file_with_the_name_of_an_archive_is_named(tmp_path: Path) -> None:
    path = tmp_path / "cifar-10-python.tar.gz"
    path.write_text("404: not found")
    assert str(path) in refusal(SMALL10, tmp_path, "test")
