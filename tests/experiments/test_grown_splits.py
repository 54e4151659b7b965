"""Splits that an ablation grows on each seed's own warmed-up weights, on the triangle."""

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from jaxnas.config import SplitConfig
from jaxnas.data import load
from jaxnas.distributed import parallel
from jaxnas.few_shot import stages
from jaxnas.few_shot.run_context import prepare
from jaxnas.spaces import SPACES, Architecture
from jaxnas.spaces.split_file import read_splits
from jaxnas.studies.search.cells import prepare_study
from jaxnas.studies.split_ablation.command import Command, run
from jaxnas.studies.split_ablation.leaves import warm_up
from jaxnas.studies.split_ablation.presets import SPLITS
from jaxnas.testing import TRIANGLE
from jaxnas.types import QUIET, UserError
from jaxnas.workdir import open_stage

STUDY = replace(SPLITS["smoke"].study, algorithms=("uniform",), budget=27, random=0, ranked=0, strategy="loop")
CONFIG = replace(
    SPLITS["smoke"],
    study=replace(STUDY, net=replace(STUDY.net, space="triangle")),
    splits=("metric:loss", "none"),
    split=SplitConfig(groups=(2,), batches=4),
)


def quiet(stage: str, done: int, total: int, note: str) -> None:
    pass


@pytest.fixture(scope="module", autouse=True)
def triangle() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAX_NUM_CPU_DEVICES", "4")
        patch.setitem(SPACES, "triangle", TRIANGLE)
        yield


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Command:
    folder = tmp_path_factory.mktemp("grown")
    names = [TRIANGLE.encode(Architecture(tuple(row))) for row in TRIANGLE.enumerate().tolist()]
    (folder / "table.csv").write_text("architecture,digits\n" + "".join(f"{n},{i}\n" for i, n in enumerate(names)))
    config = replace(CONFIG, study=replace(CONFIG.study, table=folder / "table.csv"))
    command = Command(folder / "whole", config)
    run(command, quiet)
    return command


def cells(workdir: Path) -> list[dict[str, str]]:
    with open(workdir / "cells.csv") as handle:
        return [{**row, "seconds": ""} for row in csv.DictReader(handle)]


def test_every_seed_is_split_as_a_few_shot_run_of_its_weights_would_be(whole) -> None:
    """The warm-up that all contenders of a seed share is read from what the run kept."""
    dataset = load(CONFIG.study.data, 0)
    study = prepare_study(CONFIG.study, dataset)

    def kept(name: str):
        return open_stage(whole.workdir, name, lambda rows: "", quiet)

    parents = warm_up(study, CONFIG, kept)
    split = replace(CONFIG.split, metric="loss")
    trees = []
    for place, seed in enumerate((0, 1)):
        context = prepare(replace(study.config, seed=seed, split=split), dataset)
        tree, _ = stages.split(context, parallel.item(parents, place), QUIET)
        (found,) = read_splits(TRIANGLE, whole.workdir / "trees" / f"loss-{seed}.json")
        np.testing.assert_array_equal(found.masks, tree.masks())
        trees.append(tree)
        assert tree.nodes[0].split.backgrounds is not None
    rows = [row for row in cells(whole.workdir) if row["split"] == "metric:loss"]
    assert len(rows) == 2 * 2 and {row["scoring_images"] for row in rows} == {str(9 * 4 * 32)}
    for row in rows:
        op_ids = np.array([TRIANGLE.decode(row["architecture"]).op_ids])
        assert trees[int(row["seed"])].route(op_ids).tolist() == [int(row["leaf"])]
    assert {row["scoring_images"] for row in cells(whole.workdir) if row["split"] == "none"} == {"0"}


def test_shards_grow_their_seeds_and_joined_are_the_whole(whole, tmp_path) -> None:
    parts = [tmp_path / str(i) for i in (1, 2)]
    for i, part in enumerate(parts):
        run(replace(whole, workdir=part, shard=(i + 1, 2)), quiet)
    run(replace(whole, workdir=tmp_path / "all", merge=tuple(parts)), quiet)
    assert cells(tmp_path / "all") == cells(whole.workdir)
    assert (tmp_path / "all" / "trees" / "loss-1.json").read_bytes() == (
        whole.workdir / "trees" / "loss-1.json"
    ).read_bytes()
    with pytest.raises(UserError, match="the split metric:loss of seed 1 is in none of the shards"):
        run(replace(whole, workdir=tmp_path / "half", merge=tuple(parts[:1])), quiet)
