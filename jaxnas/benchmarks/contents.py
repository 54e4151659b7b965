"""Bytes of foreign files, each bounded, so that neither a compressed nor a plain file can fill the memory."""

import bz2
import zipfile
from pathlib import Path

from jaxnas.types import UserError

LIMIT = 64 << 20  # bytes; the largest of the official files read as a whole is less than 6 MB


def read_bytes(path: Path) -> bytes:
    """All bytes of a file. Raises UserError if it cannot be read or is larger than LIMIT."""
    try:
        with open(path, "rb") as handle:
            return _within(handle.read(LIMIT + 1), str(path))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error


def unpack_bz2(content: bytes, where: str) -> bytes:
    """What a bz2 file holds. Raises UserError if it is damaged, cut short, or larger than LIMIT."""
    unpacker = bz2.BZ2Decompressor()
    try:
        plain = unpacker.decompress(content, LIMIT + 1)
    except OSError as error:
        raise UserError(f"{where} is damaged: it is no bz2 file") from error
    _within(plain, where)
    if not unpacker.eof:
        raise UserError(f"{where} is damaged or truncated: its bz2 data end early")
    return plain


def zip_names(path: Path) -> list[str]:
    """Names in a zip file; none if it is no zip file."""
    if not path.is_file():
        return []
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
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
