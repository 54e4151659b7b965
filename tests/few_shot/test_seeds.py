"""Several seeds as one table, worked by hand."""

import json
from copy import deepcopy

import numpy as np
import pytest
from scipy import stats

from jaxnas.few_shot.seeds import SeedScores, deviations, join_seeds, read_scores

T2, T1 = 4.302652729911275, 12.706204736174698  # 97.5 % points of Student's t, 2 and 1 degrees of freedom


def row(name: str, test: float, true: float | None, tau: float | None) -> dict:
    kendall = None if tau is None else {"value": tau, "low": -1.0, "high": 1.0, "n": 9}
    kind = "method" if name == "ours" else "unsplit"
    return {
        **{"name": name, "kind": kind, "test_accuracy": test, "true_accuracy": true, "kendall": kendall},
        **{"images": 1000, "evaluations": 8},
    }


def result(ours: float, other: float, architecture: str, random: dict | None = None) -> dict:
    return {
        "architecture": architecture,
        "contenders": [row("ours", ours, ours + 20, ours / 100), row("not split", other, None, None)],
        "random_architecture": random,
        "seconds": {"warm_up": 1.25, "judge": 2.0},
    }


NONE = [None]  # no ranking sample
RESULTS = {3: result(60, 61, "a"), 1: result(62, 60, "b"), 7: result(67, 65, "a")}


def test_means_and_paired_differences_have_students_intervals() -> None:
    joined = join_seeds(RESULTS, NONE)
    assert (joined["seeds"], joined["architectures"]) == ([3, 1, 7], ["a", "b", "a"])
    ours, other = joined["table"]
    # 60, 62, 67: mean 63, deviations -3, -1, 4, variance 26 / 2.
    half = T2 * (13 / 3) ** 0.5
    assert ours["test_accuracy"] == pytest.approx({"mean": 63, "low": 63 - half, "high": 63 + half, "n": 3})
    assert ours["true_accuracy"] == pytest.approx({"mean": 83, "low": 83 - half, "high": 83 + half, "n": 3})
    assert ours["kendall"]["mean"] == pytest.approx(0.63) and ours["difference"] is None
    # 60 - 61, 62 - 60, 67 - 65: mean 1, deviations -2, 1, 1, variance 3; unpaired, it would be wider.
    half = T2 * (3 / 3) ** 0.5
    assert other["difference"] == pytest.approx({"mean": 1, "low": 1 - half, "high": 1 + half, "n": 3})
    assert other["test_accuracy"]["mean"] == pytest.approx(62)
    assert (other["kind"], other["images"], other["evaluations"]) == ("unsplit", 1000, 8)
    assert joined["seconds"] == {"together": 9.75}
    assert json.loads(json.dumps(joined, allow_nan=False)) == joined


def test_deviations_are_of_the_paired_differences() -> None:
    # -1, 2 and 2 deviate by the root of 3; equal differences say nothing of their spread, nor does one seed.
    assert deviations([*RESULTS.values()]) == {"not split": pytest.approx(3**0.5)}
    assert deviations([RESULTS[1], RESULTS[7]]) == deviations([RESULTS[1]]) == deviations([]) == {}
    # A contender that one of them lacks has no pairs.
    assert deviations([RESULTS[3], {"contenders": RESULTS[1]["contenders"][:1]}]) == {}


def test_what_one_seed_lacks_has_no_mean() -> None:
    other = join_seeds(RESULTS, NONE)["table"][1]
    assert (other["true_accuracy"], other["kendall"]) == (None, None)
    fewer = deepcopy(RESULTS)
    fewer[1]["contenders"][0]["kendall"] = None
    fewer[7]["contenders"][0]["true_accuracy"] = None
    ours = join_seeds(fewer, NONE)["table"][0]
    assert (ours["true_accuracy"], ours["kendall"]) == (None, None)
    assert ours["test_accuracy"]["n"] == 3


def test_contenders_are_matched_by_name_in_the_order_of_the_first_seed() -> None:
    turned = deepcopy(RESULTS)
    turned[1]["contenders"].reverse()
    assert join_seeds(turned, NONE) == join_seeds(RESULTS, NONE)


def test_random_architectures_are_joined_over_seeds() -> None:
    def random(accuracy: float, best: float | None) -> dict:
        return {"accuracy": accuracy, "low": 0.0, "high": 1.0, "n": 32, "best_of": best and 8, "best": best}

    two = {0: result(60, 61, "a", random(50, 70)), 1: result(62, 60, "b", random(54, 71))}
    half = T1 * 8**0.5 / 2**0.5  # deviations -2 and 2: variance 8
    assert join_seeds(two, NONE)["random_architecture"] == pytest.approx(
        {"accuracy": 52, "low": 52 - half, "high": 52 + half, "n": 64, "best_of": 8, "best": 70.5}
    )
    two = {0: result(60, 61, "a", random(50, None)), 1: result(62, 60, "b", random(54, None))}
    found = join_seeds(two, NONE)["random_architecture"]
    assert (found["accuracy"], found["best_of"], found["best"]) == (52, None, None)
    two[1]["random_architecture"] = None
    assert join_seeds(two, NONE)["random_architecture"] is None


@pytest.mark.parametrize(("gains", "interval"), [((1, 1, 1), None), ((0, 0, 0), (0.0, 0.0))])
def test_equal_gains_say_nothing_of_their_spread(gains, interval) -> None:
    joined = join_seeds({seed: result(60 + seed + gain, 60 + seed, "a") for seed, gain in enumerate(gains)}, NONE)
    found = joined["table"][1]["difference"]
    assert found["mean"] == gains[0]
    assert (found["low"], found["high"]) == (interval or (None, None))


@pytest.mark.parametrize("tau", [1.0, 0.0])
def test_equal_taus_give_a_mean_without_an_interval(tau) -> None:
    equal = deepcopy(RESULTS)
    for of in equal.values():
        of["contenders"][0]["kendall_half"] = {"value": tau}
    (ours, _), (other, _) = (join_seeds(results, NONE)["table"] for results in (equal, RESULTS))
    assert ours["kendall_half"] == {"mean": tau, "low": None, "high": None, "n": 3}
    assert other["kendall_half"] is None
    equal[7]["contenders"][0]["kendall_half"] = {"value": tau - 0.5}
    half = T2 * 0.5 / 3  # deviations 1/6, 1/6, -1/3: variance 1/12, of the mean 1/36
    found = join_seeds(equal, NONE)["table"][0]["kendall_half"]
    assert found["high"] - found["mean"] == pytest.approx(half)


def test_the_mean_of_a_whole_table_stays_exact() -> None:
    whole = {"accuracy": 92.2, "low": 92.2, "high": 92.2, "n": 11776, "best_of": 8, "best": 94.0}
    found = join_seeds({seed: result(60 + seed, 61, "a", whole) for seed in range(3)}, NONE)["random_architecture"]
    assert (found["accuracy"], found["low"], found["high"], found["best"]) == (92.2, 92.2, 92.2, 94.0)


CELLS = [f"cell {i}" for i in range(30)]


def ranked(seed: int) -> SeedScores:
    rng = np.random.default_rng(seed)
    truth = np.arange(30.0)
    scores = {"method": truth + 5 * rng.standard_normal(30), "unsplit": truth + 20 * rng.standard_normal(30)}
    return SeedScores(CELLS, truth.tolist(), {name: of.tolist() for name, of in scores.items()})


def test_rankings_of_the_same_cells_have_crossed_intervals_and_a_reliability() -> None:
    seeds = [ranked(seed) for seed in range(3)]
    ours, other = join_seeds(RESULTS, seeds)["table"]
    method, unsplit = (np.array([seed.scores[name] for seed in seeds]) for name in ("method", "unsplit"))
    taus = [stats.kendalltau(of, np.arange(30)).statistic for of in method]
    assert ours["kendall"]["mean"] == pytest.approx(np.mean(taus)) and ours["kendall_difference"] is None
    assert (ours["kendall"]["n"], ours["kendall"]["cells"]) == (3, 30)
    less = np.mean(taus) - np.mean([stats.kendalltau(of, np.arange(30)).statistic for of in unsplit])
    found = other["kendall_difference"]
    assert found["mean"] == pytest.approx(less) and 0 < found["low"] < less < found["high"]
    pairs = [stats.kendalltau(unsplit[i], unsplit[j]).statistic for i, j in ((0, 1), (0, 2), (1, 2))]
    assert other["reliability"]["mean"] == pytest.approx(np.mean(pairs))


def test_rankings_of_other_cells_are_not_crossed() -> None:
    seeds = [ranked(seed) for seed in range(3)]
    for others in ([*seeds[:2], None], [*seeds[:2], seeds[2]._replace(architectures=CELLS[::-1])]):
        ours = join_seeds(RESULTS, others)["table"][0]
        assert ours["kendall"]["mean"] == pytest.approx(0.63) and ours["reliability"] is None


def test_the_uniform_sample_is_read_from_the_file(tmp_path) -> None:
    rows = ["architecture,sample,leaf,truth,method,unsplit", "a,uniform,0,50.5,40,30.25", "b,top,1,90,80,70"]
    (tmp_path / "ranking.csv").write_text("\n".join([*rows, "c,leaf,1,60,50,"]))
    assert read_scores(tmp_path / "ranking.csv") == SeedScores(["a"], [50.5], {"method": [40.0], "unsplit": [30.25]})
    assert read_scores(tmp_path / "none.csv") is None
