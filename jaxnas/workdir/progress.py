"""How far a run is: a live line on a terminal, plain lines elsewhere."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as LiveProgress

Progress = Callable[[str, int, int, str], None]
"""(stage, done, total, note); a total of 0: the stage starts, and has not yet told how long it is"""
PLAIN_EVERY = 10.0  # seconds between plain lines of one stage
SILENT = 15.0  # seconds without a plain line, after which one says that the run is alive
LOOK = 1.0  # seconds between two looks at how long it has been silent


@contextmanager
def progress(console: Console) -> Iterator[Progress]:
    """A function to call as stages proceed; each stage is one line."""
    if console.is_terminal:
        with _live(console) as update:
            yield update
    else:
        with _plain(console) as update:
            yield update


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
                tasks[stage] = live.add_task(stage, total=None, note=note)
            if total:
                live.update(tasks[stage], completed=done, total=total, note=note)  # type: ignore[arg-type]

        yield update


@contextmanager
def _plain(console: Console) -> Iterator[Progress]:
    """Lines of reports; while there are none, as during a compilation, a thread says which stage is at work."""
    start = time.monotonic()
    last: dict[str, float] = {}
    lock, ended = threading.Lock(), threading.Event()
    stage_now, reported, written = "start", start, start

    def write(text: str, now: float) -> None:
        nonlocal written
        written = now
        console.print(f"{now - start:7.1f}s {text}", highlight=False, markup=False, soft_wrap=True)

    def update(stage: str, done: int, total: int, note: str) -> None:
        nonlocal stage_now, reported
        with lock:
            now = time.monotonic()
            stage_now, reported = stage, now
            if not total:
                write(f"{stage:>9} starts", now)
            elif done == total or now - last.get(stage, -PLAIN_EVERY) >= PLAIN_EVERY:
                last[stage] = now
                write(f"{stage:>9} {done}/{total} {note}", now)

    def beat() -> None:
        while not ended.wait(LOOK):
            with lock:
                now = time.monotonic()
                if now - written >= SILENT:
                    write(f"{stage_now:>9} {now - reported:.0f} s since its last report, computing or compiling", now)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield update
    finally:
        ended.set()
        thread.join()
