"""The page of a regime: tau and agreement between seeds of each point against the minutes that it takes."""

from collections.abc import Sequence

from jaxnas.report import svg
from jaxnas.report.document import document
from jaxnas.report.figures import spread
from jaxnas.report.format import Row, estimate, estimated, number
from jaxnas.report.markup import Html, figure, table, tag

HEIGHT, SIDE = 340, 110  # pixels: of a panel, and of the names at its right
FIRST = "batch statistics"  # the evaluation that figures show


def regime_page(rows: Sequence[Row]) -> Html:
    """Rows of `points.csv`, as numbers or as their text."""
    below = (
        "Each point is a setting of an unsplit supernet on uniform paths: the mean over its seeds. Bars: 95 % "
        "intervals over seeds and cells. Minutes: training of one supernet on the machine of the run, without "
        "compilation and readings. Scores: validation accuracies, by the statistics of each batch."
    )
    parts = [
        figure(below, *panels(rows).values()),
        tag("section", tag("h2", "All readings"), _table(rows)),
    ]
    return document("In which setting supernets rank", parts)


def panels(rows: Sequence[Row]) -> dict[str, Html]:
    """The drawings by the column that they show; of no column, if no row has a value."""
    shown = [row for row in rows if row["evaluation"] == FIRST]
    titles = {"kendall": "tau-b with the truth", "reliability": "tau-b between two seeds"}
    found = {name: _panel(title, shown, name) for name, title in titles.items()}
    return {name: panel for name, panel in found.items() if panel is not None}


def _panel(title: str, rows: Sequence[Row], name: str) -> Html | None:
    found = [(str(row["point"]), number(row["minutes"]), estimated(row, name)) for row in rows]
    known = [(point, x, of) for point, x, of in found if x is not None and of is not None]
    if not known:
        return None
    ends = [end for _, _, of in known for end in (of.value, of.low, of.high, 0.0) if end is not None]
    heights = [min(1.0, max(-1.0, end)) for end in ends]  # an interval of few seeds knows of no bounds
    axes, grid = svg.frame([x for _, x, _ in known], heights, "minutes", "", HEIGHT, SIDE, 14)
    parts = [svg.write(0, 14, title, font_weight="bold"), grid]
    labels = spread({i: axes.y(of.value) for i, (_, _, of) in enumerate(known)}, 13, 30, HEIGHT - 40)
    for i, (point, x, of) in enumerate(known):
        if of.low is not None and of.high is not None:
            low, high = axes.y(max(of.low, min(heights))), axes.y(min(of.high, max(heights)))
            parts.append(svg.line(axes.x(x), low, axes.x(x), high, svg.style_of(i)[0]))
        parts.append(svg.marks(i, [(axes.x(x), axes.y(of.value))], 4.5))
        parts.append(svg.marks(i, [(svg.WIDTH - SIDE + 10, labels[i])], 3.5))
        parts.append(svg.write(svg.WIDTH - SIDE + 18, labels[i] + 4, svg.cut_short(point, 16), size=11))
    said = "; ".join(f"{point} {of.value:.2f} in {x:.1f} minutes" for point, x, of in known)
    return svg.drawing(svg.WIDTH, HEIGHT, f"{title}: {said}", *parts)


def _table(rows: Sequence[Row]) -> Html:
    head = ["point", "read by", "tau-b", "deviation", "better half", "between seeds", "regret", "minutes", "settings"]
    shown: list[list[str | Html]] = [
        [
            str(row["point"]),
            str(row["evaluation"]),
            estimate(estimated(row, "kendall"), 2),
            estimate(estimated(row, "deviation"), 2),
            estimate(estimated(row, "kendall_half"), 2),
            estimate(estimated(row, "reliability"), 2),
            estimate(estimated(row, "regret"), 2),
            estimate(estimated(row, "minutes"), 1),
            str(row["settings"]),
        ]
        for row in rows
    ]
    return table(head, shown, "Every setting and kind of evaluation; brackets: 95 % over seeds and cells")
