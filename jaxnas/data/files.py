"""Files as bytes, with the errors that a user can act on."""

from pathlib import Path

from jaxnas.types import UserError

LIMIT = 1 << 30  # bytes; the largest file that is read as a whole, a batch of downsampled ImageNet, has a tenth


def read_bytes(path: Path) -> bytes:
    """The whole file. Raises UserError if it cannot be read or is larger than LIMIT."""
    try:
        with path.open("rb") as stream:
            content = stream.read(LIMIT + 1)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    if len(content) > LIMIT:
        raise UserError(f"{path} has more than {LIMIT} bytes, larger than any file of images")
    return content
