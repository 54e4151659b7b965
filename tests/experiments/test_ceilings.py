"""Ceilings on the toy space: correlations by scipy, the supernets of a few-shot run, and planted accuracies."""

from contextlib import contextmanager
from dataclasses import replace
from itertools import combinations

import jax
import numpy as np
import pytest
from scipy import stats

from jaxnas.data import load
from jaxnas.few_shot import stages as few_shot
from jaxnas.few_shot.leaves import train_leaves
from jaxnas.few_shot.run_context import UNSPLIT, of_seed, prepare
from jaxnas.spaces import NAS_BENCH_201, TOY
from jaxnas.studies.ceilings import run as ceilings
from jaxnas.studies.ceilings.command import Command, run, shown
from jaxnas.studies.ceilings.config import CeilingsConfig
from jaxnas.types import QUIET, UserError
from tests.experiments.toy_truth import TRUTH, read, write_table
from tests.few_shot.small import SMALL

CONFIG = CeilingsConfig(run=replace(SMALL, seed=3), alone=3, supernet_seeds=3, epochs=2)
QUIETLY = (lambda *_: None,)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ceilings")
    write_table(folder / "table.csv")
    truth = replace(CONFIG.run.truth, table=folder / "table.csv")
    command = Command(folder / "run", replace(CONFIG, run=replace(CONFIG.run, truth=truth)))
    return command, run(command, *QUIETLY)


def test_rows_are_the_correlations_of_the_accuracies_that_are_kept(finished) -> None:
    command, rows = finished
    cells = read(command.workdir / "accuracies.csv")
    assert len(cells) == 4 and [row["alone_3"] == "" for row in cells] == [False] * 3 + [True]
    ids = [TOY.decode(row["architecture"]).op_ids for row in cells]
    assert [float(row["true_accuracy"]) for row in cells] == [TRUTH[of] for of in ids]

    def tau(first: str, second: str) -> float | None:
        pairs = [(float(row[first]), float(row[second])) for row in cells if row[first] and row[second]]
        found = stats.kendalltau(*zip(*pairs, strict=True)).statistic
        return None if np.isnan(found) else pytest.approx(found)

    columns = {"alone": (3, 4), "supernets": (3, 4, 5)}
    name = {"alone": "alone", "supernets": "supernet"}
    for kind, seeds in columns.items():
        of = {(r["compared"], r["seed"], r["other_seed"]): r["kendall"] for r in rows if r["compared"].startswith(kind)}
        for i, j in combinations(seeds, 2):
            assert of[f"{kind} between seeds", i, j] == tau(f"{name[kind]}_{i}", f"{name[kind]}_{j}")
        for i in seeds:
            assert of[f"{kind} with table", i, None] == tau(f"{name[kind]}_{i}", "true_accuracy")
        for what in ("between seeds", "with table"):
            each = [v for (compared, seed, _), v in of.items() if compared == f"{kind} {what}" and seed is not None]
            mean = of[f"{kind} {what}", None, None]
            assert mean is None if None in each else mean == pytest.approx(np.mean(each))
    assert [r["architectures"] for r in rows if r["compared"] == "supernets with alone"] == [3] * 4
    assert len(read(command.workdir / "ceilings.csv")) == len(rows) == 1 + 1 + 1 + 2 + 1 + 3 + 1 + 3 + 1 + 3


def test_a_finished_run_is_read_and_not_trained_again(finished, monkeypatch) -> None:
    command, rows = finished
    before = (command.workdir / "metrics.jsonl").read_bytes()
    assert run(command, *QUIETLY) == rows
    assert (command.workdir / "metrics.jsonl").read_bytes() == before
    with pytest.raises(UserError, match="run of another config"):
        run(replace(command, config=replace(command.config, epochs=1)), *QUIETLY)


def test_a_supernet_is_the_unsplit_one_of_a_few_shot_run_of_its_seed() -> None:
    @contextmanager
    def stages(name: str):
        yield QUIET

    context = prepare(CONFIG.run, load(CONFIG.run.data, CONFIG.run.seed))
    found = ceilings.supernets(context, replace(CONFIG, epochs=None), stages)
    own = of_seed(context, 4)
    warm = few_shot.warm_up(own, QUIET)
    leaves = 2 * CONFIG.run.leaf_epochs  # a tree of two leaves
    expected = train_leaves(own, warm, TOY.full_mask()[None], leaves, (UNSPLIT, 0), QUIET).subnet.params
    second = jax.tree.map(lambda leaf: leaf[1:2], found)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), second, expected)


def test_planted_accuracies_are_told_from_noise() -> None:
    """Networks trained alone that know the table, and supernets that agree with each other on something else."""
    rng = np.random.default_rng(0)
    op_ids, truth, other = NAS_BENCH_201.draw_connected(rng, 60), rng.normal(size=60), rng.normal(size=60)
    alone = truth[:40] + 0.05 * rng.normal(size=(2, 40))
    supernets = other + 0.05 * rng.normal(size=(3, 60))
    context = prepare(SMALL, load(SMALL.data, 0))
    rows = ceilings.ceiling_rows(context, ceilings.Measured(op_ids, alone, supernets, truth))
    means = {row["compared"]: row for row in rows if row["seed"] is None}
    for what in ("alone with table", "alone between seeds", "supernets between seeds"):
        assert 0.8 < means[what]["low"] <= means[what]["kendall"] <= 1
    for what in ("supernets with table", "supernets with alone"):
        assert means[what]["low"] < 0 < means[what]["high"]
    one = ceilings.ceiling_rows(context, ceilings.Measured(op_ids, alone[:1], supernets[:1], None))
    assert [row["compared"] for row in one] == ["supernets with alone"] * 2
    assert shown(rows).row_count == 5


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"alone": 301}, "alone .301. must not exceed ranked .300."),
        ({"epochs": 0}, "epochs must be at least 1, it is 0"),
        ({"supernet_seeds": 0}, "supernet_seeds must be at least 1, it is 0"),
    ],
)
def test_numbers_that_cannot_be_are_refused(settings, message) -> None:
    with pytest.raises(UserError, match=message):
        ceilings.validate_ceilings(replace(CONFIG, **settings))
