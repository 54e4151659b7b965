"""Checkpoints that are whole or do not count: orbax writes the arrays, a record with a digest commits them.

`folder/12/` holds the arrays after 12 units of work, `folder/12.json` the record, written last. A checkpoint without a
record, or with a digest that is not that of its files and its record, is as if it were not there.
"""

import hashlib
import json
import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp

from jaxnas.types import UserError, brief
from jaxnas.workdir.files import write_json

KEPT = 2  # newest checkpoints of a stage that stay, the second in case the first is damaged on disk


def save_checkpoint(folder: Path, done: int, state: Any, record: dict[str, Any]) -> None:
    """Commits a pytree of arrays and typed keys as the checkpoint `done`, and removes all but the last two.

    One of several processes gives arrays of the host, and the words of keys: orbax takes no others from it.
    """
    target = (folder / str(done)).absolute()
    (folder / f"{done}.json").unlink(missing_ok=True)
    try:
        with _without_log(), _checkpointer() as checkpointer:
            # force: what stands there has no valid record, or it would have been resumed from.
            checkpointer.save(target, args=ocp.args.StandardSave(_named(state)), force=True)
    except Exception as error:  # a full disk has many faces in the layers below
        raise OSError(f"checkpoint {target} could not be written ({brief(str(error))})") from error
    record = {**record, "state": _kinds(state)}
    write_json(folder / f"{done}.json", {**record, "digest": digest(target, record)})
    kept = {str(number) for number in _numbers(folder)[:KEPT]}  # what kills have left goes, too
    for path in sorted(folder.iterdir(), key=Path.is_dir):  # records first: what is half removed does not count
        if path.name.removesuffix(".json") not in kept:
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink()


def newest_checkpoint(folder: Path, template: Any) -> tuple[int, Any, dict[str, Any]] | None:
    """(done, state, record) of the newest whole checkpoint; None if there never was one.

    `template` has the structure and shapes of the state. Raises UserError if checkpoints were committed and none of
    them is whole any more, or if a whole one holds other arrays than `template`.
    """
    numbers = _numbers(folder)
    for done in numbers:
        record, path = _record(folder / f"{done}.json"), (folder / str(done)).absolute()
        if path.is_dir() and record.pop("digest", None) == digest(path, record):
            if record["state"] == _kinds(template):
                return done, _restored(path, template), record
            words = jax.tree.map(lambda leaf: jax.random.key_data(leaf) if _is_key(leaf) else leaf, template)
            if record["state"] == _kinds(words):
                return done, jax.tree.map(_as_key, template, _restored(path, words)), record
            raise UserError(f"{path} was kept by another version of the program; choose another --workdir")
    if numbers:
        raise UserError(f"the checkpoints {numbers} in {folder} are damaged; move {folder.parent.parent} away")
    return None


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


def _named(state: Any) -> dict[str, Any]:
    """Leaves by their path: independent of the classes that hold them."""
    return {jax.tree_util.keystr(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(state)}


def _kinds(state: Any) -> dict[str, str]:
    return {name: f"{leaf.dtype}{list(leaf.shape)}" for name, leaf in _named(state).items()}


def _restored(path: Path, template: Any) -> Any:
    # Restored as they would be created, on the default device: a checkpoint may come from other devices.
    place = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    shapes = {
        name: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=place) for name, leaf in _named(template).items()
    }
    with _checkpointer() as checkpointer:
        restored = checkpointer.restore(path, args=ocp.args.StandardRestore(shapes))
    return jax.tree.unflatten(jax.tree.structure(template), [restored[name] for name in shapes])


def _is_key(leaf: Any) -> bool:
    return bool(jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key))


def _as_key(like: Any, kept: Any) -> Any:
    return jax.random.wrap_key_data(kept, impl=jax.random.key_impl(like)) if _is_key(like) else kept


def _checkpointer() -> ocp.Checkpointer:
    """One that waits for no other process, should there be any."""
    if jax.process_count() == 1:
        return ocp.Checkpointer(ocp.StandardCheckpointHandler())
    here = jax.process_index()
    alone = ocp.options.MultiprocessingOptions(here, active_processes={here}, barrier_sync_key_prefix="writer")
    handler = ocp.StandardCheckpointHandler(multiprocessing_options=alone)
    return ocp.Checkpointer(handler, multiprocessing_options=alone)


@contextmanager
def _without_log() -> Iterator[None]:
    """Orbax logs a failure with its traceback before it raises it; it is told once, by who catches it."""
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)
