"""The lines of a run's progress, plain and on a terminal."""

import io
import re
import sys
import time
from types import SimpleNamespace

import pytest
from rich.console import Console

from jaxnas.workdir import progress


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Stands in for the clock of plain lines; `now` is the time in seconds."""
    fake = SimpleNamespace(now=1000.0, monotonic=lambda: fake.now)
    monkeypatch.setattr(sys.modules["jaxnas.workdir.progress"], "time", fake)
    return fake


def test_plain_lines_tell_time_stage_done_and_note(clock: SimpleNamespace) -> None:
    out = io.StringIO()
    with progress(Console(file=out)) as show:
        show("warm_up", 1, 3, "loss 2.300")
        clock.now += 12.5
        show("warm_up", 3, 3, "loss 1.200")
        show("split", 6, 6, "")
    assert [line.split() for line in out.getvalue().splitlines()] == [
        ["0.0s", "warm_up", "1/3", "loss", "2.300"],
        ["12.5s", "warm_up", "3/3", "loss", "1.200"],
        ["12.5s", "split", "6/6"],
    ]
    assert "\x1b" not in out.getvalue()


def test_a_stage_writes_a_plain_line_every_ten_seconds_and_at_its_end(clock: SimpleNamespace) -> None:
    out = io.StringIO()
    with progress(Console(file=out)) as show:
        for done in range(1, 31):
            clock.now += 1
            show("search", done, 30, "")
    assert [line.split()[2] for line in out.getvalue().splitlines()] == ["1/30", "11/30", "21/30", "30/30"]


def awaited(out: io.StringIO, lines: int) -> list[str]:
    """The lines of `out` once there are so many, which another thread writes."""
    for _ in range(500):
        if len(out.getvalue().splitlines()) >= lines:
            break
        time.sleep(0.01)
    return out.getvalue().splitlines()


def test_a_silent_stage_says_every_fifteen_seconds_that_it_is_alive(
    clock: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["jaxnas.workdir.progress"], "LOOK", 0.005)
    out = io.StringIO()
    with progress(Console(file=out)) as show:
        show("warm_up", 0, 0, "")
        clock.now += 14
        time.sleep(0.1)  # some twenty looks, of which none may write
        assert len(out.getvalue().splitlines()) == 1
        clock.now += 2
        assert awaited(out, 2)[1:] == ["   16.0s   warm_up 16 s since its last report, computing or compiling"]
        clock.now += 15
        assert awaited(out, 3)[2:] == ["   31.0s   warm_up 31 s since its last report, computing or compiling"]
        show("warm_up", 1, 3, "")
        show("leaves", 0, 0, "")
        clock.now += 15
        assert awaited(out, 6)[3:] == [
            "   31.0s   warm_up 1/3 ",
            "   31.0s    leaves starts",
            "   46.0s    leaves 15 s since its last report, computing or compiling",
        ]
    clock.now += 100
    time.sleep(0.1)
    assert len(out.getvalue().splitlines()) == 6


@pytest.mark.parametrize("note", ["word " * 40, "[bold] leaf [3] of [a, b]"], ids=["long", "brackets"])
def test_a_note_stays_whole_and_on_one_line(note: str, clock: SimpleNamespace) -> None:
    out = io.StringIO()
    with progress(Console(file=out, width=80)) as show:
        show("judge", 1, 1, note)
    assert len(out.getvalue().splitlines()) == 1
    assert note.strip() in out.getvalue()


def test_a_terminal_shows_every_stage_with_its_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    out = io.StringIO()
    with progress(Console(file=out, force_terminal=True, width=100)) as show:
        show("warm_up", 0, 0, "")
        show("warm_up", 1, 4, "loss 2.300")
        show("warm_up", 4, 4, "loss 1.200")
        show("leaves", 2, 8, "")
    last = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out.getvalue()).replace("\r", "\n").splitlines()
    assert any("warm_up" in line and "4/4" in line and "loss 1.200" in line for line in last)
    assert any("leaves" in line and "2/8" in line for line in last)


@pytest.mark.parametrize("terminal", [True, False])
def test_an_error_of_a_stage_passes_through(terminal: bool) -> None:
    with pytest.raises(ZeroDivisionError), progress(Console(file=io.StringIO(), force_terminal=terminal)) as show:
        show("warm_up", 0, 1, "")
        raise ZeroDivisionError
