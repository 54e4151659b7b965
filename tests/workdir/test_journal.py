"""The journal: each unit once, the same bits again, and what is damaged dropped and computed again."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from jaxnas.types import UserError
from jaxnas.workdir import journal as journals
from jaxnas.workdir import open_journal
from jaxnas.workdir.journal import FILE, FORMER


def never() -> None:
    raise AssertionError("computed again")


def give(value: Any) -> Callable[[], Any]:
    return lambda: value


def filled(folder: Path) -> bytes:
    """Three units; the bytes of the file."""
    journal = open_journal(folder)
    for number in range(3):
        journal.once(["cell", "darts", number], give({"accuracy": number / 3, "error": ""}))
    return (folder / FILE).read_bytes()


def test_a_unit_is_computed_once_in_the_life_of_a_directory(tmp_path: Path) -> None:
    computed = []
    for _ in range(3):
        journal = open_journal(tmp_path)
        for _ in range(2):
            value = journal.once(["cell", 1], lambda: computed.append(1) or {"a": [1, 2.5, None, "ü"]})
            assert value == {"a": [1, 2.5, None, "ü"]}
    assert computed == [1]
    assert journal.holds(("cell", 1)) and not journal.holds(["cell"]) and not journal.holds(["cell", 2])


def test_arrays_come_back_with_their_bits_and_can_be_written_to(tmp_path: Path) -> None:
    odd = np.array([[-0.0, np.nan], [np.inf, 1e-45]], np.float32)
    value = {
        "odd": odd.T,  # not contiguous
        "many": (np.arange(3, dtype=np.int32), [np.zeros((0, 2)), np.array(True)]),
        "device": jnp.float32(1 / 3),
    }
    found = [open_journal(tmp_path).once(["readings", 0, 4], compute) for compute in (give(value), never)]
    for kept in found:
        assert kept["odd"].dtype == np.float32 and kept["odd"].tobytes() == odd.T.tobytes()
        (many, (empty, true)) = kept["many"]
        assert (many.dtype, many.tolist()) == (np.int32, [0, 1, 2]) and empty.shape == (0, 2) and true.shape == ()
        assert true and kept["device"] == np.float32(1 / 3)
        kept["odd"][0, 0] = 1.0


def test_units_are_found_by_how_their_names_begin_in_the_order_in_which_they_were_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, 2.0, 10.0, 10.25, 20.0, 21.0])
    monkeypatch.setattr(journals.time, "monotonic", lambda: next(clock))
    journal = open_journal(tmp_path)
    for unit in (["cell", "b"], ["cell", "a"], ["cells"]):
        journal.once(unit, give(unit[-1]))
    assert journal.under("cell") == [(["cell", "b"], "b"), (["cell", "a"], "a")]
    assert open_journal(tmp_path).under() == [*journal.under("cell"), (["cells"], "cells")]
    assert journal.under("cell", "c") == [] and journal.seconds("cell") == 2.25 and journal.seconds("none") == 0


def test_a_unit_that_fails_is_not_kept(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    for bad, error in ((float("nan"), ValueError), (object(), TypeError)):
        with pytest.raises(error):
            journal.once(["cell"], give(bad))
    with pytest.raises(AssertionError, match="computed again"):
        journal.once(["cell"], never)
    assert not journal.holds(["cell"]) and not (tmp_path / FILE).exists()
    assert journal.once(["cell"], give(1)) == 1


def test_a_torn_end_is_dropped_at_every_byte_and_written_again(tmp_path: Path) -> None:
    whole = filled(tmp_path)
    first, second = (len(line) for line in whole.splitlines(keepends=True)[:2])
    for size in range(first + second, len(whole)):
        (tmp_path / FILE).write_bytes(whole[:size])
        journal = open_journal(tmp_path)
        assert [unit[-1] for unit, _ in journal.under("cell", "darts")] == [0, 1]
        assert (tmp_path / FILE).read_bytes() == whole[: first + second]
    assert journal.once(["cell", "darts", 2], give("again")) == "again"
    assert open_journal(tmp_path).once(["cell", "darts", 2], never) == "again"


@pytest.mark.parametrize(
    ("old", "new"),
    [(b'"accuracy": 0.0', b'"accuracy": 0.1'), (b'{"key"', b'{"kex"'), (b'"cell", "darts", 0', b'"cell", "darts", 7')],
)
def test_a_damaged_line_is_dropped_with_a_word_and_computed_again(
    old: bytes, new: bytes, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    whole = filled(tmp_path)
    path = tmp_path / FILE
    path.write_bytes(whole.replace(old, new, 1))
    journal = open_journal(tmp_path)
    told = f"warning: 1 of 3 lines of {path} are damaged and are dropped; what they held is computed again\n"
    assert capsys.readouterr().err == told
    assert [unit[-1] for unit, _ in journal.under("cell")] == [1, 2]
    assert journal.once(["cell", "darts", 0], give("again")) == "again"
    assert [unit[-1] for unit, _ in open_journal(tmp_path).under("cell")] == [1, 2, 0]
    path.write_bytes(whole.splitlines(keepends=True)[0].replace(old, new, 1))
    assert open_journal(tmp_path).under() == [] and capsys.readouterr().err == ""


def test_no_changed_byte_gives_another_value(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    whole = filled(tmp_path)
    expected = open_journal(tmp_path).under()
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 1 << place % 8
        (tmp_path / FILE).write_bytes(changed)
        assert all(unit in expected for unit in open_journal(tmp_path).under())
    assert capsys.readouterr().err.count("computed again") > len(whole) // 2  # the last line is dropped without a word


@pytest.mark.parametrize("content", [b"\xff\n", b"[]\n", b'{"key": []}\n', b"[" * 100_000 + b"\n", b"\0" * 100_000])
def test_hostile_lines_are_dropped(content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    whole = filled(tmp_path)
    (tmp_path / FILE).write_bytes(content + b"\n" + whole)
    assert len(open_journal(tmp_path).under("cell")) == 3
    assert "lines of " in capsys.readouterr().err and (tmp_path / FILE).read_bytes() == whole


@pytest.mark.parametrize("name", FORMER)
def test_what_a_version_before_the_journal_kept_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(json.dumps({"op_ids": [0]}) + "\n")
    with pytest.raises(UserError, match="another version") as caught:
        open_journal(tmp_path)
    assert str(tmp_path / name) in str(caught.value)
