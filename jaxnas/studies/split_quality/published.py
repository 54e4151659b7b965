"""The published tables of splitting by metric, beside the controls that they lack."""

from collections.abc import Mapping, Sequence

import numpy as np

from jaxnas.analysis import Interval, Worth, against, best_of_random, compare, draws_worth, identical
from jaxnas.analysis.published import PUBLISHED, RANDOM, SEARCHES, SEEDS, SUB_SUPERNETS, UNSPLIT, Entry
from jaxnas.report import figures
from jaxnas.report.format import listed
from jaxnas.report.markup import Html, figure, table, tag
from jaxnas.studies.split_quality import figures as split_figures

STUDENT = 4.302652729911275  # 97.5 % point of Student's t of 2 degrees, for means of 3 seeds


def published_section(worths: Sequence[Worth], accuracies: Mapping[str, np.ndarray]) -> Html | None:
    """The section; None unless the splits are those of the tables and the accuracies of the same data sets."""
    splits = [name for name in PUBLISHED["cifar10"] if name != UNSPLIT]
    if not set(PUBLISHED) <= set(accuracies) or not set(splits) <= {worth.metric for worth in worths}:
        return None
    chance = {name: best_of_random(accuracies[name], SUB_SUPERNETS) for name in PUBLISHED}
    terms = (
        "The tables give the best of 8 searches by test accuracy, one in each sub-supernet, and beside them one search "
        "without splitting. What they lack is what 8 tries are worth without any search: the best of 8 cells drawn at "
        "random. Intervals are Student's, of the printed spread over 3 seeds (no width where all seeds reached the "
        "same cell); DARTS was run once, and has none."
    )
    parts = [tag("p", text) for text in (terms, *sentences(chance, splits))]
    for name in PUBLISHED:
        parts += _dataset(name, chance[name], accuracies[name])
    title = "The published tables with their controls"
    return tag("section", tag("h2", title), *parts, _ranks(splits), *_noise(worths))


def below_random(search: str, chance: Mapping[str, Interval], splits: Sequence[str]) -> int:
    """How many entries of a search with splitting are below the expected best of 8 random cells."""
    return sum(PUBLISHED[name][s][search].accuracy < chance[name].value for name in PUBLISHED for s in splits)


def values_of(splits: Sequence[str]) -> np.ndarray:
    """Accuracies of the tables: a row for each data set and search, a column for each split."""
    return np.array(
        [[PUBLISHED[name][s][search].accuracy for s in splits] for name in PUBLISHED for search in SEARCHES]
    )


def sentences(chance: Mapping[str, Interval], splits: Sequence[str]) -> list[str]:
    """What the tables say beside their controls."""
    total = len(PUBLISHED) * len(splits)
    counted = listed([f"{below_random(search, chance, splits)} of {search}" for search in SEARCHES])
    expected = listed([f"{of.value:.2f} [{of.low:.2f}, {of.high:.2f}] on {name}" for name, of in chance.items()])
    values, control = values_of(splits), list(splits).index(RANDOM)
    ranks, p = compare(values), against(values, control)
    apart = [f"{s} (p = {p[i]:.3f})" for i, s in enumerate(splits) if p[i] < 0.05]
    wins = [f"{s} {int((values[:, i] > values[:, control]).sum())}" for i, s in enumerate(splits) if i != control]
    return [
        f"The best of 8 random cells is {expected} (central 95 %).",
        f"Of {total} entries of each search with splitting, these are below its expectation: {counted}.",
        f"Against the random split, over {len(values)} columns (data sets and searches), wins are: {', '.join(wins)}. "
        f"By Wilcoxon's test with Holm's correction, {listed(apart) or 'none'} differs from it at 5 %; Friedman's test "
        f"that all {len(splits)} are alike gives p = {ranks.p:.2f}. Columns are not independent: both p are too small.",
    ]


def _dataset(name: str, chance: Interval, accuracies: np.ndarray) -> list[Html]:
    reference = (f"best of 8 random cells: {chance.value:.2f}", chance.value)
    drawings = []
    for search in SEARCHES:
        entries = {split: by_search[search] for split, by_search in PUBLISHED[name].items()}
        dots = [figures.Row(split, _estimate(entry), split == UNSPLIT) for split, entry in entries.items()]
        drawings.append(figures.dots(f"{search} on {name}, %", dots, 2, reference))
    below = "Mark: published accuracy; bar: 95 % interval; dashed: expected best of 8 random cells. Filled: not split."
    worth = {split: [_worth(entry, accuracies) for entry in row.values()] for split, row in PUBLISHED[name].items()}
    caption = f"{name}: published accuracy, and how many random cells have an expected best as good (-: over a million)"
    rows: list[list[str | Html]] = [[split, *cells] for split, cells in worth.items()]
    return [table(["split", *SEARCHES], rows, caption), tag("details", tag("summary", name), figure(below, *drawings))]


def _worth(entry: Entry, accuracies: np.ndarray) -> str:
    draws = draws_worth(accuracies, entry.accuracy)
    return f"{entry.accuracy:.2f} ({'-' if draws is None else f'{draws:,}'})"


def _estimate(entry: Entry) -> Interval:
    if entry.spread is None:
        return Interval(entry.accuracy)
    half = STUDENT * entry.spread / SEEDS**0.5
    return Interval(entry.accuracy, entry.accuracy - half, entry.accuracy + half, SEEDS)


def _ranks(splits: Sequence[str]) -> Html:
    found = compare(values_of(splits))
    title = f"average rank over {len(PUBLISHED) * len(SEARCHES)} columns"
    drawing = split_figures.critical_difference(title, splits, found.ranks.tolist(), found.critical_difference)
    below = (
        "Average ranks of entries with splitting; 1 is best. A thick line joins what Nemenyi's test cannot tell apart."
    )
    return figure(below, drawing)


def _noise(worths: Sequence[Worth]) -> list[Html]:
    """Entries of the tables that belong to one and the same split differ by chance alone."""
    rows: list[list[str | Html]] = []
    for name, by_split in PUBLISHED.items():
        for group in identical([worth for worth in worths if worth.dataset == name and worth.metric in by_split]):
            names = [worth.metric for worth in group]
            if len(names) < 2:
                continue
            spread = [[by_split[s][search].accuracy for s in names] for search in SEARCHES]
            rows.append([f"{listed(names)} on {name}", *(f"{max(v) - min(v):.2f}" for v in spread)])
    caption = "How far apart the tables are for one and the same split, points: smaller differences are noise"
    return [table(["identical splits", *SEARCHES], rows, caption)] if rows else []
