"""Batches of images in the pickles of CIFAR and downsampled ImageNet: a dict of rows of pixels and labels."""

import io
from typing import Any

import numpy as np

from jaxnas.foreign.pickled import array_of, check_claims, load_plain
from jaxnas.types import UserError, truncated_repr


def read_pickled_batch(content: bytes, where: str, label: str, pixels: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows uint8 [n, pixels] and labels int64 [n] of a dict with `data` and n integers under `label`.

    Labels are a list, a tuple, or an array [n] or [n, 1]. `where` names the file. Raises UserError if it is damaged,
    of another form, or names anything but arrays and numbers.
    """
    check_claims(content, where)
    batch = load_plain(io.BytesIO(content), where, encoding="bytes")
    if not isinstance(batch, dict):
        raise UserError(f"{where} holds a {_told(batch)}, expected a dict of images and labels")
    named = {key.decode("latin-1") if isinstance(key, bytes) else key: value for key, value in batch.items()}
    for wanted in ("data", label):
        if wanted not in named:
            has = truncated_repr(sorted(key for key in named if isinstance(key, str)))
            raise UserError(f"{where} has no {wanted!r}; it has {has}")
    rows = array_of(named["data"])
    if rows is None or rows.dtype != np.uint8 or rows.ndim != 2 or rows.shape[1] != pixels:
        raise UserError(f"{where}: 'data' must be uint8 (n, {pixels}), not {_told(named['data'])}")
    labels = _integers(named[label])
    if labels is None or len(labels) != len(rows):
        raise UserError(f"{where}: {label!r} must be {len(rows)} integers, not {_told(named[label])}")
    return rows, labels


def _integers(labels: Any) -> np.ndarray | None:
    """int64 [n], or None for anything but n integers that fit."""
    array = array_of(labels)
    if array is not None:
        column = array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array
        # A list, so that unsigned numbers of 64 bits are compared with the others' rule.
        labels = column.tolist() if column.ndim == 1 and column.dtype.kind in "iu" else None
    whole = isinstance(labels, list | tuple) and all(type(x) is int and abs(x) < 2**63 for x in labels)
    return np.array(labels, np.int64) if whole else None


def _told(value: Any) -> str:
    """What a value is, without its content."""
    array = array_of(value)
    if array is not None:
        return f"an array {array.dtype} {truncated_repr(array.shape)}"
    if isinstance(value, list | tuple):
        kinds = truncated_repr(sorted({type(x).__name__ for x in value}))
        return f"a {type(value).__name__} of {len(value)} values of the types {kinds}"
    return f"a {type(value).__name__}"
