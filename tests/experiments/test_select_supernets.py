"""Replayed rules: a table with a planted optimum, controls that must hold, files that must be there."""

import csv
import json

import numpy as np
import pytest

from jaxnas import benchmarks
from jaxnas.selection.leaves import RULES, Picked
from jaxnas.spaces import NAS_BENCH_201, Architecture
from jaxnas.spaces.tree import SplitTree
from jaxnas.splitting import at_random, grow
from jaxnas.studies.leaf_selection.command import PRESETS, Command, Setting, main, run
from jaxnas.studies.leaf_selection.run import Trial, arms_of, check, of_run, of_table, replay, summarise
from jaxnas.types import UserError

RNG = np.random.default_rng(0)
LEAF = np.repeat(np.arange(4), 50)  # four sub-supernets of 50
EVEN = np.concatenate([RNG.uniform(50, 60, 50) + 5 * (k == 2) for k in range(4)])  # the third is better throughout
TAIL = np.concatenate([np.full(50, 60.0), RNG.uniform(20, 70, 50), np.full(50, 58.0), np.full(50, 59.0)])


def by_rule(accuracies: np.ndarray, budget: int, noise: float = 0.0, repetitions: int = 32, seed: int = 0):
    found = replay([of_table("planted", LEAF, accuracies)], tuple(RULES), (budget,), (noise,), repetitions, seed)
    return {outcome.rule: outcome for outcome in found}


def test_rules_find_what_is_better_throughout_and_the_controls_stand_beside() -> None:
    found = by_rule(EVEN, 80)
    assert found["oracle"].regret == 0 and found["oracle"].found == 1
    regrets = EVEN.max() - np.array([EVEN[k == LEAF].max() for k in range(4)])
    assert 0.5 * regrets.mean() < found["random"].regret < 1.5 * regrets.mean()
    for name in set(RULES) - {"random", "ucb_max"}:
        assert found[name].found > 0.9, name


def test_the_mean_misses_a_tail_that_the_expected_best_finds() -> None:
    found = by_rule(TAIL, 80)
    assert found["mean"].found == found["whole"].found == 0
    assert found["expected_best"].found > 0.95 and found["ucb_max"].found > 0.8


def test_evaluations_are_counted_and_budgets_kept() -> None:
    found = by_rule(EVEN, 41)
    assert found["random"].evaluations == 0 and found["whole"].evaluations == 4
    for name in set(RULES) - {"random", "whole"}:
        assert 35 <= found[name].evaluations <= 41, name


def test_noise_hides_and_seeds_repeat() -> None:
    clean, noisy = by_rule(EVEN, 8), by_rule(EVEN, 8, noise=50.0)
    assert noisy["mean"].found < clean["mean"].found
    assert by_rule(EVEN, 8, noise=5.0) == by_rule(EVEN, 8, noise=5.0) != by_rule(EVEN, 8, noise=5.0, seed=1)
    arms = arms_of(of_table("zeros", np.zeros(3, int), np.zeros(3)), 2.0)
    assert np.std(arms.pull(np.random.default_rng(0), 0, 20_000)) == pytest.approx(2.0, rel=0.03)


def test_summaries_are_means_over_splits() -> None:
    trials = [of_table("a", LEAF, EVEN), of_table("b", LEAF[::-1], EVEN)]
    outcomes = [*replay(trials, ("mean",), (8,), (0.0,), 4, 0)]
    rows = {(row.rule, row.budget): row for row in summarise(outcomes)}
    of_mean = [outcome.regret for outcome in outcomes if outcome.rule == "mean"]
    assert rows["mean", 8].regret == pytest.approx(np.mean(of_mean)) and rows["mean", 8].splits == 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rules": ("best",)}, "some of"),
        ({"budgets": (0,)}, "from 1 on"),
        ({"noises": (-1.0,)}, "from 0 on"),
        ({"repetitions": 1}, "from 2 on"),
    ],
)
def test_settings_that_cannot_be_are_refused(change, said) -> None:
    given = {"rules": ("mean",), "budgets": (8,), "noises": (0.0,), "repetitions": 2, **change}
    with pytest.raises(UserError, match=said):
        check(**given)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A run's split tree and a table of the space."""
    folder = tmp_path_factory.mktemp("select")
    tree: SplitTree = grow(NAS_BENCH_201, (2, 2), at_random(NAS_BENCH_201, np.random.default_rng(1)))
    (folder / "split_tree.json").write_text(json.dumps(tree.to_json()))
    values = np.random.default_rng(2).uniform(10, 90, NAS_BENCH_201.size).round(2).tolist()
    (folder / "config.json").write_text(json.dumps({"data": {"name": "cifar10"}}))
    scored = [f"|a|,{leaf},50.0,{40 + 10 * (leaf == 2) + i}" for leaf in range(4) for i in range(3)]
    (folder / "ranking.csv").write_text("\n".join(["architecture,leaf,truth,method", *scored]) + "\n")
    with open(folder / "table.csv", "w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["architecture", "cifar10"])
        for op_ids, value in zip(NAS_BENCH_201.enumerate().tolist(), values, strict=True):
            writer.writerow([NAS_BENCH_201.encode(Architecture(tuple(op_ids))), value])
    return folder


def test_without_names_every_registered_rule_is_replayed(files, tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(RULES, "last", lambda rng, arms, budget: Picked(len(arms.sizes) - 1, np.zeros(4, int)))
    setting = Setting(budgets=(8,), noises=(0.0,), repetitions=2, random_splits=0)
    found = run(Command(files / "split_tree.json", files / "table.csv", tmp_path, setting), lambda *told: None)
    assert {row.rule for row in found} == {*RULES, "oracle"}


def test_the_command_writes_outcomes_means_and_a_page(files, tmp_path) -> None:
    setting = Setting(budgets=(8, 16), noises=(0.0, 1.0), rules=("mean", "ucb_max", "random"), repetitions=2)
    command = Command(files / "split_tree.json", files / "table.csv", tmp_path, setting, files)
    found = run(command, lambda *told: None)
    with open(tmp_path / "outcomes.csv") as handle:
        rows = list(csv.DictReader(handle))
    # Two splits, the tree and a random one like it; two noises; three rules by two budgets, and the oracle; and the
    # trained leaves, without noise.
    assert len(rows) == (2 * 2 + 1) * (3 * 2 + 1) and len({row["split"] for row in rows}) == 3
    assert len(found) == 3 * (3 * 2 + 1)
    page = (tmp_path / "report.html").read_text()
    assert page.count("<svg") == 3 and "ucb max" in page and "deviation 1" in page and "trained" in page
    # The run's own scores put the third leaf first, whatever its cells are worth.
    best = [row for row in rows if row["source"] == "trained" and row["rule"] == "mean"]
    of_leaf = {row["regret"] for row in best}
    assert len(best) == 2 and len(of_leaf) == 1


def trials_with(files, folder, by_parent) -> list[Trial]:
    """Trials of the run with two architectures of each leaf, then a bred one; `by_parent(leaf, i)` is the column."""
    for file in ("split_tree.json", "config.json", "ranking.csv"):
        (folder / file).write_text((files / file).read_text())
    drawn = [(leaf, 40 + 10 * (leaf == 2) + i, by_parent(leaf, i)) for leaf in range(4) for i in (0, 1)]
    rows = [("leaf", "supernet_validation_accuracy", "parent_accuracy"), *drawn, (3, 90.0, "")]
    (folder / "architectures.csv").write_text("".join(f"{a},{b},{c}\n" for a, b, c in rows))
    return of_run(NAS_BENCH_201, folder, benchmarks.read_table(NAS_BENCH_201, files / "table.csv"))


def test_scores_by_the_parent_add_a_trial_less_leaf_bias(files, tmp_path) -> None:
    trained, corrected = trials_with(files, tmp_path, lambda leaf, i: 40 + 3 * (leaf == 1) + i)
    assert (trained.source, corrected.source) == ("trained", "corrected")
    # The third leaf scores 10 above the parent, the second 3 below, in the mean 1.75.
    wanted = [np.arange(3) + 40 + 3 * (leaf == 1) + 1.75 for leaf in range(4)]
    np.testing.assert_allclose(corrected.scores, wanted)
    outcomes = replay([trained, corrected], ("mean", "random"), (8,), (2.0,), 4, 0)
    found = {(o.source, o.rule): (o.evaluations, o.regret) for o in outcomes}
    assert found["trained", "mean"] == (8, trained.regrets[2])
    assert found["corrected", "mean"] == (8 + 2 * 8, trained.regrets[1])  # both supernets, eight architectures
    assert found["corrected", "random"][0] == 0


def test_without_scores_by_the_parent_there_is_one_trial_and_damaged_ones_are_refused(files, tmp_path) -> None:
    assert [trial.source for trial in trials_with(files, tmp_path, lambda leaf, i: "")] == ["trained"]
    with pytest.raises(UserError, match="could not convert"):
        trials_with(files, tmp_path, lambda leaf, i: "x")
    with pytest.raises(UserError, match="at least one architecture of each"):
        trials_with(files, tmp_path, lambda leaf, i: 40 if leaf else "")


@pytest.mark.parametrize(
    ("rows", "wanted"),
    [
        ([("leaf", 50), ("uniform", 99), ("top", 98)], [50, 51, 52, 53]),  # each leaf has a sample of its own
        ([("uniform", 40), ("top", 98)], [40, 41, 42, 43]),
    ],
)
def test_scores_of_a_leaf_are_those_drawn_at_random_in_it(files, tmp_path, rows, wanted) -> None:
    for file in ("split_tree.json", "config.json"):
        (tmp_path / file).write_text((files / file).read_text())
    lines = [f"|a|,{kind},{leaf},50,{score + leaf}" for kind, score in rows for leaf in range(4)]
    (tmp_path / "ranking.csv").write_text("\n".join(["architecture,sample,leaf,truth,method", *lines]))
    (trial,) = of_run(NAS_BENCH_201, tmp_path, benchmarks.read_table(NAS_BENCH_201, files / "table.csv"))
    assert [scores.tolist() for scores in trial.scores] == [[score] for score in wanted]


@pytest.mark.parametrize(
    ("name", "content"), [("ranking.csv", "a,b\n1,2\n"), ("config.json", "{}"), ("ranking.csv", "")]
)
def test_a_run_without_a_ranking_is_refused(files, tmp_path, name, content) -> None:
    for file in ("split_tree.json", "config.json", "ranking.csv"):
        (tmp_path / file).write_text((files / file).read_text())
    (tmp_path / name).write_text(content)
    table = benchmarks.read_table(NAS_BENCH_201, files / "table.csv")
    with pytest.raises(UserError, match=r"no finished few-shot run|no architecture of some leaf"):
        of_run(NAS_BENCH_201, tmp_path, table)


def test_the_command_says_what_is_wrong(files, tmp_path, capsys) -> None:
    arguments = ["quick", "--splits", str(files / "table.csv"), "--benchmark", str(files / "table.csv")]
    assert main([*arguments, "--workdir", str(tmp_path / "out")]) == 2
    assert "error:" in capsys.readouterr().err and not (tmp_path / "out").exists()
    assert PRESETS["full"].repetitions >= 32
