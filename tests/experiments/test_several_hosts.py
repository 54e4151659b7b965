"""A run of two processes: the numbers of one process, a kill of one of them, and how one process goes on alone."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE
from typing import Any, NamedTuple

import numpy as np
import pytest

from jaxnas.hosts import ADVICE
from tests.test_hosts import ROOT, free_port

FLAGS = (
    *("--data.train", "128", "--data.batch", "32", "--split.groups", "2", "2", "--split.batches", "1"),
    *("--search.population", "2", "--truth.alone", "4", "--alone-epochs", "2", "--control.no-unsplit"),
    *("--control.random-splits", "0", "--control.random-architectures", "0"),
)


class Runs(NamedTuple):
    """The run of one process, that of two of which one was killed after `leaves`, and what came of it."""

    whole: Path
    stopped: Path
    left: list[str]  # files of the run when both processes had ended
    code: int  # of the process that was not killed
    errors: str
    seconds: float  # from the kill to the end of the other one
    told: str  # by the second process before it was killed


def start(workdir: Path, devices: int, *flags: str) -> subprocess.Popen:
    """The command in a process of so many devices."""
    settings = {
        "JAX_NUM_CPU_DEVICES": str(devices),
        "JAX_PLATFORMS": "cpu",
        "JAX_COMPILATION_CACHE_DIR": str(ROOT / ".cache" / "driver"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }
    command = [sys.executable, "-m", "experiments.few_shot", "smoke", "--workdir", str(workdir), *FLAGS, *flags]
    return subprocess.Popen(command, cwd=ROOT, env=os.environ | settings, stdout=PIPE, stderr=PIPE, text=True)


def alone(workdir: Path) -> None:
    """One process of four devices, to its end."""
    with start(workdir, 4) as process:
        _, errors = process.communicate()
    assert process.returncode == 0, errors


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    folder = tmp_path_factory.mktemp("hosts")
    whole, stopped = folder / "whole", folder / "stopped"
    alone(whole)
    several = ("--coordinator", f"127.0.0.1:{free_port()}", "--num-processes", "2", "--process-id")
    with start(stopped, 2, *several, "0") as first, start(stopped, 2, *several, "1") as second:
        try:
            assert any(" leaves 2/2" in line for line in iter(first.stdout.readline, "")), first.stderr.read()
            second.kill()
            began = time.monotonic()
            _, errors = first.communicate(timeout=90)
            seconds = time.monotonic() - began
            told, _ = second.communicate()
        finally:
            first.kill()
            second.kill()
    left = sorted(path.name for path in stopped.iterdir())
    alone(stopped)
    yield Runs(whole, stopped, left, first.returncode, errors, seconds, told)
    shutil.rmtree(folder)


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]


def test_the_end_of_one_process_ends_the_other_in_a_line(runs: Runs) -> None:
    assert (runs.code, runs.seconds < 60) == (4, True), runs.errors
    assert runs.errors.splitlines()[-1] == f"error: {ADVICE}"


def test_the_first_process_alone_tells_and_writes(runs: Runs) -> None:
    assert not [line for line in runs.told.splitlines() if "[Gloo]" not in line]
    kept = ["checkpoints", "config.json", "environment.json", "lock", "metrics.jsonl", "similarities.npz"]
    assert runs.left == [*kept, "split_tree.json", "stages.json"]
    (resumed,) = json.loads((runs.stopped / "environment.json").read_text())["resumed"]
    assert len(resumed["devices"]) == 4


def test_two_processes_train_as_one_does(runs: Runs) -> None:
    two, one = ([row for row in rows(path) if row["stage"] in ("warm_up", "leaves")] for path in runs[:2])
    assert [row["leaf"] for row in one] == [0, 0, *range(4), *range(4)]
    np.testing.assert_allclose([row["loss"] for row in two], [row["loss"] for row in one], rtol=1e-5)
    with np.load(runs.stopped / "similarities.npz") as found, np.load(runs.whole / "similarities.npz") as wanted:
        for name in wanted.files:
            np.testing.assert_allclose(found[name], wanted[name], rtol=1e-4, atol=1e-5)


def test_one_process_goes_on_to_the_result_of_a_run_that_was_left_alone(runs: Runs) -> None:
    assert len(rows(runs.stopped)) == len(rows(runs.whole)) > 10
    for name in ("config.json", "architectures.csv"):
        assert (runs.stopped / name).read_bytes() == (runs.whole / name).read_bytes()
    two, one = (json.loads((path / "result.json").read_text()) for path in runs[:2])
    assert [c["architecture"] for c in two["contenders"]] == [c["architecture"] for c in one["contenders"]]
