"""Two processes of two devices each: what they exchange, and how one of them ends when the other one does."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE

import pytest

from jaxnas.distributed.hosts import ADVICE
from jaxnas.few_shot import command as few_shot
from jaxnas.workdir.checkpoints import newest_checkpoint, save_checkpoint
from tests.several import raw, states

ROOT = Path(__file__).parent.parent.parent


def free_port() -> str:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return str(taken.getsockname()[1])


@contextmanager
def both(task: str, folder: Path) -> Iterator[list[subprocess.Popen]]:
    """The two processes, which end with the block."""
    port = free_port()
    command, pipes = [sys.executable, "-m", "tests.several", task, port], {"stdout": PIPE, "stderr": PIPE, "text": True}
    first, second = (subprocess.Popen([*command, number, str(folder)], cwd=ROOT, **pipes) for number in "01")
    with first, second:
        try:
            yield [first, second]
        finally:
            first.kill()
            second.kill()


def test_items_errors_and_checkpoints_are_shared_by_two_processes(tmp_path: Path) -> None:
    one = tmp_path / "one" / "checkpoints" / "leaves"
    save_checkpoint(one, 1, states(1), {"seconds": 0, "metrics_bytes": 0})
    (tmp_path / "apart0").mkdir()
    (tmp_path / "alike").mkdir()
    with both("together", tmp_path) as processes:
        for process in processes:
            _, told = process.communicate(timeout=300)
            assert process.returncode == 0, told
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alike", "apart0", "one"]
    for name, parts in [("one", [0, 1]), ("apart0", [0])]:
        folder = tmp_path / name / "checkpoints" / "leaves"
        assert sorted(path.name for path in (folder / "3").glob("ocdbt.*")) == [f"ocdbt.process_{n}" for n in parts]
        done, kept, _ = newest_checkpoint(folder, states(0))
        assert (done, raw(kept)) == (3, raw(states(3)))


def test_the_end_of_the_coordinator_ends_the_other_process_in_a_line(tmp_path: Path) -> None:
    with both("wait", tmp_path) as (first, second):
        while "waiting" not in second.stdout.readline():
            assert second.poll() is None
        first.kill()
        _, told = second.communicate(timeout=60)
    assert second.returncode == 4
    assert told.splitlines()[-1] == f"error: {ADVICE}"


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--num-processes", "2"], "give all three or none"),
        (["--coordinator", "h:1", "--num-processes", "2"], "give all three or none"),
        (["--coordinator", "h", "--num-processes", "2", "--process-id", "0"], "must be HOST:PORT"),
        (["--coordinator", "h:x", "--num-processes", "2", "--process-id", "0"], "must be HOST:PORT"),
        (["--coordinator", "h:1", "--num-processes", "2", "--process-id", "2"], "not 2 and 2"),
        (["--coordinator", "h:1", "--num-processes", "1", "--process-id", "0"], "not 1 and 0"),
    ],
)
def test_flags_that_name_no_run_of_several_processes_are_refused(flags, told, tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.setenv("JAX_NUM_CPU_DEVICES", "4")
    assert few_shot.main(["smoke", "--workdir", str(tmp_path / "w"), *flags]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: --") and told in line
    assert not list(tmp_path.iterdir())
