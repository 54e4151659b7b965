"""Checkpoints that are whole or do not count: orbax writes the arrays, a record with a digest commits them.

`folder/12/` holds the arrays after 12 units of work, `folder/12.json` the record, written last. A checkpoint without a
record, or with a digest that is not that of its files and its record, is as if it were not there. Of several processes
all call these functions: each writes and reads its own `LocalRows`, the first one everything else, and the record.
"""

import hashlib
import json
import logging
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp

from jaxnas.distributed import hosts, local_rows
from jaxnas.distributed.local_rows import LocalRows
from jaxnas.types import UserError, truncated_repr
from jaxnas.workdir.files import write_json

KEPT = 2  # newest checkpoints of a stage that stay, the second in case the first is damaged on disk


def save_checkpoint(folder: Path, done: int, state: Any, record: dict[str, Any]) -> None:
    """Commits a pytree of arrays and typed keys, or `LocalRows`, as checkpoint `done`; removes all but the last two.

    It counts from when every process has written its part and the first one the record. Raises OSError, or where it is
    not this process that failed UserError or PeerLost.
    """
    target = (folder / str(done)).absolute()
    hosts.on_process_zero(lambda: (folder / f"{done}.json").unlink(missing_ok=True))
    if isinstance(state, LocalRows):
        with hosts.needing_all():
            _write(target, local_rows.to_global(state), ocp.Checkpointer(ocp.StandardCheckpointHandler()))
    else:
        plain = hosts.bits if hosts.processes() == 1 else hosts.key_data  # orbax takes no arrays of one of several
        hosts.on_process_zero(lambda: _write(target, jax.tree.map(plain, state), _checkpointer()))
    hosts.on_process_zero(_commit, folder, done, {**record, "state": _kinds(state)})


def newest_checkpoint(folder: Path, template: Any) -> tuple[int, Any, dict[str, Any]] | None:
    """(done, state, record) of the newest whole checkpoint; None if there never was one.

    `template` has the structure and shapes of the state, which is the same on whatever processes and devices it was
    kept. Raises UserError if checkpoints were committed and none of them is whole any more, or if a whole one holds
    other arrays than `template`, and PeerLost.
    """
    kinds = _kinds(template)
    older = {} if isinstance(template, LocalRows) else _kinds_of_keys(template)
    found = hosts.on_process_zero(_newest, folder, [kinds, older])
    if found is None:
        return None
    done, record = found
    path = (folder / str(done)).absolute()
    if isinstance(template, LocalRows):
        with hosts.needing_all():
            arrays = _read(path, local_rows.shapes(template), ocp.Checkpointer(ocp.StandardCheckpointHandler()))
        return done, local_rows.from_global(template, arrays), record
    state = [template]

    def read() -> None:
        words = record["state"] == kinds
        like = _bits(template) if words else template
        arrays = _read(path, jax.tree.map(_created, like), _checkpointer())
        state[0] = jax.tree.map(hosts.as_key, template, arrays) if words else arrays

    hosts.on_process_zero(read)
    return done, hosts.from_process_zero(state[0]), record


def digest(folder: Path, record: dict[str, Any]) -> str:
    """sha256 over a record and the names and contents of all files of a folder."""
    total = hashlib.sha256(json.dumps(record, sort_keys=True).encode())
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        total.update(f"{path.relative_to(folder).as_posix()} {content}\n".encode())
    return total.hexdigest()


def _numbers(folder: Path) -> list[int]:
    """Committed checkpoints, newest first."""
    return sorted((int(p.stem) for p in folder.glob("*.json") if p.stem.isdigit()), reverse=True)


def _record(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def _newest(folder: Path, allowed: list[dict[str, str]]) -> tuple[int, dict[str, Any]] | None:
    """The number and record of the newest whole checkpoint, whose arrays are of one of these kinds; errors as above."""
    numbers = _numbers(folder)
    for done in numbers:
        record, path = _record(folder / f"{done}.json"), (folder / str(done)).absolute()
        if path.is_dir() and record.pop("digest", None) == digest(path, record):
            if record["state"] not in allowed:
                raise UserError(f"{path} was kept by another version of the program; choose another --workdir")
            return done, record
    if numbers:
        raise UserError(f"the checkpoints {numbers} in {folder} are damaged; move {folder.parent.parent} away")
    return None


def _write(target: Path, state: Any, checkpointer: ocp.Checkpointer) -> None:
    try:
        with _without_log(), checkpointer:
            # force: what stands there has no valid record, or it would have been resumed from.
            checkpointer.save(target, args=ocp.args.StandardSave(_named(state)), force=True)
    except Exception as error:  # a full disk has many faces in the layers below
        if hosts.processes() > 1 and isinstance(error, jax.errors.JaxRuntimeError):
            raise  # the loss of another process
        kind = OSError if hosts.process() == 0 else UserError  # who holds the directory tells its errors
        raise kind(f"checkpoint {target} could not be written ({truncated_repr(str(error))})") from error


def _commit(folder: Path, done: int, record: dict[str, Any]) -> None:
    write_json(folder / f"{done}.json", {**record, "digest": digest((folder / str(done)).absolute(), record)})
    kept = {str(number) for number in _numbers(folder)[:KEPT]}  # what kills have left goes, too
    for path in sorted(folder.iterdir(), key=Path.is_dir):  # records first: what is half removed does not count
        if path.name.removesuffix(".json") not in kept:
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink()


def _named(state: Any) -> dict[str, Any]:
    """Leaves by their path: independent of the classes that hold them."""
    return {jax.tree_util.keystr(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(state)}


def _kinds(state: Any) -> dict[str, str]:
    """Type and shape of each leaf, of a key those of its words, of `LocalRows` that of all K."""
    rows = isinstance(state, LocalRows)
    leaves = _named(_bits(state.own if rows else state))
    shapes = {name: [state.items, *leaf.shape[1:]] if rows else [*leaf.shape] for name, leaf in leaves.items()}
    return {name: f"{leaf.dtype}{shapes[name]}" for name, leaf in leaves.items()}


def _kinds_of_keys(state: Any) -> dict[str, str]:
    """As `_kinds`, of keys as the typed arrays that older versions kept."""
    return {name: f"{leaf.dtype}{list(leaf.shape)}" for name, leaf in _named(state).items()}


def _bits(state: Any) -> Any:
    return jax.tree.map(hosts.bits, state)


def _read(path: Path, shapes: Any, checkpointer: ocp.Checkpointer) -> Any:
    # Not strict: rows that fill up the shares of processes are cut off, or are added as zeros.
    with checkpointer:
        found = checkpointer.restore(path, args=ocp.args.StandardRestore(_named(shapes), strict=False))
    return jax.tree.unflatten(jax.tree.structure(shapes), [found[name] for name in _named(shapes)])


def _created(leaf: Any) -> jax.ShapeDtypeStruct:
    """Placed as it would be created, on the default device: a checkpoint may come from other devices."""
    place = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=place)


def _checkpointer() -> ocp.Checkpointer:
    """One that waits for no other process."""
    if jax.process_count() == 1:
        return ocp.Checkpointer(ocp.StandardCheckpointHandler())
    here = jax.process_index()
    alone = ocp.options.MultiprocessingOptions(here, active_processes={here}, barrier_sync_key_prefix="writer")
    handler = ocp.StandardCheckpointHandler(multiprocessing_options=alone)
    return ocp.Checkpointer(handler, multiprocessing_options=alone)


@contextmanager
def _without_log() -> Iterator[None]:
    """Orbax logs a failure with its traceback before it raises it; it is told once, by who catches it.

    Threads of a write that failed go on after that, and each finds the event loop of the write closed. This is not told
    either, from then on.
    """
    logger, tasks, hook = logging.getLogger("absl"), logging.getLogger("asyncio"), sys.unraisablehook
    levels = logger.level, tasks.level
    logger.setLevel(logging.CRITICAL)
    tasks.setLevel(logging.CRITICAL)
    sys.unraisablehook = partial(_unless_closed, hook)
    try:
        yield
    finally:
        logger.setLevel(levels[0])
    tasks.setLevel(levels[1])
    sys.unraisablehook = hook


def _unless_closed(hook: Callable[[Any], Any], unraisable: Any) -> None:
    if str(unraisable.exc_value) != "Event loop is closed":
        hook(unraisable)
