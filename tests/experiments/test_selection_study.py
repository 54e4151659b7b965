"""A study on the toy space: the tables against what was kept, stops, cells that fail, leaves of a split."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import kendalltau

from jaxnas.search import ALGORITHMS
from jaxnas.spaces import TOY
from jaxnas.studies.drift import command as drift
from jaxnas.studies.search import command, single
from jaxnas.studies.search.cells import CELL, SUPERNET, Scope, kept_rows, sample, validate_study
from jaxnas.studies.search.command import Command, run
from jaxnas.studies.search.presets import STUDIES
from jaxnas.studies.search.run import scopes_of
from jaxnas.studies.search.tables import GROUP
from jaxnas.types import UserError
from jaxnas.workdir import open_journal
from jaxnas.workdir.journal import FILE

# Enumeration does not fit the budget of 3 and fails as a cell.
CONFIG = replace(
    STUDIES["smoke"],
    algorithms=("uniform", "gdas"),
    selectors=("magnitude", "best_of_sampled", "enumeration"),
    budget=3,
    table=Path("replaced by the fixture"),
    strategy="loop",
)
TRUTH = {(1, 1): 60.0, (1, 2): 70.0, (2, 1): 90.0, (2, 2): 80.0}


def quiet(stage: str, done: int, total: int, note: str) -> None:
    pass


@pytest.fixture(autouse=True)
def devices_as_they_are(monkeypatch):
    """The commands would ask for as many devices as there are cores; tests have theirs already."""
    monkeypatch.setenv("JAX_NUM_CPU_DEVICES", "4")


def read(path: Path) -> list[dict[str, str]]:
    with open(path) as handle:
        return list(csv.DictReader(handle))


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    path = tmp_path_factory.mktemp("table") / "table.csv"
    rows = [f"|{TOY.ops[a]}~0|+|{TOY.ops[b]}~1|,{TRUTH.get((a, b), 10.0)}" for a in range(3) for b in range(3)]
    path.write_text("architecture,digits\n" + "\n".join(rows) + "\n")
    return replace(CONFIG, table=path)


@pytest.fixture(scope="module")
def finished(config, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("study")
    return workdir, run(Command(workdir, config), quiet)


def test_cells_are_judged_by_the_table(finished) -> None:
    rows = read(finished[0] / "cells.csv")
    assert len(rows) == 2 * 3 * 2 + 2 * 2  # algorithms, selectors, seeds; and the random search beside each algorithm
    for row in rows:
        if row["error"]:
            why = {"enumeration": "4 evaluations, the budget is 3", "magnitude": "nothing to choose by"}
            assert why[row["selector"]] in row["error"] and (row["selector"], row["algorithm"]) != ("magnitude", "gdas")
            assert row["architecture"] == row["true_accuracy"] == ""
            continue
        value = TRUTH[TOY.decode(row["architecture"]).op_ids]
        assert float(row["true_accuracy"]) == value and float(row["regret"]) == 90 - value
        assert int(row["true_rank"]) == [90, 80, 70, 60].index(value) + 1
    spent = {row["selector"]: int(row["evaluations"]) for row in rows}
    assert spent == {"magnitude": 0, "best_of_sampled": 3, "enumeration": 0, "random_search": 2}


def test_the_summary_is_the_mean_over_seeds_and_has_its_controls(finished) -> None:
    workdir, (_, summary) = finished
    cells = read(workdir / "cells.csv")
    of = {(row["algorithm"], row["selector"]): row for row in summary}
    for row in summary:
        own = [c for c in cells if all(c.get(name) == row.get(name, "") for name in GROUP)]
        mine = [float(c["true_accuracy"]) for c in own if not c["error"]]
        if mine:
            assert row["true_accuracy"] == pytest.approx(np.mean(mine)) and row["seeds"] == 2
    assert of["uniform", "enumeration"]["failed"] == 2 and of["uniform", "enumeration"]["true_accuracy"] is None
    assert of["", "random cell"]["true_accuracy"] == pytest.approx(75)
    # Of two draws of four: 90 with 7/16, 80 with 5/16, 70 with 3/16, 60 with 1/16.
    assert of["", "best of 2 by the truth"]["true_accuracy"] == pytest.approx((7 * 90 + 5 * 80 + 3 * 70 + 60) / 16)


def test_supernets_are_compared_with_the_truth(finished) -> None:
    rows = read(finished[0] / "supernets.csv")
    assert [(row["algorithm"], row["seed"], row["n"]) for row in rows] == [
        ("uniform", "0", "4"), ("uniform", "1", "4"), ("gdas", "0", "4"), ("gdas", "1", "4")]  # fmt: skip
    assert {row["algorithm"]: int(row["images"]) for row in rows} == {"uniform": 2 * 128, "gdas": 2 * 2 * 128}
    assert all(row["kendall_probability"] == "" for row in rows if row["algorithm"] == "uniform")
    assert all(-1 <= float(row["kendall_accuracy"]) <= 1 for row in rows)


def test_every_algorithm_has_a_random_search_of_its_own_cost(finished) -> None:
    """gdas sends twice the images of uniform through its supernet: its 2 architectures train 2 epochs, not 1."""
    workdir, (_, summary) = finished
    cells = read(workdir / "cells.csv")
    alone = [unit[1:3] for unit, _ in open_journal(workdir).under("alone")]
    assert alone == [["random_search", 1], ["random_search", 2]]
    for name, epochs in (("uniform", 1), ("gdas", 2)):
        mine = [row for row in cells if row["control_of"] == name]
        assert [(row["seed"], row["epochs"], row["images"]) for row in mine] == [
            (seed, str(epochs), str(epochs * 2 * 128)) for seed in "01"
        ]
        own = {row["images"] for row in cells if row["algorithm"] == name}
        assert own == {row["images"] for row in mine}
        control = {row["seed"]: float(row["true_accuracy"]) for row in mine}
        chosen = [r for r in cells if (r["algorithm"], r["selector"]) == (name, "best_of_sampled")]
        (row,) = [r for r in summary if (r["algorithm"], r["selector"]) == (name, "best_of_sampled")]
        pairs = [float(r["true_accuracy"]) - control[r["seed"]] for r in chosen]
        assert row["difference"] == pytest.approx(np.mean(pairs))


def test_the_summary_says_how_far_the_seeds_agree(finished) -> None:
    workdir, (_, summary) = finished
    kept = kept_rows(open_journal(workdir), SUPERNET)
    for row in [row for row in summary if row["algorithm"]]:
        first, second = (r["accuracy"] for r in kept if r["algorithm"] == row["algorithm"])
        assert row["reliability_accuracy"] == pytest.approx(kendalltau(first, second).statistic)
        ranks = [
            float(r["kendall_accuracy"]) for r in read(workdir / "supernets.csv") if r["algorithm"] == row["algorithm"]
        ]
        assert row["kendall_accuracy"] == pytest.approx(np.mean(ranks))
        of = [r for r in read(workdir / "cells.csv") if all(r[n] == row[n] for n in ("algorithm", "selector"))]
        if row["failed"]:
            assert row["deviation"] is None and row["edges_agree"] is None
            continue
        a, b = (TOY.decode(r["architecture"]).op_ids for r in of)
        assert row["edges_agree"] == np.mean([x == y for x, y in zip(a, b, strict=True)])
        assert row["edges_chance"] == pytest.approx(1 / 3)
        assert row["deviation"] == pytest.approx(abs(TRUTH[a] - TRUTH[b]) / 2**0.5)


def test_an_algorithm_is_trained_once_for_equal_epochs(config, tmp_path) -> None:
    """2 epochs of uniform are as many images as 1 of gdas: of the four trainings two are the same."""
    short = {"seeds": (0,), "epochs": 2, "equal": ("epochs", "images"), "selectors": ("best_of_sampled",)}
    cells, summary = run(Command(tmp_path, replace(config, **short)), quiet)
    kept = [row for _, row in open_journal(tmp_path).under(SUPERNET)]
    assert [(row["algorithm"], row["epochs"]) for row in kept] == [("uniform", 2), ("gdas", 2), ("gdas", 1)]
    assert [(row["equal"], row["algorithm"] or row["control_of"], row["epochs"], row["images"]) for row in cells] == [
        ("epochs", "uniform", 2, 256),
        ("epochs", "gdas", 2, 512),
        ("images", "uniform", 2, 256),
        ("images", "gdas", 1, 256),
        ("epochs", "uniform", 1, 256),
        ("epochs", "gdas", 2, 512),
        ("images", "uniform gdas", 1, 256),  # one random search for both
    ]
    one, two = (unit for unit, _ in open_journal(tmp_path).under("alone"))
    assert (one[2], two[2]) == (1, 2) and one[3] == two[3] and len(one[3]) == 2  # the same 2 for 1 epoch and for 2
    assert all(row["reliability_accuracy"] is None for row in summary)


def test_the_page_holds_means_controls_and_failures(finished) -> None:
    page = (finished[0] / "report.html").read_text()
    for said in ("gdas with magnitude", "best of 2 by the truth", "tau by accuracy of paths", "the budget is 3"):
        assert said in page


def test_a_killed_study_goes_on_with_the_cells_that_are_missing(finished, config, monkeypatch) -> None:
    workdir, _ = finished
    tables = {name: (workdir / f"{name}.csv").read_bytes() for name in ("cells", "supernets", "summary")}
    whole = open_journal(workdir)
    lines = (workdir / FILE).read_bytes().splitlines(keepends=True)
    (workdir / FILE).write_bytes(b"".join(lines[:6]) + lines[6][:20])
    run(Command(workdir, config), quiet)
    again = open_journal(workdir)
    assert again.under(SUPERNET) == whole.under(SUPERNET)
    for (unit, row), (other, former) in zip(again.under(CELL), whole.under(CELL), strict=True):
        assert unit == other and {**row, "seconds": 0} == {**former, "seconds": 0}
    assert (workdir / "supernets.csv").read_bytes() == tables["supernets"]
    assert (workdir / "summary.csv").read_bytes() == tables["summary"]


def test_the_likeliest_architecture_of_each_epoch_is_on_record(finished) -> None:
    rows = [json.loads(line) for line in (finished[0] / "metrics.jsonl").read_text().splitlines()]
    of = [row for row in rows if row["stage"] == "train_gdas_2"]
    assert [(row["epoch"], row["leaf"]) for row in of] == [(1, 0), (1, 1), (2, 0), (2, 1)]
    last = {row["leaf"]: TOY.decode(row["likeliest"]).op_ids for row in of if row["epoch"] == 2}
    chosen = [
        row for row in read(finished[0] / "cells.csv") if (row["algorithm"], row["selector"]) == ("gdas", "magnitude")
    ]
    for seed, row in enumerate(chosen):
        assert TOY.decode(row["architecture"]).op_ids == last[seed] or not TOY.connected(np.array(last[seed]))


def test_one_search_inside_a_leaf_stays_there(config, tmp_path, capsys) -> None:
    splits = tmp_path / "splits.json"
    masks = [[[1, 1, 0], [1, 1, 1]], [[0, 0, 1], [1, 1, 1]]]
    splits.write_text(json.dumps({"splits": {"mine": {"digits": masks}}}))
    arguments = ["smoke", "--workdir", str(tmp_path / "out"), "--algorithm", "darts", "--selection", "enumeration"]
    arguments += ["--splits", str(splits), "--leaf", "1", "--table", str(config.table), "--strategy", "loop"]
    assert single.main(arguments) == 0
    (row,) = read(tmp_path / "out" / "cells.csv")
    assert TOY.decode(row["architecture"]).op_ids[0] == 2 and row["scope"] == "mine 1"
    assert row["architecture"] in capsys.readouterr().out
    assert int(row["evaluations"]) == 2


def test_the_sample_is_connected_distinct_and_inside() -> None:
    scope = Scope("leaf", np.array([[False, True, True], [True, True, False]]))
    assert sorted(map(tuple, sample(TOY, scope, 9).tolist())) == [(1, 1), (2, 1)]
    assert len(sample(TOY, Scope("whole", TOY.full_mask()), 3)) == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"algorithms": ("uniform", "nope")}, "algorithms must be different ones of"),
        ({"algorithms": ()}, "algorithms must be different ones of"),
        ({"selectors": ("magnitude", "magnitude")}, "selectors must be different ones of"),
        ({"score": "gradient_matching"}, "score must be different ones of"),
        ({"seeds": (0, 0)}, "seeds must be different numbers"),
        ({"equal": ("images", "steps")}, "equal must be different ones of"),
        ({"budget": 0}, "budget must be at least 1, it is 0"),
        ({"tune_epochs": -1}, "tune_epochs must be at least 0"),
        (
            {"algorithms": ("uniform", "pc_darts"), "net": replace(CONFIG.net, channels=6)},
            "net.channels must be a multiple of 4 for pc_darts, it is 6",
        ),
    ],
)
def test_bad_settings_are_told_before_work(changes, message) -> None:
    with pytest.raises(UserError, match=message):
        validate_study(replace(CONFIG, **changes))


def test_leaves_need_a_file_and_exist(tmp_path) -> None:
    with pytest.raises(UserError, match="no file of splits"):
        scopes_of(TOY, None, None, "digits", 1)
    path = tmp_path / "splits.json"
    masks = [[[1, 1, 0], [1, 1, 1]], [[0, 0, 1], [1, 1, 1]]]
    path.write_text(json.dumps({"splits": {"a": {"digits": masks}, "b": {"digits": masks}}}))
    with pytest.raises(UserError, match=r"has 2 splits of that name on digits; name one .* of \['a', 'b'\]"):
        scopes_of(TOY, path, None, "digits", None)
    with pytest.raises(UserError, match=r"leaf must lie in 0 \.\. 1, it is 2"):
        scopes_of(TOY, path, "a", "digits", 2)
    assert [scope.name for scope in scopes_of(TOY, path, "b", "digits", None)] == ["b 0", "b 1"]


def test_the_command_line_tells_a_bad_name_in_one_line(tmp_path, capsys) -> None:
    arguments = ["smoke", "--workdir", str(tmp_path), "--algorithms", "uniform", "nope"]
    assert command.main(arguments) == 2
    assert "error: algorithms must be different ones of" in capsys.readouterr().err


def test_every_algorithm_says_what_a_step_costs() -> None:
    passes = {name: build(TOY).passes for name, build in ALGORITHMS.items()}
    assert passes["cross_path"] == 4
    assert (passes["one_shot"], passes["proxyless2"], passes["greedynas"], passes["enas"]) == (1, 2, 15, 6)
    assert (passes["uniform"], passes["fairnas"], passes["darts"], passes["darts2"], passes["reinforce"]) == (
        1,
        3,
        2,
        4,
        10,
    )


def test_a_drift_is_followed_and_read_again(config, tmp_path) -> None:
    settings = replace(drift.PRESETS["smoke"], table=config.table, strategy="loop", epochs=3)
    rows = drift.run(drift.Command(tmp_path, settings, every=2), quiet)
    assert [(row["epoch"], row["seed"], row["selector"]) for row in rows] == [
        (epoch, seed, selector) for epoch in (2, 3) for seed in (0, 1) for selector in ("magnitude", "perturbation")
    ]
    for row in rows:
        op_ids = TOY.decode(row["architecture"]).op_ids
        assert row["skips"] == op_ids.count(1) and row["edges"] == 2
        assert row["true_accuracy"] == TRUTH.get(op_ids, 10.0)
    assert drift.run(drift.Command(tmp_path, settings, every=2), quiet) == rows
    with pytest.raises(UserError, match="one algorithm that learns logits"):
        drift.run(drift.Command(tmp_path, replace(settings, algorithms=("uniform",))), quiet)


def test_supernets_that_all_diverge_are_cells_that_failed(config, tmp_path) -> None:
    optimizer = replace(config.optimizer, rate=1e30, final_rate=1e30)
    hot = replace(config, optimizer=optimizer, algorithms=("uniform",), selectors=("best_of_sampled",), random=0)
    cells, summary = run(Command(tmp_path, hot), quiet)
    assert [row["architecture"] for row in cells] == ["", ""] and all("not finite" in row["error"] for row in cells)
    assert summary[0]["failed"] == 2 and summary[0]["true_accuracy"] is None
