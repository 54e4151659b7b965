"""The page on what splits are worth: each against chance, where the good architectures lie, what choosing costs."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from jaxnas.analysis import Ceiling, Null, Worth, identical, top_share
from jaxnas.report.document import document
from jaxnas.report.format import listed
from jaxnas.report.markup import Html, figure, join, table, tag
from jaxnas.spaces.base import SearchSpace
from jaxnas.studies.split_quality import figures
from jaxnas.studies.split_quality.verdict import FIELDS, about_choice, about_edges, about_metric, datasets_of

OPEN = 3  # statistics shown at once; the others unfold


class Material(NamedTuple):
    """What the page shows."""

    space: SearchSpace
    source: str  # of the accuracies
    accuracies: Mapping[str, np.ndarray]  # data set -> [N]
    worths: Sequence[Worth]
    box: int  # architectures that a box of `ceilings` may hold
    ceilings: Mapping[tuple[int, ...], Mapping[str, Ceiling]]  # edges -> data set -> the best box
    notes: Sequence[str] = ()  # what was left out


def split_page(material: Material, published: Html | None) -> Html:
    """The whole page; `published`: a section of its own about published results."""
    worths = material.worths
    said = tag("section", *(tag("p", text) for text in answer(material)), _terms(material), class_="answer")
    parts = [said, _chance(worths), _ceilings(material), _table(worths), _subs(material), _identical(worths), published]
    named = listed(datasets_of(worths))
    return document(f"What {len(worths)} splits are worth on {named}", [part for part in parts if part is not None])


def answer(material: Material) -> list[str]:
    """What the analysis says, in sentences."""
    worths = material.worths
    return [about_edges(worths), *about_metric(worths), about_choice(worths), *material.notes]


def _terms(material: Material) -> Html:
    terms = (
        ("Top 1 %", "all cells at least as good as the one of rank N / 100, ties included"),
        ("concentration (KL)", "how far their distribution over sub-supernets is from the distribution of sizes"),
        ("eta squared", "the share of the variance of accuracy that lies between sub-supernets"),
        ("one each", "expected best of one cell drawn at random from every sub-supernet"),
        ("regret", "the optimum minus the best cell of the sub-supernet that a rule chooses"),
        (
            "chance",
            "1,000 random trees with the same group sizes, on the same edges or on edges drawn anew for each; a "
            "percentile is the share of them with a smaller value, equal ones counted half",
        ),
        ("accuracies", material.source),
    )
    return tag("p", *(join(tag("b", term), f": {meaning}. ") for term, meaning in terms), class_="terms")


def _table(worths: Sequence[Worth]) -> Html:
    head = ["split", "KL, bits", "same edges", "random edges", "largest share", "eta squared", "one each, %"]
    head += ["regret by mean", "by best of 10"]
    parts = []
    for name in datasets_of(worths):
        here = [worth for worth in worths if worth.dataset == name]
        rows: list[list[str | Html]] = [[worth.metric, *_numbers(worth)] for worth in here]
        caption = f"{name}: the concentration of the top 1 % with its percentiles among random trees, and the rest"
        parts.append(table(head, rows, caption))
    return tag("section", tag("h2", "Every split in numbers"), *parts)


def _numbers(worth: Worth) -> list[str]:
    found, same, anywhere = worth.statistics, worth.percentiles["same_edges"], worth.percentiles["random_edges"]
    return [
        f"{found.kl_top1_bits:.2f}",
        f"{same.kl_top1_bits:.1f}",
        f"{anywhere.kl_top1_bits:.1f}",
        f"{found.max_share_top1:.2f}",
        f"{found.eta2:.3f}",
        f"{found.one_per_sub:.2f}",
        f"{found.regret_by_mean:.2f}",
        f"{found.regret_by_expected_best_10:.2f}",
    ]


def _chance(worths: Sequence[Worth]) -> Html:
    below = (
        "Diamond: the split. Bars: the central 95 % of 1,000 random trees with its group sizes, on its own edges "
        "(upper, filled) and on random edges (lower, hollow); tick: their median."
    )
    parts = []
    for field, name in FIELDS.items():
        drawings = [_panel(worths, dataset, field) for dataset in datasets_of(worths)]
        parts.append(
            join(
                tag("p", tag("b", name[0].upper() + name[1:]), class_="caption"), tag("div", *drawings, class_="panels")
            )
        )
    folded = tag("details", tag("summary", "The other statistics"), *parts[OPEN:])
    return tag("section", tag("h2", "Against chance"), tag("p", below, class_="terms"), *parts[:OPEN], folded)


def _panel(worths: Sequence[Worth], dataset: str, field: str) -> Html:
    def ends(chance: Null) -> tuple[float, float, float]:
        low, middle, high = np.quantile(getattr(chance.statistics, field), (0.025, 0.5, 0.975))
        return float(low), float(middle), float(high)

    rows = [
        figures.Against(w.metric, getattr(w.statistics, field), *(ends(chance) for chance in w.nulls.values()))
        for w in worths
        if w.dataset == dataset
    ]
    return figures.against_chance(dataset, rows)


def _ceilings(material: Material) -> Html | None:
    if not material.ceilings:
        return None
    names = list(next(iter(material.ceilings.values())))
    used = {frozenset(np.unique(edges).tolist()) for w in material.worths for edges in [w.nulls["same_edges"].edges]}
    ranked = sorted(material.ceilings.items(), key=lambda pair: -np.mean([c.share for c in pair[1].values()]))
    rows: list[list[str | Html]] = []
    for edges, by_dataset in ranked:
        text = listed([material.space.edge_name(edge) for edge in edges])
        mark = " (split here)" if frozenset(edges) in used else ""
        rows.append([text + mark, *(f"{100 * by_dataset[name].share:.1f}" for name in names)])
    caption = f"Percent of the top 1 % in the best box of at most {material.box:,} cells, by the edges that are split"
    marked = next((i for i, (edges, _) in enumerate(ranked) if frozenset(edges) in used), None)
    why = (
        "A box keeps some operations on each of these edges and all on the others: no split of these edges, by "
        "whatever metric, has a sub-supernet of that size that gathers more."
    )
    head = ["edges", *names]
    return tag("section", tag("h2", "What the edges allow at best"), tag("p", why), table(head, rows, caption, marked))


def _subs(material: Material) -> Html:
    below = (
        "A histogram of true accuracy for each sub-supernet, each to its own height; its number and size at the left, "
        "how many of the top 1 % it holds at the right; grey: none. Dashed: where the top 1 % begins. Cells worse than "
        "nine tenths of the space are drawn at the left end."
    )
    parts: list[Html] = []
    for name in datasets_of(material.worths):
        values = material.accuracies[name]
        low, top = float(np.quantile(values, 0.1)), float(values[top_share(values, 0.01)].min())
        drawings = []
        for group in identical([worth for worth in material.worths if worth.dataset == name]):
            title = f"{', '.join(worth.metric for worth in group)} ({name}), %"
            tops = [sub.n_top1 for sub in group[0].subs]
            sets = [values[inside] for inside in group[0].sets]
            drawings.append(figures.distributions(title, sets, tops, low, top))
        parts.append(tag("details", tag("summary", name), figure(below, *drawings), open=None if parts else ""))
    return tag("section", tag("h2", "Accuracies in each sub-supernet"), *parts)


def _identical(worths: Sequence[Worth]) -> Html | None:
    groups = identical(worths)
    same = [group for group in groups if len({(w.metric, w.split.dataset) for w in group}) > 1]
    if not same:
        return None
    items = [tag("li", listed([f"{w.metric} on {w.dataset}" for w in group])) for group in same]
    said = f"The {len(worths)} splits are {len(groups)} different ones. These are the same, cell for cell:"
    return tag("section", tag("h2", "Identical splits"), tag("p", said), tag("ul", *items))
