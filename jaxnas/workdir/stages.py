"""The stages of a run: each goes on where it was stopped, is never computed again, and is on record.

`stages.json` lists the stages in order with status, seconds (of what was kept, over all attempts), the length of
`metrics.jsonl` at their end, and a checksum of these. The journal holds the same of every stage that is done, so that
either file makes good for the other where that is damaged or gone. A stage of training keeps its newest state in
`checkpoints/STAGE/`; rows that were written after the state that is resumed are cut off again. Any other stage keeps
each unit in the journal; its rows are written anew as it goes through its units. Either way an interrupted run ends
with the same bytes as an uninterrupted one.
"""

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jaxnas.console import print_line
from jaxnas.distributed import hosts, local_rows, parallel
from jaxnas.types import Stage, UserError, truncated_repr
from jaxnas.workdir.checkpoints import newest_checkpoint, save_checkpoint
from jaxnas.workdir.files import append_rows, read_json, write_json
from jaxnas.workdir.journal import FILE as JOURNAL
from jaxnas.workdir.journal import kept_units, open_journal
from jaxnas.workdir.lock import shown
from jaxnas.workdir.progress import Progress

Rows = list[dict[str, Any]]
Records = dict[str, dict[str, Any]]
RUNNING = {"status": "running"}
DONE = "stage done"  # of units of the journal: [DONE, name] is what `stages.json` says of that stage
EVERY = 30.0  # seconds of work that a kill may lose, beside the unit (epoch, node, generation) it interrupts


def read_stages(workdir: Path) -> Records:
    """The records of the stages, in order; none if no stage was begun.

    Where `stages.json` is damaged or lacks a stage that the journal knows, it is written anew, with a line on stderr.
    """
    return _read(workdir, kept_units(workdir, DONE))


@contextmanager
def open_stage(workdir: Path, name: str, note: Callable[[Rows], str], show: Progress) -> Iterator[Stage]:
    """The stage `name` of a work directory this process has locked; `note(rows)` is shown beside its progress.

    State is kept at the last unit and, before it, whenever the next unit could bring the work at risk over `EVERY`
    seconds. When the block ends without an error the stage is on record as done.

    Of several processes all open it, and the first one alone works on files; but where they share the directory, each
    keeps the states that it holds itself.
    """
    journal = open_journal(workdir)
    known = journal.under(DONE)
    found = hosts.on_process_zero(_read, workdir, known)
    records = {of: record for of, record in found.items() if record != RUNNING}
    together = (lambda state: state) if hosts.share(workdir) else parallel.gather_all
    finished = name in records
    folder, metrics = workdir / "checkpoints" / name, workdir / "metrics.jsonl"
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
            lacking = f"{workdir / JOURNAL} lacks {[name, *of]}, though its stage is on record as done"
            hosts.on_process_zero(print_line, f"warning: {lacking}; it is computed again", "yellow")
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

    if not finished:
        hosts.on_process_zero(_write, workdir, {**records, name: RUNNING})
        show(name, 0, 0, "")
    yield Stage(resume, advance, once, tell)
    done = journal.once(
        [DONE, name],
        lambda: {"seconds": seconds(), "metrics_bytes": _size(metrics)} if not finished else _numbers(records[name]),
    )
    if not finished:
        hosts.on_process_zero(_write, workdir, {**records, name: {"status": "done", **done}})


def _read(workdir: Path, kept: Sequence[tuple[list[Any], Any]]) -> Records:
    """The records of the stages by `stages.json` and by `kept`, the units of the journal under DONE; it is mended."""
    path, broken = workdir / "stages.json", None
    try:
        there = _whole(read_json(path)) if path.exists() else {}
    except UserError as error:
        there, broken = {}, str(error)
    done = {unit[1]: {"status": "done", **value} for unit, value in kept}
    records = {name: done.get(name, record) for name, record in there.items()}
    lacking = {name: record for name, record in done.items() if name not in records}
    if lacking or broken:
        # A stage ends where the next one begins: the length of `metrics.jsonl` tells their order.
        running = {name: record for name, record in records.items() if record == RUNNING}
        over = {name: record for name, record in {**records, **lacking}.items() if record != RUNNING}
        records = dict(sorted(over.items(), key=lambda of: of[1]["metrics_bytes"])) | running
        reason = broken or f"it lacks {sorted(lacking)}"
        print_line(f"warning: {shown(path)} is made again from {JOURNAL} ({truncated_repr(reason)})", "yellow")
        _write(workdir, records)
    return records


def _whole(written: dict[str, Any]) -> Records:
    """The records of `stages.json` without their checksums. Raises UserError for one that is not as it was written."""
    records = {}
    for name, found in written.items():
        record = {key: value for key, value in found.items() if key != "sha256"} if isinstance(found, dict) else {}
        whole = record == RUNNING or _is_done(record)
        if not whole or found.get("sha256") not in (_sum(name, record), None):  # versions before 0.2 kept no sum
            raise UserError(f"no record of a stage: {truncated_repr({name: found})}")
        records[name] = record
    return records


def _write(workdir: Path, records: Records) -> None:
    summed = {name: {**record, "sha256": _sum(name, record)} for name, record in records.items()}
    write_json(workdir / "stages.json", summed)


def _sum(name: str, record: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps([name, record], sort_keys=True).encode()).hexdigest()


def _numbers(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name != "status"}


def _is_done(record: dict[str, Any]) -> bool:
    numbers = _numbers(record)
    typed = {*numbers} == {"seconds", "metrics_bytes"} and {*map(type, numbers.values())} <= {int, float}
    return record.get("status") == "done" and typed


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _cut(path: Path, size: int) -> None:
    if _size(path) < size:
        raise UserError(f"{path} has lost rows ({_size(path)} bytes of {size} on record); move {path.parent} away")
    if _size(path) > size:
        os.truncate(path, size)
