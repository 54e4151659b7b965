"""A run over four devices that is killed as it trains the leaves, and goes on over as many devices or over fewer."""

import json
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orbax.checkpoint as ocp
import pytest

from tests.experiments.forked import KILLED, Ended, finish

FLAGS = (
    *("--strategy", "shard", "--data.train", "64", "--warmup-epochs", "1", "--leaf-epochs", "3", "--alone-epochs", "1"),
    *("--truth.alone", "0", "--truth.every", "0", "--control.no-unsplit", "--control.random-splits", "0"),
    *("--control.random-architectures", "0"),
)


class Runs(NamedTuple):
    """The run that was left alone, the one that was killed twice, its copies on fewer devices, and what all told."""

    whole: Path
    stopped: Path
    fewer: dict[int, Path]
    ends: list[Ended]
    saved: dict[str, np.ndarray]  # leaves of the last checkpoint before the copies were made


@pytest.fixture(scope="module")
def runs(processes: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    folder = tmp_path_factory.mktemp("sharded")
    whole, stopped, fewer = folder / "whole", folder / "stopped", {n: folder / f"on_{n}" for n in (2, 1)}
    ends = [finish(processes, whole, "none", FLAGS, 4)]
    # The first kill is inside the save of an epoch, the second one in the epoch after.
    ends += [finish(processes, stopped, point, FLAGS, 4) for point in ("at os.rename leaves/2", "line leaves 3")]
    saved = arrays(stopped, 2)
    for workdir in fewer.values():
        shutil.copytree(stopped, workdir)
    ends += [finish(processes, stopped, "note leaves", FLAGS, 4)]
    ends += [finish(processes, workdir, "note leaves", FLAGS, devices) for devices, workdir in fewer.items()]
    yield Runs(whole, stopped, fewer, ends, saved)
    shutil.rmtree(folder)


def arrays(workdir: Path, number: int) -> dict[str, np.ndarray]:
    """The leaves of a checkpoint of `leaves`, by no code of the run."""
    with warnings.catch_warnings(), ocp.Checkpointer(ocp.PyTreeCheckpointHandler()) as checkpointer:
        warnings.filterwarnings("ignore", "Sharding info not provided")  # no template is given here
        kept = checkpointer.restore((workdir / "checkpoints" / "leaves" / str(number)).absolute())
    return {name: np.asarray(array) for name, array in kept.items()}


def rows(workdir: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]


def same(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> bool:
    return a.keys() == b.keys() and all((a[n].dtype, a[n].tobytes()) == (b[n].dtype, b[n].tobytes()) for n in a)


def test_it_is_killed_where_it_was_meant_to_and_nothing_is_done_twice(runs: Runs) -> None:
    whole, *chain = runs.ends[:4]
    assert [end.code for end in runs.ends] == [0, KILLED, KILLED, 0, 0, 0]
    assert [end.units[-1:] for end in chain[:2]] == [["leaves 1"], ["leaves 2"]]
    assert [unit for end in chain for unit in end.units] == whole.units
    assert [end.units for end in runs.ends[4:]] == [chain[2].units] * 2


def test_on_as_many_devices_it_ends_with_the_same_bits(runs: Runs) -> None:
    for name in ("metrics.jsonl", "split_tree.json", "architectures.csv", "contenders.csv"):
        assert (runs.stopped / name).read_bytes() == (runs.whole / name).read_bytes(), name
    assert same(arrays(runs.stopped, 3), arrays(runs.whole, 3))
    with np.load(runs.stopped / "network.npz") as stopped, np.load(runs.whole / "network.npz") as whole:
        assert same(dict(stopped), dict(whole))


@pytest.mark.parametrize("devices", [4, 2, 1])
def test_what_it_goes_on_from_is_what_was_saved_bit_by_bit(devices: int, runs: Runs) -> None:
    workdir = runs.fewer.get(devices, runs.stopped)
    environment = json.loads((workdir / "environment.json").read_text())
    assert [len(start["devices"]) for start in environment["resumed"]] == [4, devices]
    with np.load(workdir.with_suffix(".npz")) as found:
        assert len(found.files) > 10 and same(dict(found), runs.saved)


@pytest.mark.parametrize("devices", [2, 1])
def test_on_fewer_devices_it_ends_with_the_same_architectures_and_losses(devices: int, runs: Runs) -> None:
    found, wanted = rows(runs.fewer[devices]), rows(runs.whole)
    assert [(row["stage"], row.get("leaf")) for row in found] == [(row["stage"], row.get("leaf")) for row in wanted]
    losses = [[row["loss"] for row in of if "loss" in row] for of in (found, wanted)]
    np.testing.assert_allclose(*losses, rtol=1e-5)
    results = [json.loads((path / "result.json").read_text()) for path in (runs.fewer[devices], runs.whole)]
    found, wanted = ([c["architecture"] for c in result["contenders"]] for result in results)
    assert found == wanted
