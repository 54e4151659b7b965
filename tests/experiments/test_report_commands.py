"""The commands that read finished runs: report, compare, tensorboard."""

import csv
import json
import struct
import sys

import pytest

from jaxnas.commands import compare, report, tensorboard
from tests.report import sample


def test_report_writes_the_page_and_says_where(tmp_path, capsys) -> None:
    assert report.main([str(sample.write(tmp_path / "run"))]) == 0
    assert capsys.readouterr().out == f"written to {tmp_path / 'run' / 'report.html'}\n"
    assert "One seed cannot tell" in (tmp_path / "run" / "report.html").read_text()


def test_report_of_no_run_is_one_sentence_and_exit_code_2(tmp_path, capsys) -> None:
    assert report.main([str(tmp_path / "none")]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {tmp_path / 'none'} holds no run") and error.count("\n") == 1


def test_compare_has_a_row_for_each_contender_of_each_run(tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    one = sample.write(tmp_path / "one")
    rows = [sample.seed_row("ours", "method", 62.0, None), sample.seed_row("not split", "unsplit", 61.0, (1.0, 0.5))]
    sample.seeds(tmp_path / "many", rows)
    (one / "config.json").write_text(json.dumps({"data": {"name": "[red]cifar10"}}))
    assert compare.main(["one", "many", "--csv", "rows.csv"]) == 0
    shown = capsys.readouterr().out
    for text in ("[red]cifar10", "1 seed", "3 seeds", "62.25", "[61.25,", "12,345", "120", "360"):
        assert text in shown
    found = list(csv.DictReader((tmp_path / "rows.csv").read_text().splitlines()))
    assert [(row["run"], row["contender"], row["seeds"]) for row in found] == [
        ("one", "split by gradient_matching", "1"),
        ("one", "not split", "1"),
        ("one", "random split 1", "1"),
        ("many", "ours", "3"),
        ("many", "not split", "3"),
    ]
    assert [found[0][name] for name in ("test_accuracy", "test_accuracy_low", "true_accuracy", "kendall_high")] == [
        *("62.25", "61.25", "91.5", "0.5")
    ]
    assert [row["seconds"] for row in found] == ["120.0"] * 3 + ["360.0"] * 2
    assert found[4]["true_accuracy"] == "" and found[4]["test_accuracy_high"] == "62.0"


def ranked_run(folder, seed: int, true: float, scores: list[int], truth: tuple[int, ...] = (9, 8, 7, 6, 5)) -> None:
    """A seed whose method ranks five cells."""
    lines = "".join(f"cell-{i},0,{t},{score}\n" for i, (t, score) in enumerate(zip(truth, scores, strict=True)))
    of = sample.contender("ours", "method", true - 20, true_accuracy=true, kendall=0.5)
    files = {"ranking__csv": "architecture,leaf,truth,method\n" + lines, "config__json": {"seed": seed}}
    sample.write(folder, **files, result__json=sample.result(contenders=[of]))


def test_compare_pairs_runs_by_seed_and_cell(tmp_path, capsys) -> None:
    # Taus of 5 cells, 10 pairs, by hand: sorted 1, one neighbouring pair exchanged .8, two .6.
    exact, one, two = [9, 8, 7, 6, 5], [8, 9, 7, 6, 5], [8, 9, 6, 7, 5]
    for seed, true, scores, true_b, scores_b in ((3, 90.0, two, 91.0, exact), (4, 88.0, two, 91.0, one)):
        ranked_run(tmp_path / "a" / f"seed-{seed}", seed, true, scores)
        ranked_run(tmp_path / "b" / f"seed-{seed}", seed, true_b, scores_b)
        ranked_run(tmp_path / "other-cells" / f"seed-{seed}", seed, true, scores, truth=(9, 8, 7, 6, 4))
    for name in ("a", "b", "other-cells"):
        row = sample.seed_row("ours", "method", 70.0, None)
        (tmp_path / name / "result.json").write_text(json.dumps({"seeds": [3, 4], "table": [row]}))
    first, second, other = compare.compared([tmp_path / "a", tmp_path / "b", tmp_path / "other-cells"])
    assert first["true_accuracy_difference"] is None and first["kendall_difference"] is None
    assert second["true_accuracy_difference"] == pytest.approx(2.0)
    half = 12.7062 * 2**0.5 / 2**0.5  # Student's quantile of one degree, deviation sqrt(2)
    assert second["true_accuracy_difference_high"] == pytest.approx(2 + half, abs=1e-3)
    assert second["kendall_difference"] == pytest.approx(((1 - 0.6) + (0.8 - 0.6)) / 2)
    assert other["kendall_difference"] is None and other["true_accuracy_difference"] == 0
    ranked_run(tmp_path / "single", 3, 91.5, exact)
    assert compare.compared([tmp_path / "a", tmp_path / "single"])[1]["true_accuracy_difference"] is None
    only = compare.compared([tmp_path / "a" / "seed-3", tmp_path / "single"])[1]
    assert (only["true_accuracy_difference"], only["true_accuracy_difference_low"]) == (1.5, None)
    assert compare.main([str(tmp_path / "a"), str(tmp_path / "b")]) == 0
    assert "paired by seed" in capsys.readouterr().out
    assert compare.main([str(tmp_path / "a")]) == 0
    assert "paired by seed" not in capsys.readouterr().out  # its method alone


def test_compare_subtracts_nothing_of_other_test_images_and_lists_other_settings(tmp_path, capsys) -> None:
    few = {"name": "digits", "test": 100, "distort": 0.0, "batch": 64}
    configs = {
        "one": {"seed": 3, "alone_epochs": 30, "data": few, "strategy": "vmap"},
        "longer": {"seed": 3, "alone_epochs": 90, "data": few, "strategy": "shard"},
        "all": {"seed": 3, "alone_epochs": 30, "data": {**few, "test": None}, "strategy": "vmap"},
        "cifar": {"seed": 3, "alone_epochs": 30, "data": {**few, "name": "cifar10"}, "strategy": "vmap"},
    }
    for name, config in configs.items():
        sample.write(tmp_path / name, config__json=config)
    paths = [tmp_path / name for name in configs]
    method = {row["run"]: row for row in compare.compared(paths) if row["kind"] == "method"}
    found = [[method[str(path)][f"{of}_difference"] for of in ("test_accuracy", "true_accuracy")] for path in paths]
    assert found == [[None, None], [0.0, 0.0], [None, 0.0], [None, None]]
    assert compare.main([str(path) for path in paths]) == 0
    shown = capsys.readouterr().out
    one = f"has other settings than {tmp_path / 'one'}"
    assert f"{tmp_path / 'longer'} {one}: alone_epochs 90 (not 30)\n" in shown
    assert f"{tmp_path / 'all'} {one}: data.test None (not 100)\n" in shown
    assert f"{tmp_path / 'cifar'} {one}: data.name cifar10 (not digits)\n" in shown
    assert f"{tmp_path / 'one'} has" not in shown


def test_compare_takes_a_run_without_controls_by_its_choice(tmp_path) -> None:
    (tmp_path / "result.json").write_text(
        json.dumps({"test_accuracy": 99.0, "true_accuracy": 91.0, "seconds": {"a": 2}})
    )
    (row,) = compare.compared([tmp_path])
    assert (row["contender"], row["test_accuracy"], row["test_accuracy_low"], row["true_accuracy"]) == (
        *("chosen", 99.0, None, 91.0),
    )


def test_compare_tells_an_unfinished_run_with_its_stage(tmp_path, capsys) -> None:
    run = sample.write(tmp_path / "run")
    (run / "result.json").unlink()
    assert compare.main([str(run)]) == 2
    error = capsys.readouterr().err
    assert f"{run} is unfinished, it has no result.json; run: Done: warm-up." in error and error.count("\n") == 1
    seeds = sample.seeds(tmp_path / "many", [])
    (seeds / "result.json").unlink()
    (seeds / "seed-1" / "result.json").unlink()
    assert compare.main([str(seeds)]) == 2
    assert "no result.json; seed-1: Done: warm-up." in capsys.readouterr().err
    assert compare.main([]) == 2
    assert capsys.readouterr().err == "error: name at least one work directory to compare\n"


def test_compare_tells_a_csv_that_cannot_be_written(tmp_path, capsys) -> None:
    run = sample.write(tmp_path / "run")
    assert compare.main([str(run), "--csv", str(tmp_path / "none" / "rows.csv")]) == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_scalars_are_every_number_on_its_curve() -> None:
    rows = [
        {"stage": "leaves", "epoch": 2, "leaf": 3, "loss": 0.5, "accuracy": 40, "sample": [1.5], "done": True},
        {"stage": "search", "generation": 1, "leaf": 0, "evaluated": 25, "best_accuracy": 41.5},
        {"stage": "alone", "epoch": 1, "loss": 1.5},
        {"stage": "split", "loss": 1.0},
    ]
    assert tensorboard.scalars(rows) == [
        ("leaves/loss/leaf_3", 0.5, 2),
        ("leaves/accuracy/leaf_3", 40.0, 2),
        ("search/best_accuracy/leaf_0", 41.5, 25),
        ("alone/loss", 1.5, 1),
    ]


def test_events_hold_the_rows_of_the_file_and_are_written_once(tmp_path, capsys) -> None:
    pytest.importorskip("tensorboardX")
    from tensorboardX.proto.event_pb2 import Event

    run = sample.write(tmp_path)
    assert tensorboard.main([str(run)]) == 0
    (file,) = (run / "tensorboard").iterdir()
    data, at, found = file.read_bytes(), 0, {}
    while at < len(data):  # a record: length u64, its checksum u32, the event, its checksum u32
        (length,) = struct.unpack_from("<Q", data, at)
        event = Event.FromString(data[at + 12 : at + 12 + length])
        found |= {(value.tag, event.step): value.simple_value for value in event.summary.value}
        at += 16 + length
    expected = {("warm_up/accuracy/leaf_0", e): 10.0 * e for e in (1, 2, 3)}
    expected |= {("warm_up/loss/leaf_0", e): pytest.approx(2.0 / e, rel=1e-6) for e in (1, 2, 3)}
    expected |= {(f"search/best_accuracy/leaf_{k}", 4): 40.0 + k for k in (0, 1)}
    assert found == expected
    assert tensorboard.main([str(run)]) == 2
    assert "is not an empty folder" in capsys.readouterr().err


def test_tensorboard_without_its_package_names_the_command(tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    assert tensorboard.main([str(sample.write(tmp_path))]) == 2
    assert "pip install tensorboardX" in capsys.readouterr().err


def test_tensorboard_of_a_run_without_curves_is_told(tmp_path, capsys) -> None:
    pytest.importorskip("tensorboardX")
    assert tensorboard.main([str(tmp_path)]) == 2
    assert "has no curves: metrics.jsonl is absent" in capsys.readouterr().err
    assert not (tmp_path / "tensorboard").exists()
