"""Pickled image batches read without executing anything of the file: only plain containers and numpy arrays."""

import io
import pickle
from typing import Any

import numpy as np

from jaxnas.types import UserError


def read_pickled_batch(content: bytes, where: str, label: str, pixels: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows uint8 [n, pixels] and labels int64 [n] of a dict with `data` and a list under `label`.

    `where` names the file. Raises UserError if it is damaged, of another form, or names anything but numpy arrays.
    """
    try:
        batch = _ArraysOnly(io.BytesIO(content), encoding="bytes").load()
    except UserError as error:
        raise UserError(f"{where} is refused: {error}") from error
    except Exception as error:  # a damaged pickle raises almost anything
        raise UserError(f"{where} is damaged or truncated ({type(error).__name__}: {error})") from error
    if not isinstance(batch, dict):
        raise UserError(f"{where} holds a {type(batch).__name__}, expected a dict of images and labels")
    named = {key.decode("latin-1") if isinstance(key, bytes) else key: value for key, value in batch.items()}
    rows, labels = named.get("data"), named.get(label)
    if not isinstance(rows, np.ndarray) or rows.dtype != np.uint8 or rows.ndim != 2 or rows.shape[1] != pixels:
        found = f"{rows.dtype} {rows.shape}" if isinstance(rows, np.ndarray) else type(rows).__name__
        raise UserError(f"{where}: 'data' must be uint8 (n, {pixels}), not {found}")
    if not isinstance(labels, list) or len(labels) != len(rows) or not all(type(x) is int for x in labels):
        raise UserError(f"{where}: {label!r} must be a list of {len(rows)} integers")
    return rows, np.array(labels, np.int64)


class _ArraysOnly(pickle.Unpickler):
    """Any name outside the allow-list is refused before it is imported."""

    def find_class(self, module: str, name: str) -> Any:
        if module in ("numpy.core.multiarray", "numpy._core.multiarray") and name == "_reconstruct":
            return np._core.multiarray._reconstruct  # type: ignore[attr-defined]
        if module == "numpy" and name in ("ndarray", "dtype"):
            return getattr(np, name)
        if (module, name) == ("_codecs", "encode"):
            return _latin1
        raise UserError(f"it names {module}.{name}, and only numpy arrays are allowed")


def _latin1(text: str, encoding: str) -> bytes:
    if encoding not in ("latin1", "latin-1"):
        raise UserError(f"it asks for encoding {encoding!r}")
    return text.encode("latin-1")
