"""Reading CIFAR-10 and CIFAR-100 in every official layout, and refusing damaged files and archives."""

import gzip
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from jaxnas.data import files
from jaxnas.data.cifar import CIFAR10, CIFAR100, cifar_files, read_cifar
from jaxnas.types import UserError
from tests.data.files import (
    BINARY10,
    BINARY100,
    PYTHON10,
    SMALL10,
    Official,
    binary10,
    contents,
    every_layout,
    examples,
    pickled10,
    refusal,
    write_archive,
    write_folder,
)


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
    assert (split.images.dtype, split.labels.dtype, split.classes) == (np.uint8, np.int32, len(official.data.names))


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


@pytest.mark.parametrize("official", [BINARY10, BINARY100], ids=["cifar10", "cifar100"])
def test_a_binary_label_out_of_range_is_refused(official: Official, tmp_path: Path) -> None:
    rows, labels = examples("test", official.data)
    labels[1] = len(official.data.names)
    folder = write_folder(official, tmp_path, **{official.test: official.encode(rows, labels)})
    assert str(folder / official.test) in refusal(official.data, tmp_path, "test")


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


def archive_of(root: Path, *members: tarfile.TarInfo, content: bytes = b"") -> Path:
    """An archive of forged members, each followed by `content`."""
    path = root / PYTHON10.archive
    blocks = b"".join(member.tobuf(tarfile.GNU_FORMAT) + content for member in members)
    path.write_bytes(gzip.compress(blocks + bytes(1024)))
    return path


def member(name: str, size: int = 0, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info


@pytest.mark.parametrize("size", [-512, -1024, -(2**40)])
def test_a_member_of_a_negative_size_is_refused(size: int, tmp_path: Path) -> None:
    path = archive_of(tmp_path, member("a", size), member("cifar-10-batches-py/test_batch"))
    assert str(path) in refusal(SMALL10, tmp_path, "test")


def test_a_member_that_claims_more_than_there_is_is_refused(tmp_path: Path) -> None:
    path = archive_of(tmp_path, member("cifar-10-batches-py/test_batch", 2**50), content=bytes(512))
    assert str(path) in refusal(SMALL10, tmp_path, "test")


def test_an_archive_of_many_members_is_refused(tmp_path: Path) -> None:
    path = archive_of(tmp_path, *(member(f"a{i}") for i in range(101)))
    message = refusal(SMALL10, tmp_path, "test")
    assert str(path) in message
    assert "100 members" in message


def test_an_archive_that_unpacks_to_far_more_than_the_data_set_is_refused(tmp_path: Path) -> None:
    path = archive_of(tmp_path, member("a", 2**22), content=bytes(2**22))
    assert path.stat().st_size < 2**14
    message = refusal(SMALL10, tmp_path, "test")
    assert str(path) in message
    assert "unpacks to more than" in message


@pytest.mark.parametrize("change", [lambda whole: whole[:-8] + bytes(8), lambda whole: whole + b"more"])
def test_a_stream_with_another_checksum_or_more_behind_it_is_refused(
    change: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    path = write_archive(BINARY10, tmp_path)
    path.write_bytes(change(path.read_bytes()))
    assert str(path) in refusal(SMALL10, tmp_path, "test")


@pytest.mark.parametrize("write", [write_folder, write_archive], ids=["folder", "archive"])
@every_layout
def test_the_files_of_both_parts_are_listed(
    official: Official, write: Callable[[Official, Path], Path], tmp_path: Path
) -> None:
    path = write(official, tmp_path)
    names = [path / name for name in (*official.train, official.test)] if path.is_dir() else [path]
    assert cifar_files(official.data, tmp_path) == names


def test_classes_have_their_official_names() -> None:
    # the page of the data set lists those of CIFAR-10 in this order; in CIFAR-100 labels are alphabetical
    assert CIFAR10.names[0] == "airplane" and CIFAR10.names[6:] == ("frog", "horse", "ship", "truck")
    assert len(set(CIFAR100.names)) == 100
    assert list(CIFAR100.names) == sorted(CIFAR100.names)
    assert (CIFAR100.names[19], CIFAR100.names[99]) == ("cattle", "worm")


def tar_of(path: Path, mode: str, names: dict[str, bytes]) -> Path:
    """A tar archive of any packing with these members."""
    with tarfile.open(path, mode) as tar:
        for name, content in names.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def read_test_part(root: Path) -> None:
    split = read_cifar(SMALL10, root, "test")
    np.testing.assert_array_equal(split.labels, examples("test", SMALL10)[1])


@pytest.mark.parametrize(
    "spell",
    [
        lambda folder, name: f"./{folder}/{name}",
        lambda folder, name: f"/home/me/.data/{folder}/{name}",
        lambda folder, name: f"{folder}/../{folder}//{name}",
        lambda folder, name: f"../{folder}/./{name}",
        lambda folder, name: f"{folder}\\{name}",
        lambda folder, name: f"./{name}",
    ],
    ids=["dot", "absolute", "dots", "above", "backslash", "from-inside"],
)
@pytest.mark.parametrize("official", [PYTHON10, BINARY10], ids=["python", "binary"])
def test_names_of_members_are_normalised(official: Official, spell: Callable[[str, str], str], tmp_path: Path) -> None:
    whole = {spell(official.folder, name): content for name, content in contents(official).items()}
    tar_of(tmp_path / official.archive, "w:gz", whole)
    read_test_part(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [official.archive]


@pytest.mark.parametrize("mode", ["w:", "w:gz", "w:bz2", "w:xz"])
@pytest.mark.parametrize(
    "name", ["cifar-10-python.tar.gz", "cifar-10-python.tar", "CIFAR-10-Python.TGZ", "cifar-10-python.tar.xz"]
)
@pytest.mark.parametrize("inside", [True, False], ids=["root-holds-it", "root-is-it"])
def test_first_bytes_say_how_an_archive_is_packed(mode: str, name: str, inside: bool, tmp_path: Path) -> None:
    members = {f"{PYTHON10.folder}/{name}": content for name, content in contents(PYTHON10).items()}
    path = tar_of(tmp_path / name, mode, members)
    read_test_part(tmp_path if inside else path)


@pytest.mark.parametrize("official", [PYTHON10, BINARY10], ids=["python", "binary"])
def test_a_file_of_any_name_may_be_the_archive(official: Official, tmp_path: Path) -> None:
    read_test_part(write_archive(official, tmp_path).rename(tmp_path / "downloaded.1"))


def test_an_archive_of_something_else_is_told_with_what_it_holds(tmp_path: Path) -> None:
    path = tar_of(tmp_path / "x.tgz", "w:gz", {"notes.txt": b"none"})
    assert f"{path} holds no file of cifar10, but ['notes.txt']" in refusal(SMALL10, path, "test")


def test_litter_in_an_archive_and_beside_it_is_passed_over(tmp_path: Path) -> None:
    members = {f"{PYTHON10.folder}/{name}": content for name, content in contents(PYTHON10).items()}
    litter = {f"{PYTHON10.folder}/._{name}": b"\0" for name in contents(PYTHON10)}
    litter |= {f"__MACOSX/{PYTHON10.folder}/._test_batch": b"\0", f"{PYTHON10.folder}/.DS_Store": b"\0"}
    tar_of(tmp_path / PYTHON10.archive, "w:gz", litter | members)
    (tmp_path / f"._{PYTHON10.archive}").write_bytes(b"\0")
    (tmp_path / "cifar-10-python.tar (1).gz").write_bytes(b"cut")
    read_test_part(tmp_path)


def test_two_members_of_one_name_in_two_places_are_refused(tmp_path: Path) -> None:
    content = contents(PYTHON10)["test_batch"]
    twice = {f"{place}/{PYTHON10.folder}/test_batch": content for place in "ab"}
    path = tar_of(tmp_path / PYTHON10.archive, "w:gz", twice)
    assert f"{path} holds test_batch twice, as a/{PYTHON10.folder}" in refusal(SMALL10, tmp_path, "test")


def test_a_packed_archive_of_any_form_is_bounded(tmp_path: Path) -> None:
    for mode in ("w:bz2", "w:xz"):
        tar_of(tmp_path / PYTHON10.archive, mode, {"a": bytes(2**22)})
        assert "unpacks to more than" in refusal(SMALL10, tmp_path, "test")


@pytest.mark.parametrize("official", [PYTHON10, BINARY10], ids=["python", "binary"])
@pytest.mark.parametrize("left", ["missing", "cut", "empty"])
def test_a_whole_archive_goes_before_a_folder_that_is_not_whole(left: str, official: Official, tmp_path: Path) -> None:
    path = write_archive(official, tmp_path)
    last = {"missing": None, "cut": contents(official)[official.test][:100], "empty": b""}[left]
    write_folder(official, tmp_path, **{official.test: last})
    read_test_part(tmp_path)
    assert cifar_files(official.data, tmp_path) == [path]


def test_a_whole_folder_goes_before_its_archive(tmp_path: Path) -> None:
    folder = write_folder(PYTHON10, tmp_path)
    (tmp_path / PYTHON10.archive).write_bytes(b"not read")
    assert {path.parent for path in cifar_files(SMALL10, tmp_path)} == {folder}


def test_all_that_a_half_unpacked_folder_lacks_is_named(tmp_path: Path) -> None:
    folder = write_folder(PYTHON10, tmp_path, data_batch_2=None, data_batch_5=None)
    message = refusal(SMALL10, tmp_path, "train")
    assert message == f"{folder} lacks data_batch_2, data_batch_5, and cifar-10-python.tar.gz is not beside it"


def test_a_file_larger_than_any_batch_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_folder(PYTHON10, tmp_path)
    monkeypatch.setattr(files, "LIMIT", 1000)
    assert f"{folder / 'test_batch'} has more than 1000 bytes" in refusal(SMALL10, tmp_path, "test")
