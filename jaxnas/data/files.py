"""Files as bytes, with the errors that a user can act on."""

from pathlib import Path

from jaxnas.types import UserError


def read_bytes(path: Path) -> bytes:
    """The whole file. Raises UserError if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
