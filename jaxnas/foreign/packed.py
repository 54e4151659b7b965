"""Files packed by gzip, bzip2 or xz: known by their first bytes, not by their names, and unpacked within a bound."""

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable
from typing import IO, Any

from jaxnas.types import UserError

FORMS: dict[bytes, tuple[str, Callable[..., Any]]] = {
    b"\x1f\x8b": ("gzip", gzip.open),
    b"BZh": ("bzip2", bz2.open),
    b"\xfd7zXZ\x00": ("xz", lzma.open),
}


def form_of(head: bytes) -> str | None:
    """What the first bytes of a file say it is packed by; None: nothing of FORMS."""
    return next((name for magic, (name, _) in FORMS.items() if head.startswith(magic)), None)


def unpack(stream: IO[bytes], where: str, most: int) -> bytes:
    """The first `most` bytes of a file open at its start, unpacked if it is packed.

    Where that is less than `most`, the file was read to its end, where its checksum is compared. Raises UserError
    naming `where` if it cannot be read, or is damaged or cut short.
    """
    head = b""
    try:
        head = stream.read(8)
        stream.seek(0)
        for magic, (_, opened) in FORMS.items():
            if head.startswith(magic):
                with opened(stream) as plain:
                    return plain.read(most)
        return stream.read(most)
    except (OSError, EOFError, zlib.error, lzma.LZMAError, MemoryError) as error:
        form = form_of(head)
        what = "it cannot be read" if form is None else f"its {form} data are damaged or end early"
        raise UserError(f"cannot read {where}: {what} ({error})") from error
