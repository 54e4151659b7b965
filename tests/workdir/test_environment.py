"""What a run was made with, as its directory records it."""

import json
import os
import platform
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import jax
import numpy as np
import pytest

from jaxnas.workdir import files


def test_the_environment_has_versions_devices_and_the_command_without_its_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "argv", ["/home/someone/code/few_shot.py", "digits", "--seed", "1"])
    found = files.environment()
    assert found["command"] == ["few_shot.py", "digits", "--seed", "1"]
    assert "/home/someone" not in json.dumps(found, allow_nan=False)
    assert found["python"] == platform.python_version()
    assert {name: found["packages"][name] for name in ("jax", "numpy")} == {
        "jax": jax.__version__,
        "numpy": np.__version__,
    }
    assert len(found["devices"]) == jax.device_count()
    assert found["backend"] == jax.devices()[0].platform
    assert 1 <= found["cores"] <= (os.cpu_count() or 1)


@pytest.mark.parametrize(("status", "revision"), [("", "1234abcd"), (" M jaxnas/types.py\n", "1234abcd+")])
def test_the_revision_tells_a_changed_checkout(status: str, revision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], **options: Any) -> SimpleNamespace:
        return SimpleNamespace(stdout="1234abcd\n" if "rev-parse" in command else status)

    monkeypatch.setattr(subprocess, "run", run)
    assert files.environment()["revision"] == revision


@pytest.mark.parametrize(
    "error", [FileNotFoundError("git"), subprocess.CalledProcessError(128, "git"), subprocess.TimeoutExpired("git", 1)]
)
def test_outside_a_checkout_there_is_no_revision(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*arguments: Any, **options: Any) -> None:
        raise error

    monkeypatch.setattr(subprocess, "run", run)
    assert files.environment()["revision"] is None
