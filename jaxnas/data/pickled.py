"""Pickled image batches read without executing anything of the file: only plain containers and numpy arrays."""

import io
import pickle
import pickletools
from typing import Any

import numpy as np

from jaxnas.types import UserError, truncated_repr


def read_pickled_batch(content: bytes, where: str, label: str, pixels: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows uint8 [n, pixels] and labels int64 [n] of a dict with `data` and a list under `label`.

    `where` names the file. Raises UserError if it is damaged, of another form, or names anything but numpy arrays.
    """
    try:
        _check_claims(content)
        batch = _ArraysOnly(io.BytesIO(content), encoding="bytes").load()
    except UserError as error:
        raise UserError(f"{where} is refused: {error}") from error
    except Exception as error:  # a damaged pickle raises almost anything
        raise UserError(
            f"{where} is damaged or truncated ({type(error).__name__}: {truncated_repr(str(error))})"
        ) from error
    if not isinstance(batch, dict):
        raise UserError(f"{where} holds a {type(batch).__name__}, expected a dict of images and labels")
    named = {key.decode("latin-1") if isinstance(key, bytes) else key: value for key, value in batch.items()}
    rows, labels = named.get("data"), named.get(label)
    rows = rows.value if isinstance(rows, _Array) else rows
    if not isinstance(rows, np.ndarray) or rows.dtype != np.uint8 or rows.ndim != 2 or rows.shape[1] != pixels:
        found = f"{rows.dtype} {rows.shape}" if isinstance(rows, np.ndarray) else type(rows).__name__
        raise UserError(f"{where}: 'data' must be uint8 (n, {pixels}), not {found}")
    whole = isinstance(labels, list) and all(type(x) is int and abs(x) < 2**63 for x in labels)
    if not isinstance(labels, list) or not whole or len(labels) != len(rows):
        raise UserError(f"{where}: {label!r} must be a list of {len(rows)} integers")
    return rows, np.array(labels, np.int64)


def _check_claims(content: bytes) -> None:
    """Every length lies inside the file, and no place in the memo is so far out that making room for it costs memory.

    The unpickler itself would believe both. Raises ValueError for a length, UserError for a place.
    """
    for opcode, argument, position in pickletools.genops(content):
        if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT") and (argument or 0) > len(content):
            raise UserError(f"its byte {position} asks for place {argument} of the memo")


class _ArraysOnly(pickle.Unpickler):
    """Any name outside the allow-list is refused before it is imported, and numpy's own are not handed out either.

    A file may set the flags of a real numpy.dtype so that its bytes become an array of pointers; the stand-ins below
    build arrays of numbers from bytes and nothing else.
    """

    def find_class(self, module: str, name: str) -> Any:
        allowed = {
            ("numpy.core.multiarray", "_reconstruct"): _Array,
            ("numpy._core.multiarray", "_reconstruct"): _Array,
            ("numpy", "ndarray"): _Array,
            ("numpy", "dtype"): _Dtype,
            # A new function each time: what a file sets on it is gone with the file.
            ("_codecs", "encode"): lambda text, encoding: _latin1(text, encoding),
        }
        if (module, name) in allowed:
            return allowed[module, name]
        raise UserError(f"it names {truncated_repr(f'{module}.{name}')}, and only numpy arrays are allowed")


def _latin1(text: str, encoding: str) -> bytes:
    if encoding not in ("latin1", "latin-1"):
        raise UserError(f"it asks for encoding {truncated_repr(encoding)}")
    return text.encode("latin-1")


class _Dtype:
    """Stands in for numpy.dtype: a plain number type; its flags are never taken from the file."""

    def __init__(self, code: Any, *options: Any) -> None:
        self.value = np.dtype(code.decode("latin-1") if isinstance(code, bytes) else code)
        if self.value.kind not in "biuf":
            raise UserError(f"it holds an array of {self.value}, and only numbers are allowed")

    def __setstate__(self, state: Any) -> None:
        order = state[1].decode("latin-1") if isinstance(state[1], bytes) else state[1]
        self.value = self.value.newbyteorder(str(order))  # type: ignore[arg-type]


class _Array:
    """Stands in for numpy.ndarray."""

    value: Any = None

    def __init__(self, *arguments: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, by_column, raw = state
        self.value = np.frombuffer(raw, dtype.value).reshape(shape, order="F" if by_column else "C")
