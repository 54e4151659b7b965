"""The figures of what splits are worth: accuracies in each sub-supernet, statistics against chance, average ranks."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jaxnas.report import svg
from jaxnas.report.markup import Html, join, tag

LEFT = 84  # pixels for names
BINS = 64
MOST_DRAWN = 32  # sub-supernets of one panel


class Against(NamedTuple):
    """One statistic of one split, and the same of random trees: low, median, high of the central 95 %."""

    name: str
    value: float
    same_edges: tuple[float, float, float]
    random_edges: tuple[float, float, float]


def against_chance(title: str, rows: Sequence[Against]) -> Html:
    """A diamond for each split over two bars: random trees on its edges (filled) and on random edges (hollow)."""
    low, high = svg.span([v for row in rows for v in (row.value, *row.same_edges, *row.random_edges)])
    x, top, step = svg.Scale(low, high, LEFT, svg.WIDTH - 8), 24, 27
    bottom = top + step * len(rows) + 2
    parts = [svg.write(0, 14, title, font_weight="bold"), _axis(x, top, bottom)]
    for i, row in enumerate(rows):
        y = top + step * i + 13
        parts.append(svg.write(0, y + 4, svg.cut_short(row.name, 12)))
        for at, (a, middle, b), fill, stroke in (
            (y - 7, row.same_edges, "#8fc3e3", svg.COLOURS[0]),
            (y + 1, row.random_edges, "#fff", svg.GREY),
        ):
            width = max(x(b) - x(a), 1.0)
            parts.append(tag("rect", x=x(a), y=at, width=width, height=6, fill=fill, stroke=stroke))
            parts.append(svg.line(x(middle), at - 1, x(middle), at + 7, svg.INK, 2))
        diamond = svg.mark("diamond", x(row.value), y, 6)
        parts.append(tag("path", d=diamond, fill=svg.COLOURS[1], stroke="#fff", stroke_width=1.2))
    said = "; ".join(
        f"{row.name} {row.value:.3g}, on its edges {row.same_edges[0]:.3g} to {row.same_edges[2]:.3g}, "
        f"on random edges {row.random_edges[0]:.3g} to {row.random_edges[2]:.3g}"
        for row in rows
    )
    return svg.drawing(svg.WIDTH, bottom + 22, f"{title}: {said}", *parts)


def distributions(title: str, sets: Sequence[np.ndarray], tops: Sequence[int], low: float, top: float) -> Html:
    """A histogram of accuracy for each sub-supernet, heights to the largest bin of each.

    sets: accuracies [n] of each; tops: how many of the top 1 % it holds; low: what is worse is drawn at the left end;
    top: where the top 1 % begins.
    """
    drawn = sets[:MOST_DRAWN]
    high = max(float(values.max()) for values in sets)
    x, start, step = svg.Scale(low, high + (high - low) * 0.02, LEFT, svg.WIDTH - 46), 42, 30
    bottom = start + step * len(drawn) + 2
    edges = np.linspace(x.low, x.high, BINS + 1)
    parts = [svg.write(0, 14, title, font_weight="bold"), _axis(x, start - 4, bottom)]
    parts += [
        svg.write(0, 32, "sub: cells", fill=svg.GREY, size=11),
        svg.write(svg.WIDTH, 32, "top 1 %", "end", svg.GREY, 11),
    ]
    for k, values in enumerate(drawn):
        counts, base = np.histogram(np.clip(values, x.low, x.high), edges)[0], start + step * (k + 1) - 4
        heights = counts / counts.max() * (step - 6)
        path = f"M{x.start:.1f} {base:.1f}" + "".join(
            f"V{base - h:.1f}H{x(edge):.1f}" for h, edge in zip(heights, edges[1:], strict=True)
        )
        colour = svg.COLOURS[0] if tops[k] else "#b3b3b3"
        parts.append(tag("path", d=f"{path}V{base:.1f}z", fill=colour, stroke="none"))
        parts.append(svg.line(x.start, base, x.stop, base, svg.GREY, 0.6))
        parts.append(svg.write(0, base - 3, f"{k}: {len(values):,}"))
        parts.append(svg.write(svg.WIDTH, base - 3, f"{tops[k]:,}", "end", font_weight="bold" if tops[k] else None))
    parts.append(svg.line(x(top), start - 4, x(top), bottom, svg.COLOURS[1], 1.4, stroke_dasharray="4 3"))
    more = "" if len(drawn) == len(sets) else f", the first {len(drawn)} of {len(sets)}"
    said = "; ".join(
        f"{k} has {len(values)} cells, median {np.median(values):.2f}, {n} of the top 1 %"
        for k, (values, n) in enumerate(zip(drawn, tops, strict=False))
    )
    return svg.drawing(svg.WIDTH, bottom + 22, f"{title}{more}: {said}", *parts)


def critical_difference(title: str, names: Sequence[str], ranks: Sequence[float], difference: float) -> Html:
    """Average ranks on one axis, the best at the left; a thick line joins those that are not told apart."""
    order = np.argsort(ranks, kind="stable")
    sorted_ranks, half = np.asarray(ranks, float)[order], (len(order) + 1) // 2
    x, y = svg.Scale(1, len(order), 92, svg.WIDTH - 92), 56
    parts = [svg.write(0, 14, title, font_weight="bold"), svg.line(x.start, y, x.stop, y, svg.INK, 1.4)]
    for rank in range(1, len(order) + 1):
        parts += [svg.line(x(rank), y - 5, x(rank), y), svg.write(x(rank), y - 9, str(rank), "middle", svg.GREY, 11)]
    end = min(1 + difference, len(order))
    parts.append(svg.line(x(1), y - 26, x(end), y - 26, svg.COLOURS[1], 3))
    parts.append(svg.write(x(end) + 5, y - 22, f"critical difference {difference:.2f}", fill=svg.GREY, size=11))
    joined = cliques(sorted_ranks, difference)
    for i, (first, last) in enumerate(joined):
        level = y + 8 + 7 * i
        parts.append(svg.line(x(sorted_ranks[first]) - 3, level, x(sorted_ranks[last]) + 3, level, svg.INK, 3.5))
    below = y + 22 + 7 * len(joined)
    for place, index in enumerate(order):
        left = place < half
        row = below + 19 * (place if left else len(order) - 1 - place)
        at, side = x(sorted_ranks[place]), 86 if left else svg.WIDTH - 86
        parts.append(tag("path", d=f"M{at:.1f} {y}V{row}H{side}", fill="none", stroke=svg.GREY, stroke_width=0.9))
        text = f"{names[index]} {ranks[index]:.1f}"
        parts.append(svg.write(side - 4 if left else side + 4, row + 4, text, "end" if left else "start"))
    said = "; ".join(f"{names[i]} {ranks[i]:.2f}" for i in order)
    height = below + 19 * half
    return svg.drawing(svg.WIDTH, height, f"{title}: {said}; critical difference {difference:.2f}", *parts)


def cliques(ranks: np.ndarray, difference: float) -> list[tuple[int, int]]:
    """The longest runs of sorted ranks that differ by less than `difference`, as (first, last); of two or more."""
    found: list[tuple[int, int]] = []
    for first, rank in enumerate(ranks):
        last = int(np.flatnonzero(ranks - rank < difference)[-1])
        if last > first and (not found or last > found[-1][1]):
            found.append((first, last))
    return found


def _axis(x: svg.Scale, top: float, bottom: float) -> Html:
    parts = []
    for value, label in svg.labelled(svg.ticks(x.low, x.high, 4)):
        parts += [svg.line(x(value), top, x(value), bottom, svg.PALE)]
        parts += [svg.write(x(value), bottom + 15, label, "middle", svg.GREY)]
    return join(*parts)
