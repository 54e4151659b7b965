"""A few-shot run in a process of its own, stopped at one point as a kill or a full disk would stop it.

Points: `none`; `at EVENT END`, killed on the first audit event of a path with that end, before it happens;
`line STAGE N`, killed when half of a row of epoch N is written; `torn STAGE N`, killed when half of the record of the
stage's unit N is in the journal; `hold STAGE N`, waits after unit N;
`full STAGE N BYTES`, after unit N no file can grow beyond the size of metrics.jsonl and so many bytes;
`note STAGE`, what the stage goes on from is written beside the directory, as WORKDIR.npz.
"""

import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import jax
import numpy as np
import sklearn.datasets  # noqa: F401  # with the modules below: imported once by the server that processes fork from

from jaxnas.distributed import hosts
from jaxnas.few_shot import command
from jaxnas.workdir import journal, stages

CONFIG = (
    *("--strategy", "loop", "--data.train", "128", "--data.batch", "32", "--split.groups", "2", "2"),
    *("--split.batches", "1", "--search.population", "2", "--truth.alone", "4", "--truth.every", "1"),
    *("--alone-epochs", "2"),
)
After = Callable[[str, int], None]  # (stage, units done), called after every unit


def run(workdir: str, point: str, out: Connection, flags: tuple[str, ...] = (), devices: int = 1) -> None:
    """The smoke preset with every unit kept; output and errors, and a line for every unit, go to `out`."""
    jax.config.update("jax_num_cpu_devices", devices)
    os.dup2(out.fileno(), 1)
    os.dup2(out.fileno(), 2)
    stages.EVERY = 0.0
    kind, *arguments = point.split()
    after = POINTS[kind](Path(workdir), *arguments)

    @contextmanager
    def telling(console: Any) -> Iterator[Any]:
        def show(stage: str, done: int, total: int, note: str) -> None:
            if total:
                print("unit", stage, done, flush=True)
                after(stage, done)

        yield show

    command.progress = telling
    sys.exit(command.main(["smoke", "--workdir", workdir, *CONFIG, *flags]))


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _tear(path: Path, line: str) -> None:
    """Killed when half of a line is written."""
    with open(path, "a", encoding="utf-8") as handle:
        handle.write(line[: len(line) // 2])
    _die()


def _none(workdir: Path) -> After:
    return lambda stage, done: None


def _at(workdir: Path, wanted: str, end: str) -> After:
    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == wanted and any(str(path).endswith(end) for path in arguments[:2]):
            _die()

    sys.addaudithook(hook)
    return _none(workdir)


def _line(workdir: Path, stage: str, number: str) -> After:
    whole = stages.append_rows

    def half(path: Path, rows: list[dict[str, Any]]) -> None:
        if rows and rows[0]["stage"] == stage and int(number) in (rows[0].get("epoch"), rows[0].get("generation")):
            _tear(path, json.dumps(rows[0]))
        whole(path, rows)

    stages.append_rows = half
    return _none(workdir)


def _torn(workdir: Path, stage: str, number: str) -> After:
    whole = journal.append_lines

    def half(path: Path, line: str) -> None:
        start = json.dumps({"key": [stage]})[:-2]
        kept = path.read_text().splitlines() if path.exists() else []
        if line.startswith(start) and 1 + sum(of.startswith(start) for of in kept) == int(number):
            _tear(path, line)
        whole(path, line)

    journal.append_lines = half
    return _none(workdir)


def _hold(workdir: Path, stage: str, number: str) -> After:
    return lambda at, done: time.sleep(600) if (at, done) == (stage, int(number)) else None


def _full(workdir: Path, stage: str, number: str, more: str) -> After:
    def after(at: str, done: int) -> None:
        if (at, done) == (stage, int(number)):
            most = (workdir / "metrics.jsonl").stat().st_size + int(more)
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

    return after


def _note(workdir: Path, wanted: str) -> After:
    whole = stages.newest_checkpoint

    def noting(folder: Path, template: Any) -> Any:
        found = whole(folder, template)
        if folder.name == wanted and found is not None:
            leaves = jax.tree_util.tree_leaves_with_path(found[1])
            np.savez(
                workdir.with_suffix(".npz"), **{jax.tree_util.keystr(at): hosts.key_data(leaf) for at, leaf in leaves}
            )
        return found

    stages.newest_checkpoint = noting
    return _none(workdir)


POINTS: dict[str, Callable[..., After]] = {
    **{"none": _none, "at": _at, "line": _line, "torn": _torn, "hold": _hold, "full": _full, "note": _note}
}
