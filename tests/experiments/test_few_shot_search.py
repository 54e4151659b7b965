"""A whole run by another search algorithm and another selector: every image and evaluation is on record."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from jaxnas.config import SelectionConfig
from jaxnas.data import load
from jaxnas.few_shot.config import ControlConfig, TruthConfig
from jaxnas.few_shot.run import run_few_shot
from jaxnas.spaces import TOY, Architecture
from jaxnas.spaces.tree import SplitTree
from tests.few_shot.small import SMALL

CONFIG = replace(
    SMALL,
    search=replace(SMALL.search, algorithm="darts", leaf="mean", budget=6),
    selection=SelectionConfig(name="perturbation_loss", recalibrate=1, tune_epochs=1),
    truth=TruthConfig(alone=4, every=1),
    control=ControlConfig(random_splits=0, random_architectures=0),
    leaf_weights="new",
    warmup_epochs=1,
    leaf_epochs=1,
    alone_epochs=1,
)


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    workdir, units = tmp_path_factory.mktemp("run"), []

    class Killed(Exception):
        pass

    def once(stage: str, done: int, total: int, note: str) -> None:
        if total:
            units.append((stage, done))
        if units[-2:] == [("leaves", 1), ("search", 1)]:
            raise Killed

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        patch.setattr("jaxnas.workdir.stages.EVERY", 0.0)
        run_few_shot(CONFIG, workdir, load(CONFIG.data, 0), show=once)
    result = run_few_shot(CONFIG, workdir, load(CONFIG.data, 0), show=lambda *shown: units.append(shown))
    return workdir, result, units


def test_a_run_goes_on_with_the_next_leaf(run) -> None:
    done = [unit[:2] for unit in run[2]]
    assert [number for stage, number in done if stage == "search" and number] == [1, 2]


def test_its_images_and_evaluations_are_all_there_is(run) -> None:
    workdir, result, _ = run
    tree = SplitTree.from_json(TOY, json.loads((workdir / "split_tree.json").read_text()))
    masks = tree.masks()
    # Two batches a step; one training between decisions where there are two of them.
    undecided = (masks.sum(2) > 1).sum(1)
    tunings = int(np.maximum(undecided - 1, 0).sum())
    method, unsplit = result["contenders"]
    assert method["images"] == 128 + 2 * 256 + tunings * 256 + 2 * 2 * 2 * 32
    assert abs(method["images"] - unsplit["images"]) <= 128
    # Open operations of undecided edges; the two random ones of a leaf, among which is what was taken.
    removals = int(np.where(masks.sum(2) > 1, masks.sum(2), 0).sum())
    rows = rows_of(workdir / "architectures.csv")
    assert method["evaluations"] == removals + len(rows) and unsplit["evaluations"] == 3 + 3 + 1
    by_leaf = [[row["architecture"] for row in rows if row["leaf"] == str(k)] for k in range(2)]
    connected = [
        [TOY.encode(Architecture(tuple(row))) for row in TOY.enumerate_connected(mask).tolist()] for mask in masks
    ]
    assert [sorted(of) for of in by_leaf] == [sorted(of) for of in connected]
    assert result["architecture"] in by_leaf[result["leaf"]]


def test_curves_follow_leaves_from_new_weights_and_end_before_the_tuning(run) -> None:
    workdir = run[0]
    curves = {row["contender"]: row for row in rows_of(workdir / "curves.csv")}
    warm_up, method = curves["all"], curves["method"]
    assert (warm_up["images"], method["epoch"], method["steps"]) == ("128", "1", "4")
    assert int(method["images"]) == 128 + 2 * 256 + 256
    told = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    assert {row["leaf"] for row in told if row["stage"] == "leaves" and "likeliest" in row and "sample" in row} == {
        0,
        1,
    }
