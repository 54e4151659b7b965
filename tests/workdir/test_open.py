"""The refusals of a work directory: another config or input, another process, damage, and no place to write."""

import fcntl
import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jaxnas.types import UserError
from jaxnas.workdir import files, locked, open_workdir

CONFIG = {"seed": 0, "data": {"name": "digits", "batch": 64}, "split": {"groups": [2, 2], "leaves": None}}
INPUTS = {"train": "12ab", "valid": "34cd", "truth": None, "warnings": []}


@pytest.fixture(autouse=True)
def no_git(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_revision", lambda: "abc")


@pytest.fixture
def workdir(tmp_path: Path) -> Path:
    """A directory that was opened once."""
    with open_workdir(tmp_path / "out" / "run", CONFIG, INPUTS) as path:
        return path


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.name: path.read_bytes()
        for path in folder.iterdir()
        if path.is_file() and path.name not in ("lock", "holder")
    }


def changed(**values: Any) -> dict[str, Any]:
    return {**CONFIG, **values}


def test_a_new_work_directory_holds_config_and_environment(workdir: Path) -> None:
    assert {path.name for path in workdir.iterdir()} == {"config.json", "environment.json", "lock", "holder"}
    assert read(workdir / "config.json") == CONFIG
    made_with = read(workdir / "environment.json")
    assert (made_with["started"]["revision"], made_with["inputs"], made_with["resumed"]) == ("abc", INPUTS, [])


def test_the_same_config_goes_on_and_is_on_record(workdir: Path) -> None:
    (workdir / "metrics.jsonl").write_text("{}\n")
    for count in (1, 2):
        with open_workdir(workdir, CONFIG, INPUTS) as path:
            assert path == workdir
        made_with = read(workdir / "environment.json")
        assert [start["revision"] for start in made_with["resumed"]] == ["abc"] * count
        assert made_with["inputs"] == INPUTS
    assert (workdir / "metrics.jsonl").read_text() == "{}\n"


def test_a_finished_run_is_not_on_record_as_resumed(workdir: Path) -> None:
    (workdir / "result.json").write_text("{}")
    before = contents(workdir)
    with open_workdir(workdir, CONFIG, INPUTS):
        pass
    assert contents(workdir) == before


def test_a_start_that_was_killed_before_the_config_was_written_begins_again(workdir: Path) -> None:
    (workdir / "config.json").rename(workdir / "config.json.part")
    with open_workdir(workdir, CONFIG, INPUTS):
        assert read(workdir / "config.json") == CONFIG
    assert read(workdir / "environment.json")["resumed"] == []
    assert not (workdir / "config.json.part").exists()


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
    before = contents(workdir)
    with pytest.raises(UserError) as caught, open_workdir(workdir, other, INPUTS):
        pass
    for word in [str(workdir), "run of another config", *words]:
        assert word in str(caught.value)
    assert contents(workdir) == before


def test_only_the_fields_that_differ_are_told(workdir: Path) -> None:
    with pytest.raises(UserError) as caught, open_workdir(workdir, changed(seed=7), INPUTS):
        pass
    assert "data" not in str(caught.value).replace(str(workdir), "")


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"train": "12ac"}, "train: '12ab' there, '12ac' now"),
        ({"truth": "56ef"}, "truth: None there, '56ef' now"),
        ({"warnings": ["odd"]}, "warnings: [] there, ['odd'] now"),
    ],
)
def test_other_inputs_are_refused_with_the_difference(other: dict[str, Any], words: str, workdir: Path) -> None:
    before = contents(workdir)
    told = re.escape(f"{workdir} holds a run on other inputs ({words}); choose another --workdir")
    with pytest.raises(UserError, match=told), open_workdir(workdir, CONFIG, {**INPUTS, **other}):
        pass
    assert contents(workdir) == before


@pytest.mark.parametrize("name", ["config.json", "environment.json"])
@pytest.mark.parametrize(
    "content",
    [b"", b'{"seed": ', b"\xff\xfe\x00", b"[]", b"3", b"null", b"[" * 100_000],
    ids=["empty", "cut", "binary", "[]", "3", "null", "deep"],
)
def test_a_damaged_file_is_told_and_kept(name: str, content: bytes, workdir: Path) -> None:
    (workdir / name).write_bytes(content)
    with pytest.raises(UserError) as caught, open_workdir(workdir, CONFIG, INPUTS):
        pass
    assert str(caught.value).startswith(f"{workdir / name} is damaged (")
    assert str(caught.value).endswith("it goes on from what is complete, nothing else is lost")
    assert (workdir / name).read_bytes() == content
    (workdir / name).unlink()  # as the sentence says
    (workdir / "metrics.jsonl").write_text("{}\n")
    with open_workdir(workdir, CONFIG, INPUTS):
        assert (read(workdir / "config.json"), read(workdir / "environment.json")["inputs"]) == (CONFIG, INPUTS)
        assert (workdir / "metrics.jsonl").read_text() == "{}\n"


@pytest.mark.parametrize(
    "content", [{}, {"inputs": INPUTS}, {"inputs": [], "resumed": []}, {"inputs": {}, "resumed": 1}]
)
def test_an_environment_of_another_form_is_damaged(content: dict[str, Any], workdir: Path) -> None:
    (workdir / "environment.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"environment\.json is damaged"), open_workdir(workdir, CONFIG, INPUTS):
        pass


@pytest.mark.parametrize("below", ["", "run"], ids=["is-a-file", "below-a-file"])
def test_a_path_that_cannot_be_a_directory_is_refused(below: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    told = re.escape(f"cannot write to the work directory {tmp_path / 'file' / below}: ")
    with pytest.raises(UserError, match=told), open_workdir(tmp_path / "file" / below, CONFIG, INPUTS):
        pass
    assert (tmp_path / "file").read_text() == "mine"


def test_a_path_that_is_no_text_is_refused_before_it_is_made(tmp_path: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/o\xffd"))
    with (
        pytest.raises(UserError, match=r"o\\udcffd' has bytes that are no text here"),
        open_workdir(odd, CONFIG, INPUTS),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_directory_in_place_of_the_config_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").mkdir()
    with pytest.raises(UserError, match=re.escape(str(tmp_path))), open_workdir(tmp_path, CONFIG, INPUTS):
        pass


def test_an_error_of_the_disk_is_told_and_another_error_passes(workdir: Path) -> None:
    told = re.escape(f"cannot write to the work directory {workdir}: No space left on device; ")
    with pytest.raises(UserError, match=told), open_workdir(workdir, CONFIG, INPUTS):
        raise OSError(28, "No space left on device")
    with pytest.raises(ZeroDivisionError), open_workdir(workdir, CONFIG, INPUTS):
        raise ZeroDivisionError


HOLDER = """
import sys
from pathlib import Path
from jaxnas.workdir import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(workdir: Path) -> Iterator[subprocess.Popen]:
    """Another process that holds the directory until it is killed."""
    command = [sys.executable, "-c", HOLDER, str(workdir)]
    root = Path(__file__).parent.parent.parent
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=root) as process:
        assert process.stdout is not None and process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_a_directory_in_use_is_refused_until_its_holder_is_killed(workdir: Path, holder: subprocess.Popen) -> None:
    before = contents(workdir)
    told = re.escape(f"{workdir} is in use by process {holder.pid} on {platform.node()}; wait for it")
    with pytest.raises(UserError, match=told), open_workdir(workdir, CONFIG, INPUTS):
        pass
    assert contents(workdir) == before
    holder.kill()
    holder.wait()
    with open_workdir(workdir, CONFIG, INPUTS):
        assert (workdir / "holder").read_text() == f"process {os.getpid()} on {platform.node()}"


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe", b"a\nb", b"x" * 10_000])
def test_a_lock_without_a_readable_holder_is_told_in_one_line(content: bytes | None, tmp_path: Path) -> None:
    with open(tmp_path / "lock", "wb") as handle:  # as versions without filelock held it
        fcntl.flock(handle, fcntl.LOCK_EX)
        if content is not None:
            (tmp_path / "holder").write_bytes(content)
        with pytest.raises(UserError, match="is in use by ") as caught, locked(tmp_path):
            pass
    told = str(caught.value).removeprefix(str(tmp_path))
    assert "\n" not in told and len(told) < 100


RACE = """
import os, sys, warnings
from pathlib import Path
from jaxnas.types import UserError
from jaxnas.workdir import locked
warnings.simplefilter("ignore")  # of forks: no thread of jax is needed here
path, ends = Path(sys.argv[1]), []
for number in range(100):
    go, told, leave = os.pipe(), os.pipe(), os.pipe()
    children = []
    for _ in range(2):
        if child := os.fork():
            children.append(child)
            continue
        os.close(go[1]), os.close(leave[1])
        os.read(go[0], 1)  # until the other end is closed: both begin at once
        try:
            with locked(path):
                os.write(told[1], b"w")
                os.read(leave[0], 1)
        except UserError as error:
            os.write(told[1], b"l" if " is in use by " in str(error) else b"e")
        os._exit(0)
    os.close(go[0]), os.close(go[1]), os.close(leave[0])
    ends.append("".join(sorted((os.read(told[0], 1) + os.read(told[0], 1)).decode())))
    os.close(leave[1]), os.close(told[0]), os.close(told[1])
    for child in children:
        os.waitpid(child, 0)
print(*ends)
"""


def test_of_two_processes_that_race_for_a_directory_one_gets_it_a_hundred_times(tmp_path: Path) -> None:
    root = Path(__file__).parent.parent.parent
    command = [sys.executable, "-c", RACE, str(tmp_path)]
    ended = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True, timeout=60)
    assert ended.stdout.split() == ["lw"] * 100


def test_what_may_change_is_taken_over_and_notes_are_on_record(workdir: Path) -> None:
    moved = changed(data={"name": "digits", "batch": 32})
    with open_workdir(workdir, moved, INPUTS, ("data.batch",), strategy="map"):
        assert read(workdir / "config.json") == moved
    assert read(workdir / "environment.json")["resumed"][0]["strategy"] == "map"
    with (
        pytest.raises(UserError, match=r"seed: 0 there, 1 now"),
        open_workdir(workdir, changed(seed=1), INPUTS, ("x",)),
    ):
        pass
