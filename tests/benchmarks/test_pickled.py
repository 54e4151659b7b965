"""Reading pickles: what may be in them, and that nothing of them ever runs."""

import io
import pickle
from collections import OrderedDict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from jaxnas.benchmarks.pickled import load_plain
from jaxnas.types import UserError
from tests.benchmarks.files import HOSTILE

RECORD = ("some.module", "Record")


def load(content: bytes) -> Any:
    return load_plain(io.BytesIO(content), "the file", [RECORD])


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_results_are_read_as_pickle_reads_them(protocol: int) -> None:
    value = {
        "seeds": {777, 888},
        ("cifar10", 777): OrderedDict([(0, 1.5), (1, None)]),
        "times": [np.float64(0.1), np.float32(0.5), np.int64(-3), np.int32(7)],
        "name": ("a", True),
    }
    content = pickle.dumps(value, protocol=protocol)
    assert load(content) == pickle.loads(content) == value


def test_numpy_of_before_2_is_known_by_its_old_name() -> None:
    content = pickle.dumps([np.float64(0.1)], protocol=2).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    (value,) = load(content)
    assert type(value) is float and value == 0.1


def test_records_come_as_their_fields() -> None:
    content = b"\x80\x04\x8c\x0bsome.module\x8c\x06Record\x93)\x81}\x8c\x01aK\x07sb."
    assert load(content) == SimpleNamespace(a=7)


@pytest.mark.parametrize("many", [1, 3])
def test_pickles_in_one_stream_are_read_one_after_the_other(many: int) -> None:
    stream = io.BufferedReader(io.BytesIO(b"".join(pickle.dumps(i, protocol=2) for i in range(many))))
    assert [load_plain(stream, "x") for _ in range(many)] == list(range(many))


def test_a_command_is_refused_and_never_runs(tmp_path: Path) -> None:
    sentinel = tmp_path / "ran"
    content = HOSTILE % str(sentinel).encode()
    with pytest.raises(UserError, match=r"the file is refused: it names 'posix\.system'"):
        load(content)
    assert not sentinel.exists()
    pickle.loads(content)  # the same bytes do run where nothing is refused
    assert sentinel.exists()


@pytest.mark.parametrize(
    "name",
    [
        *("os system", "builtins eval", "builtins getattr", "functools partial", "builtins set.__class__"),
        *("numpy ndarray", "numpy.core.multiarray _reconstruct", "torch._utils _rebuild_tensor_v2"),
        *("some.module Other", "some.module Record.__class__"),
    ],
)
@pytest.mark.parametrize("protocol", [0, 4])
def test_every_other_name_is_refused(name: str, protocol: int) -> None:
    module, attribute = (part.encode() for part in name.split(" "))
    short = b"\x80\x04" + b"".join(b"\x8c" + bytes([len(part)]) + part for part in (module, attribute)) + b"\x93."
    with pytest.raises(UserError, match="it names"):
        load(short if protocol == 4 else b"c" + module + b"\n" + attribute + b"\n.")


@pytest.mark.parametrize(
    "content",
    [b"", b"\x80\x04", b".", b"\x80\x04N", b"\x80\x63N.", b"\x80\x04h\x05.", b"\x82\x01.", b"I1x\n.", b"garbage"],
)
def test_a_damaged_pickle_is_told(content: bytes) -> None:
    with pytest.raises(UserError, match="the file is damaged or truncated"):
        load(content)


def test_tensors_are_told() -> None:
    with pytest.raises(UserError, match="it holds tensors"):
        load(b"\x80\x02X\x01\x00\x00\x00aQ.")


@pytest.mark.parametrize("code", ["O8", "V8", "U4", "f16"])
def test_only_numbers_may_be_numpy_values(code: str) -> None:
    with pytest.raises(UserError, match="not numbers"):
        load(b"\x80\x02cnumpy\ndtype\nX" + bytes([len(code), 0, 0, 0]) + code.encode() + b"\x89\x88\x87R.")


@pytest.mark.parametrize(
    "name", ["collections\nOrderedDict", "some.module\nRecord", "builtins\nset", "__builtin__\nset"]
)
def test_a_file_cannot_alter_what_it_may_name(name: str) -> None:
    # BUILD with (None, {"poison": 1}) sets an attribute of the type itself
    with pytest.raises(UserError, match="immutable"):
        load(b"\x80\x02c" + name.encode() + b"\nN}X\x06\x00\x00\x00poisonK\x01s\x86b.")


def test_what_a_file_does_to_a_stand_in_does_not_outlive_it() -> None:
    scalar = b"\x80\x02cnumpy.core.multiarray\nscalar\n"
    assert load(scalar + b"N}X\x06\x00\x00\x00poisonK\x01s\x86b.").poison == 1
    assert not hasattr(load(scalar + b"."), "poison")


def test_every_cut_and_most_flips_are_refused_or_harmless() -> None:
    content = pickle.dumps({"a": [1.5, {2}], "b": OrderedDict(x=np.float64(2))}, protocol=4)
    for cut in range(len(content)):
        with pytest.raises(UserError):
            load(content[:cut])
    refused = 0
    for place in range(len(content)):
        for flip in (1, 0x80):
            damaged = bytearray(content)
            damaged[place] ^= flip
            try:
                load(bytes(damaged))
            except UserError:
                refused += 1
    assert refused > len(content)
