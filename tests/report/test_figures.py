"""Where marks lie, that drawings are well-formed XML, and that numbers in cells can be read."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from jaxnas.analysis import Interval
from jaxnas.few_shot import tree_figures
from jaxnas.few_shot.read import read_run
from jaxnas.report import figures, svg
from jaxnas.report.markup import Html, join, tag
from tests.report import sample


def parsed(drawing: Html | None) -> ElementTree.Element:
    assert drawing is not None
    return ElementTree.fromstring(drawing.text)


def texts(root: ElementTree.Element) -> list[str]:
    return [element.text or "" for element in root.iter("text")]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 10, [0, 2, 4, 6, 8, 10]),
        (61.2, 63.1, [61.5, 62.0, 62.5, 63.0]),
        (-0.1, 0.3, [-0.1, 0, 0.1, 0.2, 0.3]),
        (1, 20_000, [5000, 10_000, 15_000, 20_000]),
    ],
)
def test_ticks_are_round_and_inside(low, high, expected) -> None:
    np.testing.assert_allclose(svg.ticks(low, high), expected, atol=1e-12)


def test_tick_labels_have_the_decimals_of_their_step() -> None:
    assert [label for _, label in svg.labelled([61.5, 62.0])] == ["61.5", "62.0"]
    assert [label for _, label in svg.labelled([0.05, 0.1])] == ["0.05", "0.10"]
    assert [label for _, label in svg.labelled([5000.0, 10_000.0])] == ["5,000", "10,000"]


@pytest.mark.parametrize("values", [[3.0, 3.0], [0.0], [], [1e12, -1e12], [5.0, 5.0 + 1e-13]])
def test_a_range_is_never_empty(values) -> None:
    low, high = svg.span(values)
    assert low < high and len(svg.ticks(low, high)) <= 7


def test_marks_lie_where_their_values_say() -> None:
    rows = [figures.Row("a", Interval(10.0, 0.0, 20.0), True), figures.Row("b", Interval(5.0), False)]
    root = parsed(figures.dots("title", rows))
    scale = svg.Scale(*svg.span([10.0, 0.0, 20.0, 5.0]), 8, svg.WIDTH - 8)
    paths = [element.get("d") or "" for element in root.iter("path")]
    assert f"M{scale(0.0):.1f} 54.0L{scale(20.0):.1f} 54.0" in paths  # the interval of a
    assert any(path.startswith(f"M{scale(10.0) - 4.5:.1f} 54.0a") for path in paths)  # its circle
    assert any(path.startswith(f"M{scale(5.0) - 4.5:.1f} 87.5h") for path in paths)  # the square of b
    assert texts(root)[0] == "title" and {"10.00 [0.00, 20.00]", "5.00"} <= set(texts(root))


def test_labels_of_curves_keep_apart_and_in_order() -> None:
    wanted = {0: 50.0, 1: 50.5, 2: 51.0, 3: 10.0}
    placed = figures.spread(wanted, 13, 0, 100)
    order = sorted(placed.values())
    assert sorted(placed, key=lambda k: placed[k]) == [3, 0, 1, 2]
    assert min(np.diff(order)) >= 13 and order[0] >= 0
    assert max(figures.spread({0: 99.0, 1: 99.0}, 13, 0, 100).values()) <= 100


def test_curves_skip_rows_without_both_numbers() -> None:
    rows = [
        {"epoch": 1, "leaf": 0, "loss": 2.0},
        {"epoch": 2, "leaf": 0, "loss": None},
        {"epoch": 3, "loss": True},
        {"epoch": 10**400, "leaf": 0, "loss": 1.0},
    ]
    assert "last 2.00" in (parsed(figures.curves("t", rows, "epoch", "loss", "x", "y")).get("aria-label") or "")
    assert figures.curves("t", rows[1:], "epoch", "loss", "x", "y") is None


def test_a_scatter_has_a_mark_for_every_known_score() -> None:
    scores, truth, leaf = np.array([1.0, 2.0, np.nan, 3.0]), np.array([5.0, 6.0, 7.0, 8.0]), np.array([0, 0, 1, 1])
    paths = [e.get("d") or "" for e in parsed(figures.scatter("t", "", scores, truth, leaf)).iter("path")]
    assert sum(path.count("a2.8 2.8") for path in paths) == 2 * 2  # circles of leaf 0, two arcs each
    assert sum(path.count("h5.6v5.6") for path in paths) == 1  # squares of leaf 1
    assert figures.scatter("t", "", np.full(4, np.nan), truth, leaf) is None


@pytest.mark.parametrize(
    ("architecture", "edges"),
    [
        ("|a~0|+|b~0|c~1|", [(1, 0, "a"), (2, 0, "b"), (2, 1, "c")]),
        ("", []),
        ("no cell", []),
        ("|a~1|", []),  # from a node that does not come before
        ("|a~0|+" * 20, []),
        ("|a~" + "9" * 5000, []),
    ],
)
def test_the_edges_of_a_cell_come_from_its_text(architecture, edges) -> None:
    assert figures.cell_edges(architecture) == edges
    assert (figures.cell(architecture) is None) == (not edges)


def test_a_cell_leaves_out_edges_that_hold_nothing() -> None:
    root = parsed(figures.cell("|skip_connect~0|+|none~0|nor_conv_3x3~1|"))
    assert sorted(texts(root)) == ["1", "conv 3x3", "in", "out", "skip"]
    assert len(list(root.iter("path"))) == 2


def test_the_tree_shows_edges_groups_margins_ties_and_the_chosen_leaf(tmp_path) -> None:
    tree = read_run(sample.write(tmp_path)).tree
    assert tree is not None
    shown = texts(parsed(tree_figures.tree_picture(tree, 1)))
    assert {"node 0: 2<-1", "margin 0.1250", "2 tied groupings", "leaf 0", "6 cells", "leaf 1: chosen"} <= set(shown)
    assert shown[:2] == ["none, skip", "conv 3x3"]


def test_heat_maps_are_ordered_by_group_and_mark_what_is_closed() -> None:
    values = np.array([[1, 0.5, np.nan], [0.5, 1, -0.25], [np.nan, -0.25, 1]])
    root = parsed(tree_figures.heat_map("t", values, ("a", "b", "c"), ((0, 2), (1,)), 0.5, "note"))
    assert texts(root)[2:] == [
        *("a", "a", "", "-", "0.50"),
        *("c", "c", "-", "", "-0.25"),
        *("b", "b", "0.50", "-0.25", ""),
    ]
    assert [r.get("width") for r in root.iter("rect") if r.get("fill") == "none"] == ["80", "40"]


def test_colours_diverge_from_white_and_numbers_on_them_can_be_read() -> None:
    def luminance(colour: str) -> float:  # WCAG 2.2, relative luminance
        shares = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
        return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))

    ends = [tree_figures.shade(value, 0.5)[0] for value in (-0.5, 0.0, 0.5, 9.0)]
    assert ends == ["#0072b2", "#ffffff", "#d55e00", "#d55e00"]
    for value in np.linspace(-1, 1, 101):
        light, dark = sorted(map(luminance, tree_figures.shade(float(value), 1.0)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_all_drawings_of_a_page_are_xml(tmp_path) -> None:
    from jaxnas.few_shot.page import write_report

    page = write_report(sample.write(tmp_path)).read_text()
    drawings = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    assert len(drawings) > 8
    for drawing in drawings:
        ElementTree.fromstring(drawing)


def test_markup_escapes_text_and_attributes() -> None:
    assert tag("p", "<b>", Html("<i></i>"), title='"&').text == '<p title="&quot;&amp;">&lt;b&gt;<i></i></p>'
    assert join("a<", tag("br")).text == "a&lt;<br></br>"
    assert tag("rect", x=1.0, y=2.126, class_="k", stroke_width=None).text == '<rect x="1" y="2.13" class="k"></rect>'


def test_of_many_curves_the_mean_is_drawn() -> None:
    rows = [{"epoch": e, "leaf": k, "loss": float(k + e)} for e in (1, 2) for k in range(21)]
    root = parsed(figures.curves("alone", rows, "epoch", "loss", "x", "loss"))
    assert root.get("aria-label") == "alone: 21 networks: loss by x; at the end last 12.00"
    assert "mean" in texts(root) and "20" not in texts(root)[-1]
