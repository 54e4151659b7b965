"""How far a run is: a live line on a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as LiveProgress

Progress = Callable[[str, int, int, str], None]
"""(stage, done, total, note)"""
PLAIN_EVERY = 10.0  # seconds between plain lines of one stage


@contextmanager
def progress(console: Console) -> Iterator[Progress]:
    """A function to call as stages proceed; each stage is one line."""
    if console.is_terminal:
        with _live(console) as update:
            yield update
    else:
        yield _plain(console)


@contextmanager
def _live(console: Console) -> Iterator[Progress]:
    columns = (
        TextColumn("{task.description:>9}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
    )
    with LiveProgress(*columns, console=console) as live:
        tasks: dict[str, int] = {}

        def update(stage: str, done: int, total: int, note: str) -> None:
            if stage not in tasks:
                tasks[stage] = live.add_task(stage, total=total, note=note)
            live.update(tasks[stage], completed=done, total=total, note=note)  # type: ignore[arg-type]

        yield update


def _plain(console: Console) -> Progress:
    start = time.monotonic()
    last: dict[str, float] = {}

    def update(stage: str, done: int, total: int, note: str) -> None:
        now = time.monotonic()
        if done < total and now - last.get(stage, -PLAIN_EVERY) < PLAIN_EVERY:
            return
        last[stage] = now
        line = f"{now - start:7.1f}s {stage:>9} {done}/{total} {note}"
        console.print(line, highlight=False, markup=False, soft_wrap=True)

    return update
