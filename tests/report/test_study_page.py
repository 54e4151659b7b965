"""The page of a study: every number, what the intervals allow, where marks lie, and what is missing."""

import re
import xml.dom.minidom
from html import unescape

import pytest

from jaxnas.analysis import Interval
from jaxnas.report import svg
from jaxnas.report.format import number, read_csv
from jaxnas.studies.search.figures import LEFT, MOST_ROWS, RIGHT, Group, Line, Reference, panels
from jaxnas.studies.search.page import study_page
from jaxnas.studies.search.verdict import against_best, against_control, best_of
from jaxnas.workdir import write_csv
from tests.report import study_sample
from tests.report.study_sample import study

ALGORITHMS = ["uniform", "darts", "gdas"]
SELECTORS = ["magnitude", "best_of_sampled"]


@pytest.fixture(scope="module")
def page() -> str:
    return study_page(*study(ALGORITHMS, SELECTORS)).text


def drawings(text: str) -> list[str]:
    found = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    for drawing in found:
        xml.dom.minidom.parseString(drawing)
    return found


def tables(text: str) -> list[list[list[str]]]:
    """Cells of every table, without the head."""
    return [
        [
            [unescape(re.sub(r"<[^>]*>", "", cell)) for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.DOTALL)]
            for row in re.findall(r"<tr.*?</tr>", body, re.DOTALL)
        ]
        for body in re.findall(r"<tbody>(.*?)</tbody>", text, re.DOTALL)
    ]


def test_every_number_of_the_rows_is_on_the_page(page) -> None:
    cells, supernets, summary = study(ALGORITHMS, SELECTORS)
    means, agree, chosen, ranks = tables(page)
    assert len(means) == len(summary) == 3 * 2 + 5 and len(chosen) == 3 * 2 * 3 + 6 - 3 and len(ranks) == 9
    for row, shown in zip(summary, means, strict=True):
        assert shown[6:8] == [row["seeds"] or "-", row["failed"]]
        cost = [row["epochs"], row["images"], row["billion_multiply_adds"]]
        assert [text.replace(",", "") for text in shown[8:]] == [text or "-" for text in cost]
        for column, place in (("true_accuracy", 1), ("difference", 3), ("regret", 4)):
            bounds = [row[f"{column}_{end}"] for end in ("low", "high")] if row[column] else []
            expected = [f"{float(value):.2f}" for value in (row[column], *bounds) if value]
            assert re.findall(r"-?\d+\.\d+", shown[place]) == expected
        assert shown[5] == (f"{float(row['evaluations']):.0f}" if row["evaluations"] else "-")
    for row, shown in zip([row for row in summary if row["algorithm"]], agree, strict=True):
        bounds = [f"{float(row[f'reliability_accuracy{end}']):.3f}" for end in ("", "_low", "_high")]
        assert re.findall(r"-?\d+\.\d+", shown[1]) == bounds
        assert shown[2:] == [f"{float(row[name]):.2f}" for name in ("deviation", "edges_agree", "edges_chance")]
    for row, shown in zip([row for row in cells if not row["error"]], chosen, strict=True):
        assert shown[1:6] == [
            row["seed"],
            f"{float(row['true_accuracy']):.2f}",
            f"{int(row['true_rank']):,}",
            f"{float(row['regret']):.2f}",
            row["validation_score"],
        ]
        assert shown[6:] == [row["evaluations"], "12.34", study_sample.CELL]
    for row, shown in zip(supernets, ranks, strict=True):
        numbers = [row[f"kendall_accuracy{end}"] for end in ("", "_low", "_high")]
        assert re.findall(r"-?\d+\.\d+", shown[2]) == [f"{float(value):.3f}" for value in numbers]
        assert (shown[3] == "-") == (row["algorithm"] == "uniform")
        assert [text.replace(",", "") for text in shown[4:]] == [
            row[name] for name in ("n", "epochs", "images", "billion_multiply_adds")
        ]


def test_what_failed_is_told_with_its_reason(page) -> None:
    assert "darts with best of sampled (whole), seeds 0, 1 and 2: </b>it needs 54 evaluations, the budget is 20" in page
    fine = [[row for row in rows if row["algorithm"] != "darts"] for rows in study(ALGORITHMS, SELECTORS)]
    assert "What failed" not in study_page(*fine).text
    cells, supernets, summary = study(["a", "b"], SELECTORS)
    supernets[1] |= {"error": "the training diverged", "n": "0", "kendall_accuracy": ""}
    assert "supernet of a (whole), seed 1: </b>the training diverged" in study_page(cells, supernets, summary).text


def test_nothing_is_fetched_and_foreign_names_stay_text() -> None:
    hostile = "<script>\"'&x</script>"
    cells, supernets, summary = study([hostile, "b"], [hostile, "s"], scope=hostile)
    for row in cells:
        row |= {"error": row["error"] and hostile, "architecture": row["architecture"] and hostile}
    text = study_page(cells, supernets, summary).text
    assert "<script" not in text and "http" not in text and "&lt;script&gt;&quot;&#x27;&amp;x" in text
    drawings(text)


def test_numbers_may_be_numbers_or_their_text(tmp_path) -> None:
    rows = study(ALGORITHMS, SELECTORS)
    for name, of in zip("abc", rows, strict=True):
        write_csv(tmp_path / name, of)
    text = study_page(*rows).text
    assert study_page(*(read_csv(tmp_path / name) for name in "abc")).text == text
    typed = [
        [{k: v if k == "seed" or number(v) is None else number(v) for k, v in row.items()} for row in of] for of in rows
    ]
    assert study_page(*typed).text == text
    assert [number(v) for v in ("", None, "x", "nan", "inf", "1e300", 10**400)] == [None] * 7


def test_without_a_table_of_truths_nothing_is_said_of_regret() -> None:
    text = study_page(*study(ALGORITHMS, SELECTORS, table=False)).text
    assert "regret" not in text and "by the truth" not in text and "random cell" not in text
    assert "trained alone from new weights" in text and "Against random search at the cost of uniform" in text
    assert "rank</th>" not in text


def test_one_seed_has_no_intervals_and_tells_no_difference() -> None:
    text = study_page(*study(ALGORITHMS, SELECTORS, seeds=1)).text
    assert "one seed gives no interval, so no difference can be told." in text
    means = tables(text)[0]
    assert not any("[" in cell for row in means for cell in row)
    assert " better" not in text and " worse" not in text.replace("Better, worse", "")


def test_a_single_search_without_statistics_is_a_page_too() -> None:
    cells, _, summary = study(["darts"], ["magnitude"], seeds=1)
    cells, summary = [row for row in cells if row["algorithm"]], [row for row in summary if row["algorithm"]]
    none = {"n": 0, "error": "", "images": 5, "kendall_accuracy": None, "kendall_probability": None}
    none |= {"equal": "epochs", "epochs": 1, "billion_multiply_adds": 0.5}
    text = study_page(cells, [{"algorithm": "darts", "scope": "whole", "seed": 0, **none}], summary).text
    assert "What 1 algorithm with 1 selector found" in text and "supernets rank" not in text
    assert "darts with magnitude: mean true accuracy" in text and len(drawings(text)) == 1
    cells[0] |= {"error": "no", "true_accuracy": "", "architecture": "", "regret": ""}
    summary[0] |= {"true_accuracy": "", "regret": "", "failed": 1}
    assert "Every cell failed." in study_page(cells, [], summary).text


def test_many_algorithms_fill_panels_that_fit_a_screen() -> None:
    names = [f"algorithm_{i}" for i in range(17)]
    text = study_page(*study(names, ["magnitude", "perturbation", "zero_cost_perturbation", "evolution"])).text
    shown = [re.search(r'aria-label="(.*?)".*?height="(.*?)"', drawing) for drawing in drawings(text)]
    assert all(found is not None and float(found[2]) < 400 for found in shown[:6])
    for name in names:
        assert sum(f" {name.replace('_', ' ')} zero cost perturbation" in found[1] for found in shown if found) == 1
    assert len(text) < 400_000


def test_each_sub_space_has_its_own_sections() -> None:
    both = zip(study(ALGORITHMS, SELECTORS, scope="gm 0"), study(ALGORITHMS, SELECTORS, scope="gm 1"), strict=True)
    text = study_page(*(a + b for a, b in both)).text
    for scope in ("gm 0", "gm 1"):
        assert f"<h2>{scope}: true accuracy</h2>" in text and f"<h2>{scope}: how well the supernets rank</h2>" in text
    assert "of 12 comparisons without a true difference about 0.6 would look like one" in text


def test_each_comparison_has_its_own_sections_and_each_algorithm_its_own_random_search() -> None:
    rows = zip(*(study(ALGORITHMS, SELECTORS, equal=equal) for equal in ("epochs", "images")), strict=True)
    text = study_page(*(a + b for a, b in rows)).text
    for equal in ("epochs", "images"):
        assert f"<h2>equal {equal}: true accuracy</h2>" in text
        assert f"<b>equal {equal}: </b>Against random search at the cost of uniform, mean" in text
        assert f"darts with best of sampled (equal {equal}, whole), seeds 0, 1 and 2: " in text
    assert "<b>equal epochs</b>: all supernets" in text and "<b>equal images</b>: all send as many images" in text
    (own,) = {*re.findall(r"Against random search at the cost of uniform, mean [^<]*", text)}
    (rest,) = {*re.findall(r"Against random search at the cost of darts and gdas, mean [^<]*", text)}
    assert "darts" not in own.split(" %: ")[1] and "uniform" not in rest.split(" %: ")[1]


def test_differences_are_told_by_their_intervals_over_common_seeds() -> None:
    # Differences to `best`: 1, 1.1, .9 (1 +- .248); 3, 0, 0 (1 +- 4.30); one common seed.
    groups = {
        "best": {"0": 93.0, "1": 93.0, "2": 93.0},
        "below": {"0": 92.0, "1": 91.9, "2": 92.1},
        "noisy": {"0": 90.0, "1": 93.0, "2": 93.0},
        "lucky": {"0": 94.0},
    }
    assert best_of(groups) == "best"
    assert against_best(groups, "true accuracy", " %") == (
        "best has the largest mean true accuracy, 93.00 %: better than below; "
        "no difference can be told from noisy and lucky."
    )
    assert against_control(groups, "chance", 92.5) == (
        "Against chance, 92.50 %: 1 better (best); 1 worse (below); of 2 no difference can be told."
    )
    # Less 92, 95 and 91.5: all straddle zero, but the difference of `lucky` has no interval.
    assert against_control(groups, "control", {"0": 92.0, "1": 95.0, "2": 91.5}) == (
        "Against control, mean 92.83 %: of 4 no difference can be told."
    )
    assert against_best({}, "tau") == "No tau is known."
    behind = {"below": Interval(1.0, -1.0, 3.0), "noisy": Interval(1.0, 0.5, 1.5), "lucky": None}
    assert against_best(groups, "tau", behind=behind) == (
        "best has the largest mean tau, 93.00: better than noisy; no difference can be told from below and lucky."
    )


def test_marks_lie_where_their_values_say_and_outliers_are_written() -> None:
    values = [90.0, 91.0, 92.0, 93.0]
    lines = [Line(str(v), k, Interval(v, v - 0.5, v + 40), [v]) for k, v in enumerate(values)]
    lines.append(Line("collapsed", 4, Interval(54.46), [54.46]))
    (drawing,) = panels("t", [Group("g", lines)], [Reference("a", 94.0)], 2)
    x = svg.Scale(*svg.span([90.0, 94.0], 0.08), LEFT, RIGHT)
    paths = [e.getAttribute("d") for e in xml.dom.minidom.parseString(drawing.text).getElementsByTagName("path")]
    y = 40 + 20 + 11  # the first row, below the axis and the name of the group
    assert any(d.startswith(f"M{x(90.0) - 4:.1f} {y - 3:.1f}a") for d in paths)
    assert any(d.startswith(f"M{x(90.0) - 1.8:.1f} {y + 6:.1f}a") for d in paths)
    assert f"M{x(89.5):.1f} {y - 3:.1f}L{RIGHT:.1f} {y - 3:.1f}" not in paths  # the lower end lies beyond, too
    assert f"M{x(90.5):.1f} {y + 19:.1f}L{RIGHT:.1f} {y + 19:.1f}" in paths  # of the second row, up to the edge
    assert f"M{RIGHT - 4:.1f} {y + 15:.1f}L{RIGHT:.1f} {y + 19:.1f}L{RIGHT - 4:.1f} {y + 23:.1f}" in paths
    assert ">54.46</text>" in drawing.text and f"L{x(94.0):.1f} {40 + 20 + 22 * 5 + 4}" in " ".join(paths)
    assert len(panels("t", [Group("g", lines)] * 5, [], 2)) == 3 and MOST_ROWS == 12


def test_an_axis_of_accuracies_ends_at_100_and_says_the_whole_interval() -> None:
    lines = [Line(str(v), 0, Interval(v, v - 1, v + 1), [v]) for v in (97.0, 98.0, 99.5, 100.0)]
    (drawing,) = panels("t", [Group("", lines)], [], 2, 100.0)
    low, _ = svg.span([97.0, 100.0], 0.08)
    x = svg.Scale(low, 100.0, LEFT, RIGHT)
    assert f"M{x(98.5):.1f} 76.0L{RIGHT:.1f} 76.0" in drawing.text and x(100) == RIGHT
    assert f"M{RIGHT - 4:.1f} 72.0L{RIGHT:.1f} 76.0L{RIGHT - 4:.1f} 80.0" in drawing.text  # an arrow: it goes on
    assert "99.50 [98.50, 100.50]" in drawing.text and ">100</text>" in drawing.text and ">101" not in drawing.text
    (free,) = panels("t", [Group("", lines)], [], 2)
    assert f"L{RIGHT:.1f} 76.0" not in free.text.split("M")[1]
