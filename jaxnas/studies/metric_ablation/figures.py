"""The figure of agreement between metrics."""

from collections.abc import Sequence

import numpy as np

from jaxnas.few_shot.tree_figures import shade
from jaxnas.report import svg
from jaxnas.report.markup import Html, tag

CELL, LEFT, TOP = 27, 190, 40


def matrix(title: str, names: Sequence[str], values: np.ndarray) -> Html:
    """Values [N, N] in -1 .. 1 with the numbers in the cells; rows are named, columns by the number of their row."""
    parts, said = [svg.write(0, 14, title, font_weight="bold")], []
    for i, name in enumerate(names):
        y = TOP + CELL * i
        parts.append(svg.write(LEFT - 5, y + 18, svg.cut_short(f"{name} {i + 1}", 30), "end"))
        parts.append(svg.write(LEFT + CELL * i + CELL / 2, TOP - 5, str(i + 1), "middle", svg.GREY, 11))
        for j, other in enumerate(names):
            known = bool(np.isfinite(values[i, j]))
            fill, ink = shade(float(values[i, j]), 1.0) if known else ("#f2f2f2", svg.GREY)
            text = f"{values[i, j]:z.1f}" if known else "-"
            x = LEFT + CELL * j
            parts.append(tag("rect", x=x, y=y, width=CELL, height=CELL, fill=fill, stroke="#fff"))
            parts.append(svg.write(x + CELL / 2, y + 18, text, "middle", ink, 10))
            if i < j and known:
                said.append(f"{name} and {other} {values[i, j]:z.2f}")
    side = CELL * len(names)
    return svg.drawing(LEFT + side + 4, TOP + side + 4, f"{title}: {'; '.join(said)}", *parts)
