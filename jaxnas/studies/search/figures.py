"""Rows of means with intervals and single seeds, in groups, with the controls as lines across all of them."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jaxnas.analysis import Interval
from jaxnas.report import svg
from jaxnas.report.figures import spread
from jaxnas.report.format import estimate
from jaxnas.report.markup import Html, tag

LEFT, RIGHT = 134, svg.WIDTH - 10  # pixels between which values are drawn; names stand left of them
STEP, HEAD = 22, 20  # pixels of a row, and of the name of a group
MOST_ROWS = 12  # of a panel: one fits the screen of a phone, and a page of paper
# Markers that a bar does not hide: no crosses.
STYLES = [k for k in range(64) if svg.style_of(k)[1] not in ("plus", "cross")]


class Line(NamedTuple):
    """One row: a mean and the seeds behind it."""

    name: str
    style: int  # colour and marker, counted from 0
    mean: Interval | None
    seeds: Sequence[float]
    hollow: bool = False  # a control


class Group(NamedTuple):
    """Rows under a common name."""

    name: str
    lines: Sequence[Line]


class Reference(NamedTuple):
    """A line across."""

    letter: str
    value: float


def panels(
    title: str, groups: Sequence[Group], references: Sequence[Reference], digits: int, most: float = math.inf
) -> list[Html]:
    """Drawings of at most MOST_ROWS rows, but whole groups, on one scale.

    The scale holds the references and all values but outliers (Tukey's fences): one collapsed search, or an interval
    of two seeds, would squeeze everything else. What lies beyond it becomes an arrow, and a mean is written there. It
    ends at `most`, as accuracies do, though their intervals may not.
    """
    lines = [line for group in groups for line in group.lines]
    values = [value for line in lines for value in (*line.seeds, *([line.mean.value] if line.mean else ()))]
    held = [reference.value for reference in references]
    if values:
        first, third = np.quantile(values, (0.25, 0.75))
        held += [v for v in values if abs(v - (first + third) / 2) <= 2 * (third - first)]
    low, high = svg.span(held, 0.08)
    high = min(high, most)
    parts: list[list[Group]] = []
    for group in groups:
        if not parts or sum(len(g.lines) for g in parts[-1]) + len(group.lines) > MOST_ROWS:
            parts.append([])
        parts[-1].append(group)
    return [_panel(title, part, references, svg.Scale(low, high, LEFT, RIGHT), digits) for part in parts]


def _panel(title: str, groups: Sequence[Group], references: Sequence[Reference], x: svg.Scale, digits: int) -> Html:
    top = 40 if references else 24
    bottom = top + sum((HEAD if group.name else 0) + STEP * len(group.lines) for group in groups) + 4
    parts = [svg.write(0, 14, title, font_weight="bold")]
    ticks = svg.ticks(x.low, x.high, 4)
    for value, label in svg.labelled(ticks if len(ticks) > 1 else svg.ticks(x.low, x.high, 8)):  # one is no scale
        parts.append(svg.line(x(value), top, x(value), bottom, svg.PALE))
        inside = svg.WIDTH - 3.8 * len(label)  # half of what the last label is wide
        parts.append(svg.write(min(x(value), inside), bottom + 15, label, "middle", svg.GREY))
    letters = spread({i: x(reference.value) for i, reference in enumerate(references)}, 11, LEFT, RIGHT)
    for i, reference in enumerate(references):
        at = x(reference.value)
        path = f"M{letters[i]:.1f} {top - 9}L{at:.1f} {top - 2}L{at:.1f} {bottom}"
        parts.append(tag("path", d=path, stroke=svg.GREY, stroke_width=1, fill="none", stroke_dasharray="4 3"))
        parts.append(svg.write(letters[i], top - 12, reference.letter, "middle", size=11))
    y = top
    for group in groups:
        if group.name:
            parts.append(svg.write(0, y + 15, svg.cut_short(group.name, 21), font_weight="bold", class_="halo"))
            y += HEAD
        for line in group.lines:
            parts += _row(line, x, y + STEP // 2, digits)
            y += STEP
    said = "; ".join(f"{g.name} {line.name} {estimate(line.mean, digits)}".strip() for g in groups for line in g.lines)
    return svg.drawing(svg.WIDTH, bottom + 22, f"{title}: {said}", *parts)


def _row(line: Line, x: svg.Scale, y: float, digits: int) -> list[Html]:
    """The mean a little above the middle, the seeds a little below it."""
    parts = [svg.write(8, y + 4, svg.cut_short(line.name, 22), size=11)]
    if line.mean is None:
        return [*parts, svg.write(LEFT + 4, y + 4, "none", fill=svg.GREY, size=11, class_="halo")]
    mean, style = line.mean, STYLES[line.style % len(STYLES)]
    colour = svg.style_of(style)[0]
    if mean.low is not None and mean.high is not None:
        ends = _held(mean.low, x), _held(mean.high, x)
        parts.append(svg.line(x(ends[0]), y - 3, x(ends[1]), y - 3, colour, 2))
        for value, end in zip((mean.low, mean.high), ends, strict=True):
            shape = _arrow(value, x, y - 3, 4) if value != end else f"M{x(end):.1f} {y - 7:.1f}v8"
            parts.append(tag("path", d=shape, stroke=colour, stroke_width=1.5, fill="none"))
    if mean.value == _held(mean.value, x):
        parts.append(svg.marks(style, [(x(mean.value), y - 3)], 4, line.hollow))
    else:
        at, anchor = (LEFT + 8, "start") if mean.value < x.low else (RIGHT - 8, "end")
        parts.append(svg.write(at, y + 1, f"{mean.value:.{digits}f}", anchor, size=11, class_="halo"))
    seeds = "".join(
        svg.mark("circle", x(value), y + 6, 1.8) if value == _held(value, x) else _arrow(value, x, y + 6, 2)
        for value in line.seeds
    )
    return [*parts, tag("path", d=seeds, fill="#fff", stroke=svg.INK, stroke_width=0.9)] if seeds else parts


def _held(value: float, x: svg.Scale) -> float:
    """The value, or the end of the scale beyond which it lies."""
    return min(max(value, x.low), x.high)


def _arrow(value: float, x: svg.Scale, y: float, r: float) -> str:
    """The head of an arrow at the end of the scale beyond which a value lies."""
    at, inward = x(_held(value, x)), r if value < x.low else -r
    return f"M{at + inward:.1f} {y - r:.1f}L{at:.1f} {y:.1f}L{at + inward:.1f} {y + r:.1f}"
