"""The correlation of metrics with the truth: a planted truth, and runs that are stopped."""

import csv
import re
from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest

from jaxnas.config import NetConfig
from jaxnas.data import load
from jaxnas.metrics import METRICS, scalar
from jaxnas.spaces import NAS_BENCH_201, Architecture
from jaxnas.spaces.counts import on_live_paths
from jaxnas.studies.correlation import command
from jaxnas.studies.correlation.command import PRESETS, Command, main, run
from jaxnas.studies.correlation.run import PUBLISHED, build_scorer, correlations, scalar_metrics, validate_correlation
from jaxnas.types import UserError
from jaxnas.workdir.journal import FILE

CONFIG = replace(PRESETS["digits"], metrics=("live_parameters", "parameters", "loss"), architectures=24)


def quiet(stage: str, done: int, total: int, note: str) -> None:
    pass


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A benchmark whose accuracy is the number of live weights."""
    every = NAS_BENCH_201.enumerate()
    weights = np.array([0, 0, 1, 9, 0])[every]
    live = (weights * on_live_paths(NAS_BENCH_201, every)).sum(1)
    path = tmp_path_factory.mktemp("table") / "table.csv"
    with open(path, "w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["architecture", "digits"])
        for op_ids, value in zip(every.tolist(), live.tolist(), strict=True):
            writer.writerow([NAS_BENCH_201.encode(Architecture(tuple(op_ids))), value])
    return path


@pytest.fixture(scope="module")
def finished(table, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("correlate")
    return workdir, run(Command(table, workdir, CONFIG), quiet)


def test_a_planted_truth_is_found_and_tables_are_written(finished) -> None:
    workdir, found = finished
    assert found[0]["metric"] == "live_parameters"
    assert found[0]["spearman"] == pytest.approx(1) and found[0]["kendall"] == pytest.approx(1)
    assert 0 < found[1]["spearman"] < 1 and found[1]["metric"] == "parameters"
    assert found[1]["spearman_low"] < found[1]["spearman"] < found[1]["spearman_high"]
    with open(workdir / "scores.csv") as handle:
        rows = list(csv.DictReader(handle))
    assert len(rows) == 24 and len({row["architecture"] for row in rows}) == 24
    assert float(rows[0]["live_parameters"]) > 0 and (workdir / "correlations.csv").exists()


def test_a_killed_run_goes_on_to_the_same_scores(finished, table, tmp_path, monkeypatch) -> None:
    whole, _ = finished
    scored = []

    def stop(stage: str, done: int, total: int, note: str) -> None:
        scored.append(done)
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(Command(table, tmp_path, CONFIG), stop)
    kept = tmp_path / FILE
    assert len(kept.read_text().splitlines()) == 5
    kept.write_bytes(kept.read_bytes()[:-7])  # killed while it wrote
    run(Command(table, tmp_path, CONFIG), lambda stage, done, total, note: scored.append(done))
    assert scored[6] == 4
    for name in ("scores.csv", "correlations.csv"):
        assert (tmp_path / name).read_bytes() == (whole / name).read_bytes()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"metrics": ("gradient_matching",)}, "gradient_matching"),
        ({"metrics": ("loss", "loss")}, "different"),
        ({"architectures": 4}, "5 .. 15625"),
    ],
)
def test_bad_settings_are_refused_before_work(change, said) -> None:
    with pytest.raises(UserError, match=said):
        validate_correlation(replace(CONFIG, **change))


@pytest.mark.parametrize("batch", [7, 2000])
def test_a_batch_that_cannot_be_filled_or_cut_is_refused(batch, table, tmp_path) -> None:
    config = replace(CONFIG, data=replace(CONFIG.data, batch=batch))
    with pytest.raises(UserError, match=rf"8 \.\. 1024 images, it is {batch}"):
        run(Command(table, tmp_path, config), quiet)


@pytest.mark.parametrize(("reason", "end"), [("", ""), ("all is lost", ": all is lost")])
def test_a_score_that_is_not_finite_is_refused_with_its_reason(reason, end, monkeypatch) -> None:
    lost = scalar(lambda probe: jnp.inf * probe.images.sum(), None)._replace(not_finite=reason)
    monkeypatch.setitem(METRICS, "lost", lambda network, space: lost)
    config = replace(CONFIG, net=NetConfig("toy", 2, 1), metrics=("lost",), architectures=5)
    scorer = build_scorer(config, load(config.data, 0))
    with pytest.raises(UserError) as error:
        scorer.run(0, np.array([1, 2]))
    told = r"metric lost is not finite \((-?inf|nan)\) for architecture \|skip_connect~0\|\+\|nor_conv_3x3~1\|"
    assert re.fullmatch(told + re.escape(end), str(error.value))


def test_the_command_tells_what_is_wrong_in_a_sentence(table, tmp_path, capsys) -> None:
    arguments = ["digits", "--benchmark", str(table), "--workdir", str(tmp_path), "--truth", "cifar10"]
    assert main(arguments) == 2
    assert "cifar10" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_smaller_is_better_turns_the_sign() -> None:
    scores = [{"loss": float(i)} for i in range(10)]
    (row,) = correlations(scores, -np.arange(10.0))
    assert row["spearman"] == pytest.approx(1) and row["published"] is None


def test_what_is_published_is_scored_here() -> None:
    assert set(PUBLISHED) <= set(scalar_metrics()) <= set(METRICS)
    assert command.PRESETS["cifar10"].metrics == ()
