"""The figures of the split: the tree, and how alike the operations of an edge are."""

from collections.abc import Sequence

import numpy as np

from jaxnas.report import svg
from jaxnas.report.figures import short
from jaxnas.report.markup import Html, tag
from jaxnas.spaces.tree import Node, SplitTree

BLUE, ORANGE = (0, 114, 178), (213, 94, 0)  # ends of the diverging map (Okabe-Ito); white is zero


def tree_picture(tree: SplitTree, chosen_leaf: int | None) -> Html:
    """The tree from left to right: a box for each node, the group of operations on each branch."""
    depth: dict[int, int] = {}
    for node in tree.nodes:
        depth[node.id] = 0 if node.parent is None else depth[node.parent] + 1
    leaves = [node.id for node in tree.nodes if node.split is None]
    children = {node.id: [n.id for n in tree.nodes if n.parent == node.id] for node in tree.nodes}
    row: dict[int, float] = {}
    order = _top_down(tree)
    for node in reversed(tree.nodes):
        below = children[node.id]
        row[node.id] = sum(row[n] for n in below) / len(below) if below else order.index(node.id)
    column, step, box = 262, 60, (122, 50)
    width, height = column * max(depth.values()) + box[0] + 2, step * len(leaves) + 4
    places = {n.id: (1.0 + column * depth[n.id], 2 + step * row[n.id] + (step - box[1]) / 2) for n in tree.nodes}
    parts = []
    for node in tree.nodes:
        x, y = places[node.id]
        for group, child in zip(node.split.groups if node.split else (), children[node.id], strict=True):
            to = places[child]
            y1, y2 = y + box[1] / 2, to[1] + box[1] / 2
            bend = x + box[0] + 16
            path = f"M{x + box[0]:.1f} {y1:.1f}H{bend:.1f}V{y2:.1f}H{to[0]:.1f}"
            parts.append(tag("path", d=path, fill="none", stroke=svg.GREY))
            for i, text in enumerate(_lines([short(tree.space.ops[o]) for o in group])):
                parts.append(svg.write(bend + 5, y2 - 4 if i == 0 else y2 + 13, text, size=11, class_="halo"))
        parts += _box(tree, node, places[node.id], box, leaves, chosen_leaf)
    return svg.drawing(width, height, _tree_in_words(tree), *parts)


def heat_map(
    title: str, values: np.ndarray, ops: Sequence[str], groups: Sequence[Sequence[int]], limit: float, note: str
) -> Html:
    """Similarities [O, O] with the numbers in the cells; `groups` order the operations and get a frame each."""
    order = [o for group in groups for o in group]
    left, top, size, side = 62, 66, 40, len(order)
    parts = [svg.write(0, 14, title, font_weight="bold"), svg.write(0, 31, note, fill=svg.GREY, size=11)]
    said = []
    for i, a in enumerate(order):
        parts.append(svg.write(left - 5, top + size * i + 24, short(ops[a]), "end", size=11))
        x = left + size * i + size / 2
        parts.append(
            svg.write(x, top - 6, short(ops[a]).replace("conv ", "c ").replace("pool ", "p "), "middle", size=11)
        )
        for j, b in enumerate(order):
            parts += _square(values[a, b], i == j, left + size * j, top + size * i, size, limit)
            if i < j and np.isfinite(values[a, b]):
                said.append(f"{short(ops[a])} and {short(ops[b])} {values[a, b]:.{_digits(limit)}f}")
    at = 0
    for group in groups if len(groups) > 1 else ():
        where, length = at * size, len(group) * size
        parts.append(
            tag(
                "rect",
                x=left + where,
                y=top + where,
                width=length,
                height=length,
                fill="none",
                stroke=svg.INK,
                stroke_width=3,
            )
        )
        at += len(group)
    return svg.drawing(left + size * side + 4, top + size * side + 4, f"{title}. {note}. {'; '.join(said)}", *parts)


def shade(value: float, limit: float) -> tuple[str, str]:
    """Fill and ink of a cell: blue for -limit, white for 0, orange for limit; the ink with the better contrast."""
    share = max(-1.0, min(1.0, value / limit))
    fill = [round(255 + (end - 255) * abs(share)) for end in (ORANGE if share > 0 else BLUE)]
    linear = [c / 255 / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in fill]
    luminance = (
        0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    )  # WCAG 2: black and white are equal at .179
    return "#" + "".join(f"{c:02x}" for c in fill), "#000000" if luminance > 0.179 else "#ffffff"


def _digits(limit: float) -> int:
    return 2 if limit >= 0.1 else 3


def _square(value: float, diagonal: bool, x: float, y: float, size: float, limit: float) -> list[Html]:
    if diagonal or not np.isfinite(value):
        fill, text, ink = "#f2f2f2", "" if diagonal else "-", svg.GREY
    else:
        fill, ink = shade(value, limit)
        text = f"{value:.{_digits(limit)}f}"
    rect = tag("rect", x=x, y=y, width=size, height=size, fill=fill, stroke="#fff")
    return [rect, svg.write(x + size / 2, y + size / 2 + 4, text, "middle", ink, 11)]


def _box(
    tree: SplitTree, node: Node, place: tuple[float, float], box: tuple[int, int], leaves: list[int], chosen: int | None
) -> list[Html]:
    (x, y), height = place, box[1] if node.split is not None else 36
    y += (box[1] - height) / 2
    leaf = leaves.index(node.id) if node.split is None else None
    ours = leaf is not None and leaf == chosen
    rect = tag(
        "rect",
        x=x,
        y=y,
        width=box[0],
        height=height,
        rx=4,
        fill="#fff",
        stroke=svg.COLOURS[0] if ours else svg.INK,
        stroke_width=3.0 if ours else 1.0,
    )
    if node.split is None:
        said = [f"leaf {leaf}" + (": chosen" if ours else ""), f"{node.size:,} cells"]
    else:
        margin = "no other" if node.split.margin is None else f"{node.split.margin:.4f}"
        said = [f"node {node.id}: {tree.space.edge_name(node.split.edge)}", f"margin {margin}"]
        said.append(f"{node.size:,} cells" if node.split.ties == 1 else f"{node.split.ties} tied groupings")
    texts = [
        svg.write(x + 7, y + 15 + 15 * i, text, size=12 if i == 0 else 11, font_weight="bold" if i == 0 else None)
        for i, text in enumerate(said)
    ]
    return [rect, *texts]


def _lines(names: list[str]) -> list[str]:
    """Names of a group on at most two lines: above and below the branch."""
    half = len(names) if len(names) <= 2 else (len(names) + 1) // 2
    first, second = ", ".join(names[:half]), ", ".join(names[half:])
    return [first + "," if second else first, *([second] if second else [])]


def _top_down(tree: SplitTree) -> list[int]:
    """Ids of the leaves as they are drawn, so that no branches cross."""
    path: dict[int, tuple[int, ...]] = {}
    for node in tree.nodes:
        path[node.id] = (*(() if node.parent is None else path[node.parent]), node.id)
    return sorted((node.id for node in tree.nodes if node.split is None), key=lambda k: path[k])


def _tree_in_words(tree: SplitTree) -> str:
    said = []
    for node in tree.nodes:
        if node.split is not None:
            groups = " | ".join(", ".join(short(tree.space.ops[o]) for o in group) for group in node.split.groups)
            said.append(f"node {node.id} splits edge {tree.space.edge_name(node.split.edge)} into {groups}")
    return "The split tree: " + "; ".join(said)
