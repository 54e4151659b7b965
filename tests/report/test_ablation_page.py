"""The page of an ablation of splits: answers by hand-worked numbers, every number, and what may be missing."""

import pytest

from jaxnas.analysis import Interval
from jaxnas.report.format import number, read_csv
from jaxnas.studies.split_ablation.page import Material, ablation_page, answer
from jaxnas.studies.split_ablation.verdict import different, told, unsplit, values_of
from jaxnas.workdir import write_csv
from tests.report.ablation_sample import Row, Values, ablation, usual
from tests.report.test_study_page import drawings, tables

# Leaf 0 is what validation picks, leaf 1 the other one.
PICKED = {"mine": (92.0, 93.0, 94.0), "random 1": (90.0, 93.0, 91.0), "none": (90.9, 92.0, 92.9)}
OTHER = {"mine": (92.5, 92.0, 96.0), "random 1": (90.0, 94.0, 91.5), "none": (90.0, 93.0, 93.9)}


def small(*splits: str, seeds: int = 3) -> Values:
    return {(s, "uniform", k): [PICKED[s][k], OTHER[s][k]] for s in splits for k in range(seeds)}


def answered(rows: tuple[list[Row], list[Row]]) -> list[tuple[str, str, dict[str, str]]]:
    cells, table = rows
    return answer(Material(cells, table, values_of(cells), different(cells), unsplit(cells)))


def test_the_answers_are_those_worked_by_hand() -> None:
    # Over none: mine 1.1, 1, 1.1; random -.9, 1, -1.9. Mine over random: 2, 0, 3. Oracle over validation: mine .5, 0,
    # 2, random 0, 1, .5, together .25, .5, 1.25; none 0, 1, 1. Half intervals are 4.30265 deviations by the root of 3.
    assert answered(ablation(small("mine", "random 1", "none"))) == [
        (
            "Does splitting help, over 2 unsplit runs?",
            "Of 2 comparisons, 1 is better and 0 are worse; of 1 no difference can be told.",
            {
                "uniform": "better: mine +1.07 [0.92, 1.21]; no difference can be told: random 1 -0.60 [-4.26, 3.06]. "
                "All 2 splits in 3 seeds: +0.23 [-1.53, 2.00]."
            },
        ),
        (
            "Does a metric beat random splits?",
            "Of 1 comparison, 0 are better and 0 are worse; of 1 no difference can be told.",
            {"uniform": "no difference can be told: mine +1.67 [-2.13, 5.46]."},
        ),
        (
            "How much does an oracle add, that sees the truth of 2 leaves?",
            "Its pick less that of the best validation accuracy, mean over splits and seeds:",
            {"uniform": "+0.67 [-0.63, 1.96] on split supernets and +0.67 [-0.77, 2.10] on unsplit supernets."},
        ),
    ]


def test_one_seed_has_no_interval_and_tells_no_difference() -> None:
    rows = ablation(small("mine", "random 1", "none", seeds=1))
    helps, beats, oracle = answered(rows)
    assert helps[1] == (
        "One seed gives no interval. Of 2 comparisons, 0 are better and 0 are worse; of 2 no difference can be told."
    )
    assert helps[2]["uniform"] == (
        "no difference can be told: mine +1.10 and random 1 -0.90. All 2 splits in 1 seed: +0.10."
    )
    assert beats[2]["uniform"] == "no difference can be told: mine +2.00."
    assert oracle[2]["uniform"] == "+0.25 on split supernets and +0.00 on unsplit supernets."
    assert not any("[" in cell for row in tables(ablation_page(*rows).text)[0][:3] for cell in row)


@pytest.mark.parametrize(
    ("splits", "said"),
    [
        (("mine", "random 1"), ["no unsplit runs (`none`", "Of 1 comparison, 0 are better"]),
        (("mine", "none"), ["Of 1 comparison, 1 is better", "no random splits (`random:N`"]),
        (("random 1", "none"), ["Of 1 comparison, 0 are better", "there is no such split"]),
        (("none",), ["there is no such split", "there is no such split"]),
    ],
)
def test_what_was_not_run_cannot_be_told(splits, said) -> None:
    rows = ablation(small(*splits))
    for (_, found, _), expected in zip(answered(rows), said, strict=False):
        assert expected in found
    text = ablation_page(*rows).text
    assert ("Differences, paired by seed" in text) == (splits != ("none",))
    drawings(text)


def test_a_split_with_a_failed_leaf_has_no_pick_in_that_seed() -> None:
    values = small("mine", "random 1", "none")
    rows = ablation(values, failed={("mine", "uniform", 2): 1})
    helps, beats, _ = answered(rows)
    # Over none in the other seeds: 1.1, 1; its half interval 12.7062 * .05 = .64. Over random: 2, 0.
    assert "no difference can be told: mine +1.05 [0.41, 1.69]" not in helps[2]["uniform"]
    assert "better: mine +1.05 [0.41, 1.69]" in helps[2]["uniform"] and "in 2 seeds" in helps[2]["uniform"]
    assert beats[2]["uniform"] == "no difference can be told: mine +1.00 [-11.71, 13.71]."
    text = ablation_page(*rows).text
    assert "mine, uniform, leaf 1 of seed 2: </b>it &lt;diverged&gt;" in text
    assert tables(text)[0][0][-1] == "2"
    rows = ablation(values, failed={("mine", "uniform", k): k % 2 for k in range(3)})
    assert "not known: mine." in answered(rows)[0][2]["uniform"]
    assert "leaves 0 of seed 0, 1 of seed 1 and 0 of seed 2: " in ablation_page(*rows).text
    rows = ablation(values, failed=dict.fromkeys(values, 0))
    assert answered(rows) == [("What is a split worth?", "That is not known: every split has a leaf that failed.", {})]
    drawings(ablation_page(*rows).text)


def test_splits_that_are_alike_are_named_and_counted_once() -> None:
    values = small("mine", "none") | {("twin", "uniform", k): [PICKED["mine"][k], OTHER["mine"][k]] for k in range(3)}
    text = ablation_page(*ablation(values, same={("twin", k): "mine" for k in range(3)})).text
    assert "twin is the same split as mine in every seed, and trained once there." in text
    assert "Of 1 comparison, 1 is better" in text and "twin, uniform" in text
    text = ablation_page(*ablation(values, same={("twin", k): "mine" for k in (0, 2)})).text
    assert "twin is the same split as mine in seeds 0 and 2, and trained once there." in text
    assert "Of 2 comparisons, 2 are better" in text


def test_every_number_of_the_rows_is_on_the_page(tmp_path) -> None:
    cells, table = ablation(usual())
    text = ablation_page(cells, table).text
    short, every, leaves = tables(text)
    assert len(short) == 7 * 2 + 2 and len(every) == 7 * 2 * 4 and len(leaves) == len(cells)
    for row, shown in zip([row for row in table if row["rule"]], every, strict=True):
        assert shown[1] == row["rule"] and shown[-1] == row["seeds"]
        for place, column in enumerate(("true_accuracy", "from_unsplit", "from_random"), 2):
            numbers = [number(row[column + end]) for end in ("", "_low", "_high")]
            value, low, high = (f"{found or 0:.2f}" for found in numbers)
            assert shown[place] == ("-" if numbers[0] is None else f"{value} [{low}, {high}]")
    for row, shown in zip(cells, leaves, strict=True):
        numbers = f"{float(row['true_accuracy']):.2f}", row["validation_score"]
        assert shown[1:6] == [row["seed"], row["leaf"], *numbers, row["picked_by"]]
    # Intervals pass 100 %, axes do not.
    assert any(float(row["true_accuracy_high"]) > 100 for row in table) and ">101</text>" not in text
    found = drawings(text)
    assert [sum(words in drawing for drawing in found) for words in ("accuracy, %: ", "difference, points: ")] == [4, 2]
    for name, rows in (("cells", cells), ("table", table)):
        write_csv(tmp_path / name, rows)
    assert ablation_page(*(read_csv(tmp_path / name) for name in ("cells", "table"))).text == text


def test_names_from_elsewhere_stay_text_and_nothing_is_fetched() -> None:
    hostile = "<script>\"'&x</script>"
    values = {(hostile if s == "mine" else s, hostile, k): v for (s, _, k), v in small("mine", "none").items()}
    text = ablation_page(*ablation(values)).text
    assert "<script" not in text and "http" not in text and "&lt;script&gt;&quot;&#x27;&amp;x" in text
    drawings(text)


def test_many_that_cannot_be_told_are_counted() -> None:
    found = {f"m{k}": Interval(k - 3.0, k - 9.0, k + 3.0) for k in range(7)}
    assert told(found) == "no difference can be told for 7 (means of -3.00 to +3.00)."
    assert told({"a": Interval(-1.0, -2.0, -0.5), "b": None}) == "worse: a -1.00 [-2.00, -0.50]; not known: b."
