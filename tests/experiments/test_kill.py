"""Runs that are killed in every stage, or meet a full disk, and the run that was left alone: the same in the end."""

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import orbax.checkpoint as ocp
import pytest

from jaxnas import config as configs
from jaxnas.benchmarks import Table
from jaxnas.data import Dataset, load
from jaxnas.few_shot.config import FewShotConfig
from jaxnas.few_shot.run import run_few_shot
from jaxnas.spaces import TOY
from jaxnas.types import UserError
from jaxnas.workdir.stages import DONE
from tests.experiments.forked import KILLED, Ended, ended, finish, started, until

# One directory is stopped at each of these points, in this order, and goes on after each. (point, units told).
CHAIN: list[tuple[str, list[str]]] = [
    ("full warm_up 1 20", ["warm_up 1"]),
    ("at open warm_up/2.orbax-checkpoint-tmp/_METADATA", []),
    ("torn split 2", ["warm_up 2", "split 1"]),
    ("at os.rename similarities.npz", ["split 2", "split 3"]),
    ("full leaves 1 3000", ["leaves 1"]),
    ("line leaves 2", []),
    ("at os.rename architectures.csv", ["leaves 2", "search 4"]),
    ("hold unsplit 3", ["unsplit 1", "unsplit 2", "unsplit 3"]),
    ("at os.rename unsplit/9.json", [f"unsplit {n}" for n in range(4, 9)]),  # orbax has committed, the record has not
    ("torn unsplit_search 2", ["unsplit 9", "unsplit 10", "unsplit_search 2"]),
    ("line random_split_1 2", ["unsplit_search 4", "random_split_1 1"]),
    ("torn random_split_1_search 1", ["random_split_1 2"]),
    ("at open random_alone/3.json.part", ["random_split_1_search 4", "random_alone 1", "random_alone 2"]),
    ("at os.rename alone/2", [*(f"random_alone {n}" for n in range(3, 7)), "alone 1"]),
    ("at os.rename network.npz", ["alone 2"]),
    ("at os.rename result.json", []),
    ("none", []),
]
STAGES = [
    *("warm_up", "split", "leaves", "search", "unsplit", "unsplit_search", "random_split_1", "random_split_1_search"),
    *("random_alone", "alone", "judge"),
]
TRAINED = ["warm_up", "leaves", "unsplit", "random_split_1", "random_alone", "alone"]
ARTEFACTS = ["config.json", "metrics.jsonl", "split_tree.json"]
ARTEFACTS += ["architectures.csv", "contenders.csv", "ranking.csv", "curves.csv"]


def held(processes: Any, workdir: Path, point: str) -> tuple[Ended, Ended, int]:
    """The process that holds the directory until it is killed, and one that is started meanwhile."""
    with started(processes, workdir, point) as (process, told):
        last = point.removeprefix("hold ")
        units = until(told, last)
        second = finish(processes, workdir, "none")
        process.kill()
        first = ended(process, told)
        return first._replace(units=units + first.units), second, process.pid


class Runs(NamedTuple):
    """The run that was left alone, the one that was stopped at every point, and what their processes told."""

    whole: Path
    stopped: Path
    reference: Ended
    chain: list[Ended]
    second: Ended
    holder: int


@pytest.fixture(scope="module")
def runs(processes: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    folder = tmp_path_factory.mktemp("kill")
    with started(processes, folder / "whole", "none") as (process, told):
        chain = []
        for point, _ in CHAIN:
            if point.startswith("hold"):
                first, second, holder = held(processes, folder / "stopped", point)
                chain.append(first)
            else:
                chain.append(finish(processes, folder / "stopped", point))
        reference = ended(process, told)
    yield Runs(folder / "whole", folder / "stopped", reference, chain, second, holder)
    shutil.rmtree(folder)


def test_a_kill_or_a_full_disk_stops_the_run_where_it_was_meant_to(runs: Runs) -> None:
    codes = [0 if point == "none" else 2 if point.startswith("full") else KILLED for point, _ in CHAIN]
    assert [(process.code, process.units) for process in runs.chain] == [
        (code, units) for code, (_, units) in zip(codes, CHAIN, strict=True)
    ]
    assert runs.reference.code == 0 and runs.reference.errors == []


def test_what_was_done_is_not_done_again(runs: Runs) -> None:
    assert [unit for process in runs.chain for unit in process.units] == runs.reference.units
    assert {unit.split()[0] for unit in runs.reference.units} == set(STAGES) - {"judge"}


def test_a_full_disk_is_told_in_one_sentence(runs: Runs) -> None:
    for (point, _), process in zip(CHAIN, runs.chain, strict=True):
        if point.startswith("full"):
            (error,) = process.errors
            assert error.startswith(f"error: cannot write to the work directory {runs.stopped}: ")
            assert error.endswith("what is complete there is kept, and the same command goes on from it")
        else:
            assert process.errors == []


def test_a_second_process_is_told_who_holds_the_directory(runs: Runs) -> None:
    assert (runs.second.code, runs.second.units) == (2, [])
    (error,) = runs.second.errors
    assert error.startswith(f"error: {runs.stopped} is in use by process {runs.holder} on {os.uname().nodename}; ")


@pytest.mark.parametrize("name", ARTEFACTS)
def test_artefacts_are_the_bytes_of_an_uninterrupted_run(name: str, runs: Runs) -> None:
    assert (runs.stopped / name).read_bytes() == (runs.whole / name).read_bytes()


def test_the_result_is_that_of_an_uninterrupted_run(runs: Runs) -> None:
    stopped, whole = (json.loads((path / "result.json").read_text()) for path in (runs.stopped, runs.whole))
    assert list(stopped.pop("seconds")) == list(whole.pop("seconds")) == STAGES
    assert stopped == whole and len(whole["contenders"]) == 4


@pytest.mark.parametrize("name", ["similarities.npz", "network.npz"])
def test_arrays_are_the_bits_of_an_uninterrupted_run(name: str, runs: Runs) -> None:
    with np.load(runs.stopped / name) as stopped, np.load(runs.whole / name) as whole:
        assert stopped.files == whole.files
        assert all(stopped[key].tobytes() == whole[key].tobytes() for key in whole.files)


@pytest.mark.filterwarnings("ignore:Sharding info not provided")  # no template is given here
@pytest.mark.parametrize("stage", TRAINED)
def test_last_checkpoints_hold_the_bits_of_an_uninterrupted_run(stage: str, runs: Runs) -> None:
    def arrays(workdir: Path) -> dict[str, np.ndarray]:
        folder = workdir / "checkpoints" / stage
        newest = max(int(path.stem) for path in folder.glob("*.json"))
        with ocp.Checkpointer(ocp.PyTreeCheckpointHandler()) as checkpointer:
            kept = checkpointer.restore((folder / str(newest)).absolute())
        plain = {
            n: jax.random.key_data(a) if jax.dtypes.issubdtype(a.dtype, jax.dtypes.prng_key) else a
            for n, a in kept.items()
        }
        return {"newest": np.array(newest), **{name: np.asarray(array) for name, array in plain.items()}}

    stopped, whole = arrays(runs.stopped), arrays(runs.whole)
    assert stopped.keys() == whole.keys()
    for name, array in whole.items():
        assert (stopped[name].dtype, stopped[name].tobytes()) == (array.dtype, array.tobytes()), name


def test_the_journal_holds_the_units_of_an_uninterrupted_run(runs: Runs) -> None:
    def told(workdir: Path) -> list[tuple[Any, Any]]:
        records = map(json.loads, (workdir / "journal.jsonl").read_text().splitlines())
        units = [(record["key"], record["value"]) for record in records]
        for key, value in units:  # seconds differ
            value.pop("seconds") if key[0] == DONE else None
        return units

    assert told(runs.stopped) == told(runs.whole)
    assert {key[0] for key, _ in told(runs.whole)} == {*STAGES[:-1], DONE} - {*TRAINED}


def test_kills_leave_nothing_behind(runs: Runs) -> None:
    def names(workdir: Path) -> set[str]:
        depth = len(workdir.parts)
        return {str(p.relative_to(workdir)) for p in workdir.rglob("*") if len(p.parts) - depth < 4}

    assert names(runs.stopped) == names(runs.whole)


def test_every_start_is_on_record(runs: Runs) -> None:
    assert len(json.loads((runs.stopped / "environment.json").read_text())["resumed"]) == len(CHAIN) - 1
    assert json.loads((runs.whole / "environment.json").read_text())["resumed"] == []


@pytest.fixture(scope="module")
def again(runs: Runs) -> tuple[FewShotConfig, Dataset]:
    config = configs.from_dict(FewShotConfig, json.loads((runs.whole / "config.json").read_text()))
    return config, load(config.data, config.seed)


def run_again(runs: Runs, config: FewShotConfig, dataset: Dataset, table: Table | None = None) -> dict[str, Any]:
    def never(*arguments: Any) -> Any:
        raise AssertionError(f"work was done: {arguments}")

    return run_few_shot(config, runs.whole, dataset._replace(test=never), table, note=never, show=never)


def test_a_finished_run_is_returned_without_work(runs: Runs, again: tuple[FewShotConfig, Dataset]) -> None:
    def contents() -> dict[Path, bytes]:
        return {p: p.read_bytes() for p in runs.whole.rglob("*") if p.is_file() and p.name not in ("lock", "holder")}

    before = contents()
    assert run_again(runs, *again) == json.loads((runs.whole / "result.json").read_text())
    assert contents() == before


def test_other_images_or_truths_are_refused(runs: Runs, again: tuple[FewShotConfig, Dataset]) -> None:
    config, dataset = again
    images = dataset.valid.images.copy()
    images[-1, -1, -1, -1] ^= 1
    other = dataset._replace(valid=replace(dataset.valid, images=images))
    with pytest.raises(UserError, match=r"holds a run on other inputs \(valid: '[0-9a-f]{64}' there, '[0-9a-f]{64}' n"):
        run_again(runs, config, other)
    table = Table(TOY, "truth.csv", {"digits": np.arange(9.0)})
    with pytest.raises(UserError, match=r"holds a run on other inputs \(truth: None there, '[0-9a-f]{64}' now\)"):
        run_again(runs, config, dataset, table)


def test_a_diverged_run_keeps_what_was_complete(processes: Any, tmp_path: Path) -> None:
    weights_grow = ("--optimizer.weight-decay", "1000")  # by more than the factor 25 a step: infinite in `leaves`
    kept = []
    for units in (["warm_up 1", "warm_up 2", "split 1", "split 2", "split 3"], []):
        process = finish(processes, tmp_path, "none", weights_grow)
        assert (process.code, process.units) == (3, units)
        (error,) = process.errors
        assert error.startswith("error: the training loss of leaf 0 is not finite from step ")
        stages = json.loads((tmp_path / "stages.json").read_text())
        assert {name: record["status"] for name, record in stages.items()} == {
            **dict.fromkeys(("warm_up", "split"), "done"),
            "leaves": "running",
        }
        names = ("metrics.jsonl", "split_tree.json", "similarities.npz")
        kept.append([(tmp_path / name).read_bytes() for name in names])
    assert kept[0] == kept[1]
    rows = [json.loads(line) for line in kept[0][0].splitlines()]
    assert [(row["stage"], row["epoch"]) for row in rows] == [("warm_up", 1), ("warm_up", 2)]
