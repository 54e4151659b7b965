"""Small SVG: scales, ticks, markers and a plotting frame; colours that colour-blind readers can tell apart."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from jaxnas.report.markup import Html, join, tag

# Okabe & Ito, Color Universal Design: distinct under the common kinds of colour blindness; grey stands in for their
# yellow, which is too pale for a line on white. Every colour comes with a marker or a label.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#7F7F7F")
MARKERS = ("circle", "square", "triangle", "diamond", "plus", "cross", "down", "flat")
INK, GREY, PALE = "#1a1a1a", "#595959", "#d9d9d9"
WIDTH = 340  # of a panel: one fits a phone, three a desk


class Scale(NamedTuple):
    """Values low..high onto pixels start..stop."""

    low: float
    high: float
    start: float
    stop: float

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.stop - self.start)


class Frame(NamedTuple):
    """Both axes of a plot."""

    x: Scale
    y: Scale


def drawing(width: float, height: float, label: str, *children: Html) -> Html:
    """A whole SVG; `label` says in words what it shows."""
    return tag(
        "svg", *children, role="img", aria_label=label, width=width, height=height, viewBox=f"0 0 {width:g} {height:g}"
    )


def standalone(drawn: Html) -> Html:
    """A `drawing` as a file of its own, which takes no style from a page."""
    more = 'xmlns="http://www.w3.org/2000/svg" font-family="sans-serif" style="background:#fff"'
    return Html(drawn.text.replace("<svg ", f"<svg {more} ", 1))


def write(
    x: float, y: float, text: str, anchor: str = "start", fill: str = INK, size: int = 12, **more: object
) -> Html:
    """Text with its baseline at y."""
    return tag("text", text, x=x, y=y, text_anchor=anchor, fill=fill, font_size=size, **more)


def line(x1: float, y1: float, x2: float, y2: float, stroke: str = INK, width: float = 1, **more: object) -> Html:
    """A straight line."""
    return tag(
        "path", d=f"M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}", stroke=stroke, stroke_width=width, fill="none", **more
    )


def cut_short(text: str, most: int) -> str:
    """Text for a drawing, cut at the end when it is long."""
    return text if len(text) <= most else text[: most - 1] + "…"


def span(values: Sequence[float], room: float = 0.05) -> tuple[float, float]:
    """The range of finite values with some room on both sides; never empty."""
    finite = [v for v in values if math.isfinite(v)] or [0.0]
    low, high = min(finite), max(finite)
    extra = (high - low) * room or max(abs(high) * 0.01, 0.5)
    return low - extra, high + extra


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """At most `most` + 1 round numbers (1, 2 or 5 times a power of ten) inside low..high."""
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= rough * 0.999)
    return [i * step for i in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def tick_label(value: float, step: float) -> str:
    """A tick with as many decimals as its step needs."""
    return f"{value:,.{max(0, -math.floor(math.log10(step) + 1e-9))}f}"


def labelled(at: Sequence[float]) -> list[tuple[float, str]]:
    """Ticks with their labels."""
    step = abs(at[1] - at[0]) if len(at) > 1 else max(abs(at[0]), 1) if at else 1
    return [(value, tick_label(value, step)) for value in at]


def frame(
    xs: Sequence[float],
    ys: Sequence[float],
    xlabel: str,
    ylabel: str,
    height: float,
    right: float = 10,
    top: float = 20,
) -> tuple[Frame, Html]:
    """Axes around the values, with grid lines; `right` and `top` are pixels left free for labels."""
    x = Scale(*span(xs), 46, WIDTH - right)
    y = Scale(*span(ys), height - 38, top + 14)
    parts = [write(4, top, ylabel, fill=GREY), write((46 + WIDTH - right) / 2, height - 4, xlabel, "middle", GREY)]
    for value, label in labelled(ticks(y.low, y.high)):
        parts += [line(46, y(value), WIDTH - right, y(value), PALE), write(42, y(value) + 4, label, "end", GREY)]
    for value, label in labelled(ticks(x.low, x.high)):
        parts += [line(x(value), y.start, x(value), y.start + 4, GREY)]
        parts += [write(x(value), y.start + 17, label, "middle", GREY)]
    return Frame(x, y), join(*parts, line(46, y.start, WIDTH - right, y.start, GREY))


def style_of(index: int) -> tuple[str, str]:
    """Colour and marker of the k-th thing; the pair repeats only after 64."""
    return COLOURS[index % 8], MARKERS[(index + index // 8) % 8]


def mark(shape: str, x: float, y: float, r: float) -> str:
    """The path of a marker."""
    if shape == "circle":
        return f"M{x - r:.1f} {y:.1f}a{r:g} {r:g} 0 1 0 {2 * r:g} 0a{r:g} {r:g} 0 1 0 {-2 * r:g} 0z"
    if shape == "square":
        return f"M{x - r:.1f} {y - r:.1f}h{2 * r:g}v{2 * r:g}h{-2 * r:g}z"
    if shape == "triangle":
        return f"M{x:.1f} {y - r:.1f}l{r:g} {2 * r:g}h{-2 * r:g}z"
    if shape == "down":
        return f"M{x:.1f} {y + r:.1f}l{r:g} {-2 * r:g}h{-2 * r:g}z"
    if shape == "diamond":
        return f"M{x:.1f} {y - r:.1f}l{r:g} {r:g}l{-r:g} {r:g}l{-r:g} {-r:g}z"
    if shape == "plus":
        return f"M{x - r:.1f} {y:.1f}h{2 * r:g}M{x:.1f} {y - r:.1f}v{2 * r:g}"
    if shape == "cross":
        return f"M{x - r:.1f} {y - r:.1f}l{2 * r:g} {2 * r:g}M{x - r:.1f} {y + r:.1f}l{2 * r:g} {-2 * r:g}"
    return f"M{x - r:.1f} {y - r / 2:.1f}h{2 * r:g}v{r:g}h{-2 * r:g}z"


def marks(index: int, points: Sequence[tuple[float, float]], r: float = 3.5, hollow: bool = False) -> Html:
    """All points of the k-th thing as one path; hollow: only its outline, on white."""
    colour, shape = style_of(index)
    path = "".join(mark(shape, x, y, r) for x, y in points)
    filled = shape not in ("plus", "cross")
    if filled and hollow:
        return tag("path", d=path, fill="#fff", stroke=colour, stroke_width=1.6)
    return tag(
        "path",
        d=path,
        fill=colour if filled else "none",
        fill_opacity=0.65,
        stroke=INK if filled else colour,
        stroke_width=0.5 if filled else 1.6,
    )


def key(index: int) -> Html:
    """The marker of the k-th thing for a table or a sentence."""
    return tag("svg", marks(index, [(7, 7)], 4.5), width=14, height=14, viewBox="0 0 14 14", aria_hidden="true")
