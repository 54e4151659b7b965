"""The page on splits: what it says and draws, and that foreign names stay text."""

import re
import xml.dom.minidom

import numpy as np

from jaxnas.analysis import Interval, ceiling, weigh, worth
from jaxnas.benchmarks import read_csv
from jaxnas.spaces import NAS_BENCH_201, TOY, NamedSplit, read_splits, tree_of
from jaxnas.studies.split_quality import figures
from jaxnas.studies.split_quality.page import Material, answer, split_page
from jaxnas.studies.split_quality.published import below_random, published_section, sentences, values_of

EDGE_0 = np.array([[[1, 0, 0], [1, 1, 1]], [[0, 1, 1], [1, 1, 1]]], bool)
TABLE = {"one": np.arange(9.0) * 10, "two<b>": np.arange(9.0)[::-1] * 5}


def material() -> Material:
    splits = [
        NamedSplit(metric, None, masks, tree_of(TOY, masks))
        for metric, masks in (("<i>x", EDGE_0), ("same", EDGE_0[::-1]), ("other", EDGE_0[:, ::-1]))
    ]
    worths = weigh(TOY, splits, TABLE)
    ceilings = {(e,): {name: ceiling(TOY, values, (e,), 3) for name, values in TABLE.items()} for e in (0, 1)}
    return Material(TOY, "a & b.csv", TABLE, worths, 3, ceilings, ("Left out: nothing.",))


def test_the_page_is_whole_and_says_what_was_found() -> None:
    shown = material()
    text = split_page(shown, None).text
    for said in answer(shown):
        assert said.replace("<", "&lt;").replace(">", "&gt;") in text
    assert "<i>" not in text and "<b>two" not in text and "two<b>" not in text and "a &amp; b.csv" in text
    for svg in re.findall(r"<svg.*?</svg>", text, re.DOTALL):
        xml.dom.minidom.parseString(svg)
    assert text.count("<svg") == 9 * 2 + 2 * 2  # statistics by data set, and two different splits on each
    assert "&lt;i&gt;x on one" in text and "The 6 splits are 2 different ones" in text
    assert "http" not in text and "<script" not in text


def test_the_answer_counts_what_it_says() -> None:
    edges, metric, everywhere, choice, note = answer(material())
    assert "% (one)" in edges and note == "Left out: nothing."
    assert metric.startswith("Of 4 different splits, by chance 0.1 would lie above")
    assert metric.endswith("In expected best of one cell of each, none lies above and none lies below.")
    # One cell is the top 1 % of nine.
    assert (
        everywhere
        == "In 0 of 6 splits the top 1 % lies in several sub-supernets; so it does in 0.0 % of the random trees."
    )
    assert choice.startswith("The sub-supernet that holds the optimum is found by its true mean in 6 of 6")


def test_a_histogram_holds_every_cell_and_a_diamond_lies_at_its_value() -> None:
    drawing = figures.distributions("t", [np.array([1.0, 50.0, 50.0]), np.array([60.0])], [0, 1], 40.0, 60.0).text
    assert "0 has 3 cells, median 50.00, 0 of the top 1 %; 1 has 1 cells" in drawing
    rows = [figures.Against("gm", 1.0, (0.0, 0.5, 1.0), (0.0, 0.2, 2.0))]
    text = figures.against_chance("t", rows).text
    assert "gm 1, on its edges 0 to 1, on random edges 0 to 2" in text
    middle = 84 + (1.0 + 0.1) / 2.2 * (340 - 8 - 84)  # the axis runs from -.1 to 2.1
    assert f"M{middle:.1f} " in text


def test_runs_of_ranks_that_are_not_told_apart() -> None:
    ranks = np.array([1.0, 2.0, 2.5, 4.0, 6.0])
    assert figures.cliques(ranks, 1.6) == [(0, 2), (2, 3)]
    assert figures.cliques(ranks, 0.4) == []
    assert figures.cliques(ranks, 10) == [(0, 4)]
    drawing = figures.critical_difference("ranks", ["a", "b", "c", "d", "e"], ranks[[2, 0, 1, 4, 3]], 1.6).text
    assert "b 1.00; c 2.00; a 2.50; e 4.00; d 6.00; critical difference 1.60" in drawing


def test_published_tables_are_shown_only_beside_their_splits() -> None:
    assert published_section(material().worths, TABLE) is None


def test_what_is_said_of_the_published_tables_is_counted() -> None:
    splits = ["random", "gm", "lr"]
    chance = {
        name: Interval(v, v - 1, v + 1, 8)
        for name, v in (("cifar10", 93.0), ("cifar100", 70.0), ("imagenet16-120", 43.0))
    }
    assert below_random("DARTS-2", chance, splits) == 5  # random 92.96 and 68.42; lr 92.94, 69.39, 42.77
    assert values_of(splits).shape == (12, 3) and values_of(splits)[3].tolist() == [93.88, 94.22, 94.36]
    said = sentences(chance, splits)
    assert "wins are: gm 12, lr 8" in said[2]


def test_the_page_of_the_published_splits_has_their_tables_with_controls(data_folder, monkeypatch) -> None:
    null = worth.null
    monkeypatch.setattr(worth, "null", lambda *args: null(*args, trees=20))
    table = read_csv(NAS_BENCH_201, data_folder / "nats_bench_tss_200epochs.csv").accuracies
    worths = weigh(NAS_BENCH_201, read_splits(NAS_BENCH_201, data_folder / "published_splits.json"), table)
    shown = Material(NAS_BENCH_201, "a table", table, worths, 1000, {})
    text = split_page(shown, published_section(worths, table)).text
    assert "30 of DARTS-1, 12 of DARTS-2, 0 of SNAS and 3 of DSNAS" in text
    assert "gm (p = 0.004) differs from it at 5 %" in text and "critical difference 3.91" in text
    assert "The 36 splits are 17 different ones" in text and "best of 8 random cells: 92.97" in text
    assert ">grasp and snip on imagenet16-120</th><td>3.30</td>" in text
    assert len(re.findall(r"<svg.*?</svg>", text, re.DOTALL)) == 9 * 3 + 33 + 12 + 1 and len(text) < 2_000_000
