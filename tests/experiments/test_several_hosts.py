"""A run of two processes, one of which is killed, and how two processes or one go on: the numbers of one process."""

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from jaxnas.distributed.hosts import ADVICE
from tests.distributed.test_hosts import free_port
from tests.experiments.forked import KILLED, Ended, ended, finish, started

FLAGS = (
    *("--strategy", "shard", "--data.train", "64", "--warmup-epochs", "1", "--alone-epochs", "1", "--truth.alone", "2"),
    *("--control.no-unsplit", "--control.random-splits", "0", "--control.random-architectures", "0"),
)


class Runs(NamedTuple):
    """The run of one process, that of two that was killed and gone on with by two, and by one."""

    whole: Path
    two: Path
    one: Path
    left: list[str]  # files of the run when both processes had ended
    parts: list[str]  # what the processes had written of its last checkpoint
    stopped: Ended  # the process that was not killed
    seconds: float  # from the kill to its end
    code: int  # of the process that was killed
    told: str  # by it
    ends: list[Ended]


def pair(processes: Any, workdir: Path, second: str = "none") -> Any:
    """The first of two processes of two devices each, and the second with its point, to be entered."""
    several = ("--coordinator", f"127.0.0.1:{free_port()}", "--num-processes", "2", "--process-id")
    points = {"0": "none", "1": second}
    return [started(processes, workdir, point, (*FLAGS, *several, own), 2) for own, point in points.items()]


@pytest.fixture(scope="module")
def runs(processes: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    folder = tmp_path_factory.mktemp("hosts")
    whole, two, one = (folder / name for name in ("whole", "two", "one"))
    ends = [finish(processes, whole, "none", FLAGS, 4)]
    first, second = pair(processes, two, "at open leaves/2.orbax-checkpoint-tmp/array_metadatas/process_1")
    with first as (kept, told), second as (killed, heard):
        by_killed = heard.read()  # to its end, inside the save of its part of an epoch
        killed.join()
        began = time.monotonic()
        stopped = ended(kept, told)
        seconds, code = time.monotonic() - began, killed.exitcode
    left = sorted(path.name for path in two.iterdir())
    newest = max((two / "checkpoints" / "leaves").glob("*.json")).with_suffix("")
    parts = sorted(path.name for path in newest.glob("ocdbt.*"))
    shutil.copytree(two, one)
    first, second = pair(processes, two)
    with first as of_first, second as of_second:
        ends += [ended(*of_first), ended(*of_second)]
    ends.append(finish(processes, one, "none", FLAGS, 4))
    yield Runs(whole, two, one, left, parts, stopped, seconds, code, by_killed, ends)
    shutil.rmtree(folder)


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]


def test_the_end_of_one_process_ends_the_other_in_a_line(runs: Runs) -> None:
    assert (runs.code, runs.stopped.code, runs.seconds < 60) == (KILLED, 4, True)
    assert runs.stopped.units[-1] == "leaves 1"
    assert runs.stopped.errors[-1] == f"error: {ADVICE}"


def test_the_first_process_alone_tells_and_each_keeps_its_own_states(runs: Runs) -> None:
    assert not [line for line in runs.told.splitlines() if not line.startswith(("[Gloo]", "unit "))]
    kept = ["checkpoints", "config.json", "environment.json", "holder", "journal.jsonl", "lock", "metrics.jsonl"]
    assert runs.left == [*kept, "similarities.npz", "split_tree.json", "stages.json"]
    assert runs.parts == ["ocdbt.process_0", "ocdbt.process_1"]


def test_two_processes_and_one_go_on_to_the_end_and_do_nothing_twice(runs: Runs) -> None:
    assert [(end.code, end.errors) for end in runs.ends] == [(0, [])] * 4
    whole, first, second, one = (end.units for end in runs.ends)
    assert first == second == one and whole == runs.stopped.units + one
    for path in (runs.two, runs.one):
        (resumed,) = json.loads((path / "environment.json").read_text())["resumed"]
        assert len(resumed["devices"]) == 4


@pytest.mark.parametrize("name", ["two", "one"])
def test_losses_probes_and_evaluations_are_those_of_one_process(name: str, runs: Runs) -> None:
    path = getattr(runs, name)
    found, wanted = rows(path), rows(runs.whole)
    assert [(row["stage"], row.get("leaf")) for row in found] == [(row["stage"], row.get("leaf")) for row in wanted]
    assert [row["leaf"] for row in wanted if row["stage"] == "leaves"] == [0, 1, 2, 3] * 2
    losses = [[row["loss"] for row in of if "loss" in row] for of in (found, wanted)]
    np.testing.assert_allclose(*losses, rtol=1e-5)
    with np.load(path / "similarities.npz") as found, np.load(runs.whole / "similarities.npz") as wanted:
        for node in wanted.files:
            np.testing.assert_allclose(found[node], wanted[node], rtol=1e-4, atol=1e-5)
    # Accuracies of what the search evaluated, of the followed cells, and of networks trained alone.
    for file in ("architectures.csv", "curves.csv", "contenders.csv"):
        assert (path / file).read_bytes() == (runs.whole / file).read_bytes()
