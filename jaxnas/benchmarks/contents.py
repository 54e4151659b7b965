"""Bytes of foreign files, each bounded, so that neither a compressed nor a plain file can fill the memory."""

import io
import zipfile
from pathlib import Path, PurePath

from jaxnas.foreign.litter import in_litter
from jaxnas.foreign.packed import unpack
from jaxnas.types import UserError

LIMIT = 64 << 20  # bytes; the largest of the official files read as a whole is less than 6 MB


def read_bytes(path: Path) -> bytes:
    """All bytes of a file. Raises UserError if it cannot be read or is larger than LIMIT."""
    try:
        with open(path, "rb") as handle:
            return _within(handle.read(LIMIT + 1), str(path))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error


def unpacked(content: bytes, where: str) -> bytes:
    """What a file holds, unpacked if it is packed. Raises UserError if it is damaged or holds more than LIMIT."""
    return _within(unpack(io.BytesIO(content), where, LIMIT + 1), where)


def zip_names(path: Path) -> list[str]:
    """Names in a zip file, without litter; none if it is no zip file."""
    if not path.is_file():
        return []
    try:
        with zipfile.ZipFile(path) as archive:
            return [name for name in archive.namelist() if not in_litter(PurePath(name))]
    except (zipfile.BadZipFile, ValueError, RuntimeError):
        return []


def read_member(path: Path, name: str) -> bytes:
    """One file of a zip file. Raises UserError if it is damaged or larger than LIMIT."""
    try:
        with zipfile.ZipFile(path) as archive, archive.open(name) as handle:
            return _within(handle.read(LIMIT + 1), f"{path}/{name}")
    except UserError:
        raise
    except Exception as error:  # a damaged archive raises almost anything
        raise UserError(f"{path} is damaged or truncated ({type(error).__name__})") from error


def _within(content: bytes, where: str) -> bytes:
    if len(content) > LIMIT:
        raise UserError(f"{where} holds more than {LIMIT >> 20} MiB, larger than any file of a benchmark")
    return content
