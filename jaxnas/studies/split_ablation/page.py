"""The page of an ablation of splits: whether splitting, a metric or only an oracle helps, under every algorithm."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from jaxnas.report.document import document
from jaxnas.report.format import Row, estimate, estimated, listed, plain, several
from jaxnas.report.markup import Html, architecture_cell, figure, join, tag
from jaxnas.studies.search.figures import Group, Line, Reference, panels
from jaxnas.studies.search.page_tables import by_columns, count, score
from jaxnas.studies.split_ablation import verdict as words
from jaxnas.studies.split_ablation.verdict import HONEST, MEAN, NONE, ORACLE, RANDOM, Values

DRAWN = (HONEST, MEAN, ORACLE)  # rules; all are in the table
SHORT = " by the truth"  # of the names of controls; too long for a drawing


class Material(NamedTuple):
    """The rows of both files, and what is read off them."""

    cells: Sequence[Row]
    table: Sequence[Row]
    values: Values
    splits: list[str]  # without those that are another one in every seed
    unsplit: str  # 8 unsplit runs

    @property
    def algorithms(self) -> list[str]:
        """In their order."""
        return list(dict.fromkeys(str(row["algorithm"]) for row in self.cells))

    @property
    def randoms(self) -> list[str]:
        """Random splits, those too that are another one."""
        return [split for split in dict.fromkeys(str(r["split"]) for r in self.cells) if split.startswith(RANDOM)]

    @property
    def metrics(self) -> list[str]:
        """Splits that are no control."""
        return [split for split in self.splits if not is_control(split)]


def ablation_page(cells: Sequence[Row], table: Sequence[Row]) -> Html:
    """Rows of `cells.csv` and `table.csv`, as numbers or as their text."""
    it = Material(cells, table, words.values_of(cells), words.different(cells), words.unsplit(cells))
    top = tag("section", *(part for asked in answer(it) for part in _asked(*asked)), *_notes(it), class_="answer")
    count_of = {"split": len(it.splits) - (NONE in it.splits), "algorithm": len(it.algorithms)}
    title = f"What {several(count_of['split'], 'split')} gave under {several(count_of['algorithm'], 'algorithm')}"
    parts = [top, _accuracy(it), _differences(it), _tables(it), _failures(cells)]
    return document(title, [part for part in parts if part is not None])


def is_control(split: str) -> bool:
    """Whether a split is unsplit, or random."""
    return split == NONE or split.startswith(RANDOM)


def answer(it: Material) -> list[tuple[str, str, dict[str, str]]]:
    """Each question, its answer over all algorithms, and under each."""
    if not it.values:
        return [("What is a split worth?", "That is not known: every split has a leaf that failed.", {})]
    said: list[tuple[str, str, dict[str, str]]] = []
    for question, missing, column, splits, others in (
        (
            f"Does splitting help, over {it.unsplit}?",
            "That cannot be told: there are no unsplit runs (`none` among --splits).",
            "from_unsplit",
            [split for split in it.splits if split != NONE],
            [NONE] if NONE in it.splits else [],
        ),
        (
            "Does a metric beat random splits?",
            "That cannot be told: there are no random splits (`random:N` among --splits).",
            "from_random",
            it.metrics,
            it.randoms,
        ),
    ):
        if not splits:
            said.append((question, "That cannot be told: there is no such split.", {}))
        elif not others:
            said.append((question, missing, {}))
        else:
            said.append(_compared(it, question, column, splits, others))
    return [*said, _oracle(it)]


def _compared(
    it: Material, question: str, column: str, splits: Sequence[str], others: Sequence[str]
) -> tuple[str, str, dict[str, str]]:
    found = {name: words.differences(it.table, name, column, splits) for name in it.algorithms}
    under = {}
    for algorithm, of in found.items():
        mean = words.mean_less(it.values, algorithm, splits, others) if len(splits) > 1 else None
        under[plain(algorithm)] = words.told(of)
        if mean is not None:
            all_of = f"All {len(splits)} splits in {several(mean.n or 0, 'seed')}"
            under[plain(algorithm)] += f" {all_of}: {words.points(mean)}."
    everything = [value for of in found.values() for value in of.values()]
    one_seed = len({str(row["seed"]) for row in it.cells}) == 1
    return question, "One seed gives no interval. " * one_seed + words.counted(everything), under


def _oracle(it: Material) -> tuple[str, str, dict[str, str]]:
    leaves = max(int(row["leaf"]) for row in it.cells) + 1
    question = f"How much does an oracle add, that sees the truth of {leaves} leaves?"
    under = {}
    for algorithm in it.algorithms:
        gaps = {
            "split": words.oracle_gap(it.values, algorithm, [split for split in it.splits if split != NONE]),
            "unsplit": words.oracle_gap(it.values, algorithm, [NONE]),
        }
        said = [f"{words.points(value)} on {name} supernets" for name, value in gaps.items() if value is not None]
        under[plain(algorithm)] = f"{listed(said)}." if said else "not known."
    return question, "Its pick less that of the best validation accuracy, mean over splits and seeds:", under


def _asked(question: str, said: str, under: Mapping[str, str]) -> list[Html]:
    items = [tag("li", tag("b", f"{algorithm}: "), text) for algorithm, text in under.items()]
    return [tag("p", tag("b", question), " ", said), *([tag("ul", *items)] if items else [])]


def _notes(it: Material) -> list[Html]:
    """Splits that are alike, and what the words mean."""
    seeds = {str(row["seed"]) for row in it.cells}
    notes = []
    for (split, other), of in words.same(it.cells).items():
        where = "in every seed" if set(of) == seeds else f"in seed{'s' if len(of) > 1 else ''} {listed(of)}"
        notes.append(tag("p", f"{plain(split)} is the same split as {plain(other)} {where}, and trained once there."))
    sources = listed(list(dict.fromkeys(str(row["truth_source"]) for row in it.cells)))
    terms = [
        ("Better, worse", "the 95 % interval of the difference, seed by seed, lies on one side of zero"),
        ("points", "of true accuracy, of the leaf with the best validation accuracy unless another rule is named"),
        ("unsplit runs", "as many supernets of the whole space as a split has leaves, each trained as long as a leaf"),
        ("true accuracy", f"of the architecture taken from a leaf ({sources})"),
    ]
    n = sum(
        value is not None
        for algorithm in it.algorithms
        for column, splits in (("from_unsplit", it.splits), ("from_random", it.metrics))
        for value in words.differences(it.table, algorithm, column, splits).values()
    )
    if n > 1:
        terms.append(
            ("chance", f"of {n} comparisons without a true difference about {0.05 * n:.1f} would look like one")
        )
    notes.append(tag("p", *(join(tag("b", term), f": {meaning}. ") for term, meaning in terms), class_="terms"))
    return notes


def _accuracy(it: Material) -> Html:
    controls, references, legend = [], [], []
    for k, row in enumerate(row for row in it.table if not row["algorithm"]):
        letter, name = chr(ord("a") + k), plain(row["split"])
        mean = estimated(row, "true_accuracy")
        controls.append(Line(f"{letter} {name.removesuffix(SHORT)}", len(DRAWN) + k, mean, (), True))
        if mean is not None:
            references.append(Reference(letter, mean.value))
            legend.append(f"{letter}, {name}")
    drawings = []
    for algorithm in it.algorithms:
        groups = [Group("controls", controls)] if controls else []
        groups += [Group(_shown(split), _lines(it, algorithm, split)) for split in it.splits]
        drawings += panels(f"{plain(algorithm)}: true accuracy, %", groups, references, 2, 100.0)
    below = (
        "Rows: the rule that picks a leaf. Marker: mean over seeds, hollow for controls; bar: its 95 % interval; small "
        "circles: single seeds; an arrow: it goes on, or lies, beyond the scale."
    ) + (f" Dashed lines: {'; '.join(legend)}." if legend else "")
    return tag("section", tag("h2", "True accuracy of what rules pick"), figure(below, *drawings))


def _lines(it: Material, algorithm: str, split: str) -> list[Line]:
    rows = {row["rule"]: row for row in it.table if (row["split"], row["algorithm"]) == (split, algorithm)}
    lines = []
    for k, rule in enumerate(DRAWN):
        seeds = [*it.values.get((split, algorithm, rule), {}).values()]
        lines.append(Line(rule, k, estimated(rows.get(rule, {}), "true_accuracy"), seeds, is_control(split)))
    return lines


def _differences(it: Material) -> Html | None:
    drawings = []
    for algorithm in it.algorithms:
        groups = []
        for name, column, splits, others in (
            ("less unsplit runs", "from_unsplit", [split for split in it.splits if split != NONE], [NONE]),
            ("less random splits", "from_random", it.metrics, it.randoms),
        ):
            found = words.differences(it.table, algorithm, column, splits)
            if any(value is not None for value in found.values()):
                lines = []
                for k, (split, value) in enumerate(zip(splits, found.values(), strict=True)):
                    seeds = [*words.less(it.values, algorithm, HONEST, split, others).values()]
                    lines.append(Line(_shown(split), k, value, seeds, is_control(split)))
                groups.append(Group(name, lines))
        if groups:
            title = f"{plain(algorithm)}: difference, points"
            drawings += panels(title, groups, [Reference("0", 0.0)], 2)
    if not drawings:
        return None
    below = (
        "True accuracy of the leaf that validation picks, less that of the unsplit runs and the mean of the random "
        "splits of the same seed. Right of 0 (dashed) the split is better; marks as above."
    )
    return tag("section", tag("h2", "Differences, paired by seed"), figure(below, *drawings))


def _tables(it: Material) -> Html:
    rows = [row for row in it.table if row["rule"] in (HONEST, "")]
    caption = "Means over seeds [95 % interval] of what validation picks, and differences paired by seed"
    every = _table_of([row for row in it.table if row["rule"]], "Means over seeds [95 % interval] of each rule", True)
    kept = [row for row in it.cells if row["architecture"]]
    columns: dict[str, list[str | Html]] = {
        "seed": [str(row["seed"]) for row in kept],
        "leaf": [str(row["leaf"]) for row in kept],
        "true accuracy, %": [estimate(estimated(row, "true_accuracy")) for row in kept],
        "validation": [score(row["validation_score"]) for row in kept],
        "picked by": [plain(row["picked_by"]) for row in kept],
        "evaluations": [count(row["evaluations"]) for row in kept],
        "images seen": [count(row["images_seen"]) for row in kept],
        "seconds": [count(row["seconds"], 2) for row in kept],
        "same as": [plain(row["same_as"]) for row in kept],
        "architecture": [architecture_cell(str(row["architecture"])) for row in kept],
    }
    leaves = by_columns([_name(row) for row in kept], columns, "What was taken from each leaf, and what that took")
    folded = [("Every rule", every), ("Every leaf", leaves)]
    details = [tag("details", tag("summary", name), shown) for name, shown in folded]
    return tag("section", tag("h2", "Numbers"), _table_of(rows, caption, False), *details)


def _table_of(rows: Sequence[Row], caption: str, rules: bool) -> Html:
    columns: dict[str, Sequence[str | Html]] = {"rule": [plain(row["rule"]) if rules else "" for row in rows]}
    for head, column in (
        ("true accuracy, %", "true_accuracy"),
        ("less unsplit, points", "from_unsplit"),
        ("less random, points", "from_random"),
    ):
        columns[head] = [estimate(estimated(row, column)) for row in rows]
    columns["seeds"] = [count(row["seeds"]) for row in rows]
    return by_columns([_name(row) for row in rows], columns, caption)


def _failures(cells: Sequence[Row]) -> Html | None:
    """Leaves that gave no architecture, and why; the same error of several of a split once."""
    found: dict[tuple[str, str], list[str]] = {}
    for row in cells:
        if row["error"]:
            found.setdefault((_name(row), str(row["error"])), []).append(f"{row['leaf']} of seed {row['seed']}")
    items = [
        tag("li", tag("b", f"{name}, {'leaves' if len(of) > 1 else 'leaf'} {listed(of)}: "), error)
        for (name, error), of in found.items()
    ]
    note = tag("p", "Of a split with a failed leaf nothing is picked in that seed; its means are of the other seeds.")
    return tag("section", tag("h2", "What failed"), tag("ul", *items), note, class_="warning") if items else None


def _shown(split: str) -> str:
    """A split in a drawing or a table."""
    return "not split" if split == NONE else plain(split)


def _name(row: Row) -> str:
    return f"{_shown(str(row['split']))}, {plain(row['algorithm'])}" if row["algorithm"] else plain(row["split"])
