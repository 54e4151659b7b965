"""The page of a drift: which operations are likeliest epoch by epoch, and what that does to the choice."""

from collections.abc import Callable, Sequence

from jaxnas.analysis import Interval
from jaxnas.report import svg
from jaxnas.report.document import document
from jaxnas.report.figures import spread
from jaxnas.report.format import Row, mean_of, number, percent, plain, several, spoken
from jaxnas.report.markup import Html, architecture_cell, figure, table, tag

HEIGHT, SIDE = 280, 96  # pixels: of a panel, and of the names at its right
Curve = list[tuple[float, float]]  # epoch, value


def drift_page(rows: Sequence[Row]) -> Html:
    """Rows of `drift.csv`, as numbers or as their text: epoch, seed, selector (how the architecture is taken),
    architecture, skips (edges that take skip_connect), edges, true_accuracy (may be empty).
    """
    columns = {"share of skip connect, %": _share, "true accuracy, %": _true}
    drawings = [_panel(title, rows, value) for title, value in columns.items()]
    below = (
        "Thin lines: single seeds; thick ones with markers: their mean, at the epochs that every seed has. Share: the "
        "edges of the chosen cell that take skip_connect, of all its edges."
    )
    seeds = list(dict.fromkeys(str(row["seed"]) for row in rows))
    said = [tag("p", tag("b", f"{plain(name)}: "), text) for name, text in answer(rows).items()]
    parts = [
        tag("section", *said, class_="answer"),
        figure(below, *(drawing for drawing in drawings if drawing is not None)),
        tag("section", tag("h2", "The last epoch of each seed"), _table(_ends(rows, max), "What is chosen at the end")),
        tag("details", tag("summary", "Every epoch"), _table(rows, "What is chosen at each epoch")),
    ]
    return document(f"What is chosen, epoch by epoch: {several(len(seeds), 'seed')}", parts)


def answer(rows: Sequence[Row]) -> dict[str, str]:
    """For each selector, what it takes at the last epoch of each seed and what it took at the first."""
    said = {}
    for name in _selectors(rows):
        of = [row for row in rows if row["selector"] == name]
        share, first, true = (
            _inside(mean_of(found for row in end if (found := value(row)) is not None))
            for end, value in ((_ends(of, max), _share), (_ends(of, min), _share), (_ends(of, max), _true))
        )
        if share is None or first is None:
            said[name] = "nothing is recorded."
            continue
        worth = "" if true is None else f" True accuracy at the end: {spoken(true)}."
        said[name] = f"at the end {spoken(share)} of the edges are skip connections, at first {spoken(first)}.{worth}"
    return said


def _inside(found: Interval | None) -> Interval | None:
    """Student's interval knows of no bounds; a percentage has them."""
    if found is None or found.low is None or found.high is None:
        return found
    return found._replace(low=max(found.low, 0.0), high=min(found.high, 100.0))


def _selectors(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(row["selector"] for row in rows))


def _share(row: Row) -> float | None:
    skips, edges = number(row["skips"]), number(row["edges"])
    return None if skips is None or not edges else 100 * skips / edges


def _true(row: Row) -> float | None:
    return number(row["true_accuracy"])


def _ends(rows: Sequence[Row], pick: Callable[..., Row]) -> list[Row]:
    """The first or the last row (`pick`: min or max) of each selector and seed."""
    of: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        of.setdefault((row["selector"], str(row["seed"])), []).append(row)
    ends = [pick(found, key=lambda row: number(row["epoch"]) or 0.0) for found in of.values()]
    return sorted(ends, key=lambda row: _selectors(rows).index(row["selector"]))


def _curves(rows: Sequence[Row], value: Callable[[Row], float | None]) -> list[Curve]:
    """A curve for each seed that has values."""
    found: dict[str, Curve] = {}
    for row in rows:
        epoch, height = number(row["epoch"]), value(row)
        if epoch is not None and height is not None:
            found.setdefault(str(row["seed"]), []).append((epoch, height))
    return [sorted(curve) for curve in found.values()]


def _mean(curves: Sequence[Curve]) -> Curve:
    """The mean at the epochs that all have: elsewhere it would move with who is there."""
    by_epoch = [dict(curve) for curve in curves]
    common = sorted(set(by_epoch[0]).intersection(*by_epoch))
    return [(epoch, sum(of[epoch] for of in by_epoch) / len(by_epoch)) for epoch in common]


def _panel(title: str, rows: Sequence[Row], value: Callable[[Row], float | None]) -> Html | None:
    """None if no row has the value."""
    selectors = _selectors(rows)
    curves = {k: _curves([r for r in rows if r["selector"] == name], value) for k, name in enumerate(selectors)}
    curves = {k: of for k, of in curves.items() if of}
    points = [point for of in curves.values() for curve in of for point in curve]
    if not points:
        return None
    axes, grid = svg.frame([p[0] for p in points], [p[1] for p in points], "epoch", "", HEIGHT, SIDE, 14)
    parts, means = [svg.write(0, 14, title, font_weight="bold"), grid], {}
    for k, of in curves.items():
        colour = svg.style_of(k)[0]
        for curve in of if len(of) > 1 else ():
            parts.append(_path(axes, curve, stroke=colour, stroke_width=0.7, stroke_opacity=0.6))
        if mean := _mean(of):
            means[k] = mean
    for k, mean in means.items():
        parts.append(_path(axes, mean, stroke=svg.style_of(k)[0], stroke_width=2.2))
        marked = mean[:: -(-len(mean) // 12)]
        parts.append(svg.marks(k, [(axes.x(epoch), axes.y(v)) for epoch, v in marked], 3.5))
    ends = {k: axes.y(mean[-1][1]) for k, mean in means.items()}
    for k, y in spread(ends, 14, 30, HEIGHT - 40).items():
        parts.append(svg.line(svg.WIDTH - SIDE + 2, ends[k], svg.WIDTH - SIDE + 10, y, svg.GREY, 0.6))
        parts.append(svg.marks(k, [(svg.WIDTH - SIDE + 16, y)], 3.5))
        parts.append(svg.write(svg.WIDTH - SIDE + 24, y + 4, svg.cut_short(plain(selectors[k]), 12), size=11))
    said = "; ".join(f"{plain(selectors[k])} {mean[-1][1]:.2f}" for k, mean in means.items())
    return svg.drawing(svg.WIDTH, HEIGHT, f"{title} by epoch; mean at the end: {said}", *parts)


def _path(axes: svg.Frame, curve: Curve, **more: object) -> Html:
    path = "M" + "L".join(f"{axes.x(epoch):.1f} {axes.y(value):.1f}" for epoch, value in curve)
    return tag("path", d=path, fill="none", **more)


def _table(rows: Sequence[Row], caption: str) -> Html:
    head = ["selector", "seed", "epoch", "skips", "edges", "share, %", "true accuracy, %", "architecture"]
    shown: list[list[str | Html]] = [
        [
            plain(row["selector"]),
            *(str(row[name]) for name in ("seed", "epoch", "skips", "edges")),
            *(percent(value(row)) for value in (_share, _true)),
            architecture_cell(str(row["architecture"])),
        ]
        for row in rows
    ]
    return table(head, shown, caption)
