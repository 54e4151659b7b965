"""Files that are whole or absent, whatever stops the writing."""

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jaxnas.types import UserError
from jaxnas.workdir import append_rows, read_json, write_arrays, write_csv, write_json, write_whole

ROOT = Path(__file__).parent.parent.parent


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_json_is_written_whole_and_replaces_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    write_json(path, {"a": 1})
    write_json(path, {"b": [1.5, None, "ü"]})
    assert json.loads(path.read_text(encoding="utf-8")) == {"b": [1.5, None, "ü"]}
    assert names(tmp_path) == {"result.json"}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"deep": [1, float("-inf")]}])
def test_json_without_a_number_is_refused_and_leaves_the_old_file(value: Any, tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    write_json(path, {"a": 1})
    old = path.read_bytes()
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, {"a": 2, "b": value})
    assert path.read_bytes() == old
    assert names(tmp_path) == {"result.json"}


def test_json_of_an_array_is_refused_and_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        write_json(path, {"a": np.zeros(2)})
    assert json.loads(path.read_text()) == {"a": 1}


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "result.json"
    write_json(path, {"a": 1})

    def fails(*arguments: Any) -> None:
        raise OSError("power cut")

    monkeypatch.setattr(os, "replace", fails)
    with pytest.raises(OSError, match="power cut"):
        write_json(path, {"a": 2})
    assert json.loads(path.read_text()) == {"a": 1}


def read_rows(path: Path) -> list[list[str]]:
    with open(path, newline="", encoding="utf-8") as handle:
        return list(csv.reader(handle))


def test_a_csv_has_a_header_and_empty_cells_for_none(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    write_csv(path, [{"name": "|a~0|, b", "value": 1.5}, {"name": 'a "word"', "value": None}])
    assert read_rows(path) == [["name", "value"], ["|a~0|, b", "1.5"], ['a "word"', ""]]
    assert names(tmp_path) == {"rows.csv"}


def test_a_csv_that_fails_midway_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    write_csv(path, [{"a": 1}])
    with pytest.raises(ValueError, match="'b'"):
        write_csv(path, [{"a": 2}, {"a": 3, "b": 4}])
    assert read_rows(path) == [["a"], ["1"]]


def test_rows_are_added_at_the_end_one_a_line(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    append_rows(path, [{"step": 0, "loss": 2.5}])
    append_rows(path, [])
    append_rows(path, [{"step": 1, "note": "two\nlines"}, {"step": 2, "loss": None}])
    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        {"step": 0, "loss": 2.5},
        {"step": 1, "note": "two\nlines"},
        {"step": 2, "loss": None},
    ]


def test_a_row_without_a_number_is_refused_and_leaves_the_rows_before(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    append_rows(path, [{"loss": 1.0}])
    with pytest.raises(ValueError, match="JSON"):
        append_rows(path, [{"loss": float("nan")}])
    assert path.read_text() == '{"loss": 1.0}\n'


def test_arrays_are_read_back_as_they_were(tmp_path: Path) -> None:
    arrays = {"a": np.arange(6, dtype=np.int32).reshape(2, 3), "['b']": np.array([np.nan, -0.0])}
    write_arrays(tmp_path / "arrays.npz", arrays)
    with np.load(tmp_path / "arrays.npz", allow_pickle=False) as found:
        assert {n: (found[n].dtype, found[n].tobytes()) for n in found.files} == {
            n: (array.dtype, array.tobytes()) for n, array in arrays.items()
        }
    with pytest.raises(ValueError, match="allow_pickle"):
        write_arrays(tmp_path / "arrays.npz", {"a": np.array([{}], object)})
    assert names(tmp_path) == {"arrays.npz"}


# Runs in a process of its own: the argument is the path, `stop` what happens instead of the renaming.
STOPPED = """
import os, resource, signal, sys
from pathlib import Path
from jaxnas.workdir import write_whole
path = Path(sys.argv[1])
if sys.argv[2] == "kill":
    sys.addaudithook(lambda event, _: os.kill(os.getpid(), signal.SIGKILL) if event == "os.rename" else None)
else:
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
write_whole(path, b"new" * 10_000)
"""


@pytest.mark.parametrize(("stop", "part", "there"), [("kill", 30_000, False), ("full", 5_000, True)])
def test_a_stopped_write_is_the_old_file_or_none(stop: str, part: int, there: bool, tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    if there:
        path.write_bytes(b"old")
    ended = subprocess.run([sys.executable, "-c", STOPPED, str(path), stop], cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == (-signal.SIGKILL if stop == "kill" else 1)
    assert stop == "kill" or "File too large" in ended.stderr
    assert (tmp_path / "result.json.part").stat().st_size == part
    assert (path.read_bytes() if path.exists() else None) == (b"old" if there else None)
    write_whole(path, b"whole")
    assert (names(tmp_path), path.read_bytes()) == ({"result.json"}, b"whole")


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "Expecting value"), (b'{"a": 1', "Expecting"), (b"\xff", "decode"), (b"[1]", "no JSON object")],
)
def test_a_damaged_json_file_is_told(content: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / "result.json").write_bytes(content)
    with pytest.raises(UserError, match=words) as caught:
        read_json(tmp_path / "result.json")
    assert str(caught.value).startswith(f"{tmp_path / 'result.json'} is damaged (")


def test_json_is_read_back(tmp_path: Path) -> None:
    value = {"a": [1, 2.5, None], "ü": {"b": "\n"}}
    write_json(tmp_path / "a.json", value)
    assert read_json(tmp_path / "a.json") == value
    with pytest.raises(FileNotFoundError):
        read_json(tmp_path / "b.json")
