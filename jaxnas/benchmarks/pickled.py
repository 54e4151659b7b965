"""Pickled results read without running anything of the file: containers, texts, numbers and named records.

Nothing is imported by a name from the file. What a file may name is answered by a stand-in, made anew for every read,
so that a file cannot leave anything behind. A file made to exhaust the memory is not stopped here.
"""

import pickle
from collections.abc import Callable, Collection
from types import SimpleNamespace
from typing import IO, Any

import numpy as np

from jaxnas.types import UserError, truncated_repr

Name = tuple[str, str]  # module, attribute


def load_plain(stream: IO[bytes], where: str, records: Collection[Name] = ()) -> Any:
    """The next object of a pickle stream; instances of `records` come as SimpleNamespace, numpy scalars as numbers.

    Raises UserError naming `where` if the pickle is damaged or names anything else.
    """
    try:
        return _PlainOnly(stream, records).load()
    except UserError as error:
        raise UserError(f"{where} is refused: {error}") from error
    except Exception as error:  # a damaged pickle raises almost anything
        raise UserError(
            f"{where} is damaged or truncated ({type(error).__name__}: {truncated_repr(str(error))})"
        ) from error


class _PlainOnly(pickle.Unpickler):
    def __init__(self, stream: IO[bytes], records: Collection[Name]) -> None:
        super().__init__(stream)
        self._stand_ins = _stand_ins() | {name: SimpleNamespace for name in records}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._stand_ins:
            raise UserError(f"it names {truncated_repr(f'{module}.{name}')}, and only results are allowed, no code")
        return self._stand_ins[module, name]

    def persistent_load(self, pid: Any) -> Any:
        raise UserError("it holds tensors, and only results without weights are read")


def _stand_ins() -> dict[Name, Callable[..., Any]]:
    """What may be named. dict, set and SimpleNamespace are safe to hand out: their types cannot be altered.

    numpy's own dtype is not: a file may set its flags so that bytes become an array of pointers.
    """

    class Dtype:
        def __init__(self, code: Any, *options: Any) -> None:
            if code not in ("f8", "f4", "i8", "i4"):
                raise UserError("it holds numpy values that are not numbers")
            self.code, self.order = code, "<"

        def __setstate__(self, state: Any) -> None:
            self.order = state[1]

    def scalar(dtype: Any, raw: bytes) -> Any:
        (value,) = np.frombuffer(raw, {"<": "<", ">": ">", "=": "="}[dtype.order] + dtype.code)
        return value.item()

    def encode(text: str, encoding: str) -> bytes:
        return text.encode({"latin1": "latin1", "latin-1": "latin1"}[encoding])

    return {
        ("collections", "OrderedDict"): dict,
        ("builtins", "set"): set,
        ("__builtin__", "set"): set,
        ("_codecs", "encode"): encode,
        ("numpy", "dtype"): Dtype,
        ("numpy.core.multiarray", "scalar"): scalar,
        ("numpy._core.multiarray", "scalar"): scalar,
    }
