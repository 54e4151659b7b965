"""The compact table: written whole or not at all, and nothing but a whole table is read."""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jaxnas.benchmarks import Table, write_compact
from jaxnas.benchmarks.compact import read_compact
from jaxnas.benchmarks.contents import LIMIT
from jaxnas.spaces import NAS_BENCH_201, TOY
from jaxnas.types import UserError

TABLE = Table(TOY, "made by hand", {"digits": np.arange(9.0) / 7, "cifar10": 100 - np.arange(9.0)}, "a" * 64)


def refusal(path: Path, space: Any = TOY) -> str:
    with pytest.raises(UserError) as caught:
        read_compact(space, path)
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_compact(TABLE, tmp_path / "toy.npz")
    return tmp_path / "toy.npz"


def rewrite(path: Path, **changes: Any) -> Path:
    with np.load(path) as found:
        fields = dict(found) | {name: np.array(value) for name, value in changes.items() if value is not None}
    np.savez(path, **{name: value for name, value in fields.items() if changes.get(name, value) is not None})
    return path


def test_numpy_alone_reads_it(path: Path) -> None:
    with np.load(path, allow_pickle=False) as found:
        assert found["datasets"].tolist() == ["cifar10", "digits"]
        assert found["accuracies"].tolist() == [TABLE.accuracies["cifar10"].tolist(), (np.arange(9) / 7).tolist()]
        assert found["ops"].tolist() == ["none", "skip_connect", "nor_conv_3x3"]
        assert found["edges"].tolist() == [[1, 0], [2, 1]]
        assert (found["space"].item(), found["source"].item(), found["sha256"].item()) == (
            "toy",
            "made by hand",
            "a" * 64,
        )


def test_a_member_that_is_no_array_is_refused(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        members = {
            name.removesuffix(".npy") if name == "form.npy" else name: archive.read(name) for name in archive.namelist()
        }
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    assert "is damaged, or no compact table (KeyError)" in refusal(path)


def test_the_same_table_gives_the_same_bytes_and_no_other_file_is_overwritten(path: Path) -> None:
    before = path.read_bytes()
    write_compact(TABLE, path)
    assert path.read_bytes() == before
    with pytest.raises(UserError, match="exists and is not this table"):
        write_compact(Table(TOY, "another", TABLE.accuracies, ""), path)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["toy.npz"]


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot write .*No such file"):
        write_compact(TABLE, tmp_path / "absent" / "toy.npz")
    with pytest.raises(UserError, match="exists and is not this table"):
        write_compact(TABLE, tmp_path)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"form": "jaxnas accuracies 2"}, "has form 'jaxnas accuracies 2', this version reads 'jaxnas accuracies 1'"),
        ({"form": None}, "is damaged, or no compact table (KeyError)"),
        ({"space": "nas-bench-201"}, "has space 'nas-bench-201', toy has 'toy'"),
        ({"ops": ["skip_connect", "none", "nor_conv_3x3"]}, "has ops ['skip_connect', 'none'"),
        ({"edges": [[1, 0], [2, 0]]}, "has edges [[1, 0], [2, 0]]"),
        ({"datasets": ["cifar10"]}, "needs accuracies float64 (1, 9), it has float64 (2, 9)"),
        ({"datasets": ["digits", "digits"]}, "needs accuracies float64"),
        ({"datasets": "digits"}, "names no data sets"),
        ({"datasets": [1, 2]}, "names no data sets"),
        ({"accuracies": np.zeros((2, 8))}, "needs accuracies float64 (2, 9), it has float64 (2, 8)"),
        ({"accuracies": np.zeros((2, 9), np.float32)}, "it has float32 (2, 9)"),
        ({"accuracies": np.full((2, 9), np.nan)}, "'cifar10' of architecture 0 is no percentage, but nan"),
        ({"accuracies": np.eye(2, 9, 3) * 101}, "'cifar10' of architecture 3 is no percentage, but 101.0"),
        ({"accuracies": -np.eye(2, 9, 3)}, "'cifar10' of architecture 3 is no percentage, but -1.0"),
        ({"accuracies": np.full((2, 9), np.inf)}, "is no percentage, but inf"),
        ({"accuracies": np.eye(2, 9, 3)}, "'cifar10' lies in 0 .. 1 for every architecture, up to 1, as fractions do"),
        ({"source": 7}, "does not tell its source"),
        ({"sha256": "A" * 64}, "does not tell its source and the sha256"),
        ({"sha256": "a" * 63}, "does not tell its source and the sha256"),
    ],
)
def test_a_wrong_field_is_told(changes: dict[str, Any], words: str, path: Path) -> None:
    assert words in refusal(rewrite(path, **changes))


def test_a_table_of_another_space_is_refused(path: Path) -> None:
    assert "has space 'toy'" in refusal(path, NAS_BENCH_201)


def test_objects_are_refused_and_never_unpickled(path: Path, tmp_path: Path) -> None:
    class Touch:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "ran",))

    rewrite(path, source=np.array([Touch()], object))
    assert "source must be an array of U or i or f, not of 'object'" in refusal(path)
    assert not (tmp_path / "ran").exists()


def test_a_file_that_unpacks_without_end_is_refused(path: Path) -> None:
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("more.npy", bytes(LIMIT))
    assert "unpacks to 64 MiB" in refusal(path)


def test_a_header_that_asks_for_more_than_there_is_is_refused(path: Path) -> None:
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "<f8", "fortran_order": False, "shape": (2, 10**15)})
    with np.load(path) as found:
        fields = dict(found)
    with zipfile.ZipFile(path, "w") as archive:
        for name, value in fields.items():
            buffer = io.BytesIO()
            np.save(buffer, value)
            archive.writestr(f"{name}.npy", head.getvalue() if name == "accuracies" else buffer.getvalue())
    assert f"claims (2, {10**15}) in a member of 128 bytes" in refusal(path)
