"""Commands in processes that are forked from one server, which has imported everything and started no backend."""

import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import pytest

from tests.experiments import driver

ROOT = Path(__file__).parent.parent.parent
KILLED = -9


class Ended(NamedTuple):
    """How a process ended and what it told."""

    code: int
    units: list[str]
    errors: list[str]


def server() -> Any:
    """The context that processes are started with; what they compile is kept."""
    settings = {
        "JAX_COMPILATION_CACHE_DIR": str(ROOT / ".cache" / "driver"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        "JAX_NUM_CPU_DEVICES": "1",
        "JAX_PLATFORMS": "cpu",
    }
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([driver.__name__])
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        context.Process(target=int).start()  # the server keeps the environment it was started in
    return context


@contextmanager
def started(
    processes: Any, workdir: Path, point: str, flags: tuple[str, ...] = (), devices: int = 1
) -> Iterator[tuple[Any, TextIO]]:
    """A process and what it tells, which ends when the process ends."""
    reader, writer = processes.Pipe(duplex=False)
    process = processes.Process(target=driver.run, args=(str(workdir), point, writer, flags, devices))
    process.start()
    writer.close()
    try:
        with reader, os.fdopen(os.dup(reader.fileno()), encoding="utf-8") as told:
            yield process, told
    finally:
        process.kill()
        process.join()


def ended(process: Any, told: TextIO) -> Ended:
    lines = told.read().splitlines()
    process.join()
    units = [line.removeprefix("unit ") for line in lines if line.startswith("unit ")]
    return Ended(process.exitcode, units, [line for line in lines if line.startswith("error: ")])


def finish(processes: Any, workdir: Path, point: str, flags: tuple[str, ...] = (), devices: int = 1) -> Ended:
    with started(processes, workdir, point, flags, devices) as (process, told):
        return ended(process, told)


def until(told: TextIO, unit: str) -> list[str]:
    """The units that a process tells of, up to this one."""
    units: list[str] = []
    while not units or units[-1] != unit:
        line = told.readline()
        assert line, f"{units} were told before the process ended"
        units += [line.strip().removeprefix("unit ")] if line.startswith("unit ") else []
    return units
