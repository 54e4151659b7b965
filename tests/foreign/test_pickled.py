"""Reading pickles: what may be in them, and that nothing of them ever runs."""

import io
import pickle
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays, from_dtype

from jaxnas.foreign.pickled import array_of, check_claims, load_plain
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
        *("numpy frombuffer", "numpy.core.multiarray fromstring", "torch._utils _rebuild_tensor_v2"),
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


def short(text: str) -> bytes:
    return b"\x8c" + bytes([len(text)]) + text.encode()


def called(module: str, name: str, *arguments: bytes) -> bytes:
    """Opcodes of a call of what a name stands for."""
    return short(module) + short(name) + b"\x93(" + b"".join(arguments) + b"tR"


def dtype(code: str, *state: bytes) -> bytes:
    made = called("numpy", "dtype", short(code), b"\x89", b"\x88")
    return made + (b"(" + b"".join(state) + b"tb" if state else b"")


FLAGS = (b"K\x03", short("|"), b"NNN", b"J\xff\xff\xff\xff" * 2, b"K\x3f")  # all that numpy's objects have
RAW = b"C\x10" + b"A" * 16
TWO = b"K\x02\x85"  # the shape (2,)
NUMERIC = ("numpy._core.numeric", "_frombuffer")
WHOLE = b"\x80\x05"


@pytest.mark.parametrize("module", ["numpy._core.numeric", "numpy.core.numeric"])
@pytest.mark.parametrize("code", ["O", "O8", "V16", "S16", "U4", "M8", "m8", "c16", "f16", "u1,u1", "p", "|u1", "u1 "])
def test_a_buffer_is_no_array_of_anything_but_numbers(code: str, module: str) -> None:
    for state in ((), FLAGS):
        with pytest.raises(UserError, match=r"the file is refused: it holds numpy values of type .* not numbers"):
            load(WHOLE + called(module, "_frombuffer", RAW, dtype(code, *state), TWO, short("C")) + b".")


def test_flags_of_a_type_are_not_taken() -> None:
    array = array_of(load(WHOLE + called(*NUMERIC, RAW, dtype("u8", *FLAGS), TWO, short("C")) + b"."))
    assert array is not None and (array.dtype, array.dtype.flags) == (np.uint64, 0)
    assert array.tolist() == [0x4141414141414141] * 2


@pytest.mark.parametrize(
    "shape",
    [
        *(b"K\x03\x85", b"K\x02K\x02\x86", b"J\xfe\xff\xff\xff\x85", b"G\x40" + bytes(7) + b"\x85"),
        *(b"\x8a\x08" + b"\xff" * 7 + b"\x7f" + b"K\x02\x86", b"N", short("C"), b"K\x02\x85\x85"),
    ],
    ids=["3", "2x2", "-2", "2.0", "2^63-1 x 2", "none", "text", "nested"],
)
def test_a_buffer_of_a_lying_shape_is_refused(shape: bytes) -> None:
    with pytest.raises(UserError, match="refused: it holds an array of 2 numbers that claims another shape"):
        load(WHOLE + called(*NUMERIC, RAW, dtype("u8"), shape, short("C")) + b".")


@pytest.mark.parametrize(
    "arguments",
    [
        (short("text"), dtype("u8"), TWO, short("C")),
        (b"]", dtype("u8"), b"K\x00\x85", short("C")),
        (RAW, short("u8"), TWO, short("C")),
        (RAW, short("O"), TWO, short("C")),
        (RAW, called(*RECORD) + b"}" + short("plain") + short("O") + b"sb", TWO, short("C")),
        (RAW, dtype("u8"), TWO, short("X")),
        (RAW, dtype("u8"), TWO, short("K"), b"K\x07\x85"),
        (RAW, dtype("u8")),
        (),
    ],
    ids=["text", "list", "code", "object", "record", "order", "axes", "few", "none"],
)
def test_a_buffer_of_something_else_is_refused(arguments: tuple[bytes, ...]) -> None:
    with pytest.raises(UserError, match=r"the file is (damaged|refused)"):
        load(WHOLE + called(*NUMERIC, *arguments) + b".")


def test_a_buffer_outside_of_the_file_is_refused() -> None:
    with pytest.raises(UserError, match="the file is damaged"):
        load(pickle.dumps(np.arange(3), 5, buffer_callback=lambda buffer: None))


def test_a_byte_order_that_is_none_is_refused() -> None:
    with pytest.raises(UserError, match="byte order 'S', allowed"):
        load(WHOLE + dtype("u8", b"K\x03", short("S")) + b".")


@pytest.mark.parametrize("name", ["numpy._core.numeric _frombuffer", "builtins bytes", "_codecs encode", "numpy dtype"])
def test_what_a_file_sets_on_a_name_is_gone_with_the_file(name: str) -> None:
    module, attribute = name.split()
    build = b"N}" + short("poison") + b"K\x01s\x86b."
    with suppress(UserError):
        load(WHOLE + short(module) + short(attribute) + b"\x93" + build)
    assert not hasattr(load(WHOLE + short(module) + short(attribute) + b"\x93."), "poison")


def test_records_do_not_stand_for_arrays() -> None:
    record = load(WHOLE + short("some.module") + short("Record") + b"\x93)R}" + short("array") + b"K\x07sb.")
    assert record == SimpleNamespace(array=7) and array_of(record) is None


def test_claims_are_checked_before_memory_is_taken() -> None:
    check_claims(pickle.dumps({"a": np.arange(9)}), "the file")
    for content in (b"\x80\x02}r\xff\xff\xff\x7f.", b"\x80\x05\x96" + (2**40).to_bytes(8, "little") + b"abc."):
        with pytest.raises(UserError, match="the file is"):
            check_claims(content, "the file")


SCALARS = st.one_of(
    *(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=9), st.binary(max_size=9)),
    *(from_dtype(np.dtype(code), allow_nan=False) for code in ("i1", "u4", ">i8", "f4", "f8", "?")),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.tuples(inner, inner),
        st.dictionaries(st.one_of(st.integers(), st.text(max_size=5)), inner, max_size=4),
        st.frozensets(st.integers(), max_size=3),
        st.sets(st.text(max_size=3), max_size=3),
    ),
    max_leaves=12,
)
ARRAYS = arrays(
    st.sampled_from(["?", "i1", "<u2", ">u4", ">i8", "f2", "<f4", ">f8"]),
    array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
)


@given(VALUES, st.integers(0, 5))
def test_whatever_is_plain_is_read_as_pickle_reads_it(value: Any, protocol: int) -> None:
    content = pickle.dumps(value, protocol)
    assert load(content) == pickle.loads(content)


@given(ARRAYS, st.permutations(range(3)), st.integers(0, 5), st.sampled_from([1, -1, 2]))
def test_arrays_of_every_form_are_read_as_pickle_reads_them(
    array: np.ndarray, axes: list[int], protocol: int, step: int
) -> None:
    array = array.transpose([axis for axis in axes if axis < array.ndim])
    array = array[::step] if array.ndim else array
    found = array_of(load(pickle.dumps(array, protocol)))
    assert found is not None and found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)


@given(VALUES, ARRAYS, st.integers(0, 5), st.data())
def test_a_changed_pickle_is_refused_or_read_and_nothing_else(
    value: Any, array: np.ndarray, protocol: int, data: st.DataObject
) -> None:
    content = bytearray(pickle.dumps([value, array], protocol))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with suppress(UserError):
        check_claims(bytes(content), "the file")
        load(bytes(content))


@given(st.binary(max_size=60))
def test_any_bytes_are_refused_or_read_and_nothing_else(content: bytes) -> None:
    with suppress(UserError):
        check_claims(WHOLE + content, "the file")
        load(WHOLE + content)


def test_a_text_with_odd_escapes_brings_no_warning() -> None:
    content = b"S'\\\xc3'\n."  # of Python 2; a warning is an error here
    with pytest.raises(UserError, match="UnicodeDecodeError"):  # pickletools takes every such text for ASCII
        check_claims(content, "it")
    assert load_plain(io.BytesIO(content), "it", encoding="bytes") == b"\\\xc3"
