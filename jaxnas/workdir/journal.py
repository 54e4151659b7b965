"""The journal of a work directory: every finished unit of work by its name, kept once and never computed again.

`journal.jsonl` has one record a line, {"key", "value", "seconds", "sha256"}: the name of the unit, what it gave, how
long it took, and a checksum of these. A last line that a kill has torn is dropped. So is any other damaged line, and
this is told: its unit is computed again, and gives the same bits. States of training are no units: they are large,
and `checkpoints` keeps only the newest of them.
"""

import base64
import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxnas.console import print_line
from jaxnas.distributed import hosts
from jaxnas.types import UserError
from jaxnas.workdir.files import append_lines, write_whole

FILE = "journal.jsonl"
# What versions before the journal kept; a directory that holds one of these would be computed again beside it.
FORMER = ("cells.jsonl", "supernets.jsonl", "alone.jsonl", "leaves.jsonl", "units.jsonl", "scores.jsonl")

Unit = Sequence[str | int | Sequence[Any]]
"""name of a unit of work, plain JSON: what it is, then which"""


class Journal(NamedTuple):
    """What a work directory keeps of finished units. Of several processes the first one decides what is there."""

    once: Callable[[Unit, Callable[[], Any]], Any]
    """(unit, compute) -> the value that is kept, or else what `compute` gives, from then on kept

    Values are JSON whose leaves may be arrays; tuples become lists, and arrays numpy arrays of the same bits. Every
    process computes, and gets the value of the first one.
    """
    holds: Callable[[Unit], bool]
    """whether a unit is kept"""
    under: Callable[..., list[tuple[list[Any], Any]]]
    """(names ...) -> (unit, value) of all kept units that begin so, in the order in which they were kept"""
    seconds: Callable[..., float]
    """(names ...) -> seconds that the kept units took that begin so"""


def open_journal(workdir: Path) -> Journal:
    """The journal of a work directory that this process has locked.

    Damaged records are taken off, with a line on stderr that says so unless it is a torn last one. Raises UserError if
    another version kept the directory.
    """
    path = workdir / FILE
    records: dict[str, Mapping[str, Any]] = {}  # of the first process, by the JSON of the unit
    hosts.on_process_zero(lambda: records.update(_read_own(path)))

    def holds(unit: Unit) -> bool:
        return bool(hosts.on_process_zero(lambda: json.dumps(unit) in records))

    def once(unit: Unit, compute: Callable[[], Any]) -> Any:
        if not holds(unit):
            began = time.monotonic()
            value = _encoded(compute())
            hosts.on_process_zero(keep, unit, value, round(time.monotonic() - began, 2))
        return _decoded(hosts.on_process_zero(lambda: records[json.dumps(unit)]["value"]))

    def keep(unit: Unit, value: Any, seconds: float) -> None:
        record = {"key": unit, "value": value, "seconds": seconds}
        line = json.dumps({**record, "sha256": _digest(record)}, allow_nan=False)
        append_lines(path, line)
        records[json.dumps(unit)] = json.loads(line)

    def beginning(names: Unit) -> list[Mapping[str, Any]]:
        wanted = json.loads(json.dumps(names))
        return [record for record in records.values() if record["key"][: len(wanted)] == wanted]

    def under(*names: Any) -> list[tuple[list[Any], Any]]:
        found = hosts.on_process_zero(lambda: [[record["key"], record["value"]] for record in beginning(names)])
        return [(unit, _decoded(value)) for unit, value in found]

    def seconds(*names: Any) -> float:
        return float(hosts.on_process_zero(lambda: sum(record["seconds"] for record in beginning(names))))

    return Journal(once, holds, under, seconds)


def kept_units(workdir: Path, name: str) -> list[tuple[list[Any], Any]]:
    """(unit, value) of the units whose names begin with `name`, for one process alone; values without arrays."""
    return [(record["key"], record["value"]) for record in _read(workdir / FILE).values() if record["key"][0] == name]


def _read_own(path: Path) -> dict[str, Mapping[str, Any]]:
    former = [name for name in FORMER if (path.parent / name).exists()]
    if former:
        raise UserError(
            f"{path.parent / former[0]} was kept by another version of the program; choose another --workdir"
        )
    return _read(path)


def _read(path: Path) -> dict[str, Mapping[str, Any]]:
    """The records of a file, without damaged lines, which are taken off the file as well."""
    if not path.exists():
        return {}
    lines = path.read_bytes().splitlines(keepends=True)
    records = [_record(line) for line in lines]
    whole = [line for line, record in zip(lines, records, strict=True) if record is not None]
    if len(whole) == len(lines) - 1 and records[-1] is None:
        os.truncate(path, sum(map(len, whole)))
    elif len(whole) < len(lines):
        lost = f"{len(lines) - len(whole)} of {len(lines)} lines of {path} are damaged"
        print_line(f"warning: {lost} and are dropped; what they held is computed again", "yellow")
        write_whole(path, b"".join(whole))
    return {json.dumps(record["key"]): record for record in records if record is not None}


def _record(line: bytes) -> Mapping[str, Any] | None:
    """The record of a line; None if the line is not whole."""
    try:
        record = json.loads(line) if line.endswith(b"\n") else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict) or {*record} != {"key", "value", "seconds", "sha256"}:
        return None
    return record if record.pop("sha256") == _digest(record) else None


def _digest(record: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def _encoded(value: Any) -> Any:
    """A value as plain JSON."""
    if isinstance(value, np.ndarray | jax.Array):
        array = np.asarray(value)
        return {"ndarray": [array.dtype.str, list(array.shape), base64.b64encode(array.tobytes()).decode()]}
    if isinstance(value, dict):
        return {name: _encoded(of) for name, of in value.items()}
    return [_encoded(of) for of in value] if isinstance(value, list | tuple) else value


def _decoded(value: Any) -> Any:
    """The value of plain JSON; arrays can be written to."""
    if isinstance(value, dict):
        if {*value} == {"ndarray"}:
            kind, shape, content = value["ndarray"]
            return np.frombuffer(base64.b64decode(content), np.dtype(kind)).reshape(shape).copy()
        return {name: _decoded(of) for name, of in value.items()}
    return [_decoded(of) for of in value] if isinstance(value, list) else value
