"""What a file or folder of no known format is, for the message that says so."""

from pathlib import Path

from jaxnas.benchmarks.contents import zip_names
from jaxnas.benchmarks.sheet import HEAD, columns_of
from jaxnas.foreign.litter import is_litter
from jaxnas.foreign.packed import form_of, unpack
from jaxnas.types import UserError, truncated_repr

TAR = slice(257, 262)  # where a tar archive says `ustar`


def told(path: Path) -> str:
    """What an existing file or folder holds, in some words. Raises OSError if it cannot be read."""
    if path.is_dir():
        return f"a folder with {_some([file.name for file in path.iterdir() if not is_litter(file.name)])}"
    if names := zip_names(path):
        return f"a zip file with {_some(names)}"
    with open(path, "rb") as stream:
        form = form_of(stream.read(8))
        stream.seek(0)
        try:
            head = unpack(stream, str(path), HEAD)
        except UserError as error:
            return f"a file that cannot be unpacked ({error})"
    packed = f", packed by {form}" if form else ""
    if not head:
        return f"an empty file{packed}"
    if head[TAR] == b"ustar":
        return f"a tar archive{packed}, which has to be unpacked"
    columns = columns_of(path)
    if columns and all(column.isprintable() and "\ufffd" not in column for column in columns):
        return f"a text{packed} with the columns {truncated_repr(columns, 300)}"
    return f"a file{packed} that begins with the bytes {head[:8].hex(' ')}"


def _some(names: list[str]) -> str:
    return truncated_repr(sorted(names)[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
