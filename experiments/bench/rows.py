"""A setting, a line of the table before and after it is measured, and how the two compare."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from experiments.bench.timing import middle, spread


@dataclass(frozen=True)
class Setting:
    """Sizes of the networks and batches, and how often each is timed."""

    space: str = "nas-bench-201"
    """search space: nas-bench-201, toy"""
    channels: int = 16
    """channels of the first stage"""
    cells: int = 2
    """cells of each of the three stages"""
    batch: int = 32
    """images of a training step"""
    image: int = 32
    """side of an image, a multiple of 4"""
    steps: int = 4
    """training steps of one timed call"""
    repeats: int = 9
    """timed calls of each contender"""
    slow_repeats: int = 5
    """timed calls where one takes several seconds"""
    leaves: int = 8
    """sub-supernets K"""
    architectures: int = 32
    """architectures that are evaluated"""
    eval_batches: int = 4
    """batches that each of them is evaluated on"""
    eval_batch: int = 128
    """images of such a batch"""
    matrix: int = 2048
    """side of the large matrices"""
    copied: int = 2**25
    """numbers in the large array"""
    confirm: bool = True
    """also time mixed and path steps of 5 cells on batches of 64, 3 times"""
    compiled_peer: bool = True
    """also time the mixed peer under torch.compile, which takes minutes to compile"""
    seed: int = 0
    """seed of images, labels, paths and weights"""


_SMALL = Setting(channels=8, cells=1, batch=16, image=16, repeats=5, slow_repeats=3, architectures=8, eval_batches=2)
SETTINGS = {
    # Small networks and few repeats: whether everything runs.
    "quick": replace(_SMALL, confirm=False, compiled_peer=False),
    # The table of docs/performance.md.
    "full": Setting(),
}


class Line(NamedTuple):
    """What is asked of a number: of its ratio to the peer's or, without a peer, of the number itself."""

    case: str
    unit: str
    peer: str | None = None
    goal: float | None = None  # at most this
    aim: float | None = None  # and better this


class Measured(NamedTuple):
    """The samples of one line, in its unit."""

    samples: list[float]
    peer_samples: list[float] | None = None  # None: no peer, or it cannot run here
    note: str | None = None


Measure = Callable[[Setting], Sequence[Measured]]  # one for each line


class Case(NamedTuple):
    """Lines that are measured together."""

    setting: Setting
    measure: Measure
    lines: tuple[Line, ...]


Row = dict[str, Any]  # what benchmark.json holds of one line


def build_row(line: Line, measured: Measured, setting: Setting) -> Row:
    """A line with its medians; `ratio` and `met` are None where nothing can be compared."""
    value = middle(measured.samples)
    peer_value = None if measured.peer_samples is None else middle(measured.peer_samples)
    ratio = None if peer_value is None else value / peer_value
    judged = value if line.peer is None else ratio
    return {
        "case": line.case,
        "value": value,
        "unit": line.unit,
        "spread": spread(measured.samples),
        "n": len(measured.samples),
        "peer": line.peer,
        "peer_value": peer_value,
        "peer_spread": None if measured.peer_samples is None else spread(measured.peer_samples),
        "ratio": ratio,
        "goal": line.goal,
        "aim": line.aim,
        "met": None if line.goal is None or judged is None else judged <= line.goal,
        "note": measured.note,
        "setting": {name: getattr(setting, name) for name in ("channels", "cells", "batch", "image")},
    }


def measure(case: Case) -> list[Row]:
    """The rows of a case."""
    found = case.measure(case.setting)
    return [build_row(line, one, case.setting) for line, one in zip(case.lines, found, strict=True)]
