"""Pickled batches of every age and form are read, and damaged, forged and hostile ones refused without a run."""

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jaxnas.data.cifar import read_cifar
from jaxnas.data.pickled import read_pickled_batch
from jaxnas.types import UserError
from tests.data.files import (
    PLACES,
    PYTHON10,
    SMALL10,
    Call,
    examples,
    payloads,
    pickled10,
    python2_pickle,
    refusal,
    with_protocol,
    write_archive,
    write_folder,
)


def of_numpy_1(content: bytes) -> bytes:
    """A pickle of protocol 5 with the former name of numpy's function, one byte shorter, in its first frame."""
    assert content[2:3] == b"\x95" and content.count(b"\x13numpy._core.numeric") == 1
    frame = int.from_bytes(content[3:11], "little") - 1
    changed = content.replace(b"\x13numpy._core.numeric", b"\x12numpy.core.numeric")
    return changed[:3] + frame.to_bytes(8, "little") + changed[11:]


@pytest.mark.parametrize(
    "encode",
    [
        python2_pickle,
        with_protocol(2),
        with_protocol(2, key=str.encode),
        with_protocol(4),
        with_protocol(4, key=str.encode),
        *(with_protocol(protocol) for protocol in (0, 1, 3, 5)),
        with_protocol(5, key=str.encode),
        lambda rows, labels: with_protocol(5)(np.asfortranarray(rows), labels),
        lambda rows, labels: with_protocol(5)(np.repeat(rows, 2, 0)[::2], labels),
        lambda rows, labels: with_protocol(5)(rows[:, ::-1][:, ::-1], labels),
        lambda rows, labels: of_numpy_1(with_protocol(5)(rows, labels)),
        lambda rows, labels: pickled10(rows, labels).replace(b"numpy._core.multiarray", b"numpy.core.multiarray"),
        lambda rows, labels: pickled10(np.asfortranarray(rows), labels),
    ],
    ids=[
        *("python2", "2", "2-bytes", "4", "4-bytes", "0", "1", "3", "5", "5-bytes", "5-column-major", "5-strided"),
        *("5-twice-reversed", "5-numpy1", "2-numpy1", "column-major"),
    ],
)
def test_pickles_of_every_age_are_read(encode: Callable[[np.ndarray, np.ndarray], bytes], tmp_path: Path) -> None:
    rows, labels = examples("test", SMALL10)
    write_folder(PYTHON10, tmp_path, test_batch=encode(rows, labels))
    split = read_cifar(SMALL10, tmp_path, "test")
    np.testing.assert_array_equal(split.images[:, 3, 9, 2], rows[:, 2048 + 3 * 32 + 9])
    np.testing.assert_array_equal(split.labels, labels)


LABELS: dict[str, Callable[[list[int]], Any]] = {
    "list": list,
    "tuple": tuple,
    "numpy integers": lambda labels: [np.int64(x) for x in labels],
    "bytes": lambda labels: [np.uint8(x) for x in labels],
    "mixed": lambda labels: (labels[0], *(np.int16(x) for x in labels[1:])),
    **{code: lambda labels, code=code: np.array(labels, code) for code in ("u1", "<i2", ">i4", "<u8", ">i8")},
    "column": lambda labels: np.array(labels)[:, None],
    "strided": lambda labels: np.repeat(labels, 3)[::3],
    "reversed": lambda labels: np.array(labels[::-1])[::-1],
}


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("form", LABELS)
def test_labels_of_every_harmless_form_are_read(form: str, protocol: int) -> None:
    rows, labels = examples("test", SMALL10)
    content = pickle.dumps({"data": rows, "labels": LABELS[form](labels.tolist()), "mean": np.zeros(0)}, protocol)
    found_rows, found = read_pickled_batch(content, "the file", "labels", 3072)
    np.testing.assert_array_equal(found_rows, rows)
    assert found.tolist() == labels.tolist() and found.dtype == np.int64


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
    [
        None,
        (0, 1, 2, True),
        np.arange(4.0),
        np.arange(4)[None],
        [0, 1, 2, 3.0],
        [0, 1, 2, True],
        [0, 1, 2, "3"],
        [0, 1, 2],
        [0, 1, 2, 3, 4],
        7,
    ],
    ids=["none", "tuple", "array", "row", "float", "bool", "string", "too-few", "too-many", "number"],
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


def told(content: bytes) -> str:
    with pytest.raises(UserError) as caught:
        read_pickled_batch(content, "the file", "labels", 3072)
    return str(caught.value)


@pytest.mark.parametrize("put", [b"r\xff\xff\xff\x7f", b"p2147483647\n"], ids=["LONG_BINPUT", "PUT"])
def test_a_place_of_the_memo_that_would_take_gigabytes_is_refused(put: bytes) -> None:
    message = told(b"\x80\x02}" + put + b".")
    assert "the file" in message
    assert "place 2147483647" in message


@pytest.mark.parametrize("opcode", [b"\x8e", b"\x8d", b"\x96"], ids=["BINBYTES8", "BINUNICODE8", "BYTEARRAY8"])
def test_a_length_beyond_the_end_of_the_file_is_refused(opcode: bytes) -> None:
    assert "truncated" in told(b"\x80\x05" + opcode + (2**40).to_bytes(8, "little") + b"abc.")


def test_a_file_cannot_change_what_the_next_one_is_read_with() -> None:
    rows, labels = examples("test", SMALL10)
    good = pickled10(rows, labels)
    told(b"\x80\x02c_codecs\nencode\n}X\x0c\x00\x00\x00__defaults__)s\x86b.")
    told(b"\x80\x02cnumpy\nndarray\n}X\x05\x00\x00\x00valueK\x01s\x86b.")
    again, _ = read_pickled_batch(good, "the file", "labels", 3072)
    np.testing.assert_array_equal(again, rows)


def test_long_foreign_text_is_cut_short() -> None:
    message = told(b"\x80\x02cos\n" + b"a" * 10_000 + b"\n.")
    assert "which no text, number, array of numbers or container of them needs" in message
    assert len(message) < 300


def test_messages_name_what_is_there() -> None:
    rows = np.zeros((4, 3072), np.uint8)
    for batch, words in [
        ({"data": rows, "coarse_labels": [0] * 4}, "has no 'labels'; it has ['coarse_labels', 'data']"),
        ({"data": rows, "labels": [0, 1, 2.0]}, "not a list of 3 values of the types ['float', 'int']"),
        ({"data": rows, "labels": np.zeros(4)}, "'labels' must be 4 integers, not an array float64 (4,)"),
        ({"data": rows[0], "labels": [0]}, "'data' must be uint8 (n, 3072), not an array uint8 (3072,)"),
    ]:
        assert words in told(pickle.dumps(batch))


@pytest.mark.parametrize(
    "labels", [np.array([2**63], "u8"), [2**63], [np.uint64(2**64 - 1)]], ids=["array", "int", "numpy integer"]
)
def test_a_label_that_does_not_fit_is_refused(labels: Any) -> None:
    batch = {"data": np.zeros((1, 3072), np.uint8), "labels": labels}
    assert "'labels' must be 1 integers" in told(pickle.dumps(batch))
