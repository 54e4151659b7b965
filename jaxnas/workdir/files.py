"""Artefacts of a run, written aside and renamed so that a file is either whole or absent."""

import csv
import io
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxnas import plugins
from jaxnas.types import UserError
from jaxnas.workdir.lock import encodable, locked, shown, told_in_one_line

PACKAGES = ("jaxnas", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "chex", "numpy", "scipy")
AGAIN = "remove that file and start the same command {}: it goes on from what is complete, nothing else is lost"


@contextmanager
def open_workdir(
    path: Path, config: dict[str, Any], inputs: dict[str, Any], free: Sequence[str] = (), **notes: Any
) -> Iterator[Path]:
    """The directory, locked for this process, with `config.json` and `environment.json`.

    `inputs` are digests and warnings of what the run reads; `notes` go on record with every start. A used directory is
    gone on with if it belongs to the same config, but for the dotted names in `free`, and the same inputs; otherwise,
    or if another process holds it, or it cannot be written, raises UserError.
    """
    if not encodable(path):
        raise UserError(
            f"the work directory {shown(path)} has bytes that are no text here, and checkpoints cannot lie there; "
            "choose another --workdir, or set PYTHONUTF8=1"
        )
    with told_in_one_line(path):
        path.mkdir(parents=True, exist_ok=True)
        with locked(path):
            existing, made_with = path / "config.json", path / "environment.json"
            if existing.exists():
                there = read_json(existing, AGAIN.format("with the same settings"))
                refuse_change(path, "run of another config", there, config, free)
            if not made_with.exists():
                write_json(made_with, {"started": {**environment(), **notes}, "inputs": inputs, "resumed": []})
            again = AGAIN.format("on the same images and tables")
            record = read_json(made_with, again)
            if not isinstance(record.get("inputs"), dict) or not isinstance(record.get("resumed"), list):
                raise UserError(f"{made_with} is damaged (no inputs, or no starts); {again}")
            refuse_change(path, "run on other inputs", record["inputs"], inputs)
            if existing.exists() and not (path / "result.json").exists():
                resumed = [*record["resumed"], {**environment(), **notes}]
                write_json(made_with, {**record, "resumed": resumed})
            write_json(existing, config)
            yield path


def environment() -> dict[str, Any]:
    """What the run is made with: command, plugins, versions, devices, cores, source revision."""
    installed = {name: version for name in PACKAGES if (version := _version(name)) is not None}
    return {
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "plugins": {plugin.module: plugin.names for plugin in plugins.loaded()},
        "python": platform.python_version(),
        "packages": installed,
        "devices": [device.device_kind for device in jax.devices()],
        "backend": jax.default_backend(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "machine": platform.machine(),
        "revision": _revision(),
    }


def write_json(path: Path, value: Any) -> None:
    """One JSON file; NaN and infinity are refused, they are no JSON."""
    write_whole(path, (json.dumps(value, indent=1, allow_nan=False) + "\n").encode())


def read_json(path: Path, advice: str = "choose another --workdir") -> dict[str, Any]:
    """The JSON object of a file. Raises UserError, ending with `advice`, if it is damaged, OSError if unreadable."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is damaged ({error}); {advice}") from error
    if not isinstance(value, dict):
        raise UserError(f"{path} is damaged (no JSON object); {advice}")
    return value


def write_csv(path: Path, rows: Sequence[dict[str, Any]], names: Sequence[str] | None = None) -> None:
    """One CSV file with a header, `names` or those of the first row (at least one then); None becomes an empty cell."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]) if names is None else names)
    writer.writeheader()
    writer.writerows(rows)
    write_whole(path, text.getvalue().encode())


def write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """One .npz file of plain arrays."""
    content = io.BytesIO()
    np.savez_compressed(content, allow_pickle=False, **arrays)
    write_whole(path, content.getvalue())


def append_rows(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """JSON objects, one a line, at the end of a file, flushed to the disk; a stopped write leaves part of a line."""
    append_lines(path, *(json.dumps(row, allow_nan=False) for row in rows))


def append_lines(path: Path, *lines: str) -> None:
    """Lines at the end of a file, flushed to the disk; a stopped write leaves part of them."""
    with open(path, "a", encoding="utf-8") as handle:
        handle.writelines(line + "\n" for line in lines)
        handle.flush()
        os.fsync(handle.fileno())  # before a checkpoint counts on these bytes


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """The rows of `append_rows`; half a line, from a run that was killed, is taken off the file. None: no rows.

    Raises UserError if the file is damaged.
    """
    if not path.exists():
        return []
    whole = [line for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
    write_whole(path, b"".join(whole))
    try:
        return [json.loads(line) for line in whole]
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is damaged ({error}); choose another --workdir") from error


def write_whole(path: Path, content: bytes) -> None:
    """Written aside, flushed to the disk, and renamed: the file is the old one or the new one, whole."""
    aside = path.with_name(path.name + ".part")
    with open(aside, "wb") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())
    os.replace(aside, path)


def refuse_change(path: Path, what: str, old: dict[str, Any], new: dict[str, Any], free: Sequence[str] = ()) -> None:
    """Raises UserError, with every difference, if nested settings differ elsewhere than in the dotted names `free`."""
    if found := changes(old, new, free):
        raise UserError(f"{path} holds a {what} ({'; '.join(found)}); choose another --workdir")


def changes(old: dict[str, Any], new: dict[str, Any], free: Sequence[str] = ()) -> list[str]:
    """What differs between nested settings elsewhere than in the dotted names `free`, by name."""
    before, after = flat(old), flat(new)
    return [
        f"{name}: {before.get(name)!r} there, {after.get(name)!r} now"
        for name in sorted({*before, *after} - {*free})
        if before.get(name) != after.get(name)
    ]


def flat(config: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings by their dotted names."""
    found: dict[str, Any] = {}
    for name, value in config.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return found


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _revision() -> str | None:
    """The git commit of the source, `+` if it was changed since; None outside a checkout of it."""
    here = Path(__file__).parent
    try:
        # An installed copy may lie inside somebody's repository without being a part of it.
        tracked = ["git", "ls-files", "--error-unmatch", Path(__file__).name]
        subprocess.run(tracked, cwd=here, capture_output=True, check=True, timeout=10)
        commit = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, check=True, timeout=10
        )
        status = subprocess.run(
            ["git", "status", "--porcelain", "-uno"], cwd=here, capture_output=True, text=True, check=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return commit.stdout.strip() + ("+" if status.stdout.strip() else "")
