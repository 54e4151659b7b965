"""The page of a metric ablation: what metrics say of every edge, beside noise, other metrics, other seeds and cost."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxnas.analysis import Interval
from jaxnas.few_shot import tree_figures
from jaxnas.report import figures
from jaxnas.report.document import document
from jaxnas.report.format import UNKNOWN, estimate, listed
from jaxnas.report.markup import Html, figure, join, table, tag
from jaxnas.studies.metric_ablation.figures import matrix

Row = dict[str, Any]
Rows = Sequence[Row]


class Material(NamedTuple):
    """Names, and the rows of the tables."""

    ops: Sequence[str]
    edges: Sequence[str]
    similarity: Rows
    groupings: Rows
    taken: Rows  # of `edges.csv`
    agreement: Rows
    cost: Rows


def metric_page(material: Material) -> Html:
    """The whole page; what is drawn is of the longest warm-up."""
    said = tag("section", *(tag("p", text) for text in answer(material)), _terms(), class_="answer")
    parts = [said]
    if material.groupings:
        parts += [_agreement(material), _seeds(material), _margins(material), *_dice(material), _rules(material)]
        parts.append(_maps(material))
    return document(f"What {len(material.cost)} metrics say of every edge", [*parts, _cost(material)])


def answer(material: Material) -> list[str]:
    """What was found, in sentences."""
    failed = [row for row in material.cost if row["failed"]]
    lost = [f"{row['metric']} ({row['failed']} of {row['units']})" for row in failed]
    notes = [f"Not measured, or not wholly: {listed(lost)}; the reasons are below."] if lost else []
    if not material.groupings:
        return notes
    longest = _longest(material)
    rows = [row for row in material.groupings if row["warmup"] == longest]
    seeds, known = {row["seed"] for row in rows}, [row for row in rows if row["margin_low"] is not None]
    first = f"{_many(len(_names(material)), 'metric')} on {_many(len(material.edges), 'edge')}"
    said = [f"{first} and {_many(len(seeds), 'seed')}, after {_many(longest, 'epoch')} of warm-up."]
    if known:
        control = [row for row in known if row["metric"] == "random"]
        beside = f" Of the random metric's, {_decided_of(control)}: so many are chance." if control else ""
        said.append(
            f"Noise between batches leaves the best grouping of an edge standing in {_decided_of(known)} cases: the "
            f"whole interval of its margin lies above 0.{beside}"
        )
    together = {row["kind"]: row for row in _taken(material) if row["metric_a"] == "all"}
    if {"dice", "shared", "separate"} <= {*together}:
        shares = {kind: f"{100 * row['value']:.0f} %" for kind, row in together.items()}
        said.append(
            f"Two draws of backgrounds, on the same weights and images, take the same edge in {shares['dice']} of "
            f"cases (chance {100 * together['dice']['chance']:.0f} %); two metrics do in {shares['shared']} on shared "
            f"backgrounds and in {shares['separate']} on separate ones."
        )
    between = _of_kind(material, "seeds")
    above = [row["metric_a"] for row in between if row["value"] > row["chance_high"]]
    if between:
        said.append(
            f"Between seeds, {len(above)} of {_many(len(between), 'metric')} group operations more alike than 97.5 % "
            f"of random groupings do{': ' + listed(above) if above else ''}."
        )
    return [*said, *notes]


def _terms() -> Html:
    terms = (
        ("Agreement", "mean over edges of the adjusted Rand index of two-group partitions, 1 where alike"),
        ("ties", "groupings with exactly the best value; agreement counts each as one draw of them"),
        ("chance", "central 95 % where groupings of the same sizes are drawn anew"),
        ("margin", "how much worse the next grouping of an edge is, with its interval over resampled batches"),
    )
    return tag("p", *(join(tag("b", term), f": {meaning}. ") for term, meaning in terms), class_="terms")


def _agreement(material: Material) -> Html:
    names = _names(material)
    values = np.full((len(names), len(names)), np.nan)
    for row in _of_kind(material, "metrics"):
        a, b = names.index(row["metric_a"]), names.index(row["metric_b"])
        values[a, b] = values[b, a] = row["value"]
    below = "Mean adjusted Rand index of the groupings of two metrics on the same weights and batches, over edges and "
    return tag(
        "section",
        tag("h2", "Agreement between metrics"),
        figure(f"{below}seeds: orange alike, white 0, blue apart.", matrix("agreement", names, values)),
    )


def _seeds(material: Material) -> Html:
    rows = [row for row in material.agreement if row["kind"] == "seeds"]
    body: list[list[str | Html]] = [
        [
            *(row["metric_a"], str(row["warmup_a"]), estimate(_estimate(row))),
            f"{row['chance']:z.2f} [{row['chance_low']:z.2f}, {row['chance_high']:z.2f}]",
        ]
        for row in rows
    ]
    shown = _of_kind(material, "seeds")
    drawn = [figures.Row(row["metric_a"], _estimate(row), row["value"] > row["chance_high"]) for row in shown]
    parts = []
    if drawn:
        level = float(np.mean([row["chance"] for row in shown]))
        drawing = figures.dots("agreement between seeds", drawn, 2, ("chance", level))
        parts.append(figure("Mark and 95 % interval over seeds; filled: above the chance of 97.5 %.", drawing))
    head = ["metric", "epochs", "agreement [95 %]", "chance [central 95 %]"]
    parts.append(table(head, body, "Agreement between seeds, beside that of random groupings of the same sizes"))
    warmed: list[list[str | Html]] = [
        [row["metric_a"], f"{row['warmup_a']} and {row['warmup_b']}", estimate(_estimate(row))]
        for row in material.agreement
        if row["kind"] == "warmups"
    ]
    if warmed:
        parts.append(
            table(["metric", "epochs", "agreement [95 %]"], warmed, "Agreement between lengths of the warm-up")
        )
    return tag("section", tag("h2", "Agreement between seeds and warm-ups"), *parts)


def _margins(material: Material) -> Html:
    body: list[list[str | Html]] = []
    for name in _names(material):
        for warmup in sorted({row["warmup"] for row in material.groupings}):
            of = [row for row in material.groupings if (row["metric"], row["warmup"]) == (name, warmup)]
            known = [row for row in of if row["stability"] is not None]
            stable = f"{np.mean([row['stability'] for row in known]):.2f}" if known else UNKNOWN
            counted = _decided_of(known) if known else UNKNOWN
            body.append([name, str(warmup), counted, stable, str(sum(row["ties"] > 1 for row in of))])
    head = ["metric", "epochs", "decided", "stability", "tied"]
    caption = "Edges and seeds whose best grouping is decided beyond noise, mean share of resamplings it wins, and ties"
    below = (
        "Margin of the best grouping of each edge with its interval, means over seeds, in units of the metric's "
        "largest mean similarity; filled: decided beyond noise in every seed."
    )
    drawings = [_margin_dots(material, name) for name in _names(material)]
    kept = [drawing for drawing in drawings if drawing is not None]
    folded = tag("details", tag("summary", "Margins of every edge"), figure(below, *kept))
    return tag("section", tag("h2", "Margins against noise"), table(head, body, caption), folded)


def _margin_dots(material: Material, name: str) -> Html | None:
    unit, drawn = _unit(_means(material, name)), []
    for edge in material.edges:
        of = [row for row in _rows_of(material, name) if row["edge"] == edge and row["margin"] is not None]
        if of:
            trusted = all(row["margin_low"] is not None for row in of)
            low, high = (_mean(of, end) / unit if trusted else None for end in ("margin_low", "margin_high"))
            value = Interval(_mean(of, "margin") / unit, low, high)
            drawn.append(figures.Row(edge, value, trusted and all(map(_decided, of))))
    return figures.dots(name, drawn, 2, ("0", 0.0)) if drawn else None


def _dice(material: Material) -> list[Html]:
    """Whether another draw of backgrounds takes another edge; nothing where there was one draw."""
    rows = _taken(material)
    if not any(row["kind"] == "dice" for row in rows):
        return []
    of = {(row["kind"], row["metric_a"]): estimate(_estimate(row)) for row in rows}
    names = [*_names(material), "all"]
    body: list[list[str | Html]] = [[n, *(of.get((kind, n), UNKNOWN) for kind in ("dice", "seeds"))] for n in names]
    body += [
        [f"two metrics, {kind} backgrounds", of[kind, "all"], UNKNOWN]
        for kind in ("shared", "separate")
        if (kind, "all") in of
    ]
    caption = (
        "Share of pairs of measurements that take the same edge (the smallest objective): on the same weights and "
        "images over two draws of backgrounds, and of two seeds. all: metrics that depend on the background; "
        f"chance is {rows[0]['chance']:.2f}"
    )
    head = ["metric", "another draw [95 %]", "another seed [95 %]"]
    return [tag("section", tag("h2", "Does the metric or the draw choose the edge?"), table(head, body, caption))]


def _rules(material: Material) -> Html:
    rules = sorted({rule for row in material.groupings for rule in row["chosen"].split()} - {"fixed", "random"})
    body: list[list[str | Html]] = []
    for name in _names(material):
        of = _rows_of(material, name)
        unit = _unit(_means(material, name))
        by_rule = {rule: [row for row in of if rule in row["chosen"].split()] for rule in (*rules, "best", "fixed")}
        taken = [Counter(row["edge"] for row in by_rule[rule]).most_common() for rule in rules]
        edges = [", ".join(f"{edge} ({count})" for edge, count in found) or UNKNOWN for found in taken]
        worth = [by_rule["best"], of, by_rule["fixed"]]
        objectives = [f"{_mean(rows, 'value') / unit:z.2f}" if rows else UNKNOWN for rows in worth]
        body.append([name, *objectives, *edges])
    caption = (
        "What choosing the best edge, any at random, or the first of a fixed order gives: the objective of its best "
        "grouping, less is better, mean over seeds in units of the metric's largest mean similarity. The best of "
        "several is the lowest by noise as well: of the random metric, by noise alone. Then the edge that each rule "
        "would split first, in so many seeds"
    )
    head = ["metric", "objective: best", "random", "fixed", *(rule.replace("_", " ") for rule in rules)]
    return tag("section", tag("h2", "Which edge would be split"), table(head, body, caption))


def _maps(material: Material) -> Html:
    below = (
        "How alike the operations of an edge are, mean over seeds and batches, in units of the metric's largest: "
        "orange alike, white 0, blue opposed. Framed: the groups of most seeds."
    )
    parts = []
    for name in _names(material):
        means, drawings = _means(material, name), []
        unit = _unit(means)
        for edge, values in zip(material.edges, means, strict=True):
            found = Counter(row["groups"] for row in _rows_of(material, name) if row["edge"] == edge)
            groups, note = [list(range(len(material.ops)))], "cannot be split"
            if found:
                text, count = found.most_common(1)[0]
                groups = [[material.ops.index(op) for op in part.split("+")] for part in text.split("|")]
                note = f"groups of {count} of {found.total()} seeds"
            drawings.append(tree_figures.heat_map(edge, values / unit, material.ops, groups, 1.0, note))
        said = f"{below} Unit: {unit:.3g}."
        parts.append(tag("details", tag("summary", name), figure(said, *drawings)))
    return tag("section", tag("h2", "Similarities of every edge"), *parts)


def _cost(material: Material) -> Html:
    def seconds(value: float | None) -> str:
        return UNKNOWN if value is None else f"{value:.2f}"

    body: list[list[str | Html]] = [
        [
            *(row["metric"], seconds(row["compile_seconds"]), seconds(row["node_seconds"]), str(row["passes"])),
            *(f"{row['failed']} of {row['units']}", row["error"]),
        ]
        for row in material.cost
    ]
    caption = "Seconds to compile and to score the whole space once, in so many measurements; what failed, and why"
    head = ["metric", "compile, s", "a node, s", "measurements", "failed", "why"]
    return tag("section", tag("h2", "What it costs"), table(head, body, caption))


def _means(material: Material, name: str) -> np.ndarray:
    """Mean similarities [E, O, O] over seeds and batches, 0 on the diagonal."""
    total, count = (np.zeros((len(material.edges), len(material.ops), len(material.ops))) for _ in range(2))
    longest = _longest(material)
    for row in material.similarity:
        if (row["metric"], row["warmup"]) == (name, longest):
            e, a, b = _place(material, row)
            total[e, a, b] += row["value"]
            total[e, b, a] += row["value"]
            count[e, [a, b], [b, a]] += 1
    return total / np.maximum(count, 1)


def _place(material: Material, row: Row) -> tuple[int, int, int]:
    ops = material.ops
    return material.edges.index(row["edge"]), ops.index(row["operation_a"]), ops.index(row["operation_b"])


def _unit(means: np.ndarray) -> float:
    return float(np.abs(means).max()) or 1.0


def _names(material: Material) -> list[str]:
    return list(dict.fromkeys(row["metric"] for row in material.groupings))


def _longest(material: Material) -> int:
    return max(row["warmup"] for row in material.groupings)


def _rows_of(material: Material, name: str) -> Rows:
    longest = _longest(material)
    return [row for row in material.groupings if (row["metric"], row["warmup"]) == (name, longest)]


def _taken(material: Material) -> Rows:
    longest = _longest(material)
    return [row for row in material.taken if row["warmup"] == longest]


def _of_kind(material: Material, kind: str) -> Rows:
    longest = _longest(material)
    return [row for row in material.agreement if row["kind"] == kind and row["warmup_b"] == longest]


def _mean(rows: Rows, column: str) -> float:
    return float(np.mean([row[column] for row in rows]))


def _decided(row: Row) -> bool:
    return row["margin_low"] is not None and row["margin_low"] > 0


def _decided_of(rows: Rows) -> str:
    return f"{sum(map(_decided, rows))} of {len(rows)}"


def _many(count: int, thing: str) -> str:
    return f"{count} {thing}" + ("" if count == 1 else "s")


def _estimate(row: Row) -> Interval:
    return Interval(row["value"], row["low"], row["high"], row["seeds"])
