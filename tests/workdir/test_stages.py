"""Stages that go on where they were stopped: what is kept when, what is on record, and what is told."""

import json
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from jaxnas.types import Stage, UserError
from jaxnas.workdir import journal, open_stage, read_stages, stages

START = np.zeros(3, np.int32)
Open = Callable[..., AbstractContextManager[Stage]]


class Killed(BaseException):
    """Ends a stage as a kill does: nothing after it is written."""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Stands in for the clock of stages; `now` is the time in seconds."""
    fake = SimpleNamespace(now=1000.0, monotonic=lambda: fake.now)
    monkeypatch.setattr(stages, "time", fake)
    return fake


@pytest.fixture
def told() -> list[tuple[str, int, int, str]]:
    return []


@pytest.fixture
def open_(tmp_path: Path, clock: SimpleNamespace, told: list[tuple[str, int, int, str]]) -> Open:
    def show(*line: Any) -> None:
        told.append(line)

    return partial(open_stage, tmp_path, note=lambda rows: f"{len(rows)} rows", show=show)


def work(stage: Stage, clock: SimpleNamespace, seconds: list[float], stop: int | None = None) -> list[int]:
    """Units that take so many seconds each, until `stop` units are done; the units computed."""
    done, state = stage.resume(START)
    computed = []
    for number in range(done + 1, len(seconds) + 1):
        if number - 1 == stop:
            raise Killed
        clock.now += seconds[number - 1]
        state = np.asarray(state) + np.int32(number)
        computed.append(number)
        stage.advance(number, len(seconds), state, [{"unit": number, "sum": int(state.sum())}])
    assert np.asarray(state).tolist() == [sum(range(len(seconds) + 1))] * 3
    return computed


def rows(workdir: Path) -> list[tuple[str, int]]:
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    return [(row["stage"], row["unit"]) for row in map(json.loads, lines)]


def kept(workdir: Path, name: str) -> set[int]:
    return {int(path.stem) for path in (workdir / "checkpoints" / name).glob("*.json")}


def run(open_: Open, clock: SimpleNamespace, name: str, seconds: list[float], stop: int | None = None) -> list[int]:
    try:
        with open_(name) as stage:
            return work(stage, clock, seconds, stop)
    except Killed:
        return []


def test_records_are_in_order_and_rows_are_of_their_stage(
    open_: Open, clock: SimpleNamespace, told: list[Any], tmp_path: Path
) -> None:
    assert read_stages(tmp_path) == {}
    assert run(open_, clock, "warm_up", [1.5, 2.0]) == [1, 2]
    with open_("split"):
        assert list(read_stages(tmp_path).items())[1] == ("split", {"status": "running"})
        clock.now += 0.25
    size = (tmp_path / "metrics.jsonl").stat().st_size
    assert list(read_stages(tmp_path).items()) == [
        ("warm_up", {"status": "done", "seconds": 3.5, "metrics_bytes": size}),
        ("split", {"status": "done", "seconds": 0.25, "metrics_bytes": size}),
    ]
    assert rows(tmp_path) == [("warm_up", 1), ("warm_up", 2)]
    starts = [("warm_up", 0, 0, ""), ("split", 0, 0, "")]
    assert told == [starts[0], ("warm_up", 1, 2, "1 rows"), ("warm_up", 2, 2, "1 rows"), starts[1]]


def test_a_stage_that_is_done_is_not_run_again(open_: Open, clock: SimpleNamespace, tmp_path: Path) -> None:
    run(open_, clock, "warm_up", [1.0, 1.0])
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    clock.now += 50
    assert run(open_, clock, "warm_up", [1.0, 1.0]) == []
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ([1.0] * 20, {20}),  # short stages keep their end
        ([14.0] * 4, {2, 4}),  # a third unit would bring the work at risk to 42 s
        ([15.0] * 3, {1, 2, 3}),  # 15 at risk, 15 more to come
        ([40.0, 1.0, 1.0], {1, 3}),
        ([1.0, 1.0, 40.0, 1.0, 1.0], {3, 5}),
    ],
)
def test_state_is_kept_before_thirty_seconds_of_work_are_at_risk(
    seconds: list[float],
    expected: set[int],
    open_: Open,
    clock: SimpleNamespace,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    saved = []
    save = stages.save_checkpoint

    def noting(folder: Path, done: int, state: Any, record: dict[str, Any]) -> None:
        saved.append(done)
        save(folder, done, state, record)

    monkeypatch.setattr(stages, "save_checkpoint", noting)
    run(open_, clock, "leaves", seconds)
    assert set(saved) == expected and kept(tmp_path, "leaves") == set(sorted(expected)[-2:])


def test_a_stopped_stage_goes_on_with_rows_cut_and_seconds_added(
    open_: Open, clock: SimpleNamespace, tmp_path: Path
) -> None:
    run(open_, clock, "warm_up", [1.0])
    seconds = [20.0, 1.0, 1.0, 20.0, 2.0]  # kept after 1, 4 and 5
    run(open_, clock, "leaves", seconds, stop=3)
    assert (rows(tmp_path)[1:], kept(tmp_path, "leaves")) == ([("leaves", 1), ("leaves", 2), ("leaves", 3)], {1})
    assert read_stages(tmp_path)["leaves"] == {"status": "running"}
    clock.now += 500  # nobody works
    with open(tmp_path / "metrics.jsonl", "a") as handle:
        handle.write('{"stage": "lea')
    assert run(open_, clock, "leaves", seconds) == [2, 3, 4, 5]
    assert rows(tmp_path) == [("warm_up", 1), *(("leaves", n) for n in range(1, 6))]
    assert read_stages(tmp_path)["leaves"]["seconds"] == sum(seconds)


def test_a_stage_without_a_checkpoint_begins_again_after_the_rows_of_others(
    open_: Open, clock: SimpleNamespace, tmp_path: Path
) -> None:
    run(open_, clock, "warm_up", [1.0, 1.0])
    run(open_, clock, "leaves", [1.0] * 4, stop=2)
    assert (rows(tmp_path)[2:], kept(tmp_path, "leaves")) == ([("leaves", 1), ("leaves", 2)], set())
    assert run(open_, clock, "leaves", [1.0] * 4) == [1, 2, 3, 4]
    assert rows(tmp_path) == [("warm_up", 1), ("warm_up", 2), *(("leaves", n) for n in range(1, 5))]


def test_a_stop_after_the_last_unit_computes_nothing_again(open_: Open, clock: SimpleNamespace, tmp_path: Path) -> None:
    with pytest.raises(Killed), open_("split") as stage:
        work(stage, clock, [1.0, 1.0])
        raise Killed  # before its artefacts are written
    assert read_stages(tmp_path)["split"] == {"status": "running"}
    assert run(open_, clock, "split", [1.0, 1.0]) == []
    assert read_stages(tmp_path)["split"]["status"] == "done"


def damage(workdir: Path, name: str, number: int) -> None:
    (workdir / "checkpoints" / name / str(number) / "manifest.ocdbt").write_bytes(b"")


def test_a_damaged_newest_state_falls_back_and_rows_follow(open_: Open, clock: SimpleNamespace, tmp_path: Path) -> None:
    seconds = [40.0, 40.0, 40.0, 40.0]
    run(open_, clock, "leaves", seconds, stop=3)
    damage(tmp_path, "leaves", 3)
    assert run(open_, clock, "leaves", seconds) == [3, 4]
    assert rows(tmp_path) == [("leaves", n) for n in range(1, 5)]
    assert read_stages(tmp_path)["leaves"]["seconds"] == sum(seconds)


def test_a_damaged_end_of_a_stage_that_is_done_adds_no_rows(
    open_: Open, clock: SimpleNamespace, tmp_path: Path
) -> None:
    seconds = [40.0, 40.0, 40.0]
    run(open_, clock, "warm_up", seconds)
    run(open_, clock, "leaves", [1.0])
    before, records = (tmp_path / "metrics.jsonl").read_bytes(), read_stages(tmp_path)
    damage(tmp_path, "warm_up", 3)
    assert run(open_, clock, "warm_up", seconds) == [3]
    assert ((tmp_path / "metrics.jsonl").read_bytes(), read_stages(tmp_path)) == (before, records)


def test_a_stage_that_is_done_without_its_state_is_told(open_: Open, clock: SimpleNamespace, tmp_path: Path) -> None:
    run(open_, clock, "warm_up", [1.0])
    folder = tmp_path / "checkpoints" / "warm_up"
    shutil.rmtree(folder)
    with pytest.raises(UserError) as caught:
        run(open_, clock, "warm_up", [1.0])
    told = f"{folder} is gone, though its stage is on record as done; move {tmp_path} away"
    assert str(caught.value) == told


def test_lost_rows_are_told(open_: Open, clock: SimpleNamespace, tmp_path: Path) -> None:
    run(open_, clock, "leaves", [40.0, 40.0, 40.0], stop=2)
    metrics = tmp_path / "metrics.jsonl"
    size = metrics.stat().st_size
    metrics.write_bytes(metrics.read_bytes()[:-5])
    with pytest.raises(UserError) as caught:
        run(open_, clock, "leaves", [40.0, 40.0, 40.0])
    told = f"{metrics} has lost rows ({size - 5} bytes of {size} on record); move {tmp_path} away"
    assert str(caught.value) == told


def units(stage: Stage, clock: SimpleNamespace, number: int, stop: int | None = None) -> list[int]:
    """Units of ten seconds each, until `stop` units are done; those that were computed."""
    computed = []

    def compute(unit: int) -> int:
        clock.now += 10
        computed.append(unit)
        return unit * unit

    for unit in range(1, number + 1):
        if unit - 1 == stop:
            raise Killed
        assert stage.once(["unit", unit], partial(compute, unit)) == unit * unit
        stage.tell(unit, number, [{"unit": unit}])
    return computed


@pytest.mark.parametrize("torn", [False, True])
def test_units_that_are_kept_are_not_computed_again_and_their_rows_are_written_anew(
    torn: bool, open_: Open, clock: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "time", clock)
    run(open_, clock, "warm_up", [1.0])
    with pytest.raises(Killed), open_("search") as stage:
        units(stage, clock, 4, stop=3)
    assert rows(tmp_path) == [("warm_up", 1), *(("search", n) for n in (1, 2, 3))]
    if torn:
        whole = (tmp_path / journal.FILE).read_bytes()
        (tmp_path / journal.FILE).write_bytes(whole[:-9])
    with open_("search") as stage:
        assert units(stage, clock, 4) == ([3, 4] if torn else [4])
    assert rows(tmp_path) == [("warm_up", 1), *(("search", n) for n in (1, 2, 3, 4))]
    assert read_stages(tmp_path)["search"]["seconds"] == 40
    before = (tmp_path / "metrics.jsonl").read_bytes()
    with open_("search") as stage:
        assert units(stage, clock, 4) == []
    assert (tmp_path / "metrics.jsonl").read_bytes() == before


def test_units_that_a_stage_lacks_which_is_done_are_computed_again(
    open_: Open, clock: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    with open_("search") as stage:
        units(stage, clock, 2)
    before = (tmp_path / "metrics.jsonl").read_bytes()
    (tmp_path / journal.FILE).unlink()
    for computed in ([1, 2], []):
        with open_("search") as stage:
            assert units(stage, clock, 2) == computed
    assert (tmp_path / "metrics.jsonl").read_bytes() == before
    first, second = capsys.readouterr().err.splitlines()
    told = "lacks ['search', 'unit', 1], though its stage is on record as done; it is computed again"
    assert first == f"warning: {tmp_path / journal.FILE} {told}" and "'unit', 2]" in second


def interrupted(open_: Open, clock: SimpleNamespace) -> None:
    """Two stages that are done, and a third that was stopped after two of three units; all kept."""
    run(open_, clock, "warm_up", [40.0, 40.0])
    with open_("search") as stage:
        units(stage, clock, 3)
    run(open_, clock, "leaves", [40.0] * 3, stop=2)


def continued(open_: Open, clock: SimpleNamespace) -> list[list[int]]:
    """What is computed when all stages are gone through again."""
    computed = [run(open_, clock, "warm_up", [40.0, 40.0])]
    with open_("search") as stage:
        computed.append(units(stage, clock, 3))
    return [*computed, run(open_, clock, "leaves", [40.0] * 3)]


OTHERS = [
    *(None, b"", b'{"warm_up": ', b"[]", b"\xff", b"[" * 100_000),
    *(b'{"warm_up": "done"}', b'{"warm_up": {}}', b'{"warm_up": {"status": "dooe"}}'),
    *(b'{"a": {"status": "done"}}', b'{"a": {"status": "done", "seconds": "1", "metrics_bytes": 0}}'),
]


@pytest.mark.parametrize("content", OTHERS, ids=lambda content: str(content)[:40])
def test_a_record_of_stages_that_is_gone_or_damaged_is_made_again(
    content: bytes | None, open_: Open, clock: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    interrupted(open_, clock)
    before = read_stages(tmp_path)
    path = tmp_path / "stages.json"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    assert continued(open_, clock) == [[], [], [3]]
    assert [row[0] for row in rows(tmp_path)] == ["warm_up"] * 2 + ["search"] * 3 + ["leaves"] * 3
    assert capsys.readouterr().err.startswith(f"warning: {path} is made again from journal.jsonl (")
    after = read_stages(tmp_path)
    assert list(after) == list(before) and after["leaves"]["seconds"] == 120
    assert {name: after[name] for name in ("warm_up", "search")} == {n: before[n] for n in ("warm_up", "search")}


def test_no_changed_byte_of_the_record_of_stages_changes_what_is_done(
    open_: Open, clock: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    interrupted(open_, clock)
    path = tmp_path / "stages.json"
    whole, done = path.read_bytes(), ("warm_up", "search")
    expected = {name: read_stages(tmp_path)[name] for name in done}
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 1 << place % 8
        path.write_bytes(changed)
        found = read_stages(tmp_path)
        assert [name for name, record in found.items() if record["status"] == "done"] == list(done), place
        assert {name: found[name] for name in done} == expected
    assert capsys.readouterr().err.count("is made again") > len(whole) // 2  # the others are in spaces
    assert continued(open_, clock) == [[], [], [3]]


def test_a_record_of_a_version_without_checksums_is_read(open_: Open, clock: SimpleNamespace, tmp_path: Path) -> None:
    run(open_, clock, "warm_up", [1.0])
    (tmp_path / journal.FILE).unlink()
    record = {"status": "done", "seconds": 1.0, "metrics_bytes": (tmp_path / "metrics.jsonl").stat().st_size}
    (tmp_path / "stages.json").write_text(json.dumps({"warm_up": record}))
    assert read_stages(tmp_path) == {"warm_up": record} and run(open_, clock, "warm_up", [1.0]) == []
