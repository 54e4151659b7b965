"""What may be said follows from the intervals: better, worse, cannot tell, one seed, no controls, unfinished."""

import pytest

from jaxnas.analysis import Interval
from jaxnas.few_shot.result_file import read_result
from jaxnas.few_shot.verdict import answer, how_far, verdict
from jaxnas.report.format import estimate, listed, sign
from tests.report import sample

METHOD = sample.seed_row("ours", "method", 62.0, None)
BETTER, WORSE, EQUAL = (1.0, 0.5), (-1.0, 0.5), (0.25, 0.5)


def of_seeds(unsplit=None, random=None, alone=None):
    rows = [METHOD]
    for name, kind, difference in (
        ("not split", "unsplit", unsplit),
        ("random split 1", "random_split", random),
        ("best of 8 random", "random_alone", alone),
    ):
        if difference is not None:
            rows.append(sample.seed_row(name, kind, 62.0 - difference[0], difference))
    return verdict(read_result({"seeds": [0, 1, 2], "table": rows}, "result.json"))


@pytest.mark.parametrize(
    ("unsplit", "random", "alone", "said"),
    [
        (BETTER, BETTER, None, "Splitting helped: better than not splitting and than splitting at random (3 seeds)."),
        (BETTER, EQUAL, None, "Splitting helped, but no difference can be told from splitting at random"),
        (BETTER, WORSE, None, "Splitting helped, but splitting at random helped more"),
        (BETTER, None, None, "there is no random split to compare the metric with"),
        (WORSE, BETTER, None, "Splitting did harm: it is worse than not splitting (3 seeds)."),
        (EQUAL, EQUAL, None, "Whether splitting helped cannot be told: no difference can be told from the controls"),
        (
            EQUAL,
            WORSE,
            None,
            "This split is worse than one at random, and no difference can be told from not splitting",
        ),
        (EQUAL, BETTER, None, "better than one at random, but no difference can be told from not splitting"),
        (None, BETTER, None, "better than one at random; there is no unsplit control"),
        (BETTER, BETTER, WORSE, "(3 seeds). Random architectures trained alone did better."),
        (None, None, BETTER, "cannot be told: there is no control, neither unsplit nor randomly split."),
    ],
)
def test_the_headline_of_several_seeds_follows_from_the_intervals_of_the_differences(
    unsplit, random, alone, said
) -> None:
    headline, _ = of_seeds(unsplit, random, alone)
    assert said in headline


def test_each_control_gets_a_sentence_with_its_interval() -> None:
    _, said = of_seeds(BETTER, EQUAL, WORSE)
    assert said == [
        'Better than "not split": test accuracy 62.00 % to 61.00 %, 1.00 points more '
        "(95 % interval of the difference +0.50 to +1.50, 3 seeds).",
        'No difference can be told from "random split 1": test accuracy 62.00 % to 61.75 %, 0.25 points more '
        "(95 % interval of the difference -0.25 to +0.75, 3 seeds).",
        'Worse than "best of 8 random": test accuracy 62.00 % to 63.00 %, 1.00 points less '
        "(95 % interval of the difference -1.50 to -0.50, 3 seeds).",
    ]


def test_a_difference_without_an_interval_tells_nothing() -> None:
    rows = [METHOD, {**sample.seed_row("not split", "unsplit", 61.0, None), "difference": 1.0}]
    headline, said = verdict(read_result({"seeds": [0, 1], "table": rows}, "result.json"))
    assert headline.startswith("Whether splitting helped cannot be told")
    assert said == ['Against "not split": the seeds give no interval, so nothing can be told.']


def test_the_mean_true_accuracy_is_told_from_random_architectures_by_its_interval() -> None:
    random = {"accuracy": 87.0, "low": 86.0, "high": 88.0, "best_of": 8, "best": 93.0}
    method = {**METHOD, "true_accuracy": sample.estimate(92.5, 1.0, name="mean")}
    rows = [method, sample.seed_row("not split", "unsplit", 61.0, BETTER)]
    found = read_result({"seeds": [0, 1, 2], "table": rows, "random_architecture": random}, "result.json")
    assert verdict(found)[1][-1] == (
        "Mean true accuracy 92.50 % (95 % interval 91.50 to 93.50): better than one random architecture, 87.00 % "
        "(95 % interval 86.00 to 88.00); no difference can be told from the expected best of 8 random ones, 93.00 %."
    )


def test_one_seed_cannot_tell_and_says_what_its_own_networks_show() -> None:
    headline, said = verdict(read_result(sample.result(), "result.json"))
    assert headline == "One seed cannot tell whether splitting helped; several seeds can."
    assert said == [
        'Against "not split": test accuracy 62.25 % to 61.75 %, 0.50 points more. The intervals overlap: this '
        "comparison decides nothing.",
        'Against "random split 1": test accuracy 62.25 % to 55.00 %, 7.25 points more. The intervals are apart: these '
        "two networks do differ, but another seed may turn that around.",
    ]


def test_the_same_choice_is_no_difference_of_the_search() -> None:
    data = sample.result()
    data["contenders"][1] |= {"architecture": sample.CELL, "test_accuracy": 62.25}
    _, said = verdict(read_result(data, "result.json"))
    assert said[0].endswith("the same. Both chose the same architecture: here the search made no difference.")


def test_the_answer_holds_the_choice_its_accuracies_and_chance() -> None:
    said = answer(read_result(sample.result(), "result.json"))
    assert said[:4] == [
        f"Chosen architecture: {sample.CELL}",
        "Trained alone from new weights, it classifies 62.25 % (95 % interval 61.25 to 63.25) of 1,000 test images "
        "correctly.",
        "By table (truth.csv), its true accuracy is 91.50 %.",
        "Beside the mean of architectures drawn at random, 87.00 % (95 % interval 86.50 to 87.50): better than it; "
        "worse than the expected best of 8 random ones, 93.00 %.",
    ]


def test_an_old_result_has_no_interval_and_no_controls() -> None:
    old = {
        "architecture": sample.CELL,
        "leaf": 0,
        "test_accuracy": 99.23,
        "true_accuracy": None,
        "rank_correlation": None,
    }
    said = answer(read_result(old, "result.json"))
    assert said[1] == "Trained alone from new weights, it classifies 99.23 % of the test images correctly."
    assert (
        said[2] == "Whether splitting helped cannot be told: there is no control, neither unsplit nor randomly split."
    )


@pytest.mark.parametrize(
    ("stages", "metrics", "said"),
    [
        ({}, [], "No stage is done."),
        ({"warm_up": {"status": "done"}, "split": {"status": "done"}}, [], "Done: warm-up and split."),
        (
            {"warm_up": {"status": "done"}, "leaves": {"status": "running"}},
            [{"stage": "leaves", "epoch": 7}],
            "Done: warm-up. Started: leaves. The last record is of leaves, epoch 7.",
        ),
    ],
)
def test_an_unfinished_run_says_how_far_it_is(stages, metrics, said) -> None:
    assert how_far(stages, metrics) == said


def test_numbers_are_written_alike_everywhere() -> None:
    assert estimate(None) == "-"
    assert estimate(Interval(62.2)) == "62.20"
    assert estimate(Interval(0.47, 0.4, 0.54), 3) == "0.470 [0.400, 0.540]"
    assert [sign(e) for e in (None, Interval(1.0), Interval(1, 0, 2), Interval(1, 0.1, 2), Interval(-1, -2, -0.1))] == [
        *(None, None, 0, 1, -1)
    ]
    assert [listed(names) for names in (["a"], ["a", "b"], ["a", "b", "c"])] == ["a", "a and b", "a, b and c"]


def test_without_a_table_chance_is_in_the_units_of_the_test_accuracy() -> None:
    random = {"accuracy": 62.25, "low": None, "high": None, "n": 40, "best_of": None, "best": None}
    data = sample.result(true_accuracy=None, random_architecture=random)
    said = answer(read_result(data, "result.json"))
    assert said[2] == "Beside the mean of architectures drawn at random, 62.25 %: no difference can be told from it."
    rows = [METHOD, sample.seed_row("not split", "unsplit", 61.0, BETTER)]
    found = read_result({"seeds": [0, 1, 2], "table": rows, "random_architecture": {**random, "accuracy": 60}}, "r")
    assert verdict(found)[1][-1] == (
        "Mean test accuracy 62.00 % (95 % interval 61.00 to 63.00): better than one random architecture, 60.00 %."
    )


def test_a_mean_over_all_architectures_has_no_interval() -> None:
    random = {"accuracy": 87.0, "low": 87.0, "high": 87.0, "n": 15_625, "best_of": 8, "best": 93.0}
    said = answer(read_result(sample.result(random_architecture=random), "result.json"))
    assert "drawn at random, 87.00 %: better than it; worse than the expected best" in said[3]
