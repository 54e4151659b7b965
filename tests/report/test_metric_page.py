"""The page of a metric ablation, from rows alone."""

import re
import xml.dom.minidom

import numpy as np

from jaxnas.studies.metric_ablation.figures import matrix
from jaxnas.studies.metric_ablation.page import Material, answer, metric_page

OPS, EDGES = ("none", "skip_connect", "nor_conv_3x3"), ("1<-0", "2<-1")


def grouping(metric: str, seed: int, edge: str, low: float | None, groups: str, chosen: str) -> dict:
    value = {("1<-0", 0): -4.0, ("1<-0", 1): 0.0}.get((edge, seed), -2.0)
    row = {"metric": metric, "seed": seed, "warmup": 5, "edge": edge, "groups": groups, "value": value, "margin": 0.5}
    high, stability = (None, None) if low is None else (0.75, 0.9)
    return {**row, "margin_low": low, "margin_high": high, "stability": stability, "ties": 1, "chosen": chosen}


def similarity(metric: str, seed: int, value: float) -> dict:
    row = {"metric": metric, "seed": seed, "warmup": 5, "edge": "2<-1"}
    return {**row, "operation_a": "none", "operation_b": "nor_conv_3x3", "value": value}


def agreement(kind: str, a: str, b: str, value: float) -> dict:
    row = {"kind": kind, "metric_a": a, "metric_b": b, "warmup_a": 5, "warmup_b": 5, "value": value, "low": None}
    return {**row, "high": None, "chance": 0.01, "chance_low": -0.2, "chance_high": 0.4, "seeds": 2, "edges": 2}


def taken(kind: str, metric: str, value: float) -> dict:
    row = {"kind": kind, "metric_a": metric, "metric_b": metric, "warmup": 5, "value": value, "low": 0.0}
    return {**row, "high": 0.75, "chance": 0.5, "seeds": 2}


def cost(metric: str, failed: int, error: str) -> dict:
    row = {"metric": metric, "compile_seconds": None, "node_seconds": 1.5, "passes": 24, "units": 2}
    return {**row, "failed": failed, "error": error}


ONE, OTHER = "none+skip_connect|nor_conv_3x3", "none+nor_conv_3x3|skip_connect"
MATERIAL = Material(
    OPS,
    EDGES,
    [similarity("<b>a", 0, -2.0), similarity("<b>a", 1, -6.0)],
    [
        *(grouping("<b>a", 0, "1<-0", 0.25, ONE, "best fixed"), grouping("<b>a", 1, "1<-0", -0.25, ONE, "fixed")),
        *(grouping("<b>a", 0, "2<-1", 0.25, OTHER, ""), grouping("<b>a", 1, "2<-1", 0.25, ONE, "best")),
        *(grouping("random", 0, "2<-1", -0.25, ONE, "best"), grouping("random", 1, "2<-1", -0.25, OTHER, "best")),
    ],
    [
        *(taken("dice", "<b>a", 0.5), taken("seeds", "<b>a", 0.25), taken("dice", "random", 0.125)),
        *(taken("dice", "all", 0.3125), taken("shared", "all", 0.4), taken("separate", "all", 0.2)),
    ],
    [
        *(agreement("metrics", "<b>a", "<b>a", 1.0), agreement("metrics", "<b>a", "random", -0.25)),
        *(agreement("seeds", "<b>a", "<b>a", 0.5), agreement("seeds", "random", "random", -0.125)),
    ],
    [cost("<b>a", 0, ""), cost("random", 0, ""), cost("lost", 2, "it is & stays lost")],
)


def test_the_answer_counts_what_it_says() -> None:
    assert answer(MATERIAL) == [
        "2 metrics on 2 edges and 2 seeds, after 5 epochs of warm-up.",
        "Noise between batches leaves the best grouping of an edge standing in 3 of 6 cases: the whole interval of its "
        "margin lies above 0. Of the random metric's, 0 of 2: so many are chance.",
        "Two draws of backgrounds, on the same weights and images, take the same edge in 31 % of cases (chance 50 %); "
        "two metrics do in 40 % on shared backgrounds and in 20 % on separate ones.",
        "Between seeds, 1 of 2 metrics group operations more alike than 97.5 % of random groupings do: <b>a.",
        "Not measured, or not wholly: lost (2 of 2); the reasons are below.",
    ]


def test_the_page_is_whole_and_its_numbers_are_those_of_the_rows() -> None:
    text = metric_page(MATERIAL).text
    assert "<b>a" not in text and "&lt;b&gt;a" in text and "it is &amp; stays lost" in text
    drawings = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    assert len(drawings) == 1 + 1 + 2 + 2 * 2
    for svg in drawings:
        xml.dom.minidom.parseString(svg)
    # The mean of -2 and -6 is the unit; so are margins measured.
    assert "Unit: 4." in text and "none and conv 3x3 -1.00" in text
    assert "1&lt;-0 0.12 [0.00, 0.19]; 2&lt;-1 0.12 [0.06, 0.19]" in text
    assert "1&lt;-0 (1), 2&lt;-1 (1)" in text and ">0.01 [-0.20, 0.40]<" in text
    # The objective on the best edges (-4, -2), on any, and on the first; the random metric has no similarities.
    cells = re.findall(r"<tr>.*?</tr>", text[text.index("Which edge") :], re.DOTALL)
    rows = [re.findall(r"<td[^>]*>(.*?)</td>", cell) for cell in cells]
    assert rows[1][:3] == ["-0.75", "-0.50", "-0.50"] and rows[2][:3] == ["-2.00", "-2.00", "-"]
    assert "groups of 2 of 2 seeds" in text and "groups of 1 of 2 seeds" in text


def test_without_intervals_or_any_grouping_the_page_says_what_is_left() -> None:
    few = MATERIAL._replace(groupings=[grouping("<b>a", 0, "1<-0", None, ONE, "best")], agreement=[], taken=[])
    assert answer(few)[0] == "1 metric on 2 edges and 1 seed, after 5 epochs of warm-up." and len(answer(few)) == 2
    assert "cannot be split" in metric_page(few).text
    nothing = MATERIAL._replace(groupings=[], agreement=[], similarity=[])
    assert answer(nothing) == answer(MATERIAL)[-1:] and "<svg" not in metric_page(nothing).text


def test_the_matrix_names_rows_and_leaves_out_what_is_not_known() -> None:
    text = matrix("agreement", ["a", "b"], np.array([[1.0, np.nan], [np.nan, -1.0]])).text
    assert 'aria-label="agreement: "' in text and text.count(">-<") == 2
    assert 'fill="#d55e00"' in text and 'fill="#0072b2"' in text and ">b 2<" in text
