"""Pickles read without running anything of them: containers, texts, numbers, arrays of numbers, and named records.

Nothing is imported by a name from the file. What a file may name is answered by a stand-in, made anew for every read,
so that a file cannot leave anything behind.
"""

import math
import pickle
import pickletools
import re
import warnings
from collections.abc import Callable, Collection
from types import SimpleNamespace
from typing import IO, Any

import numpy as np

from jaxnas.types import UserError, truncated_repr

Name = tuple[str, str]  # module, attribute
NUMBERS = re.compile("b1|f[248]|[iu][1248]")  # codes of numpy's types, the same on every machine
ORDERS = ("<", ">", "=", "|")  # of bytes


def load_plain(stream: IO[bytes], where: str, records: Collection[Name] = (), encoding: str = "ASCII") -> Any:
    """The next object of a pickle stream; instances of `records` come as SimpleNamespace, numpy scalars as numbers.

    `array_of` gives an array in it. `encoding` is that of texts of Python 2, or "bytes". A file made to exhaust the
    memory is not stopped here, see `check_claims`. Raises UserError naming `where` if the pickle is damaged or names
    anything else.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of texts with odd escapes
            return _PlainOnly(stream, records, encoding).load()
    except UserError as error:
        raise UserError(f"{where} is refused: {error}") from error
    except Exception as error:  # a damaged pickle raises almost anything
        raise _damaged(where, error) from error


def array_of(value: Any) -> np.ndarray | None:
    """The array that a value of `load_plain` stands for; None for anything else and for an array without content."""
    return value.array if isinstance(value, _Held) else None


def check_claims(content: bytes, where: str) -> None:
    """Every length lies inside the file, and no place in the memo is so far out that making room for it costs memory.

    The unpickler itself would believe both. Reads every opcode in Python, so it is for files of some MB. Raises
    UserError naming `where`.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for opcode, argument, position in pickletools.genops(content):
                if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT") and (argument or 0) > len(content):
                    raise UserError(f"{where} is refused: its byte {position} asks for place {argument} of the memo")
    except UserError:
        raise
    except Exception as error:  # as above
        raise _damaged(where, error) from error


def _damaged(where: str, error: Exception) -> UserError:
    return UserError(f"{where} is damaged or truncated ({type(error).__name__}: {truncated_repr(str(error))})")


class _PlainOnly(pickle.Unpickler):
    def __init__(self, stream: IO[bytes], records: Collection[Name], encoding: str) -> None:
        super().__init__(stream, encoding=encoding)
        self._stand_ins = _stand_ins() | {name: SimpleNamespace for name in records}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._stand_ins:
            named = truncated_repr(f"{module}.{name}")
            raise UserError(f"it names {named}, which no text, number, array of numbers or container of them needs")
        return self._stand_ins[module, name]

    def persistent_load(self, pid: Any) -> Any:
        raise UserError("it holds tensors that lie outside of the pickle, which are not read")


class _Held:
    """Has an array, once the file gave its content. Never handed to a file: it gets a class of its own below this."""

    array: np.ndarray | None = None


def _stand_ins() -> dict[Name, Callable[..., Any]]:
    """What may be named. dict, set, frozenset and SimpleNamespace are safe to hand out: their types cannot be altered.

    numpy's own are not: a file may set the flags of a dtype so that bytes become an array of pointers. The stand-ins
    build arrays of numbers from bytes and nothing else.
    """

    class Dtype:
        def __init__(self, code: Any, *options: Any) -> None:
            self.plain = np.dtype(_number(code))

        def __setstate__(self, state: Any) -> None:
            order = _text(state[1])
            if order not in ORDERS:
                raise UserError(f"it holds numbers of the byte order {truncated_repr(order)}, allowed: {ORDERS}")
            self.plain = self.plain.newbyteorder(order)  # type: ignore[arg-type]  # the flags are not taken

    def numbers(raw: Any, dtype: Any) -> np.ndarray:
        if not isinstance(dtype, Dtype):
            raise UserError("it holds an array whose type is no type of numpy")
        return np.frombuffer(raw, dtype.plain)

    def shaped(raw: Any, dtype: Any, shape: Any, order: Any) -> np.ndarray:
        flat = numbers(raw, dtype)
        sides = isinstance(shape, tuple) and all(type(side) is int and side >= 0 for side in shape)
        if not sides or math.prod(shape) != flat.size:
            raise UserError(f"it holds an array of {flat.size} numbers that claims another shape")
        return flat.reshape(shape, order=order)

    class Array(_Held):
        def __init__(self, *arguments: Any) -> None:
            pass

        def __setstate__(self, state: Any) -> None:
            _, shape, dtype, by_column, raw = state
            self.array = shaped(raw, dtype, shape, "F" if by_column else "C")

    def from_buffer(raw: Any, dtype: Any, shape: Any, order: Any, axes: Any = None) -> Any:
        # What numpy.core.numeric._frombuffer does: protocol 5.
        held = Array()
        transposed = order == "K" and axes is not None
        array = shaped(raw, dtype, shape, "C" if transposed else order)
        held.array = array.transpose(axes) if transposed else array
        return held

    def scalar(dtype: Any, raw: Any) -> Any:
        (value,) = numbers(raw, dtype)
        return value.item()

    def encode(text: str, encoding: str) -> bytes:
        if encoding not in ("latin1", "latin-1"):
            raise UserError(f"it asks for encoding {truncated_repr(encoding)}")
        return text.encode("latin-1")

    def no_bytes() -> bytes:
        # How protocols 0 to 2 write b"".
        return b""

    found: dict[Name, Callable[..., Any]] = {
        ("collections", "OrderedDict"): dict,
        ("_codecs", "encode"): encode,
        ("numpy", "dtype"): Dtype,
        ("numpy", "ndarray"): Array,
    }
    for module in ("builtins", "__builtin__"):  # Python 3 and 2
        found |= {(module, "set"): set, (module, "frozenset"): frozenset, (module, "bytes"): no_bytes}
    for module in ("numpy._core", "numpy.core"):  # numpy from 2.0 on and before
        found[f"{module}.multiarray", "_reconstruct"] = Array
        found[f"{module}.multiarray", "scalar"] = scalar
        found[f"{module}.numeric", "_frombuffer"] = from_buffer
    return found


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _number(code: Any) -> str:
    """numpy's code of a type of numbers. Raises UserError for others, whose bytes would not be numbers."""
    text = _text(code)
    if not NUMBERS.fullmatch(text):
        raise UserError(f"it holds numpy values of type {truncated_repr(text)}, which are not numbers of 1 to 8 bytes")
    return text
