"""Whole files, the refusals of a work directory, what a run was made with, and the lines of its progress."""

import csv
import io
import json
import os
import platform
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import numpy as np
import pytest
from rich.console import Console

from jaxnas.types import UserError
from jaxnas.workdir import append_rows, files, open_workdir, progress, write_csv, write_json

CONFIG = {"seed": 0, "data": {"name": "digits", "batch": 64}, "split": {"groups": [2, 2], "leaves": None}}


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


@pytest.fixture
def no_git(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_revision", lambda: "abc")


@pytest.fixture
def workdir(tmp_path: Path, no_git: None) -> Path:
    return open_workdir(tmp_path / "out" / "run", CONFIG)


def changed(**values: Any) -> dict[str, Any]:
    return {**CONFIG, **values}


def test_a_new_work_directory_holds_config_environment_and_no_metrics(workdir: Path) -> None:
    assert names(workdir) == {"config.json", "environment.json", "metrics.jsonl"}
    assert json.loads((workdir / "config.json").read_text()) == CONFIG
    assert json.loads((workdir / "environment.json").read_text())["revision"] == "abc"
    assert (workdir / "metrics.jsonl").read_text() == ""


def test_the_same_config_is_accepted_and_starts_the_metrics_again(workdir: Path) -> None:
    append_rows(workdir / "metrics.jsonl", [{"loss": 1.0}])
    assert open_workdir(workdir, CONFIG) == workdir
    assert (workdir / "metrics.jsonl").read_text() == ""


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (changed(seed=7), ["seed", "0 there", "7 now"]),
        (changed(data={"name": "cifar10", "batch": 64}), ["data.name", "'digits' there", "'cifar10' now"]),
        (changed(split={"groups": [2, 3], "leaves": None}), ["split.groups", "[2, 2] there", "[2, 3] now"]),
        (changed(split={"groups": [2, 2], "leaves": 4}), ["split.leaves", "None there", "4 now"]),
        (changed(data={"name": "digits", "batch": 64, "crop": 1}), ["data.crop", "1 now"]),
        ({"seed": 0, "data": CONFIG["data"]}, ["split.groups", "[2, 2] there"]),
    ],
    ids=["top", "nested", "list", "none", "added", "removed"],
)
def test_another_config_is_refused_with_the_difference(other: dict[str, Any], words: list[str], workdir: Path) -> None:
    append_rows(workdir / "metrics.jsonl", [{"loss": 1.0}])
    with pytest.raises(UserError) as caught:
        open_workdir(workdir, other)
    for word in [str(workdir), *words]:
        assert word in str(caught.value)
    assert json.loads((workdir / "config.json").read_text()) == CONFIG
    assert json.loads((workdir / "metrics.jsonl").read_text()) == {"loss": 1.0}


def test_only_the_fields_that_differ_are_told(workdir: Path) -> None:
    with pytest.raises(UserError) as caught:
        open_workdir(workdir, changed(seed=7))
    assert "data" not in str(caught.value).replace(str(workdir), "")


@pytest.mark.parametrize(
    "content",
    [b"", b'{"seed": ', b"\xff\xfe\x00", b"[]", b"3", b"null"],
    ids=["empty", "cut", "binary", "[]", "3", "null"],
)
def test_a_damaged_config_is_refused_and_kept(content: bytes, workdir: Path) -> None:
    (workdir / "config.json").write_bytes(content)
    with pytest.raises(UserError) as caught:
        open_workdir(workdir, CONFIG)
    assert str(workdir) in str(caught.value)
    assert (workdir / "config.json").read_bytes() == content


@pytest.mark.parametrize("below", ["", "run"], ids=["is-a-file", "below-a-file"])
def test_a_path_that_cannot_be_a_directory_is_refused(below: str, tmp_path: Path, no_git: None) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UserError) as caught:
        open_workdir(tmp_path / "file" / below, CONFIG)
    assert str(tmp_path / "file") in str(caught.value)
    assert (tmp_path / "file").read_text() == "mine"


def test_a_directory_in_place_of_the_config_is_refused(tmp_path: Path, no_git: None) -> None:
    (tmp_path / "config.json").mkdir()
    with pytest.raises(UserError, match=re.escape(str(tmp_path))):
        open_workdir(tmp_path, CONFIG)


def test_the_environment_has_versions_devices_and_the_command_without_its_folder(
    no_git: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["/home/someone/code/few_shot.py", "digits", "--seed", "1"])
    found = files.environment()
    assert found["command"] == ["few_shot.py", "digits", "--seed", "1"]
    assert "/home/someone" not in json.dumps(found, allow_nan=False)
    assert found["python"] == platform.python_version()
    assert {name: found["packages"][name] for name in ("jax", "numpy")} == {
        "jax": jax.__version__,
        "numpy": np.__version__,
    }
    assert len(found["devices"]) == jax.device_count()
    assert found["backend"] == jax.devices()[0].platform
    assert 1 <= found["cores"] <= (os.cpu_count() or 1)


@pytest.mark.parametrize(("status", "revision"), [("", "1234abcd"), (" M jaxnas/types.py\n", "1234abcd+")])
def test_the_revision_tells_a_changed_checkout(status: str, revision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], **options: Any) -> SimpleNamespace:
        return SimpleNamespace(stdout="1234abcd\n" if "rev-parse" in command else status)

    monkeypatch.setattr(subprocess, "run", run)
    assert files.environment()["revision"] == revision


@pytest.mark.parametrize(
    "error", [FileNotFoundError("git"), subprocess.CalledProcessError(128, "git"), subprocess.TimeoutExpired("git", 1)]
)
def test_outside_a_checkout_there_is_no_revision(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*arguments: Any, **options: Any) -> None:
        raise error

    monkeypatch.setattr(subprocess, "run", run)
    assert files.environment()["revision"] is None


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Stands in for the clock of plain lines; `now` is the time in seconds."""
    fake = SimpleNamespace(now=1000.0, monotonic=lambda: fake.now)
    monkeypatch.setattr(sys.modules["jaxnas.workdir.progress"], "time", fake)
    return fake


def test_plain_lines_tell_time_stage_done_and_note(clock: SimpleNamespace) -> None:
    out = io.StringIO()
    with progress(Console(file=out)) as show:
        show("warm_up", 1, 3, "loss 2.300")
        clock.now += 12.5
        show("warm_up", 3, 3, "loss 1.200")
        show("split", 6, 6, "")
    assert [line.split() for line in out.getvalue().splitlines()] == [
        ["0.0s", "warm_up", "1/3", "loss", "2.300"],
        ["12.5s", "warm_up", "3/3", "loss", "1.200"],
        ["12.5s", "split", "6/6"],
    ]
    assert "\x1b" not in out.getvalue()


def test_a_stage_writes_a_plain_line_every_ten_seconds_and_at_its_end(clock: SimpleNamespace) -> None:
    out = io.StringIO()
    with progress(Console(file=out)) as show:
        for done in range(1, 31):
            clock.now += 1
            show("search", done, 30, "")
    assert [line.split()[2] for line in out.getvalue().splitlines()] == ["1/30", "11/30", "21/30", "30/30"]


@pytest.mark.parametrize("note", ["word " * 40, "[bold] leaf [3] of [a, b]"], ids=["long", "brackets"])
def test_a_note_stays_whole_and_on_one_line(note: str, clock: SimpleNamespace) -> None:
    out = io.StringIO()
    with progress(Console(file=out, width=80)) as show:
        show("judge", 1, 1, note)
    assert len(out.getvalue().splitlines()) == 1
    assert note.strip() in out.getvalue()


def test_a_terminal_shows_every_stage_with_its_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    out = io.StringIO()
    with progress(Console(file=out, force_terminal=True, width=100)) as show:
        show("warm_up", 1, 4, "loss 2.300")
        show("warm_up", 4, 4, "loss 1.200")
        show("leaves", 2, 8, "")
    last = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out.getvalue()).replace("\r", "\n").splitlines()
    assert any("warm_up" in line and "4/4" in line and "loss 1.200" in line for line in last)
    assert any("leaves" in line and "2/8" in line for line in last)


@pytest.mark.parametrize("terminal", [True, False])
def test_an_error_of_a_stage_passes_through(terminal: bool) -> None:
    with pytest.raises(ZeroDivisionError), progress(Console(file=io.StringIO(), force_terminal=terminal)) as show:
        show("warm_up", 0, 1, "")
        raise ZeroDivisionError
