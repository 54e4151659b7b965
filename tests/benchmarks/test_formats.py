"""What holds for every format: it is recognised by what it holds, gives the true values, and is whole or refused."""

import gzip
import os
import random
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from jaxnas.benchmarks import READERS, Table, read_table, write_compact
from jaxnas.spaces import NAS_BENCH_201, TOY, SearchSpace
from jaxnas.types import UserError
from tests.benchmarks.files import CELLS, TRUTH, analog_content, write_api, write_nats

OURS = {name: np.array(values) for name, values in TRUTH.items()}
ANALOG = np.arange(15_625) % 997 / 10  # in the space's order


def write_csv(path: Path) -> Path:
    lines = [f"{cell},{','.join(str(TRUTH[d][i]) for d in TRUTH)}" for i, cell in enumerate(CELLS)]
    path.write_text("\n".join([f"architecture,{','.join(TRUTH)}", *reversed(lines)]))
    return path


def write_table(path: Path) -> Path:
    write_compact(Table(TOY, "made by hand", OURS, "0" * 64), path)
    return path


def write_analog(path: Path) -> Path:
    # The analog order of edges is 1<-0 2<-0 3<-0 2<-1 3<-1 3<-2, of operations skip, none, 3x3, 1x1, pool.
    ours = NAS_BENCH_201.enumerate()[:, [0, 1, 3, 2, 4, 5]]
    keys = np.array([1, 0, 3, 2, 4])[ours]
    path.write_bytes(analog_content({tuple(k): float(a) for k, a in zip(keys.tolist(), ANALOG, strict=True)}))
    return path


WRITERS: dict[str, Callable[[Path], Path]] = {
    "compact": write_table,
    "csv": write_csv,
    "nas-bench-201": write_api,
    "nats-bench": write_nats,
    "analog-nasbench": write_analog,
}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("formats")  # no name tells what is inside
    return {name: write(folder / f"{i}") for i, (name, write) in enumerate(WRITERS.items())}


def space_of(name: str) -> SearchSpace:
    return NAS_BENCH_201 if name == "analog-nasbench" else TOY


def needs(name: str) -> None:
    if name == "nas-bench-201":
        pytest.importorskip("torch")


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("auto", [True, False], ids=["auto", "named"])
def test_a_format_is_read_whole(name: str, auto: bool, written: dict[str, Path]) -> None:
    needs(name)
    table = read_table(space_of(name), written[name], *([] if auto else [name]))
    wanted = {"cifar10": ANALOG} if name == "analog-nasbench" else OURS
    assert set(table.accuracies) == set(wanted)
    for dataset, values in wanted.items():
        assert table.accuracies[dataset].tolist() == values.tolist()
        assert table.query(table.space.enumerate()[3:5], dataset).tolist() == values[3:5].tolist()
    assert table.source and len(table.sha256) == 64


@pytest.mark.parametrize("name", READERS)
def test_only_its_own_format_recognises_a_file(name: str, written: dict[str, Path]) -> None:
    assert [other for other, reader in READERS.items() if reader.recognises(written[name])] == [name]


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("other", READERS)
def test_another_format_is_refused(name: str, other: str, written: dict[str, Path]) -> None:
    needs(name)
    if other != name:
        with pytest.raises(UserError, match=str(written[other])):
            read_table(space_of(name), written[other], name)


@pytest.mark.parametrize("name", READERS)
def test_another_space_is_refused(name: str, written: dict[str, Path]) -> None:
    needs(name)
    other = TOY if name == "analog-nasbench" else NAS_BENCH_201
    with pytest.raises(UserError, match=other.name):
        read_table(other, written[name])


@pytest.mark.parametrize("name", READERS)
def test_a_missing_file_is_named(name: str, tmp_path: Path) -> None:
    needs(name)
    for form in ("auto", name):
        with pytest.raises(UserError, match=r"absent\b.* [Nn]o such file|no such file"):
            read_table(space_of(name), tmp_path / "absent", form)


@pytest.mark.parametrize("name", READERS)
def test_a_file_cut_anywhere_is_refused(name: str, written: dict[str, Path], tmp_path: Path) -> None:
    needs(name)
    source, inside = written[name], "000003.pickle.pbz2" if name == "nats-bench" else ""
    content = (source / inside).read_bytes()
    # near both ends, where the magic numbers and directories are, and at some places between
    cuts = {
        0,
        1,
        2,
        3,
        4,
        8,
        16,
        100,
        *(len(content) - i for i in (1, 2, 5, 22, 23)),
        *(len(content) * i // 7 for i in range(7)),
    }
    for cut in sorted(cuts):
        path = tmp_path / f"{cut}"
        if inside:
            shutil.copytree(source, path)
        (path / inside).write_bytes(content[:cut])
        for form in ("auto", name):
            if (name == "csv" and cut > len(content) - 4) or (name == "nas-bench-201" and cut > len(content) - 6):
                continue  # digits of the last percentage; the list of storages, which is not read
            with pytest.raises(UserError, match=str(path)):
                read_table(space_of(name), path, form)


@pytest.mark.parametrize("name", [n for n in READERS if n != "analog-nasbench"])  # it has too much to read it often
def test_a_flipped_byte_is_refused_or_changes_a_value(name: str, written: dict[str, Path], tmp_path: Path) -> None:
    needs(name)
    source, inside = written[name], "000003.pickle.pbz2" if name == "nats-bench" else ""
    content, draw = (source / inside).read_bytes(), random.Random(0)
    path = tmp_path / "flipped"
    if inside:
        shutil.copytree(source, path)
    for place in [*range(12), *(draw.randrange(len(content)) for _ in range(20))]:
        damaged = bytearray(content)
        damaged[place] ^= 1 << draw.randrange(8)
        (path / inside).write_bytes(damaged)
        try:
            table = read_table(TOY, path)
        except UserError as error:
            assert str(path) in str(error)
        else:
            assert all(v.shape == (9,) and (v >= 0).all() and (v <= 100).all() for v in table.accuracies.values())


@pytest.mark.parametrize("content", [b"", b"\x00" * 99, b"{}", b"BZh9garbage", b"PK\x03\x04garbage", b"a,b\n1,2\n"])
def test_an_unknown_file_is_told_with_the_formats(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "unknown.npz"
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_table(TOY, path)
    assert all(name in str(caught.value) for name in READERS)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "it is an empty file"),
        (gzip.compress(b""), "it is an empty file, packed by gzip"),
        (b"\x00\x01\x02\xff\xfe", "it is a file that begins with the bytes 00 01 02 ff fe"),
        (b"a;b\n1;2\n", "it is a text with the columns ['a', 'b']"),
        (gzip.compress(b"a\tb\n1\t2\n"), "it is a text, packed by gzip with the columns ['a', 'b']"),
        (gzip.compress(b"a;b\n" * 99)[:-9], "it is a file that cannot be unpacked"),
        (bytes(257) + b"ustar" + bytes(250), "it is a tar archive, which has to be unpacked"),
    ],
    ids=["empty", "packed nothing", "binary", "text", "packed text", "cut", "tar"],
)
def test_what_was_found_is_told(content: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "table"
    path.write_bytes(content)
    with pytest.raises(UserError, match=re.escape(f"{path} is damaged or of no known format: {words}")):
        read_table(TOY, path)


def test_a_folder_and_a_zip_file_are_told_by_what_they_hold(tmp_path: Path) -> None:
    for name in (*"abcdefg", ".DS_Store"):
        (tmp_path / name).touch()
    with zipfile.ZipFile(tmp_path / "a", "w") as archive:
        archive.writestr("__MACOSX/x", "")
        archive.writestr("x.txt", "")
    with pytest.raises(UserError, match=re.escape("a folder with ['a', 'b', 'c', 'd', 'e'] and 2 more; expected")):
        read_table(TOY, tmp_path)
    with pytest.raises(UserError, match=re.escape("it is a zip file with ['x.txt']; expected")):
        read_table(TOY, tmp_path / "a")


def test_what_is_neither_file_nor_folder_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match="is neither a file nor a folder"):
        read_table(TOY, tmp_path / "pipe")


def test_a_link_stands_for_its_file(written: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(written["csv"])
    assert read_table(TOY, tmp_path / "link").accuracies["cifar10"].tolist() == TRUTH["cifar10"]
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(UserError, match=r"cannot read .*loop"):
        read_table(TOY, tmp_path / "loop")


def test_an_unknown_format_is_told_with_the_known_ones(written: dict[str, Path]) -> None:
    with pytest.raises(UserError, match=r"no format 'pth'; allowed: .*'auto', 'compact', 'csv', 'nas-bench-201'"):
        read_table(TOY, written["csv"], "pth")


@pytest.mark.parametrize("name", READERS)
def test_a_table_survives_the_compact_form(name: str, written: dict[str, Path], tmp_path: Path) -> None:
    needs(name)
    table = read_table(space_of(name), written[name])
    write_compact(table, tmp_path / "table.npz")
    again = read_table(space_of(name), tmp_path / "table.npz")
    assert (again.source, again.sha256, again.space) == (table.source, table.sha256, table.space)
    for dataset, values in table.accuracies.items():
        assert again.accuracies[dataset].tolist() == values.tolist()
