"""The page of replayed rules: regret against budget, a panel for each noise, and the numbers."""

from collections.abc import Sequence
from typing import Any

from jaxnas.report import svg
from jaxnas.report.document import document
from jaxnas.report.figures import spread
from jaxnas.report.markup import Html, join, tag

HEIGHT = 330
Row = dict[str, Any]  # rule, noise, budget, splits, regret, regret_low, regret_high, found


def regret_page(rows: Sequence[Row], repetitions: int) -> Html:
    """Rows of `summary.csv`; rules that spend nothing are lines across."""
    noises = sorted({row["noise"] for row in rows})
    panels = [_panel([row for row in rows if row["noise"] == noise], noise) for noise in noises]
    splits = max(row["splits"] for row in rows)
    said = (
        f"Mean over {splits} splits of the regret of the chosen sub-supernet: the optimum of the space minus its best "
        f"cell, in points; {repetitions} repetitions each. Budget: architectures evaluated, over all sub-supernets."
    )
    figure = tag("figure", tag("div", *panels, class_="panels"), tag("figcaption", said))
    return document("Which rule picks the right sub-supernet", [figure, *map(lambda n: _table(rows, n), noises)])


def _panel(rows: Sequence[Row], noise: float) -> Html:
    rules = list(dict.fromkeys(row["rule"] for row in rows))
    budgets = sorted({row["budget"] for row in rows if row["budget"]})
    place = {budget: float(i) for i, budget in enumerate(budgets)}
    axes = svg.Frame(
        svg.Scale(-0.2, max(len(budgets) - 1, 1) + 0.2, 46, svg.WIDTH - 112),
        svg.Scale(*svg.span([0.0, *(row["regret"] for row in rows)]), HEIGHT - 38, 48),
    )
    title = f"pulls with noise, deviation {noise:g} points" if noise else "pulls without noise"
    parts = [svg.write(0, 14, title, font_weight="bold"), svg.write(4, 34, "regret, points", fill=svg.GREY)]
    for value, label in svg.labelled(svg.ticks(axes.y.low, axes.y.high)):
        parts.append(svg.line(46, axes.y(value), svg.WIDTH - 112, axes.y(value), svg.PALE))
        parts.append(svg.write(42, axes.y(value) + 4, label, "end", svg.GREY))
    for budget, at in place.items():
        parts.append(svg.write(axes.x(at), HEIGHT - 21, str(budget), "middle", svg.GREY))
    parts.append(svg.write((46 + svg.WIDTH - 112) / 2, HEIGHT - 4, "budget", "middle", svg.GREY))
    ends = {}
    for k, rule in enumerate(rules):
        line = sorted((row["budget"], row["regret"]) for row in rows if row["rule"] == rule)
        flat = len(line) == 1 or not line[0][0]
        points = [(at, line[0][1]) for at in place.values()] if flat else [(place[b], r) for b, r in line]
        placed = [(axes.x(x), axes.y(y)) for x, y in points]
        path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in placed)
        parts.append(tag("path", d=path, stroke=svg.style_of(k)[0], stroke_width=1.4, fill="none"))
        parts.append(svg.marks(k, placed, 3))
        ends[k] = placed[-1][1]
    for k, y in spread(ends, 14, 40, HEIGHT - 40).items():
        parts.append(svg.line(svg.WIDTH - 110, ends[k], svg.WIDTH - 98, y, svg.GREY, 0.6))
        parts.append(svg.marks(k, [(svg.WIDTH - 92, y)], 3.5))
        parts.append(svg.write(svg.WIDTH - 84, y + 4, rules[k].replace("_", " "), size=11))
    last = "; ".join(f"{row['rule']} {row['regret']:.2f}" for row in rows if row["budget"] in (0, budgets[-1]))
    return svg.drawing(svg.WIDTH, HEIGHT, f"regret against budget, {title}; at the largest budget {last}", *parts)


def _table(rows: Sequence[Row], noise: float) -> Html:
    of = [row for row in rows if row["noise"] == noise]
    budgets = sorted({row["budget"] for row in of})
    head = tag("tr", tag("th", "rule"), *(tag("th", "any" if b == 0 else str(b)) for b in budgets))
    body = []
    for rule in dict.fromkeys(row["rule"] for row in of):
        cells = []
        for budget in budgets:
            found = next((row for row in of if row["rule"] == rule and row["budget"] == budget), None)
            cells.append(tag("td", "" if found is None else _cell(found)))
        body.append(tag("tr", tag("td", rule.replace("_", " ")), *cells))
    title = f"Regret, points, [95 % over splits], share that holds the optimum; noise {noise:g}"
    table = tag("table", tag("thead", head), tag("tbody", *body))
    return join(tag("h2", title), tag("div", table, class_="scroll"))


def _cell(row: Row) -> str:
    interval = "" if row["regret_low"] is None else f" [{max(row['regret_low'], 0):.2f}, {row['regret_high']:.2f}]"
    return f"{row['regret']:.2f}{interval}, {100 * row['found']:.0f} %"
