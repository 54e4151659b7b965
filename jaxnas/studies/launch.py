"""Jobs on a Slurm cluster, or in processes of this machine, through submitit (`pip install submitit`)."""

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from jaxnas.plugins import load_plugins, loaded
from jaxnas.types import UserError


@dataclass(frozen=True)
class LaunchConfig:
    """What a job is given."""

    partition: str | None = None
    """partition of the cluster; None: its default one"""
    minutes: int = 1440
    """longest time of a job; the same command goes on where it was ended"""
    gpus: int = 1
    """GPUs of a job; of the launcher `local` the first ones of the machine, which all jobs share"""


class Outcome(NamedTuple):
    """How a job ended."""

    value: Any
    error: str  # one line; empty if there was none


def run_jobs(launcher: str, settings: LaunchConfig, folder: Path, jobs: Sequence[Callable[[], Any]]) -> list[Outcome]:
    """Submits all jobs to a launcher of submitit (slurm, local), and waits; a failed job does not stop the others.

    What jobs print is kept in `folder`, which they must be able to reach. Each loads the plugins of this process. Jobs
    that are not done are cancelled when the wait is interrupted. Raises UserError if submitit is not here or
    cannot submit.
    """
    try:
        import submitit
    except ImportError as error:
        raise UserError("--launcher needs a package that is not here: pip install submitit") from error
    try:
        executor = submitit.AutoExecutor(folder=folder, cluster=launcher)
        executor.update_parameters(
            name="jaxnas",
            timeout_min=settings.minutes,
            gpus_per_node=settings.gpus,
            slurm_partition=settings.partition,
            stderr_to_stdout=True,
        )
        modules = [plugin.module for plugin in loaded()]
        submitted = executor.submit_array([partial(_outcome, job, modules) for job in jobs])
    except (RuntimeError, OSError) as error:
        raise UserError(f"{launcher} takes no jobs: {_line(error)}") from error
    try:
        return [_waited(job) for job in submitted]
    finally:
        for job in submitted:
            if not job.done():
                job.cancel()


def _outcome(job: Callable[[], Any], modules: Sequence[str]) -> Outcome:
    """Runs where the job runs."""
    try:
        load_plugins(modules, installed=False)
        return Outcome(job(), "")
    except Exception as error:
        traceback.print_exc()
        return Outcome(None, _line(error))


def _waited(job: Any) -> Outcome:
    if job.exception() is None:
        return job.result()
    return Outcome(None, f"the job ended without a result ({job.state}); its log is {job.paths.stdout}")  # killed


def _line(error: Exception) -> str:
    name = "" if isinstance(error, UserError) else f"{type(error).__name__}: "
    return name + " ".join(str(error).split())
