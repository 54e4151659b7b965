"""Points of a regime on the toy space: numpy and scipy on the accuracies that are kept, weights by hand."""

import json
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxnas.config import SelectionConfig
from jaxnas.data import load
from jaxnas.few_shot import stages
from jaxnas.few_shot.config import ControlConfig
from jaxnas.few_shot.run_context import prepare
from jaxnas.few_shot.sample import uniform_cells
from jaxnas.studies.regime import run as regime
from jaxnas.studies.regime.command import Command, all_points, run, shown
from jaxnas.studies.regime.config import RegimeConfig
from jaxnas.types import QUIET, UserError
from tests.experiments.toy_truth import TRUTH, read, write_table
from tests.few_shot.small import SMALL

QUIETLY = (lambda *_: None,)
CONFIG = RegimeConfig(run=SMALL, phases=(2,), seeds=(4, 5, 6), recalibrate=1, looks=2, average=0.75)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("regime")
    write_table(folder / "table.csv")
    settings = replace(CONFIG.run, truth=replace(CONFIG.run.truth, table=folder / "table.csv"))
    command = Command(folder / "out", "short", replace(CONFIG, run=settings))
    first = run(command, *QUIETLY)
    restarted = replace(command, point="restart", config=replace(command.config, phases=(1, 1), varied=()))
    return command, first, restarted, run(restarted, *QUIETLY)


def kept(path: Path, epoch: int) -> dict[int, dict]:
    """seed -> the row of metrics.jsonl that tells its accuracies at an epoch."""
    rows = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    return {int(row["stage"].split("_")[1]): row for row in rows if row.get("done") == epoch}


def test_rows_are_the_correlations_of_the_accuracies_that_are_kept(finished) -> None:
    command, rows, *_ = finished
    context = prepare(command.config.run, load(command.config.run.data, 4))
    truth = [TRUTH[tuple(cell)] for cell in uniform_cells(context).tolist()]
    last = kept(command.workdir / "short", 2)
    assert [row["evaluation"] for row in rows] == [
        *("batch statistics", "a quarter of the images", "recalibrated", "averaged weights", "mean over looks")
    ]
    first = kept(command.workdir / "short", 1)
    for seed in (4, 5, 6):
        last[seed]["read"]["mean over looks"] = [
            (a + b) / 2 for a, b in zip(*(of[seed]["read"]["batch statistics"] for of in (first, last)), strict=True)
        ]
    for row in rows:
        scores = [last[seed]["read"][row["evaluation"]] for seed in (4, 5, 6)]
        taus = [stats.kendalltau(of, truth).statistic for of in scores]
        known = not np.isnan(taus).any()
        assert row["kendall"] == (pytest.approx(np.mean(taus)) if known else None)
        assert row["deviation"] == (pytest.approx(np.std(taus, ddof=1)) if known else None)
        better = np.array(truth) >= 80  # two of four
        halves = [stats.kendalltau(np.array(of)[better], np.array(truth)[better]).statistic for of in scores]
        assert row["kendall_half"] == (None if np.isnan(halves).any() else pytest.approx(np.mean(halves)))
        pairs = [stats.kendalltau(scores[i], scores[j]).statistic for i, j in ((0, 1), (0, 2), (1, 2))]
        assert row["reliability"] == (None if np.isnan(pairs).any() else pytest.approx(np.mean(pairs)))
        of_best = [np.mean([t for t, s in zip(truth, of, strict=True) if s == max(of)]) for of in scores]
        assert row["regret"] == pytest.approx(90.0 - np.mean(of_best)) and row["n"] == 4 and row["minutes"] > 0
    looks = read(command.workdir / "short" / "looks.csv")
    assert [(row["seed"], row["epoch"], row["steps"]) for row in looks if row["evaluation"] == "batch statistics"] == [
        (seed, epoch, str(4 * int(epoch))) for seed in "456" for epoch in "12"
    ]
    assert shown(rows).row_count == 5


def test_a_supernet_is_the_warmed_up_one_of_a_few_shot_run_of_its_seed(finished) -> None:
    command, *_ = finished
    own = replace(command.config.run, seed=5, warmup_epochs=2)
    context = prepare(own, load(own.data, 5))
    params = stages.warm_up(context, QUIET)
    stacked = jax.tree.map(lambda leaf: leaf[None], params)
    scores = stages.score_paths(context, stacked, [uniform_cells(context)])
    assert kept(command.workdir / "short", 2)[5]["read"]["batch statistics"] == pytest.approx(
        scores[0].tolist(), abs=1e-4
    )


def test_parts_that_are_not_varied_are_those_of_the_first_seed(finished) -> None:
    command, *_ = finished
    by_draws = replace(command.config, varied=("draws",))
    assert [regime.seed_of(by_draws, part, 6) for part in regime.VARIED] == [4, 4, 6]
    assert [regime.seed_of(CONFIG, part, 6) for part in regime.VARIED] == [6, 6, 6]
    for point, different in (("short", 3), ("restart", 1)):  # all is varied; nothing is
        last = kept(command.workdir / point, 2)
        found = [list(last[seed]["read"].values()) for seed in (4, 5, 6)]
        assert len({str(of) for of in found}) == different


def test_all_points_of_a_folder_stand_side_by_side_with_what_is_their_own(finished) -> None:
    command, first, _, second = finished
    points = read(command.workdir / "points.csv")
    assert [row["point"] for row in points] == ["restart"] * 5 + ["short"] * 5
    assert [row["kendall"] for row in points] == [
        "" if r["kendall"] is None else str(r["kendall"]) for r in second + first
    ]
    assert points[0]["settings"] == "phases=[1, 1] varied=[]" and "phases=[2]" in points[-1]["settings"]
    drawn = ElementTree.parse(command.workdir / "kendall.svg").getroot()  # raises, if it is no XML
    assert "short" in {text.text for text in drawn.iter("{http://www.w3.org/2000/svg}text")}
    page = (command.workdir / "report.html").read_text()
    assert all(text in page for text in ("short", "restart", "averaged weights", "tau-b between two seeds"))


def test_what_other_commands_left_in_the_folder_is_no_point(finished) -> None:
    command, *_ = finished
    other = command.workdir / "other"
    other.mkdir()
    (other / "result.json").write_text('{"contenders": []}')
    assert {row["point"] for row in all_points(command.workdir)} == {"short", "restart"}


def test_a_finished_point_is_read_and_not_trained_again(finished) -> None:
    command, rows, *_ = finished
    before = (command.workdir / "short" / "metrics.jsonl").read_bytes()
    assert run(command, *QUIETLY) == rows
    assert (command.workdir / "short" / "metrics.jsonl").read_bytes() == before
    with pytest.raises(UserError, match="run of another config"):
        run(replace(command, config=replace(command.config, average=0.5)), *QUIETLY)


def test_a_stopped_point_goes_on_to_the_same_rows_whatever_controls_and_selector_its_run_has(
    finished, monkeypatch
) -> None:
    command, rows, *_ = finished
    others = {"control": ControlConfig(unsplit=False), "selection": SelectionConfig("perturbation", recalibrate=1)}
    config = replace(command.config, run=replace(command.config.run, **others))
    again = replace(command, workdir=command.workdir.parent / "stopped", config=config)
    monkeypatch.setattr("jaxnas.workdir.stages.EVERY", 0.0)

    def stop(stage: str, done: int, total: int, note: str) -> None:
        if (stage, done) == ("seed_5_phase_0", 1):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(again, stop)
    assert [row["kendall"] for row in run(again, *QUIETLY)] == [row["kendall"] for row in rows]
    whole, stopped = (of.workdir / "short" / "metrics.jsonl" for of in (command, again))
    assert stopped.read_bytes() == whole.read_bytes()


def test_a_finished_point_is_not_read_beside_another_truth(finished, tmp_path) -> None:
    command, *_ = finished
    table = command.config.run.truth.table
    other = tmp_path / "other.csv"
    other.write_text(table.read_text().replace("60.0", "61.0"))
    run_config = replace(command.config.run, truth=replace(command.config.run.truth, table=other))
    with pytest.raises(UserError, match="run on other inputs"):
        run(replace(command, config=replace(command.config, run=run_config)), *QUIETLY)


def test_the_mean_of_weights_by_hand() -> None:
    mean = {"w": jnp.array([[0.0, 0.0], [4.0, 8.0]])}
    weights = {"w": jnp.array([[1.0, 2.0], [8.0, 4.0]])}
    found = regime.mix(0.75, mean, weights, jnp.array([True, False]))["w"]
    np.testing.assert_allclose(found, [[1.0, 2.0], [5.0, 7.0]])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"phases": ()}, r"phases must be one or more numbers of epochs from 1 on, not \[\]"),
        ({"phases": (3, 0)}, r"from 1 on, not \[3, 0\]"),
        ({"seeds": (1, 1)}, r"seeds must be different numbers from 0 on, not \[1, 1\]"),
        ({"varied": ("paths",)}, r"unknown varied \['paths'\]; allowed: \['weights', 'images', 'draws'\]"),
        ({"looks": 0}, "looks must be at least 1, it is 0"),
        ({"recalibrate": -1}, "recalibrate must be at least 0, it is -1"),
        ({"average": 1.0}, "average must lie in 0 .. 1, 1 excluded; it is 1"),
        ({"run": replace(SMALL, leaf_weights="new")}, "uniform paths from the warmed-up weights"),
    ],
)
def test_what_cannot_be_is_told_before_the_work(finished, settings, message) -> None:
    command, *_ = finished
    config = replace(command.config, **settings)
    config = replace(config, run=replace(config.run, truth=command.config.run.truth))
    with pytest.raises(UserError, match=message):
        regime.validate_regime(config)


def test_more_calibration_batches_than_images_are_told_before_the_folder_is_made(finished) -> None:
    command, *_ = finished
    greedy = replace(command, point="greedy", config=replace(command.config, recalibrate=2))
    with pytest.raises(UserError, match=r"recalibrate \(2\) takes 256 training images, there are 128"):
        run(greedy, *QUIETLY)
    assert not (command.workdir / "greedy").exists()


def test_a_regime_without_truth_or_with_a_strange_name_is_refused(tmp_path) -> None:
    with pytest.raises(UserError, match=r"give --truth\.table"):
        run(Command(tmp_path, "a", CONFIG), *QUIETLY)
    for name in ("../a", "..", ".", ""):
        with pytest.raises(UserError, match=f"named like a folder, not '{re.escape(name)}'"):
            run(Command(tmp_path, name, CONFIG), *QUIETLY)
