"""The page of replayed rules: regret against budget, a panel for each noise, and the numbers."""

from collections.abc import Sequence
from typing import Any

from jaxnas.report import svg
from jaxnas.report.document import document
from jaxnas.report.figures import spread
from jaxnas.report.markup import Html, join, tag

HEIGHT = 330
TRAINED = {
    "trained": "scores by the trained sub-supernets",
    "corrected": "scores by the trained sub-supernets, less leaf bias",
}
Row = dict[str, Any]  # source, rule, noise, budget, splits, regret, regret_low, regret_high, found


def regret_page(rows: Sequence[Row], repetitions: int) -> Html:
    """Rows of `summary.csv`; rules that spend nothing are lines across."""
    panels, tables = [], []
    for source, noise in dict.fromkeys((row["source"], row["noise"]) for row in rows):
        of = [row for row in rows if (row["source"], row["noise"]) == (source, noise)]
        title = _title(source, noise, of[0]["splits"])
        panels.append(_panel(of, title))
        tables.append(_table(of, title))
    said = (
        f"Mean over splits of the regret of the chosen sub-supernet: the optimum of the space minus its best "
        f"cell, in points; {repetitions} repetitions each. Budget: architectures evaluated, over all sub-supernets."
    )
    figure = tag("figure", tag("div", *panels, class_="panels"), tag("figcaption", said))
    return document("Which rule picks the right sub-supernet", [figure, *tables])


def _title(source: str, noise: float, splits: int) -> str:
    many = f"{splits} splits" if splits > 1 else "1 split"
    if source in TRAINED:
        return f"{many}: {TRAINED[source]}"
    return f"{many}: true accuracies, " + (f"noise of deviation {noise:g}" if noise else "no noise")


def _panel(rows: Sequence[Row], title: str) -> Html:
    rules = list(dict.fromkeys(row["rule"] for row in rows))
    budgets = sorted({row["budget"] for row in rows if row["budget"]})
    place = {budget: float(i) for i, budget in enumerate(budgets)}
    axes = svg.Frame(
        svg.Scale(-0.2, max(len(budgets) - 1, 1) + 0.2, 46, svg.WIDTH - 112),
        svg.Scale(*svg.span([0.0, *(row["regret"] for row in rows)]), HEIGHT - 38, 48),
    )
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


def _table(of: Sequence[Row], title: str) -> Html:
    budgets = sorted({row["budget"] for row in of})
    head = tag("tr", tag("th", "rule"), *(tag("th", "any" if b == 0 else str(b)) for b in budgets))
    body = []
    for rule in dict.fromkeys(row["rule"] for row in of):
        cells = []
        for budget in budgets:
            found = next((row for row in of if row["rule"] == rule and row["budget"] == budget), None)
            cells.append(tag("td", "" if found is None else _cell(found)))
        body.append(tag("tr", tag("td", rule.replace("_", " ")), *cells))
    table = tag("table", tag("thead", head), tag("tbody", *body))
    said = "Regret in points [95 % over splits], and how often the choice holds the optimum."
    return join(tag("h2", title), tag("p", said), tag("div", table, class_="scroll"))


def _cell(row: Row) -> str:
    interval = "" if row["regret_low"] is None else f" [{max(row['regret_low'], 0):.2f}, {row['regret_high']:.2f}]"
    return f"{row['regret']:.2f}{interval}, {100 * row['found']:.0f} %"
