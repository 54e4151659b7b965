"""The figures of accuracy: the cell, estimates with intervals, learning curves, score against truth, cost."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxnas.analysis import Interval
from jaxnas.report import svg
from jaxnas.report.format import LARGEST, estimate
from jaxnas.report.markup import Html, join, tag

OPERATIONS = {
    "none": "none",
    "skip_connect": "skip",
    "nor_conv_1x1": "conv 1x1",
    "nor_conv_3x3": "conv 3x3",
    "avg_pool_3x3": "pool 3x3",
}
DASHES = {"skip_connect": "5 4", "avg_pool_3x3": "1.5 3.5"}
MOST_NAMED = 12  # lines with a label each; of more, their mean is drawn


class Row(NamedTuple):
    """One line of a dot-and-interval figure."""

    name: str
    value: Interval
    ours: bool  # the method itself


def short(op: str) -> str:
    """An operation in a few characters."""
    return OPERATIONS.get(op, svg.cut_short(op, 10))


def cell_edges(architecture: str) -> list[tuple[int, int, str]]:
    """(target, source, operation) of `|op~source|...|+|...|`; empty if the text is of another form."""
    edges = []
    for target, block in enumerate(architecture.split("+"), start=1):
        for part in block.strip("|").split("|"):
            op, _, source = part.partition("~")
            if not op or not source.isascii() or not source.isdigit() or int(source[:3]) >= target or target > 9:
                return []
            edges.append((target, int(source), op))
    return edges


def cell(architecture: str) -> Html | None:
    """The chosen cell as a graph, nodes from left to right; None if the text does not say its edges."""
    edges = cell_edges(architecture)
    if not edges:
        return None
    last = max(target for target, _, _ in edges)
    # Neighbours are joined straight; longer edges arch above, or below when they start at an odd node.
    bends = [0 if t - s == 1 else (-1 if s % 2 == 0 else 1) * (48 * (t - s) - 46) for t, s, _ in edges]
    width, middle = 300, 28.0 - min(0, *bends)  # as wide as fits beside the rule of a phone
    gap = (width - 44) / last
    parts, said = [], []
    for (target, source, op), bend in zip(edges, bends, strict=True):
        said.append(f"{short(op)} from {source} to {target}")
        if op == "none":
            continue
        x1, x2, start = 22 + source * gap, 22 + target * gap, 13 if bend == 0 else 0
        path = (
            f"M{x1 + start:.1f} {middle:.1f}Q{(x1 + x2) / 2:.1f} {middle + 2 * bend:.1f} {x2 - start:.1f} {middle:.1f}"
        )
        thick, stroke = (2.6, svg.COLOURS[0]) if "conv" in op else (2.0, svg.INK)
        parts.append(
            tag("path", d=path, stroke=stroke, stroke_width=thick, fill="none", stroke_dasharray=DASHES.get(op))
        )
        y = middle + bend + (-7 if bend <= 0 else 16)
        parts.append(svg.write((x1 + x2) / 2, y, short(op), "middle", class_="halo"))
    for node in range(last + 1):
        name = "in" if node == 0 else "out" if node == last else str(node)
        circle = tag("circle", cx=22 + node * gap, cy=middle, r=14, fill="#fff", stroke=svg.INK, stroke_width=1.5)
        parts.append(join(circle, svg.write(22 + node * gap, middle + 4, name, "middle")))
    return svg.drawing(width, middle + max(0, *bends) + 24, f"The cell as a graph: {'; '.join(said)}", *parts)


def dots(title: str, rows: Sequence[Row], digits: int = 2, reference: tuple[str, float] | None = None) -> Html:
    """A dot and its interval for each row, all on one scale; `reference` is a dashed line with a name."""
    values = [v for row in rows for v in (row.value.value, row.value.low, row.value.high) if v is not None]
    low, high = svg.span([*values, reference[1]] if reference else values)
    x, top, step = svg.Scale(low, high, 8, svg.WIDTH - 8), 46 if reference else 28, 38
    bottom = top + step * len(rows) + 4
    parts = [svg.write(0, 14, title, font_weight="bold")]
    for value, label in svg.labelled(svg.ticks(low, high)):
        parts += [svg.line(x(value), top, x(value), bottom, svg.PALE)]
        parts += [svg.write(min(max(x(value), 10), svg.WIDTH - 14), bottom + 15, label, "middle", svg.GREY)]
    if reference:
        at = x(reference[1])
        anchor = "start" if at < svg.WIDTH / 3 else "end" if at > svg.WIDTH * 2 / 3 else "middle"
        parts += [svg.line(at, top - 8, at, bottom, svg.INK, 1.2, stroke_dasharray="4 3")]
        parts += [svg.write(at, top - 12, reference[0], anchor, svg.GREY)]
    for i, row in enumerate(rows):
        y = top + step * i + 26
        weight = "bold" if row.ours else None
        parts.append(svg.write(0, y - 10, svg.cut_short(row.name, 26), font_weight=weight, class_="halo"))
        parts.append(
            svg.write(svg.WIDTH, y - 10, estimate(row.value, digits), "end", font_weight=weight, class_="halo")
        )
        if row.value.low is not None and row.value.high is not None:
            ends = x(row.value.low), x(row.value.high)
            parts.append(
                svg.line(ends[0], y, ends[1], y, svg.COLOURS[0] if row.ours else svg.GREY, 3 if row.ours else 2)
            )
            parts += [svg.line(end, y - 4, end, y + 4, svg.INK) for end in ends]
        shape, fill = ("circle", svg.COLOURS[0]) if row.ours else ("square", "#fff")
        parts.append(tag("path", d=svg.mark(shape, x(row.value.value), y, 4.5), fill=fill, stroke=svg.INK))
    said = "; ".join(f"{row.name} {estimate(row.value, digits)}" for row in rows)
    return svg.drawing(svg.WIDTH, bottom + 22, f"{title}: {said}", *parts)


def curves(
    title: str,
    rows: Sequence[dict[str, Any]],
    x: str,
    y: str,
    xlabel: str,
    ylabel: str,
    names: Sequence[str] = (),
) -> Html | None:
    """One line for each leaf, numbered at its end (of many, their mean); None if no row has both fields.

    names: what the numbers stand for, in words; leaves, if not given.
    """
    lines: dict[int, list[tuple[float, float]]] = {}
    for row in rows:
        leaf = row.get("leaf", 0)
        if isinstance(leaf, int) and _drawable(row.get(x)) and _drawable(row.get(y)):
            lines.setdefault(leaf, []).append((row[x], row[y]))
    if not lines:
        return None
    points = [point for line in lines.values() for point in line]
    many, named = len(lines) > MOST_NAMED, 1 < len(lines) <= MOST_NAMED
    title = f"{title}: {len(lines)} networks" if many else title
    right = 12 if len(lines) == 1 else 46
    axes, parts = svg.frame([p[0] for p in points], [p[1] for p in points], xlabel, ylabel, 240, right, 34)
    drawn = [svg.write(0, 14, title, font_weight="bold"), parts]
    labels = spread({leaf: axes.y(line[-1][1]) for leaf, line in lines.items()}, 13, axes.y.stop, axes.y.start)
    for leaf, line in sorted(lines.items()):
        at = [(axes.x(a), axes.y(b)) for a, b in line]
        drawn.append(_polyline(at, *((svg.GREY, 0.4) if many else (svg.style_of(leaf)[0], 1.6))))
        if not many:
            drawn.append(svg.marks(leaf, at if len(at) <= 40 and not named else at[-1:], 3))
        if named:
            drawn.append(svg.line(at[-1][0] + 3, at[-1][1], svg.WIDTH - 34, labels[leaf], svg.GREY, 0.6))
            drawn.append(svg.marks(leaf, [(svg.WIDTH - 28, labels[leaf])], 4))
            drawn.append(svg.write(svg.WIDTH - 20, labels[leaf] + 4, str(leaf)))
    if many:
        means = [(a, float(np.mean([q for p, q in points if p == a]))) for a in sorted({p for p, _ in points})]
        drawn.append(_polyline([(axes.x(a), axes.y(b)) for a, b in means], svg.COLOURS[0], 2.5))
        drawn.append(svg.write(svg.WIDTH - 42, axes.y(means[-1][1]) + 4, "mean"))
        lines = {-1: means}
    said = {leaf: (names[leaf] if names else f"leaf {leaf}") if named else "last" for leaf in lines}
    last = "; ".join(f"{said[leaf]} {line[-1][1]:.2f}" for leaf, line in sorted(lines.items()))
    return svg.drawing(svg.WIDTH, 240, f"{title}: {ylabel} by {xlabel}; at the end {last}", *drawn)


def _polyline(at: Sequence[tuple[float, float]], stroke: str, width: float) -> Html:
    path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in at)
    return tag("path", d=path, stroke=stroke, stroke_width=width, fill="none")


def spread(wanted: dict[int, float], gap: float, low: float, high: float) -> dict[int, float]:
    """Positions near the wanted ones, at least `gap` apart, pushed down first and back up from `high`."""
    order = sorted(wanted, key=lambda k: (wanted[k], k))
    placed: dict[int, float] = {}
    at = low - gap
    for k in order:
        at = placed[k] = max(wanted[k], at + gap)
    limit = high + gap
    for k in reversed(order):
        limit = placed[k] = min(placed[k], limit - gap)
    return placed


def scatter(title: str, note: str, scores: np.ndarray, truth: np.ndarray, leaf: np.ndarray | None) -> Html | None:
    """Score against truth, float [A] each (NaN where there is no score); leaf int [A] by colour and marker."""
    kept = np.isfinite(scores)
    if not kept.any():
        return None
    axes, parts = svg.frame(scores[kept].tolist(), truth.tolist(), "score by the supernet, %", "truth, %", 280, 10, 34)
    drawn = [svg.write(0, 14, title, font_weight="bold"), parts, svg.write(svg.WIDTH - 10, 34, note, "end")]
    groups = np.zeros(len(scores), int) if leaf is None else leaf
    for k in sorted(set(groups[kept].tolist())):
        inside = kept & (groups == k)
        points = [(axes.x(s), axes.y(t)) for s, t in zip(scores[inside], truth[inside], strict=True)]
        drawn.append(svg.marks(max(k, 0), points, 2.8))
    return svg.drawing(svg.WIDTH, 280, f"{title}: {int(kept.sum())} cells, score against truth; {note}", *drawn)


def bars(title: str, rows: Sequence[tuple[str, float, str]]) -> Html:
    """One bar for each (name, length, text)."""
    most = max((length for _, length, _ in rows), default=0) or 1
    parts = [svg.write(0, 14, title, font_weight="bold")]
    for i, (name, length, text) in enumerate(rows):
        y = 38 + 34 * i
        parts += [svg.write(0, y, svg.cut_short(name, 30)), svg.write(svg.WIDTH, y, text, "end")]
        parts.append(
            tag("rect", x=0, y=y + 5, width=max(1.0, length / most * svg.WIDTH), height=9, fill=svg.COLOURS[0])
        )
    said = "; ".join(f"{name} {text}" for name, _, text in rows)
    return svg.drawing(svg.WIDTH, 30 + 34 * len(rows), f"{title}: {said}", *parts)


def _drawable(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST
