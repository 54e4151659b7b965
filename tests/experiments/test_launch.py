"""Jobs in processes of this machine: what they return, and how they fail; a job is an ablation in its own test."""

import os
import sys
from functools import partial
from pathlib import Path

import pytest

from jaxnas.studies.launch import LaunchConfig, Outcome, run_jobs
from jaxnas.studies.split_ablation.command import main
from jaxnas.types import UserError


@pytest.fixture(scope="module")
def submitit():
    """Imported before capsys: it sets up logging anew, which closes what others log to if that is not stderr."""
    return pytest.importorskip("submitit")


def test_a_job_that_fails_or_is_killed_does_not_stop_the_others(submitit, tmp_path) -> None:
    jobs = [partial(int, "7"), partial(int, "seven"), partial(os._exit, 3)]
    fine, failed, killed = run_jobs("local", LaunchConfig(), tmp_path, jobs)
    assert fine == Outcome(7, "")
    assert failed == Outcome(None, "ValueError: invalid literal for int() with base 10: 'seven'")
    assert killed.value is None and "the job ended without a result (FINISHED)" in killed.error
    assert "its log is " in killed.error and Path(killed.error.split("its log is ")[1]).exists()
    assert any("Traceback" in log.read_text() for log in tmp_path.glob("*.out"))


def test_slurm_is_asked_for_what_a_job_is_given(submitit, tmp_path, monkeypatch) -> None:
    commands = tmp_path / "bin"
    commands.mkdir()
    for name, does in (
        ("srun", "exit 0"),
        ("sbatch", f'cp "$1" "{tmp_path}/asked"; echo no such partition >&2; exit 1'),
    ):
        (commands / name).write_text(f"#!/bin/sh\n{does}\n")
        (commands / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{commands}:{os.environ['PATH']}")
    jobs = [partial(int, "7"), partial(int, "8")]
    with pytest.raises(UserError, match=r"slurm takes no jobs: .*no such partition"):
        run_jobs("slurm", LaunchConfig("fast", 90, 2), tmp_path / "jobs", jobs)
    asked = (tmp_path / "asked").read_text().splitlines()
    wanted = ("partition=fast", "time=90", "gpus-per-node=2", "array=0-1%2")
    assert {f"#SBATCH --{option}" for option in wanted} <= {*asked}, asked


def test_what_cannot_be_launched_is_told_before_work(submitit, tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.setenv("JAX_NUM_CPU_DEVICES", "4")  # the command would ask for other devices than tests have
    command = ["smoke", "--workdir", str(tmp_path / "w"), "--launcher", "slurm", "--shards"]
    assert main([*command, "3"]) == 2
    assert "shards are 1/N .. N/N of at most 2 seeds, not 3/3" in capsys.readouterr().err
    assert main([*command, "2", "--shard", "1", "2"]) == 2
    assert "--launcher makes the shards and joins them itself" in capsys.readouterr().err
    assert main([*command, "2", "--splits", "gone"]) == 2
    assert "there is no split 'gone'" in capsys.readouterr().err
    with monkeypatch.context() as context:
        context.setitem(sys.modules, "submitit", None)
        assert main([*command, "2"]) == 2
    assert capsys.readouterr().err == ("error: --launcher needs a package that is not here: pip install submitit\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match='slurm takes no jobs: RuntimeError: Could not detect "srun"'):
        run_jobs("slurm", LaunchConfig(), tmp_path, [partial(int, "7")])
