"""The command on splits: its tables and page, and how it says no."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from jaxnas.benchmarks import Table, write_compact
from jaxnas.spaces import TOY, Architecture, tree_of
from jaxnas.studies.split_quality.command import main

PARTS = [[[1, 0, 0], [1, 1, 1]], [[0, 1, 1], [1, 1, 0]], [[0, 1, 1], [0, 0, 1]]]
ACCURACIES = {"cifar10": np.array([10.0, 20, 30, 90, 50, 60, 70, 80, 40]), "cifar100": np.arange(9.0)}
STATISTICS = (
    *("eta2", "entropy_top1_bits", "kl_top1_bits", "max_share_top1", "max_enrichment_top1", "subs_with_top1"),
    *("one_per_sub", "regret_by_mean", "regret_by_expected_best_10"),
)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    splits = {"gm": {"CIFAR10": PARTS}, "lr": {"CIFAR10": PARTS[::-1], "svhn": PARTS}}
    (tmp_path / "splits.json").write_text(json.dumps({"splits": splits}))
    (tmp_path / "split_tree.json").write_text(json.dumps(tree_of(TOY, np.array(PARTS, bool)).to_json()))
    lines = ["architecture,cifar10,cifar100"]
    for i, op_ids in enumerate(TOY.enumerate().tolist()):
        values = ",".join(str(values[i]) for values in ACCURACIES.values())
        lines.append(f"{TOY.encode(Architecture(tuple(op_ids)))},{values}")
    (tmp_path / "table.csv").write_text("\n".join(lines) + "\n")
    write_compact(Table(TOY, "a test", ACCURACIES, ""), tmp_path / "table.npz")
    return tmp_path


def run(files: Path, splits: str, table: str, out: str = "out", *more: str) -> int:
    arguments = {"--splits": files / splits, "--benchmark": files / table, "--workdir": files / out, "--space": "toy"}
    return main([str(x) for pair in arguments.items() for x in pair] + list(more))


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


def test_the_tables_have_the_columns_and_numbers_that_are_promised(files, capsys) -> None:
    assert run(files, "splits.json", "table.csv") == 0
    said = capsys.readouterr().out
    assert "Left out, for want of accuracies: 1 splits on svhn." in said
    assert said.endswith(f"written to {files / 'out' / 'report.html'}\n")
    subs = rows(files / "out" / "sub_supernets.csv")
    assert list(subs[0]) == [
        *("metric", "dataset", "sub", "n_architectures", "mean", "std", "min", "median", "max", "n_top1"),
        *("share_top1", "share_top5", "share_top10", "enrichment_top1", "expected_best_of_10", "expected_best_of_100"),
        *("has_optimum", "regret"),
    ]
    assert [(row["metric"], row["sub"], row["n_architectures"]) for row in subs] == [
        *(("gm", "0", "3"), ("gm", "1", "4"), ("gm", "2", "2")),
        *(("lr", "0", "2"), ("lr", "1", "4"), ("lr", "2", "3")),
    ]
    assert (subs[1]["mean"], subs[1]["max"], subs[1]["enrichment_top1"], subs[1]["has_optimum"]) == (
        *("72.5", "90.0", "2.25", "True"),
    )
    assert (subs[2]["mean"], subs[2]["regret"], subs[2]["has_optimum"]) == ("50.0", "30.0", "False")
    splits = rows(files / "out" / "splits.csv")
    nulls = [f"null_{name}_{statistic}" for name in ("same_edges", "random_edges") for statistic in STATISTICS]
    assert list(splits[0]) == ["metric", "dataset", "is_partition", *STATISTICS, *nulls]
    assert len(splits) == 2 and splits[0]["is_partition"] == "True"
    for row in splits:
        assert row["kl_top1_bits"] == "1.169925" and row["regret_by_mean"] == "0.0"  # log2(9 / 4)
        assert all(0 <= float(row[name]) <= 100 for name in nulls)
        assert [row[name] for name in nulls] == [splits[0][name] for name in nulls]  # a split and its mirror image
    page = (files / "out" / "report.html").read_text()
    assert "gm, lr (cifar10), %" in page and "svhn" in page and "published tables" not in page


def test_the_tree_of_a_run_is_judged_on_every_data_set_and_files_repeat_exactly(files, capsys) -> None:
    assert run(files, "split_tree.json", "table.npz") == 0
    assert [(row["metric"], row["dataset"]) for row in rows(files / "out" / "splits.csv")] == [
        *(("split_tree", "cifar10"), ("split_tree", "cifar100")),
    ]
    assert run(files, "split_tree.json", "table.npz", "again") == 0
    for name in ("sub_supernets.csv", "splits.csv", "report.html"):
        assert (files / "out" / name).read_bytes() == (files / "again" / name).read_bytes()


@pytest.mark.parametrize(
    ("splits", "table", "more", "words"),
    [
        ("none.json", "table.csv", (), "cannot read"),
        ("table.csv", "table.csv", (), "is damaged, or no JSON"),
        ("splits.json", "none.csv", (), "cannot read"),
        ("splits.json", "splits.json", (), "is damaged or of no known format"),
        ("splits.json", "half.npz", (), "is damaged"),
        ("splits.json", "half.csv", (), "lacks 4 of the 9 architectures of toy"),
        ("holes.json", "table.csv", (), "is no partition; of 9 architectures 3 are in none"),
        ("empty.json", "table.csv", (), "every edge needs an open operation"),
        ("svhn.json", "table.csv", (), "has accuracies on ['cifar10', 'cifar100'], the splits are for ['svhn']"),
        ("splits.json", "table.csv", ("--space", "nas-bench-201"), "operations of nas-bench-201), not (3, 2, 3)"),
        ("split_tree.json", "table.csv", ("--space", "nas-bench-201"), "is of space 'toy'"),
        ("splits.json", "table.csv", ("--space", "darts"), "there is no space 'darts'; allowed:"),
        ("splits.json", "table.csv", ("--workdir", "{files}/run"), "holds a run"),
        ("splits.json", "table.csv", ("--workdir", "{files}/table.csv"), "cannot write to"),
    ],
)
def test_bad_input_is_one_sentence_before_any_file_is_written(files, capsys, splits, table, more, words) -> None:
    for name, masks, dataset in (("holes", PARTS[1:], "cifar10"), ("svhn", PARTS, "svhn")):
        (files / f"{name}.json").write_text(json.dumps({"splits": {"gm": {dataset: masks}}}))
    empty = [*PARTS, [[0, 0, 0], [1, 1, 1]]]
    (files / "empty.json").write_text(json.dumps({"splits": {"gm": {"cifar10": empty}}}))
    (files / "half.npz").write_bytes((files / "table.npz").read_bytes()[:300])
    (files / "half.csv").write_text("\n".join((files / "table.csv").read_text().splitlines()[:6]) + "\n")
    (files / "run").mkdir()
    (files / "run" / "config.json").write_text("{}")
    assert run(files, splits, table, "out", *(word.format(files=files) for word in more)) == 2
    told = capsys.readouterr()
    assert told.err.startswith("error: ") and words in told.err and told.err.count("\n") == 1 and told.out == ""
    assert not list(files.rglob("splits.csv")) and not list(files.rglob("report.html"))
