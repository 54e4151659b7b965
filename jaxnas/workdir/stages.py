"""The stages of a run: each goes on where it was stopped, is never computed again, and is on record.

`stages.json` lists the stages in order with status, seconds (of what was kept, over all attempts) and the length of
`metrics.jsonl` at their end. A stage of training keeps its newest state in `checkpoints/STAGE/`; rows that were written
after the state that is resumed are cut off again. Any other stage keeps each unit in the journal; its rows are written
anew as it goes through its units. Either way an interrupted run ends with the same bytes as an uninterrupted one.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jaxnas.distributed import hosts, local_rows, parallel
from jaxnas.types import Stage, UserError, truncated_repr
from jaxnas.workdir.checkpoints import newest_checkpoint, save_checkpoint
from jaxnas.workdir.files import append_rows, read_json, write_json
from jaxnas.workdir.journal import FILE as JOURNAL
from jaxnas.workdir.journal import open_journal
from jaxnas.workdir.progress import Progress

Rows = list[dict[str, Any]]
EVERY = 30.0  # seconds of work that a kill may lose, beside the unit (epoch, node, generation) it interrupts


def read_stages(workdir: Path) -> dict[str, dict[str, Any]]:
    """The records of `stages.json`, in order; none if the file does not exist. Raises UserError if it is damaged."""
    path = workdir / "stages.json"
    records = read_json(path) if path.exists() else {}
    for name, record in records.items():
        if not isinstance(record, dict) or not (record == {"status": "running"} or _is_done(record)):
            raise UserError(
                f"{path} is damaged (no record of a stage: {truncated_repr({name: record})}); choose another --workdir"
            )
    return records


@contextmanager
def open_stage(workdir: Path, name: str, note: Callable[[Rows], str], show: Progress) -> Iterator[Stage]:
    """The stage `name` of a work directory this process has locked; `note(rows)` is shown beside its progress.

    State is kept at the last unit and, before it, whenever the next unit could bring the work at risk over `EVERY`
    seconds. When the block ends without an error the stage is on record as done.

    Of several processes all open it, and the first one alone works on files; but where they share the directory, each
    keeps the states that it holds itself.
    """
    records = hosts.on_process_zero(read_stages, workdir)
    together = (lambda state: state) if hosts.share(workdir) else parallel.gather_all
    finished = records.get(name, {}).get("status") == "done"
    folder, metrics = workdir / "checkpoints" / name, workdir / "metrics.jsonl"
    journal = open_journal(workdir)
    began = time.monotonic()
    before = journal.seconds(name)  # seconds of earlier attempts that count
    unit = kept = began  # when the last unit ended, and when state was last kept
    told_any = False  # whether rows of this stage were written in this attempt
    replayed = False  # whether the last unit was kept before; such units are not shown again

    def seconds() -> float:
        return round(before + time.monotonic() - began, 2)

    def cut_to_others() -> None:
        _cut(metrics, max((record.get("metrics_bytes", 0) for record in records.values()), default=0))

    def resume(start: Any) -> tuple[int, Any]:
        nonlocal before
        found = newest_checkpoint(folder, together(start))
        if found is None and finished:
            raise UserError(f"{folder} is gone, though its stage is on record as done; move {workdir} away")
        if found is None:
            hosts.on_process_zero(cut_to_others)
            return 0, start
        done, state, record = found
        if not finished:
            before = record["seconds"]
            hosts.on_process_zero(_cut, metrics, record["metrics_bytes"])
        return done, parallel.keep_local(state) if isinstance(start, local_rows.LocalRows) else state

    def told(done: int, total: int, rows: Rows) -> dict[str, Any] | None:
        """Puts the rows on record; the record of the checkpoint that is due, if one is."""
        append_rows(metrics, [{"stage": name, **row} for row in rows])
        now = time.monotonic()
        if done < total and now - kept + (now - unit) < EVERY:
            return None
        return {"seconds": seconds(), "metrics_bytes": _size(metrics)}

    def advance(done: int, total: int, state: Any, rows: Rows) -> None:
        nonlocal unit, kept
        if not finished:  # else its newest checkpoint is damaged: what is computed again has its rows already
            record = hosts.on_process_zero(told, done, total, rows)
            if record is not None:
                save_checkpoint(folder, done, together(state), record)
                kept = time.monotonic()
            unit = time.monotonic()
        show(name, done, total, note(rows))

    def once(of: Sequence[str | int], compute: Callable[[], Any]) -> Any:
        nonlocal replayed
        replayed = journal.holds([name, *of])
        if finished and not replayed:
            raise UserError(
                f"{workdir / JOURNAL} lacks {[name, *of]}, though its stage is on record as done; move {workdir} away"
            )
        return journal.once([name, *of], compute)

    def tell(done: int, total: int, rows: Rows) -> None:
        nonlocal told_any
        if not finished:
            if not told_any:
                hosts.on_process_zero(cut_to_others)
            hosts.on_process_zero(append_rows, metrics, [{"stage": name, **row} for row in rows])
            told_any = True
        if not replayed:
            show(name, done, total, note(rows))

    def finish() -> None:
        done = {"status": "done", "seconds": seconds(), "metrics_bytes": _size(metrics)}
        write_json(workdir / "stages.json", {**records, name: done})

    if not finished:
        hosts.on_process_zero(write_json, workdir / "stages.json", {**records, name: {"status": "running"}})
        show(name, 0, 0, "")
    yield Stage(resume, advance, once, tell)
    if not finished:
        hosts.on_process_zero(finish)


def _is_done(record: dict[str, Any]) -> bool:
    numbers = (record.get("seconds"), record.get("metrics_bytes"))
    return record.get("status") == "done" and all(type(number) in (int, float) for number in numbers)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _cut(path: Path, size: int) -> None:
    if _size(path) < size:
        raise UserError(f"{path} has lost rows ({_size(path)} bytes of {size} on record); move {path.parent} away")
    if _size(path) > size:
        os.truncate(path, size)
