"""The sections that say how well supernets rank cells: after training, while they train, and fused with priors."""

from collections.abc import Sequence
from typing import Any

from jaxnas.few_shot.read import Run
from jaxnas.few_shot.result_file import Agreement, Contender
from jaxnas.report import figures, svg
from jaxnas.report.format import UNKNOWN, estimate, estimated, number, percent, several, stage_name
from jaxnas.report.markup import Html, figure, join, table, tag

MEASURES = (
    ("kendall", "Kendall tau, all cells followed"),
    ("kendall_of_mean", "Kendall tau, scores averaged over looks"),
    ("kendall_half", "Kendall tau, better half by truth"),
    ("kendall_top", "Kendall tau, best tenth by truth"),
    ("regret", "regret of the best score, points"),
)
SHARED = "all"  # the rows of the warm-up, which every contender goes on from


def ranking(run: Run) -> Html | None:
    """Scores against the truth, and rank correlations, whole and by leaf."""
    result = run.result
    measured = result.ranking if result else None
    if run.scores is None and measured is None:
        return None
    terms = (
        "The search trusts the supernet's score of a cell; the truth is what that cell reaches when trained alone. "
        "Kendall's tau says how often the two put a pair of cells in the same order: 1 always, 0 no better than "
        "chance, below 0 worse than chance. The cells are a random sample of the space, the same for every contender "
        "and every seed. With a table of true accuracies, the best tenth is that of the whole space, of which more "
        "cells are drawn for this number alone, and each leaf has a random sample of its own."
    )
    parts: list[Html] = []
    if run.scores is not None:
        parts.append(figure("One mark for each cell; marks of the leaves as in the table.", *_scatters(run)))
    if measured is not None:
        rows: list[list[str | Html]] = [["all", str(measured.whole.n), *_taus(measured.whole)]]
        parts_of = (("better half by truth", measured.half), ("best 10 % by truth", measured.top))
        rows += [[name, str(of.n), *_taus(of)] for name, of in parts_of if of is not None]
        rows += [[join(svg.key(a.leaf or 0), f" leaf {a.leaf}"), str(a.n), *_taus(a)] for a in measured.leaves]
        head = ["cells", "number", "Kendall tau", "Spearman rho"]
        parts.append(table(head, rows, f"Rank correlation of the method's scores with the truth: {measured.truth}"))
    return tag("section", tag("h2", "Do the scores rank cells rightly?"), tag("p", terms, class_="terms"), *parts)


def curves(run: Run) -> Html | None:
    """How the ranking changed while supernets trained, and how scores depend on the number of convolutions."""
    lines = _lines(run.curves)
    if not lines:
        return None
    contenders = run.result.contenders if run.result else ()
    names = _names(contenders)
    named = [names.get(name, name) for name in lines]
    of_measures = [_drawing(title, lines, measure, named) for measure, title in MEASURES]
    keys = [part for i, name in enumerate(named) for part in (svg.key(i), f" {i}: {name}. ")]
    below = join(
        *keys,
        "Epochs: training images seen, all leaves together, in epochs of one network; first comes the warm-up, which "
        "all share. The same cells are scored each time, each by its leaf. Regret: the best true accuracy among these "
        "cells less that of the cell with the best score.",
    )
    parts = [figure(below, *(drawing for drawing in of_measures if drawing is not None))]
    by_count = _by_convolutions(lines.get("method", []))
    if by_count is not None:
        said = (
            "Mean score by the method's supernets of the cells with so many convolutions, one line for each number. "
            "Where lines of more convolutions lie lower, scores tell how fast a cell learns and not how good it is."
        )
        parts.append(figure(said, by_count))
    return tag("section", tag("h2", "How the ranking was learnt"), *parts)


def fusion(run: Run) -> Html | None:
    """What free priors add to the scores, and what the scores add to the priors."""
    if not run.fusion:
        return None
    rows: list[list[str | Html]] = [
        [
            *(row.get("contender", UNKNOWN), row.get("ranked_by", UNKNOWN), estimate(estimated(row, "kendall"), 3)),
            estimate(estimated(row, "kendall_over_priors"), 3),
            *(percent(number(row.get(name))) for name in ("true_accuracy", "true_accuracy_over_priors")),
        ]
        for row in run.fusion
    ]
    terms = (
        "A prior is counted from the cell alone, at no cost: the number of nonlinear functions on its longest path, "
        "and the parameters that lie on live paths. Fused: the rank of the supernet's score among a fixed reference "
        "sample, plus half the rank of each prior among all connected cells. These weights were read off the "
        "accuracies of NAS-Bench-201 itself, where both priors are strong, so gains count over the priors alone. Each "
        "way takes the best of the same cells: all that the search evaluated, and the reference sample."
    )
    head = ["supernets", "ranked by", "Kendall tau", "over priors", "true accuracy", "over priors, points"]
    shown = table(head, rows, "Ways to rank: tau on the uniform sample, and what each way takes; [95 % interval]")
    return tag("section", tag("h2", "Scores and free priors"), tag("p", terms, class_="terms"), shown)


def _lines(rows: Sequence[dict[str, str]]) -> dict[str, list[dict[str, Any]]]:
    """Rows of each contender, after those of the warm-up, with numbers and with `epochs` of one network in images."""
    plain: list[dict[str, Any]] = [
        {**{name: number(value) for name, value in row.items()}, "contender": row["contender"]} for row in rows
    ]
    kept = [row for row in plain if row["images"] and row["epoch"]]
    each = next((row["images"] / row["epoch"] for row in kept if row["contender"] == SHARED), None)
    if each is None:
        return {}
    kept = [{**row, "epochs": row["images"] / each} for row in kept]
    shared = [row for row in kept if row["contender"] == SHARED]
    names = [name for name in dict.fromkeys(row["contender"] for row in kept) if name != SHARED]
    return {name: shared + [row for row in kept if row["contender"] == name] for name in names or [SHARED]}


def _drawing(title: str, lines: dict[str, list[dict[str, Any]]], measure: str, names: list[str]) -> Html | None:
    rows = [{"leaf": i, **row} for i, of in enumerate(lines.values()) for row in of]
    return figures.curves(title, rows, "epochs", measure, "epochs, leaves together", title.split(",")[0], names)


def _by_convolutions(rows: Sequence[dict[str, Any]]) -> Html | None:
    pattern = "score_{}_convolutions"
    most = next(n for n in range(100) if not any(pattern.format(n) in row for row in rows))
    found = [
        {"leaf": n, "epochs": row["epochs"], "score": row.get(pattern.format(n))} for row in rows for n in range(most)
    ]
    title = "score by number of convolutions"
    names = [several(n, "convolution") for n in range(most)]
    return figures.curves(title, found, "epochs", "score", "epochs, leaves together", "mean score, %", names)


def _names(contenders: Sequence[Contender]) -> dict[str, str]:
    """The column of each contender -> its name."""
    names = {c.kind: c.name for c in contenders if c.kind != "random_split"}
    random = [c for c in contenders if c.kind == "random_split"]
    return names | {f"random_split_{i + 1}": c.name for i, c in enumerate(random)}


def _scatters(run: Run) -> list[Html]:
    scores = run.scores
    assert scores is not None
    contenders = run.result.contenders if run.result else ()
    names, drawings = _names(contenders), []
    for column, values in scores.columns.items():
        name = names.get(column, stage_name(column))
        tau = next((f"Kendall tau {estimate(c.kendall, 3)}" for c in contenders if c.name == name and c.kendall), "")
        leaf = scores.leaf if column == "method" else None
        drawings.append(figures.scatter(name, tau, values, scores.truth, leaf))
    return [drawing for drawing in drawings if drawing is not None]


def _taus(agreement: Agreement) -> list[str]:
    return [estimate(agreement.kendall, 3), estimate(agreement.spearman, 3)]
