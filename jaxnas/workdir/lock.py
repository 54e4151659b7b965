"""The lock of a work directory: one process at a time, and the errors of the disk in one sentence.

`lock` is what the system locks, and lets go of when the process ends, however it ends. `holder` says which process
has it, in a file of its own: some versions of filelock empty the file that they try to lock.
"""

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from jaxnas.types import UserError, truncated_repr

MOST = 200  # characters of a holder that are told


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds a directory for this process. Raises UserError if another one holds it, OSError if it is not writable."""
    lock, holder = FileLock(path / "lock"), path / "holder"
    try:
        lock.acquire(blocking=False)
    except Timeout as error:
        raise UserError(
            f"{shown(path)} is in use by {_read(holder)}; wait for it, or choose another --workdir"
        ) from error
    try:
        holder.write_text(f"process {os.getpid()} on {platform.node()}", encoding="utf-8")
        yield
    finally:
        lock.release()


@contextmanager
def told_in_one_line(path: Path) -> Iterator[None]:
    """An error of the disk under the work directory, such as a full one, as a UserError."""
    try:
        yield
    except BrokenPipeError:  # who reads what this process prints has gone
        raise
    except OSError as error:
        raise UserError(
            f"cannot write to the work directory {shown(path)}: {error.strerror or error}; what is complete there is "
            "kept, and the same command goes on from it"
        ) from error


def encodable(path: Path) -> bool:
    """Whether a path is text; one of other bytes than those of the locale is none."""
    try:
        str(path.absolute()).encode()
    except UnicodeEncodeError:
        return False
    return True


def shown(path: Path) -> str:
    """A path for a message of one line, cut in the middle when it is very long."""
    text = str(path)
    return text if text.isprintable() and len(text) <= MOST else truncated_repr(text, MOST)


def _read(holder: Path) -> str:
    try:
        text = holder.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        text = ""
    return text if text.isprintable() and 0 < len(text) <= MOST else "another process"
