"""Artefacts of a run, written aside and renamed so that a file is either whole or absent."""

import csv
import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import jax

from jaxnas.types import UserError

PACKAGES = ("jaxnas", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "chex", "numpy", "scipy")


def open_workdir(path: Path, config: dict[str, Any]) -> Path:
    """Creates the directory with `config.json` and `environment.json`; metrics of an earlier run are removed.

    The same config in a used directory starts the run again, with the same result. Raises UserError if the directory
    belongs to another config (with the difference shown) or cannot be written.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        existing = path / "config.json"
        if existing.exists():
            old = json.loads(existing.read_text(encoding="utf-8"))
            if not isinstance(old, dict):
                raise UserError(f"{existing} is damaged (no JSON object); choose another --workdir")
            _refuse_other_config(existing, old, config)
        write_json(existing, config)
        write_json(path / "environment.json", environment())
        (path / "metrics.jsonl").write_text("")
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path / 'config.json'} is damaged ({error}); choose another --workdir") from error
    except OSError as error:
        raise UserError(f"cannot use {path} as work directory: {error.strerror}") from error
    return path


def environment() -> dict[str, Any]:
    """What the run is made with: command, versions, devices, cores, source revision."""
    installed = {d.metadata["Name"].lower(): d.version for d in metadata.distributions()}
    return {
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "python": platform.python_version(),
        "packages": {name: installed[name] for name in PACKAGES if name in installed},
        "devices": [device.device_kind for device in jax.devices()],
        "backend": jax.default_backend(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "machine": platform.machine(),
        "revision": _revision(),
    }


def write_json(path: Path, value: Any) -> None:
    """One JSON file; NaN and infinity are refused, they are no JSON."""
    _replace(path, json.dumps(value, indent=1, allow_nan=False) + "\n")


def write_csv(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """One CSV file with a header; None becomes an empty cell."""
    aside = path.with_suffix(path.suffix + ".part")
    with open(aside, "w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    os.replace(aside, path)


def append_rows(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """JSON objects, one a line, at the end of a file."""
    with open(path, "a", encoding="utf-8") as handle:
        handle.writelines(json.dumps(row, allow_nan=False) + "\n" for row in rows)


def _replace(path: Path, text: str) -> None:
    aside = path.with_suffix(path.suffix + ".part")
    aside.write_text(text, encoding="utf-8")
    os.replace(aside, path)


def _refuse_other_config(path: Path, old: dict[str, Any], new: dict[str, Any]) -> None:
    before, after = _flat(old), _flat(new)
    changed = [
        f"{name}: {before.get(name)!r} there, {after.get(name)!r} now"
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    ]
    if changed:
        raise UserError(f"{path.parent} holds a run of another config ({'; '.join(changed)}); choose another --workdir")


def _flat(config: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in config.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return flat


def _revision() -> str | None:
    """The git commit of the source, `+` if it was changed since; None outside a checkout."""
    here = Path(__file__).parent
    try:
        commit = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, check=True, timeout=10
        )
        status = subprocess.run(
            ["git", "status", "--porcelain", "-uno"], cwd=here, capture_output=True, text=True, check=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return commit.stdout.strip() + ("+" if status.stdout.strip() else "")
