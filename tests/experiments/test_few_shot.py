"""Whole runs of the smallest config, their files, and the secrecy of test images and true accuracies."""

import csv
import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import jaxnas
from jaxnas.analysis import rank_correlation
from jaxnas.benchmarks import Table, read_table
from jaxnas.data import load
from jaxnas.few_shot import command as experiment
from jaxnas.few_shot.page import write_report
from jaxnas.few_shot.run import run_few_shot
from jaxnas.few_shot.seeds import join_seeds, read_scores
from jaxnas.spaces import TOY, Architecture
from jaxnas.spaces.tree import SplitTree
from jaxnas.types import UserError
from jaxnas.workdir import read_stages
from tests.few_shot.small import FLAGS, SMALL

TRUTH = np.array([11.0, 12, 13, 14, 50, 80, 15, 60, 90])  # of each toy architecture, in the order of TOY.enumerate()
STAGES = ("warm_up", "split", "leaves", "search", "unsplit", "unsplit_search", "random_split_1")
STAGES += ("random_split_1_search", "random_alone", "alone", "judge")
LEAK = "of the test part 2 images are also in the training part, pixel by pixel"
BEFORE = ("config.json", "split_tree.json", "similarities.npz")  # files that no truth can reach


class Guard:
    """A table and a test set that must not be read before the stage `judge`; a digest is taken before any stage."""

    def __init__(self, workdir: Path, path: Path) -> None:
        self.workdir, self.path, self.reads = workdir, path, []

    def check(self, what: str, digest: bool) -> None:
        records = read_stages(self.workdir)
        judging = records.get("judge", {}).get("status") == "running"
        assert judging or (digest and not records), f"{what} read before the judgement, after {list(records)}"
        self.reads.append((what, judging))

    def table(self) -> Table:
        guard, plain = self, read_table(TOY, self.path)

        class Guarded(dict):
            def __getitem__(self, name: str) -> np.ndarray:
                guard.check("truth", digest=True)
                return super().__getitem__(name)

            def values(self) -> Any:
                raise AssertionError("accuracies are read one data set at a time")

            items = get = values

        return replace(plain, accuracies=Guarded(plain.accuracies))

    def dataset(self) -> Any:
        dataset = load(SMALL.data, SMALL.seed)

        def test() -> Any:
            self.check("test images", digest=False)
            return dataset.test()

        def leaks() -> tuple[str, ...]:
            self.check("leaks", digest=False)
            return (LEAK,)

        return dataset._replace(test=test, leaks=leaks)


def show(stage: str, done: int, total: int, note: str) -> None:
    pass


@pytest.fixture(scope="module", autouse=True)
def four_devices():
    """The command would take a device for each core, and may not once others are in use."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAX_NUM_CPU_DEVICES", "4")
        yield


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """(work directory, result, guard) of a run with a table."""
    folder = tmp_path_factory.mktemp("table")
    path, workdir = folder / "truth.csv", folder / "run"
    names = [TOY.encode(Architecture(tuple(row))) for row in TOY.enumerate().tolist()]
    path.write_text("\n".join(["architecture,digits", *(f"{n},{t}" for n, t in zip(names, TRUTH, strict=True))]))
    guard = Guard(workdir, path)
    config = replace(SMALL, truth=replace(SMALL.truth, table=path))
    return workdir, run_few_shot(config, workdir, guard.dataset(), guard.table(), show=show), guard


@pytest.fixture(scope="module")
def seeds(finished, tmp_path_factory):
    """(work directory, names of what was compiled) of two seeds by the command, without a table, after that run."""
    workdir, compiled = tmp_path_factory.mktemp("seeds") / "run", []

    class Names(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            words = record.getMessage().split()
            compiled.extend(words[1:2] if words[0] == "Compiling" else [])

    handler, logger = Names(), logging.getLogger("jax._src.interpreters.pxla")
    logger.addHandler(handler)
    jax.config.update("jax_log_compiles", True)
    try:
        assert experiment.main(["smoke", "--workdir", str(workdir), *FLAGS, "--seeds", "0", "1"]) == 0
    finally:
        jax.config.update("jax_log_compiles", False)
        logger.removeHandler(handler)
    return workdir, compiled


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def read_page(finished) -> str:
    return write_report(finished[0]).read_text()


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


def test_stages_come_in_order_and_nothing_secret_is_read_before_the_last(finished) -> None:
    workdir, result, guard = finished
    assert tuple(read_stages(workdir)) == tuple(result["seconds"]) == STAGES
    assert guard.reads[0] == ("truth", False)  # the digest
    assert guard.reads[1:] and all(judging for _, judging in guard.reads[1:])
    assert [what for what, _ in guard.reads].count("test images") == 1


def test_test_images_that_are_in_other_parts_are_told(finished, seeds) -> None:
    assert finished[1]["warnings"] == read(finished[0] / "result.json")["warnings"] == [LEAK]
    assert LEAK in read_page(finished)
    assert read(seeds[0] / "seed-0" / "result.json")["warnings"] == []


def test_a_guard_that_is_touched_early_is_noticed(finished) -> None:
    guard = Guard(finished[0], finished[2].path)
    with pytest.raises(AssertionError, match="read before the judgement"):
        guard.dataset().test()
    with pytest.raises(AssertionError, match="read before the judgement"):
        guard.table().query(np.array([[1, 1]]), "digits")


def test_what_is_chosen_does_not_depend_on_the_truth(finished, seeds) -> None:
    with_table, without = finished[1]["contenders"], read(seeds[0] / "seed-0" / "result.json")["contenders"]
    names = ("name", "architecture", "leaf", "score", "images", "evaluations", "validation_accuracy", "test_accuracy")
    assert [[row[name] for name in names] for row in with_table] == [[row[name] for name in names] for row in without]
    assert [row["true_accuracy"] for row in without] == [None] * 4
    for name in BEFORE[1:]:
        assert (finished[0] / name).read_bytes() == (seeds[0] / "seed-0" / name).read_bytes()


def test_the_result_names_connected_architectures_and_their_truth(finished) -> None:
    workdir, result, _ = finished
    assert read(workdir / "result.json") == result
    tree = SplitTree.from_json(TOY, read(workdir / "split_tree.json"))
    chosen = np.array(TOY.decode(result["architecture"]).op_ids)
    assert len(tree.leaves) == 2 and tree.route(chosen[None]).tolist() == [result["leaf"]]
    kinds = [row["kind"] for row in result["contenders"]]
    assert kinds == ["method", "unsplit", "random_split", "random_alone"]
    for row in result["contenders"]:
        op_ids = TOY.decode(row["architecture"]).op_ids
        assert TOY.connected(np.array(op_ids))
        assert row["true_accuracy"] == TRUTH[np.ravel_multi_index(op_ids, (3, 3))]
        assert row["test_interval"][0] < row["test_accuracy"] < row["test_interval"][1]
    # 128 images an epoch, 256 that scored: 6 + 2; 2 + 6; 2 + 2 * 3; 2 * 4.
    assert [row["images"] for row in result["contenders"]] == [8 * 128] * 4
    assert [row["evaluations"] for row in result["contenders"]] == [4, 4, 4, 2]
    # All four connected: 50, 80, 60, 90. The better of two is 90 in 7 of 16 draws, 80 in 5, 60 in 3, 50 in 1.
    exact = {"accuracy": 70.0, "low": 70.0, "high": 70.0, "n": 4}
    assert result["random_architecture"] == {**exact, "best_of": 2, "best": 78.75}
    assert result["test_images"] == 389


def test_files_hold_everything_evaluated_and_the_ranking(finished) -> None:
    workdir, result, _ = finished
    rows = rows_of(workdir / "architectures.csv")
    ids = [TOY.decode(row["architecture"]).op_ids for row in rows]
    assert sorted(ids) == [(1, 1), (1, 2), (2, 1), (2, 2)]
    assert [float(row["truth"]) for row in rows] == [TRUTH[np.ravel_multi_index(i, (3, 3))] for i in ids]
    assert {row["truth_source"] for row in rows} == {"table (truth.csv)"}
    best = max(float(row["supernet_validation_accuracy"]) for row in rows)
    assert best == round(result["supernet_validation_accuracy"], 4)
    ranking = rows_of(workdir / "ranking.csv")
    assert list(ranking[0]) == ["architecture", "sample", "leaf", "truth", "method", "unsplit", "random_split_1"]
    kinds = [row["sample"] for row in ranking]
    assert kinds == ["uniform"] * 4 + ["leaf"] * 4 and all(row["unsplit"] == "" for row in ranking[4:])
    assert sorted(row["architecture"] for row in ranking[:4]) == sorted(row["architecture"] for row in ranking[4:])
    ranking = ranking[:4]
    truth = np.array([float(row["truth"]) for row in ranking])
    for contender, column in zip(result["contenders"], ("method", "unsplit", "random_split_1"), strict=False):
        found = rank_correlation(np.array([float(row[column]) for row in ranking]), truth)
        assert contender["kendall"] == (found.kendall and found.kendall._asdict())
    assert result["rank_correlation"]["truth"] == "table (truth.csv)"
    table = rows_of(workdir / "contenders.csv")
    assert [row["name"] for row in table] == [row["name"] for row in result["contenders"]]
    assert [float(row["test_low"]) for row in table] == [row["test_interval"][0] for row in result["contenders"]]


def test_metrics_have_a_line_for_each_epoch_and_network(finished) -> None:
    lines = [json.loads(line) for line in (finished[0] / "metrics.jsonl").read_text().splitlines()]
    found: dict[str, set[tuple[int, int]]] = {}
    for row in lines:
        if "epoch" in row:
            found.setdefault(row["stage"], set()).add((row["epoch"], row["leaf"]))
    chosen = len({row["architecture"] for row in finished[1]["contenders"]})
    shape = {"warm_up": (2, 1), "leaves": (2, 2), "unsplit": (6, 1), "random_split_1": (3, 2)}
    shape |= {"random_alone": (4, 2), "alone": (2, chosen)}
    assert found == {name: {(e + 1, k) for e in range(n) for k in range(m)} for name, (n, m) in shape.items()}


def test_curves_follow_what_the_stages_kept(finished) -> None:
    workdir, result, _ = finished
    lines = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    looks = {(row["stage"], row["epoch"], row["leaf"]): row["sample"] for row in lines if "sample" in row}
    curves = rows_of(workdir / "curves.csv")
    assert [(row["contender"], row["stage"], int(row["epoch"])) for row in curves] == [
        ("all", "warm_up", 2),
        ("method", "leaves", 2),
        *(("unsplit", "unsplit", epoch) for epoch in (2, 4, 6)),
        *(("random_split_1", "random_split_1", epoch) for epoch in (2, 3)),  # every second epoch, and the last
    ]
    # 4 steps of 32 images an epoch; the method's 2 + 2 * 2 epochs, and 256 images that scored.
    assert [int(row["steps"]) for row in curves] == [8, 16, 16, 24, 32, 16, 20]
    assert [int(row["images"]) for row in curves] == [256, 1024, 512, 768, 1024, 768, 1024]
    # At the end of training, curves hold what the ranking says.
    uniform = [row for row in rows_of(workdir / "ranking.csv") if row["sample"] == "uniform"]
    for contender, at in (("method", 1), ("unsplit", 4), ("random_split_1", 6)):
        scores, row = np.array([float(cell[contender]) for cell in uniform]), curves[at]
        found = next(c for c in result["contenders"] if c["kind"] == contender.removesuffix("_1"))["kendall"]
        assert row["n"] == "4" and (float(row["kendall"]) if row["kendall"] else None) == (found and found["value"])
        convolutions = np.array([cell["architecture"].count("conv") for cell in uniform])
        for n in range(3):
            assert float(row[f"score_{n}_convolutions"]) == pytest.approx(scores[convolutions == n].mean(), abs=2e-4)
        stage = ("leaves" if contender == "method" else contender, int(row["epoch"]))
        kept = [score for name, of in looks.items() if name[:2] == stage for score in of]
        assert sorted(kept) == sorted(scores.tolist())
    assert "How the ranking was learnt" in read_page(finished)


def test_seeds_compile_no_program_again(finished, seeds) -> None:
    compiled = seeds[1]  # after the run with a table, which has the same network and data set
    assert compiled  # small programs that make states and draw weights
    for name in ("epoch", "evaluate", "of_edge"):
        assert compiled.count(f"jit({name})") == 0


def test_two_seeds_are_joined_from_their_own_results(seeds) -> None:
    workdir = seeds[0]
    results = {seed: read(workdir / f"seed-{seed}" / "result.json") for seed in (0, 1)}
    joined = read(workdir / "result.json")
    scores = [read_scores(workdir / f"seed-{seed}" / "ranking.csv") for seed in (0, 1)]
    assert joined == join_seeds(results, scores)
    assert scores[0].architectures == scores[1].architectures  # both seeds rank the same cells
    gains = [r["contenders"][0]["test_accuracy"] - r["contenders"][1]["test_accuracy"] for r in results.values()]
    assert joined["table"][1]["difference"]["mean"] == pytest.approx(sum(gains) / 2)
    assert [read(workdir / f"seed-{s}" / "config.json")["seed"] for s in (0, 1)] == [0, 1]
    assert (workdir / "report.html").is_file() and (workdir / "seed-1" / "report.html").is_file()
    ranking = rows_of(workdir / "seed-1" / "ranking.csv")
    assert len(ranking) == 4 and results[1]["rank_correlation"]["truth"] == "stand-alone (4, 2 epochs)"


def test_the_same_seed_gives_the_same_bits(seeds, tmp_path, capsys) -> None:
    again, before = tmp_path / "again", seeds[0] / "seed-0"
    assert experiment.main(["smoke", "--workdir", str(again), *FLAGS]) == 0
    told = " ".join(capsys.readouterr().out.split())
    results = [{k: v for k, v in read(w / "result.json").items() if k != "seconds"} for w in (again, before)]
    assert results[0] == results[1] and results[0]["architecture"] in told
    files = (
        *BEFORE,
        "architectures.csv",
        "contenders.csv",
        "ranking.csv",
        "curves.csv",
        "metrics.jsonl",
        "network.npz",
    )
    for name in files:
        assert (again / name).read_bytes() == (before / name).read_bytes(), name
    assert (again / "report.html").is_file()


def test_the_network_of_a_run_reaches_its_test_accuracy(finished) -> None:
    workdir, result, _ = finished
    test = load(SMALL.data, SMALL.seed).test()
    found = jaxnas.load(workdir)
    right = 100 * (found.predict(test.images).labels == test.labels).mean()
    assert right == pytest.approx(result["test_accuracy"], abs=0.3)  # of 389 images, one may be a near tie
    assert found.description.architecture == result["architecture"]


def test_a_used_directory_refuses_another_config_and_several_seeds(finished, seeds, capsys) -> None:
    with pytest.raises(UserError, match=r"leaf_epochs: 2 there, 3 now"):
        run_few_shot(replace(SMALL, leaf_epochs=3), finished[0], load(SMALL.data, 0), show=show)
    assert experiment.main(["smoke", "--workdir", str(finished[0]), *FLAGS, "--seeds", "0", "1"]) == 2
    assert "holds a run of one seed; choose another --workdir" in capsys.readouterr().err
    assert experiment.main(["smoke", "--workdir", str(seeds[0]), *FLAGS]) == 2
    assert "holds a run of several seeds; choose another --workdir" in capsys.readouterr().err
