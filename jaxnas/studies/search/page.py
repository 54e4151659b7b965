"""The page of a study: what every algorithm with every selector finds, beside the controls, and what that allows."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from jaxnas.report.document import document
from jaxnas.report.format import Row, by_seed, estimated, number, plain, several
from jaxnas.report.markup import Html, figure, join, tag
from jaxnas.studies.search.figures import Group, Line, Reference, panels
from jaxnas.studies.search.page_tables import (
    agreement_table,
    cells_table,
    failures,
    name_of,
    summary_table,
    supernets_table,
)
from jaxnas.studies.search.verdict import Values, against_best, against_control

SHORT = " by the truth"  # of the names of controls; too long for a drawing
RANKINGS = {"kendall_accuracy": "accuracy of paths", "kendall_probability": "probability of paths"}
NAMES = ("algorithm", "selector", "control_of")
EQUAL = {  # what a comparison holds equal -> what that means
    "epochs": "all supernets are trained for as many epochs",
    "images": "all send as many images through their supernets, to whole epochs",
    "arithmetic": "all are trained for as many counted multiply-adds, to whole epochs",
}
Pairs = Mapping[tuple[str, ...], Mapping[str, float]]  # NAMES -> seed -> true accuracy


class Part(NamedTuple):
    """The rows of one sub-space, compared at one equal cost."""

    prefix: str  # of its headings
    cells: Sequence[Row]
    supernets: Sequence[Row]
    summary: Sequence[Row]

    @property
    def ours(self) -> list[Row]:
        """Means of algorithms with selectors."""
        return [row for row in self.summary if row["algorithm"]]

    @property
    def controls(self) -> list[Row]:
        """Means of what has no algorithm."""
        return [row for row in self.summary if not row["algorithm"]]

    @property
    def pairs(self) -> Pairs:
        """True accuracies of what did not fail, controls too: their algorithm is empty."""
        return by_seed(self.cells, NAMES, "true_accuracy")


def study_page(cells: Sequence[Row], supernets: Sequence[Row], summary: Sequence[Row]) -> Html:
    """Rows of `cells.csv`, `supernets.csv` and `summary.csv`, as numbers or as their text."""
    parts = []
    names = list(dict.fromkeys((str(row["equal"]), str(row["scope"])) for row in summary))
    alone = len({equal for equal, _ in names}) == 1, {scope for _, scope in names} == {"whole"}
    for name in names:
        words = [word for word, left_out in zip((f"equal {name[0]}", name[1]), alone, strict=True) if not left_out]
        of = [[r for r in rows if (str(r["equal"]), str(r["scope"])) == name] for rows in (cells, supernets, summary)]
        parts.append(Part(f"{', '.join(words)}: " if words else "", *of))
    ours = [row for part in parts for row in part.ours]
    counts = [several(len({row[column] for row in ours}), column) for column in ("algorithm", "selector")]
    answers = [tag("p", tag("b", part.prefix), text) for part in parts for text in answer(part)]
    top = tag("section", *answers, _terms(ours), class_="answer")
    sections = [section for part in parts for section in (_accuracy(part), _rankings(part))]
    shown = [section for section in [top, *sections, failures(cells, supernets)] if section is not None]
    return document(f"What {counts[0]} with {counts[1]} found", shown)


def answer(part: Part) -> list[str]:
    """What may be said of one sub-space: the best, then all against each control."""
    groups = values_of(part)
    if not groups:
        return ["Every cell failed."]
    said = [against_best(groups, "true accuracy", " %")]
    for row in part.controls:
        value, seeds = number(row["true_accuracy"]), part.pairs.get(_key(row))
        if value is not None:
            beside = values_of(part, row["control_of"].split()) if row["control_of"] else groups
            said += [against_control(beside, name_of(row), value if seeds is None else seeds)] if beside else []
    return said


def values_of(part: Part, algorithms: Sequence[str] | None = None) -> Values:
    """True accuracies by name and seed of some algorithms, or of all, without controls."""
    rows = [(dict(zip(NAMES, key, strict=True)), values) for key, values in part.pairs.items()]
    ours = [(row, values) for row, values in rows if row["algorithm"]]
    return {name_of(r): values for r, values in ours if algorithms is None or r["algorithm"] in algorithms}


def _key(row: Row) -> tuple[str, ...]:
    return tuple(str(row[name]) for name in NAMES)


def _accuracy(part: Part) -> Html:
    groups, references, legend = _drawn(part)
    below = (
        "Marker: mean over seeds; bar: its 95 % interval; small circles: single seeds; an arrow: it goes on, or lies, "
        "beyond the scale."
    ) + (f" Dashed lines: {legend}." if legend else "")
    heading = tag("h2", f"{part.prefix}{'true' if part.prefix else 'True'} accuracy")
    drawings = panels("true accuracy, %", groups, references, 2, 100.0)
    means = summary_table(part.summary, values_of(part)), agreement_table(part.ours)
    tables = (*means, _inside(part), cells_table(part.cells))
    return tag("section", heading, figure(below, *drawings), *tables)


def _drawn(part: Part) -> tuple[list[Group], list[Reference], str]:
    """Groups of rows, the controls first; lines across; and what these are."""
    selectors = list(dict.fromkeys(row["selector"] for row in part.ours))
    controls, references, legend = [], [], []
    for k, row in enumerate(part.controls):
        letter, name = chr(ord("a") + k), name_of(row)
        line = _line(row, f"{letter} {name.removesuffix(SHORT)}", len(selectors) + k, part.pairs)
        controls.append(line)
        if line.mean is not None:
            references.append(Reference(letter, line.mean.value))
            legend.append(f"{letter}, {name}")
    groups = [Group("controls", controls)] if controls else []
    for algorithm in dict.fromkeys(row["algorithm"] for row in part.ours):
        of = [row for row in part.ours if row["algorithm"] == algorithm]
        lines = [_line(row, plain(row["selector"]), selectors.index(row["selector"]), part.pairs) for row in of]
        groups.append(Group(plain(algorithm), lines))
    return groups, references, "; ".join(legend)


def _line(row: Row, name: str, style: int, pairs: Pairs) -> Line:
    seeds = pairs.get(_key(row), {})
    return Line(name, style, estimated(row, "true_accuracy"), [*seeds.values()])


def _inside(part: Part) -> Html:
    """Selectors compared on the supernets of each algorithm, and algorithms under each selector."""
    items = []
    for place, word in enumerate(("On supernets of", "With")):
        for name in dict.fromkeys(key[place] for key in part.pairs if key[0]):
            of = {plain(key[1 - place]): v for key, v in part.pairs.items() if key[0] and key[place] == name}
            if len(of) > 1:
                items.append(tag("li", tag("b", f"{word} {plain(name)}: "), against_best(of, "true accuracy", " %")))
    folded = tag("details", tag("summary", "Within each algorithm, and within each selector"), tag("ul", *items))
    return folded if items else join()


def _rankings(part: Part) -> Html | None:
    """Agreement of the supernets with the truth; None if none was measured."""
    means = {row["algorithm"]: row for row in part.ours}  # the same under every selector
    said, drawings = [], []
    for column, name in RANKINGS.items():
        found = {a: v for (a,), v in by_seed(part.supernets, ("algorithm",), column).items()}
        if found:
            lines = []
            for k, (algorithm, row) in enumerate(means.items()):
                lines.append(Line(plain(algorithm), k, estimated(row, column), [*found.get(algorithm, {}).values()]))
            drawings += panels(f"tau by {name}", [Group("", lines)], [Reference("0", 0.0)], 3)
        if len(found) > 1:
            behind = {plain(a): estimated(row, column.replace("kendall", "behind")) for a, row in means.items()}
            taus = {plain(a): v for a, v in found.items()}
            said.append(tag("p", against_best(taus, f"tau by {name}", behind=behind)))
    if not drawings:
        return None
    note = (
        "Kendall's tau between the truth and what a supernet says of the same random architectures: 1 is the same "
        "order, 0 (dashed) none. Small circles: one supernet each; marker: their mean with its 95 % interval over "
        "seeds and architectures."
    )
    heading = tag("h2", f"{part.prefix}{'how' if part.prefix else 'How'} well the supernets rank")
    return tag("section", heading, *said, figure(note, *drawings), supernets_table(part.supernets))


def _terms(ours: Sequence[Row]) -> Html:
    n = len(ours)
    terms = [("Better, worse", "the 95 % interval of the difference, seed by seed, lies on one side of zero")]
    if n > 1:
        chance = f"of {n} comparisons without a true difference about {0.05 * n:.1f} would look like one"
        lucky = f"the largest of {n} means is likely above its true value"
        terms.append(("chance", f"intervals are not corrected for their number: {chance}, and {lucky}"))
    terms += [(f"equal {equal}", EQUAL[equal]) for equal in dict.fromkeys(row["equal"] for row in ours)]
    terms.append(("random search", "architectures trained alone, together at the cost of one supernet beside it"))
    if any(number(row["regret"]) is not None for row in ours):
        terms.append(("true accuracy", "of the chosen architecture, by the table"))
        terms.append(("regret", "the best connected architecture of the sub-space less the chosen one, in points"))
    else:
        terms.append(("true accuracy", "test accuracy of the chosen architecture, trained alone from new weights"))
    return tag("p", *(join(tag("b", term), f": {meaning}. ") for term, meaning in terms), class_="terms")
