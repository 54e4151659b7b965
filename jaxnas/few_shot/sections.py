"""The sections of the page of one seed; each is None where the run has nothing to show."""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from jaxnas.analysis import Interval
from jaxnas.few_shot import tree_figures
from jaxnas.few_shot.read import Run
from jaxnas.few_shot.result_file import Contender, RandomDraw, Result
from jaxnas.few_shot.verdict import doubts, effort, verdict
from jaxnas.report import figures
from jaxnas.report.format import UNKNOWN, count, estimate, listed, percent, stage_name
from jaxnas.report.markup import Html, architecture_code, estimate_cell, figure, join, table, tag
from jaxnas.spaces.tree import as_mask

Columns = dict[str, str]  # heading -> cell


def controls(result: Result) -> Html | None:
    """The contenders, what their supernets' rankings are worth, and their estimates as dots."""
    if not result.contenders:
        return None
    several = len(result.seeds) > 1
    terms = (
        "Each row is another way to find an architecture, with the same data and the same judgement: its choice is "
        "trained alone from new weights and tested once. Not split: one supernet for the whole space. Random split: "
        "as many groups at each level, drawn at random. Random architectures: no supernet, each trained alone. Images "
        "seen: training images passed through networks before the choice; evaluations: architectures that were "
        "scored; score: the validation accuracy that made the choice. Kendall tau: how well the scores of its "
        "supernets rank a random sample of cells, those of its better half, and the best tenth by the truth."
    )
    over = ""
    if several:
        terms += (
            " Tau between seeds: how alike the scores of two seeds order these cells. Intervals of tau on the better "
            "half and on the best tenth are over seeds alone; the other intervals of tau are over seeds and cells, "
            "that of tau between only two seeds over cells alone."
        )
        over = f", means over {len(result.seeds)} seeds"
    below = "Mark: estimate; bar: 95 % interval. The filled circle is the method. " + _reading(several)
    parts = [
        _table(
            result.contenders, _choices, f"Ways to find an architecture; accuracies in percent, [95 % interval]{over}"
        ),
        _table(result.contenders, _rankings, f"How well supernets rank cells; Kendall tau, [95 % interval]{over}"),
        figure(below, *_dots(result.contenders, result.random)),
    ]
    parts += architectures([(c.name, c.architecture) for c in result.contenders])
    shown = [part for part in parts if part is not None]
    return tag("section", tag("h2", "Beside its controls"), tag("p", terms, class_="terms"), *shown)


def split(run: Run) -> Html | None:
    """The split tree and the similarities it rests on."""
    tree = run.tree
    if tree is None:
        return None
    terms = (
        "Splitting shares the operations of one edge of the cell out among sub-supernets, so that operations that pull "
        "their shared weights in different directions no longer share them. Margin: how much worse the second-best "
        "grouping of that edge scored (0 would be a coin toss). Ties: groupings that scored exactly alike. Leaf: a "
        "sub-supernet with its part of the cells. Edge 3<-2 runs from node 2 of the cell to node 3."
    )
    tied = [str(node.id) for node in tree.nodes if node.split is not None and node.split.ties > 1]
    below = "No ties."
    if tied:
        drawn = any(node.split is not None and node.split.decided == "random" for node in tree.nodes)
        taken = "one was drawn" if drawn else "the first was taken"
        below = f"Ties at node {listed(tied)}: of the groupings that scored exactly alike {taken}."
    below = " ".join([below, *effort(tree), *doubts(tree)])
    parts = [figure(below, tree_figures.tree_picture(tree, run.result and run.result.leaf))]
    if run.similarities:
        parts.append(_similarities(run))
    return tag("section", tag("h2", "How the supernet was split"), tag("p", terms, class_="terms"), *parts)


def learning(run: Run) -> Html | None:
    """Learning curves of every stage, and what the search had found by when."""
    drawings = []
    for stage in dict.fromkeys(row["stage"] for row in run.metrics):
        rows, name = [row for row in run.metrics if row["stage"] == stage], stage_name(stage)
        if any("generation" in row for row in rows):
            fields = "evaluated", "best_accuracy", "architectures evaluated", "best validation accuracy, %"
        elif any("accuracy" in row for row in rows):
            fields = "epoch", "accuracy", "epoch", "training accuracy, %"
        else:
            fields = "epoch", "loss", "epoch", "training loss"
        drawings.append(figures.curves(name, rows, *fields))
    shown = [drawing for drawing in drawings if drawing is not None]
    if not shown:
        return None
    below = (
        "One line for each network that trains at the same time, with its number at the right end: leaves of the "
        "split tree, or networks trained alone. Accuracies of a supernet are of cells drawn at random at every step."
    )
    return tag("section", tag("h2", "Learning curves"), figure(below, *shown))


def cost(seconds: dict[str, float]) -> Html | None:
    """Where the time went."""
    total = sum(seconds.values())
    if not seconds or total <= 0:
        return None
    rows = [(stage_name(stage), s, f"{duration(s)}, {100 * s / total:.0f} %") for stage, s in seconds.items()]
    below = f"Together {duration(total)}, compilation included."
    return tag("section", tag("h2", "Cost"), figure(below, figures.bars("time by stage", rows)))


def warnings(runs: Sequence[Run]) -> Html | None:
    """What the runs themselves warned of, each once."""
    found: dict[str, None] = {}
    for run in runs:
        inputs = run.environment.get("inputs")
        warned = inputs.get("warnings") if isinstance(inputs, dict) else None
        on_test = run.result.warnings if run.result else ()
        for said in (*(warned if isinstance(warned, list) else ()), *on_test):
            found[said if isinstance(said, str) else json.dumps(said)] = None
    if not found:
        return None
    items = [tag("li", said) for said in found]
    return tag("section", tag("h2", "Warnings of the run"), tag("ul", *items), class_="warning")


def settings(run: Run, heading: str = "Settings and environment") -> Html:
    """The config and what the run was made with, folded away."""
    parts = []
    for title, values in (("Settings", run.config), ("Environment", run.environment)):
        rows: list[list[str | Html]] = [[name, text] for name, text in flat(values)]
        inner = tag("div", table(["name", "value"], rows, title), class_="wide") if rows else tag("p", "Not recorded.")
        parts.append(tag("details", tag("summary", title), inner))
    return tag("section", tag("h2", heading), *parts)


def architectures(chosen: Sequence[tuple[str, str | None]]) -> list[Html]:
    """Who chose which architecture; a list, for the strings are too long for a column of a table."""
    items = [tag("li", name, ": ", architecture_code(architecture)) for name, architecture in chosen if architecture]
    return [tag("p", "What each of them chose:"), tag("ul", *items)] if items else []


def duration(seconds: float) -> str:
    """33 s, 12 min, 2 h 05 min."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def flat(value: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Dotted names and texts of a nested object."""
    for name, inner in value.items():
        if isinstance(inner, dict):
            yield from flat(inner, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", inner if isinstance(inner, str) else json.dumps(inner, ensure_ascii=False)


def said(result: Result) -> list[Html]:
    """The verdict and what it rests on, for the top of the page."""
    headline, sentences = verdict(result)
    return [
        tag("p", headline, class_="verdict"),
        *([tag("ul", *(tag("li", s) for s in sentences))] if sentences else []),
    ]


def _reading(several: bool) -> str:
    if several:
        return "Test accuracies of one seed share their images and splits, so read the column of differences."
    return "Intervals of one seed tell of the test images only; they do not hold what another seed would change."


def _table(contenders: Sequence[Contender], columns: Callable[[Contender], Columns], caption: str) -> Html | None:
    """The columns that any contender fills, of the contenders that fill any; None if none does."""
    every = [(c, columns(c)) for c in contenders]
    head = [name for name in every[0][1] if any(cells[name] != UNKNOWN for _, cells in every)]
    filled = [(c, cells) for c, cells in every if any(cells[name] != UNKNOWN for name in head)]
    rows: list[list[str | Html]] = [[c.name, *(estimate_cell(cells[name]) for name in head)] for c, cells in filled]
    ours = next((i for i, (c, _) in enumerate(filled) if c.kind == "method"), None)
    return table(["found by", *head], rows, caption, ours) if rows else None


def _choices(c: Contender) -> Columns:
    """What was chosen, and what that took."""
    return {
        "test accuracy": estimate(c.test),
        "method minus this": estimate(c.difference),
        "true accuracy": estimate(c.true),
        "images seen": count(c.images),
        "evaluations": count(c.evaluations),
        "score": percent(c.score),
    }


def _rankings(c: Contender) -> Columns:
    """Of contenders that have supernets."""
    return {
        "Kendall tau": estimate(c.kendall, 3),
        "tau, better half": estimate(c.kendall_half, 3),
        "tau, best tenth": estimate(c.kendall_top, 3),
        "method's tau minus this": estimate(c.kendall_difference, 3),
        "tau between seeds": estimate(c.reliability, 3),
    }


def _dots(rows: tuple[Contender, ...], random: RandomDraw | None) -> list[Html]:
    mean = None if random is None else (f"one at random: {random.accuracy.value:.2f}", random.accuracy.value)
    measures: list[tuple[str, list[tuple[Contender, Interval | None]], int, tuple[str, float] | None]] = [
        ("test accuracy, %", [(c, c.test) for c in rows], 2, None if any(c.true for c in rows) else mean),
        ("method minus control, points of test accuracy", [(c, c.difference) for c in rows], 2, ("no difference", 0.0)),
        ("true accuracy, %", [(c, c.true) for c in rows], 2, mean),
        ("Kendall tau of the supernet's scores", [(c, c.kendall) for c in rows], 3, ("chance", 0.0)),
        ("method minus control, Kendall tau", [(c, c.kendall_difference) for c in rows], 3, ("no difference", 0.0)),
    ]
    drawings = []
    for title, pairs, digits, reference in measures:
        known = [figures.Row(c.name, value, c.kind == "method") for c, value in pairs if value is not None]
        if known:
            drawings.append(figures.dots(title, known, digits, reference))
    return drawings


def _similarities(run: Run) -> Html:
    tree = run.tree
    assert tree is not None
    means = run.similarities
    off = ~np.eye(len(tree.space.ops), dtype=bool)
    shown = np.concatenate([np.abs(mean[:, off][np.isfinite(mean[:, off])]) for mean in means.values()])
    limit = float(shown.max()) if shown.size and shown.max() > 0 else 1.0
    drawings: list[Html] = []
    rest: list[Html] = []
    for node in tree.nodes:
        if node.split is None or node.id not in means:
            continue
        for edge in range(len(tree.space.edges)):
            name = tree.space.edge_name(edge)
            chosen = edge == node.split.edge
            mask = as_mask(node)[edge]
            values = np.where(mask[:, None] & mask[None, :], means[node.id][edge], np.nan)
            if not chosen and (node.id != 0 or not np.isfinite(values).any()):  # that edge was not scored
                continue
            groups = node.split.groups if chosen else (tuple(np.flatnonzero(mask).tolist()),)
            margin = "no other grouping" if node.split.margin is None else f"margin {node.split.margin:.4f}"
            cut = "drawn at random" if node.split.value is None else f"cut {node.split.value:.4f}"
            note = f"{cut}, {margin}" if chosen else "not chosen"
            drawing = tree_figures.heat_map(f"node {node.id}, edge {name}", values, tree.space.ops, groups, limit, note)
            (drawings if chosen else rest).append(drawing)
    counts = sorted(
        {node.split.batches for node in tree.nodes if node.split is not None and node.split.batches is not None}
    )
    batches = listed([str(n) for n in counts]) if len(counts) < 3 else f"{counts[0]} to {counts[-1]}"
    pooled = f" (over {batches} batches)" if counts else ""
    below = (
        f"How alike the operations of an edge are{pooled}: orange alike, white 0, blue opposed, "
        f"full colour at ±{limit:.2f}. The edge that each node splits, its groups framed. "
        "Alike operations should share a frame. Cut: the objective of the split, by default the size-normalised cut; "
        "smaller is better separated."
    )
    folded = tag("details", tag("summary", "The other edges of node 0"), tag("div", *rest, class_="panels"))
    return join(figure(below, *drawings), folded) if rest else figure(below, *drawings)
