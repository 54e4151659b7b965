"""The ablation of splits on the toy space: tables by hand, alike splits, parts and their union, bad input."""

import csv
import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from jaxnas.spaces import NAS_BENCH_201, TOY
from jaxnas.studies.split_ablation.command import Command, main, run
from jaxnas.studies.split_ablation.config import SplitAblationConfig
from jaxnas.studies.split_ablation.leaves import expanded, leaves_of, random_masks, validate_split_ablation
from jaxnas.studies.split_ablation.presets import SPLITS
from jaxnas.studies.split_ablation.run import shard_of, trees_of
from jaxnas.studies.split_ablation.tables import picked, picks, table_rows
from jaxnas.types import UserError
from jaxnas.workdir import locked, open_journal
from jaxnas.workdir.journal import FILE
from tests.distributed.test_hosts import ROOT

MASKS = [[[1, 1, 0], [1, 1, 1]], [[0, 0, 1], [1, 1, 1]]]
TRUTH = {(1, 1): 60.0, (1, 2): 70.0, (2, 1): 90.0, (2, 2): 80.0}
CONFIG = replace(
    SPLITS["smoke"],
    study=replace(SPLITS["smoke"].study, algorithms=("uniform", "gdas"), random=0, strategy="loop"),
    splits=("mine", "twin", "none"),
)


def with_study(config: SplitAblationConfig, **changes) -> SplitAblationConfig:
    return replace(config, study=replace(config.study, **changes))


def quiet(stage: str, done: int, total: int, note: str) -> None:
    pass


@pytest.fixture(autouse=True)
def devices_as_they_are(monkeypatch):
    """The command would ask for as many devices as there are cores; tests have theirs already."""
    monkeypatch.setenv("JAX_NUM_CPU_DEVICES", "4")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    (folder / "splits.json").write_text(json.dumps({"splits": {n: {"digits": MASKS} for n in ("mine", "twin")}}))
    rows = [f"|{TOY.ops[a]}~0|+|{TOY.ops[b]}~1|,{TRUTH.get((a, b), 10.0)}" for a in range(3) for b in range(3)]
    (folder / "table.csv").write_text("architecture,digits\n" + "\n".join(rows) + "\n")
    return folder


@pytest.fixture(scope="module")
def command(files, tmp_path_factory) -> Command:
    config = with_study(CONFIG, table=files / "table.csv")
    return Command(tmp_path_factory.mktemp("whole"), config, files / "splits.json")


@pytest.fixture(scope="module")
def table(command):
    return run(command, quiet)


def cells(workdir: Path) -> list[dict[str, str]]:
    with open(workdir / "cells.csv") as handle:
        return list(csv.DictReader(handle))


def test_cells_are_all_leaves_and_alike_splits_are_trained_once(command, table) -> None:
    rows = cells(command.workdir)
    assert len(rows) == 2 * 3 * 2 * 2  # algorithms, splits, seeds, leaves
    for row in rows:
        op_ids = TOY.decode(row["architecture"]).op_ids
        assert float(row["true_accuracy"]) == TRUTH[op_ids] and row["truth_source"] == "table"
        if row["split"] != "none":
            assert (op_ids[0] == 2) == (row["leaf"] == "1")
        assert row["same_as"] == ("mine" if row["split"] == "twin" else "")
        # 128 images an epoch; gdas sends a validation batch beside each.
        assert int(row["images_seen"]) == (128 if row["algorithm"] == "uniform" else 256)
    results = [{k: v for k, v in row.items() if k not in ("split", "same_as")} for row in rows]
    of = {name: [r for r, row in zip(results, rows, strict=True) if row["split"] == name] for name in ("mine", "twin")}
    assert of["mine"] == of["twin"]
    stages = json.loads((command.workdir / "stages.json").read_text())
    assert list(stages) == ["warm_up", "train_uniform", "select_uniform", "train_gdas", "select_gdas"]
    kept = [row for _, row in open_journal(command.workdir).under("leaf")]
    assert len(kept) == 2 * 2 * 2 * 2 and {row["split"] for row in kept} == {"mine", "none"}
    page = (command.workdir / "report.html").read_text()
    assert "over 2 unsplit runs?" in page and "twin is the same split as mine in every seed" in page
    assert all(f"<td>{row['true_accuracy']:.2f} [" in page for row in table)


def test_the_table_is_of_what_rules_pick_of_the_cells(command, table) -> None:
    rows = cells(command.workdir)
    for row in table:
        if row["rule"] not in ("oracle", "any leaf", "validation"):
            continue
        values, controls, column = [], [], {"oracle": "true_accuracy", "validation": "validation_score"}
        for name, into in ((row["split"], values), ("none", controls)):
            for seed in ("0", "1"):
                mine = [r for r in rows if (r["split"], r["algorithm"], r["seed"]) == (name, row["algorithm"], seed)]
                true = [float(r["true_accuracy"]) for r in mine]
                best = true[int(np.argmax([float(r["validation_score"]) for r in mine]))]
                into.append({"oracle": max(true), "any leaf": np.mean(true), "validation": best}[row["rule"]])
                for rule in ("oracle", "validation"):
                    (place,) = [i for i, r in enumerate(mine) if rule in r["picked_by"].split()]
                    assert place == int(np.argmax([float(r[column[rule]]) for r in mine]))
        assert row["true_accuracy"] == pytest.approx(np.mean(values)) and row["seeds"] == 2
        gain = None if row["split"] == "none" else pytest.approx(np.mean(np.subtract(values, controls)))
        assert row["from_unsplit"] == gain
    of = {row["split"]: row for row in table if row["rule"] == ""}
    assert of["random cell"]["true_accuracy"] == pytest.approx(75)


def test_parts_trained_alone_and_joined_are_the_whole(command, table, files, tmp_path) -> None:
    parts = [tmp_path / str(i) for i in (1, 2)]
    for i, part in enumerate(parts):
        run(replace(command, workdir=part, shard=(i + 1, 2)), quiet)
        alone = [[j, 1] for j in range(i + 1)]
        open_journal(part).once(["alone", "alone", 1, alone], partial(list, [5.0] * len(alone)))
    joined = run(replace(command, workdir=tmp_path / "all", merge=tuple(parts)), quiet)
    assert joined == table

    def results(workdir: Path) -> list[dict[str, str]]:
        return [{**row, "seconds": ""} for row in cells(workdir)]

    assert results(tmp_path / "all") == results(command.workdir)
    assert [unit[-1] for unit, _ in open_journal(tmp_path / "all").under("alone")] == [[[0, 1]], [[0, 1], [1, 1]]]
    # Other splits beside it change nothing.
    alone = replace(command, workdir=tmp_path / "none", config=replace(command.config, splits=("none",)))
    assert len(leaves_of(alone.config, TOY, trees_of(TOY, alone.config, alone.trees))[0]) == 2
    with pytest.raises(UserError, match="leaves are in none of the shards"):
        run(replace(command, workdir=tmp_path / "half", merge=tuple(parts[:1])), quiet)
    merges_are_runs_of_their_own(replace(command, workdir=tmp_path / "all", merge=tuple(parts)), joined)


def told(content: bytes) -> list[tuple[list, object]]:
    """What the records of a journal say, without how long it took to say it again."""
    return [(record["key"], record["value"]) for record in map(json.loads, content.splitlines())]


def merges_are_runs_of_their_own(command: Command, joined: list[dict]) -> None:
    """A stopped merge goes on; it is locked, as its shards are, and refuses what is not its own."""
    folder = command.workdir
    assert json.loads((folder / "config.json").read_text())["study"]["seeds"] == [0, 1]
    kept = folder / FILE
    content = kept.read_bytes()
    kept.write_bytes(b"".join(content.splitlines(keepends=True)[:5]) + b'{"key": ["leaf", "unif')
    assert run(command, quiet) == joined and told(kept.read_bytes()) == told(content)
    assert len(json.loads((folder / "environment.json").read_text())["resumed"]) == 1
    for held in (folder, command.merge[1]):
        with locked(held), pytest.raises(UserError, match=rf"{held} is in use"):
            run(command, quiet)
    with pytest.raises(UserError, match=r"shard of another config \(warmup_epochs: 1 there, 2 now\)"):
        run(replace(command, config=replace(command.config, warmup_epochs=2)), quiet)
    images = replace(command.config.study.data, valid=256)
    with pytest.raises(UserError, match=r"study.data.valid: 128 there, 256 now"):
        run(replace(command, config=with_study(command.config, data=images)), quiet)
    made_with = command.merge[0] / "environment.json"
    made_with.write_text(made_with.read_text().replace('"images": "', '"images": "0'))
    with pytest.raises(UserError, match="shard of other images"):
        run(command, quiet)
    with pytest.raises(UserError, match="gone is no shard that can be read: No such file"):
        run(replace(command, merge=(folder / "gone",)), quiet)


@pytest.fixture(scope="module")
def submitit():
    """Imported before capsys: it sets up logging anew, which closes what others log to if that is not stderr."""
    return pytest.importorskip("submitit")


def test_shards_in_jobs_and_joined_are_the_whole(
    submitit, command, table, files, tmp_path, capsys, monkeypatch
) -> None:
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(ROOT / ".cache" / "driver"))
    monkeypatch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    monkeypatch.setenv("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")
    splits = ["--trees", str(files / "splits.json"), "--splits", "mine", "twin", "none"]
    study = ["--algorithms", "uniform", "--table", str(files / "table.csv"), "--random", "0", "--strategy", "loop"]
    launched = ["smoke", "--workdir", str(tmp_path), *splits, *study, "--launcher", "local", "--shards", "2"]
    assert main(launched) == 0
    of_one = [{**row, "seconds": ""} for row in cells(command.workdir) if row["algorithm"] == "uniform"]
    assert [{**row, "seconds": ""} for row in cells(tmp_path)] == of_one  # the other algorithm changes nothing
    with open(tmp_path / "table.csv") as joined, open(command.workdir / "table.csv") as whole:
        assert [*csv.DictReader(joined)] == [row for row in csv.DictReader(whole) if row["algorithm"] != "gdas"]
    for seed in (0, 1):
        config = json.loads((tmp_path / f"shard-{seed + 1}" / "config.json").read_text())
        assert config["study"]["seeds"] == [seed]
    assert "/report.html" in capsys.readouterr().out.replace("\n", "")
    # Again: a finished shard is no job. One of other settings fails in a line, and the other stays as it was.
    before, kept = {*(tmp_path / "jobs").glob("*.out")}, (tmp_path / "shard-1" / FILE).read_bytes()
    other = tmp_path / "shard-2" / "config.json"
    other.write_text(other.read_text().replace('"warmup_epochs": 1', '"warmup_epochs": 3'))
    assert main(launched) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith("error: shard-2 of 2 failed: ") and "(warmup_epochs: 3 there, 1 now)" in said
    assert len({*(tmp_path / "jobs").glob("*.out")} - before) == 1
    assert (tmp_path / "shard-1" / FILE).read_bytes() == kept


def test_a_killed_ablation_goes_on(command, table, tmp_path) -> None:
    kept = command.workdir / FILE
    lines = kept.read_bytes().splitlines(keepends=True)
    kept.write_bytes(b"".join(lines[:-2]) + lines[-2][:9])
    moved = replace(command.config.study.data, root=Path("elsewhere"))
    assert run(replace(command, config=with_study(command.config, data=moved)), quiet) == table
    with pytest.raises(UserError, match=r"study.epochs: 1 there, 2 now"):
        run(replace(command, config=with_study(command.config, epochs=2)), quiet)

    def same(content: bytes) -> list[tuple[list, dict]]:
        return [(unit, {**row, "seconds": 0}) for unit, row in told(content)]

    assert same(kept.read_bytes()) == same(b"".join(lines))


def test_rules_pick_by_hand() -> None:
    truth = {(0,): 50.0, (1,): 60.0, (2,): 70.0}
    name = {"split": "s", "seed": 0, "error": ""}
    kept = [
        {**name, "leaf": 0, "op_ids": [0], "validation_score": 9.0, "sample": [1.0, 1.0]},
        {**name, "leaf": 1, "op_ids": [1], "validation_score": 8.0, "sample": [3.0, 3.0]},
        {**name, "leaf": 2, "op_ids": [2], "validation_score": 7.0, "sample": [0.0, 4.0]},
    ]
    shares = {("s", 0, 0): 0.1, ("s", 0, 1): 0.1, ("s", 0, 2): 0.8}
    found = picked(kept, shares, truth)
    assert (found["oracle"], found["any leaf"], found["validation"]) == (70, 60, 50)
    assert found["mean"] == 60 and found["sized_best"] == 70 and found["upper_quantile"] == 70
    assert picks(kept, shares, truth)["validation"] == 0 and picks(kept, shares, truth)["mean"] == 1
    kept[1] |= {"op_ids": None, "error": "it failed"}
    assert picked(kept, shares, truth) == {} == picks(kept, shares, truth)


def test_differences_are_paired_by_seed() -> None:
    config = with_study(replace(CONFIG, splits=("mine", "random:2", "none")), algorithms=("uniform",))
    values = {
        ("mine", "uniform", "oracle"): {0: 90.0, 1: 80.0},
        ("none", "uniform", "oracle"): {0: 88.0, 1: 79.0},
        ("random 1", "uniform", "oracle"): {0: 80.0, 1: 80.0},
        ("random 2", "uniform", "oracle"): {0: 90.0, 1: 70.0},
    }
    mine = table_rows(config, values, {})[0]
    assert (mine["true_accuracy"], mine["from_unsplit"], mine["from_random"]) == (85, 1.5, 5)
    half = 12.706 * np.std([2, 1], ddof=1) / 2**0.5
    assert mine["from_unsplit_high"] == pytest.approx(1.5 + half, rel=1e-4)
    assert mine["from_random_low"] is None  # 5 in both seeds says nothing of the spread
    lost = table_rows(config, {}, {})  # every split has a leaf that failed
    assert {(row["rule"], row["seeds"], row["true_accuracy"]) for row in lost} == {
        *((rule, 0, None) for rule in ("oracle", "any leaf", "validation"))
    }


def test_random_trees_are_fixed_by_name_and_seed() -> None:
    trees = [random_masks(NAS_BENCH_201, (2, 2, 2), f"random {i}", s) for i, s in ((1, 0), (1, 0), (2, 0), (1, 1))]
    np.testing.assert_array_equal(trees[0], trees[1])
    assert all((trees[0] != other).any() for other in trees[2:]) and len(trees[0]) == 8


def test_trees_of_a_folder_are_of_one_seed_or_of_every_other(files, tmp_path) -> None:
    text = (files / "splits.json").read_text().replace('"twin"', '"other"')
    for name in ("gm-0.json", "gm.json"):
        content = json.loads(text)
        content["splits"].pop("other")
        if name == "gm.json":
            content["splits"]["mine"]["digits"] = [[[1, 0, 1], [1, 1, 1]], [[0, 1, 0], [1, 1, 1]]]
        (tmp_path / name).write_text(json.dumps(content))
    config = with_study(replace(CONFIG, splits=("gm",)), seeds=(0, 7))
    masks = trees_of(TOY, config, tmp_path)
    assert masks("gm", 0)[0].tolist() == [[True, True, False], [True] * 3]
    assert masks("gm", 7)[0].tolist() == [[True, False, True], [True] * 3]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"splits": ("none", "none")}, "splits must be different names"),
        ({"splits": ()}, "splits must be different names"),
        ({"splits": ("random:0",)}, "random:N"),
        ({"splits": ("random",)}, "random:N"),
        ({"splits": ("metric:nope",)}, r"metric:NAME with NAME of \['accuracy', .*, not 'metric:nope'"),
        ({"split": replace(CONFIG.split, metric="snip")}, "split.metric is not read here: name splits metric:snip"),
        ({"split": replace(CONFIG.split, ties="nope")}, "unknown split.ties 'nope'"),
        ({"algorithms": ("nope",)}, "algorithms must be different ones of"),
        ({"algorithms": ("uniform", "pc_darts")}, "pc_darts trains a supernet of its own"),
        ({"selectors": ("magnitude", "enumeration")}, r"selectors must be one name, .* not \['magnitude', 'enumer"),
        ({"warmup_epochs": 0}, "warmup_epochs must be at least 1, it is 0"),
    ],
)
def test_bad_settings_are_told_before_work(changes, message) -> None:
    with pytest.raises(UserError, match=message):
        own = {name: value for name, value in changes.items() if hasattr(CONFIG, name)}
        validate_split_ablation(
            with_study(replace(CONFIG, **own), **{k: v for k, v in changes.items() if k not in own})
        )


def test_names_and_shards_that_are_not_there_are_told(files, tmp_path, capsys) -> None:
    assert expanded(("a", "random:2", "none")) == ("a", "random 1", "random 2", "none")
    with pytest.raises(UserError, match=r"there is no split 'gone' for seed 0; there are \['mine', 'twin'\]"):
        trees_of(TOY, replace(CONFIG, splits=("gone",)), files / "splits.json")
    with pytest.raises(UserError, match=r"1/N \.\. N/N of at most 2 seeds, not 3/2"):
        shard_of(with_study(CONFIG, seeds=(0, 1)), 3, 2)
    assert shard_of(with_study(CONFIG, seeds=(5, 6, 7)), 1, 2).study.seeds == (5, 7)
    assert main(["smoke", "--workdir", str(tmp_path), "--shard", "1", "2", "--merge", str(tmp_path)]) == 2
    assert "not both" in capsys.readouterr().err
