"""The tables of a study: means over seeds, every cell, every supernet, and what failed."""

from collections.abc import Mapping, Sequence

from jaxnas.report.format import UNKNOWN, Row, estimate, estimated, listed, number, plain
from jaxnas.report.markup import Html, architecture_cell, table, tag
from jaxnas.studies.search.verdict import Values, best_of, difference


def name_of(row: Row) -> str:
    """`darts with magnitude`; of a control, its own name and beside what it stands."""
    if row["algorithm"]:
        return f"{plain(row['algorithm'])} with {plain(row['selector'])}"
    beside = listed([plain(name) for name in str(row["control_of"]).split()])
    return plain(row["selector"]) + (f" at the cost of {beside}" if beside else "")


def summary_table(rows: Sequence[Row], values: Values) -> Html:
    """Means over seeds; `values` [name -> seed -> true accuracy] are compared with the best of them."""
    best = best_of(values)
    columns = {
        "true accuracy, %": [estimate(estimated(row, "true_accuracy")) for row in rows],
        "behind the best, points": [_behind(values, best, name_of(row)) for row in rows],
        "above random search, points": [estimate(estimated(row, "difference")) for row in rows],
        "regret, points": [estimate(estimated(row, "regret")) for row in rows],
        "evaluations": [count(row["evaluations"]) for row in rows],
        "seeds": [count(row["seeds"]) for row in rows],
        "failed": [count(row["failed"]) for row in rows],
        "epochs": [count(row["epochs"], 1) for row in rows],
        "images": [count(row["images"]) for row in rows],
        "billion multiply-adds": [score(row["billion_multiply_adds"]) for row in rows],
    }
    marked = next((i for i, row in enumerate(rows) if name_of(row) == best), None)
    caption = (
        "Means over seeds [95 % interval]; the best by its mean in bold; behind it, and above random search of the "
        "same cost: the differences, seed by seed. Epochs, images and multiply-adds: of one supernet; of a random "
        "search the epochs of each architecture, and the rest of all together"
    )
    return by_columns([name_of(row) for row in rows], columns, caption, marked)


def agreement_table(rows: Sequence[Row]) -> Html:
    """How far the seeds of each algorithm and selector agree."""
    columns = {
        "tau between seeds, by accuracy": [estimate(estimated(row, "reliability_accuracy"), 3) for row in rows],
        "tau between seeds, by probability": [estimate(estimated(row, "reliability_probability"), 3) for row in rows],
        "deviation of the true accuracy, points": [estimate(estimated(row, "deviation")) for row in rows],
        "edges that agree": [estimate(estimated(row, "edges_agree")) for row in rows],
        "edges by chance": [estimate(estimated(row, "edges_chance")) for row in rows],
    }
    caption = (
        "How far two seeds agree: Kendall's tau between their supernets on the same architectures [95 % interval over "
        "seeds and architectures]; the deviation between seeds of the true accuracy that was selected; the share of "
        "edges on which their selected architectures have the same operation, and of random ones"
    )
    return by_columns([name_of(row) for row in rows], columns, caption)


def cells_table(rows: Sequence[Row]) -> Html:
    """Every cell that was chosen, folded."""
    kept = [row for row in rows if row["architecture"]]
    columns: dict[str, list[str | Html]] = {
        "seed": [str(row["seed"]) for row in kept],
        "true accuracy, %": [estimate(estimated(row, "true_accuracy")) for row in kept],
        "rank": [count(row["true_rank"]) for row in kept],
        "regret, points": [estimate(estimated(row, "regret")) for row in kept],
        "score that chose it": [score(row["validation_score"]) for row in kept],
        "evaluations": [count(row["evaluations"]) for row in kept],
        "seconds": [count(row["seconds"], 2) for row in kept],
        "architecture": [architecture_cell(str(row["architecture"])) for row in kept],
    }
    shown = by_columns([name_of(row) for row in kept], columns, "Of each seed, what was chosen and what that took")
    return tag("details", tag("summary", "Every chosen architecture"), shown)


def supernets_table(rows: Sequence[Row]) -> Html:
    """Every supernet, folded."""
    columns = {
        "seed": [str(row["seed"]) for row in rows],
        "tau by accuracy": [estimate(estimated(row, "kendall_accuracy"), 3) for row in rows],
        "tau by probability": [estimate(estimated(row, "kendall_probability"), 3) for row in rows],
        "architectures": [count(row["n"]) for row in rows],
        "epochs": [count(row["epochs"]) for row in rows],
        "training images seen": [count(row["images"]) for row in rows],
        "billion multiply-adds": [score(row["billion_multiply_adds"]) for row in rows],
    }
    caption = "Kendall's tau of each supernet [95 % interval over the architectures]"
    shown = by_columns([plain(row["algorithm"]) for row in rows], columns, caption)
    return tag("details", tag("summary", "Every supernet"), shown)


def failures(cells: Sequence[Row], supernets: Sequence[Row]) -> Html | None:
    """What could not be, and why; the same error of several seeds once."""
    seeds: dict[tuple[str, str, str], list[str]] = {}
    several = len({row["equal"] for row in cells}) > 1
    for row in [*supernets, *cells]:
        if row["error"]:
            name = name_of(row) if "selector" in row else f"supernet of {plain(row['algorithm'])}"
            where = f"equal {row['equal']}, {row['scope']}" if several else str(row["scope"])
            seeds.setdefault((where, name, str(row["error"])), []).append(str(row["seed"]))
    items = [
        tag("li", tag("b", f"{name} ({where}), seed{'s' if len(of) > 1 else ''} {listed(of)}: "), error)
        for (where, name, error), of in seeds.items()
    ]
    return tag("section", tag("h2", "What failed"), tag("ul", *items), class_="warning") if items else None


def _behind(values: Values, best: str | None, name: str) -> str:
    if best is None or name not in values or name == best:
        return ""
    return estimate(difference(values[best], values[name]))


def count(value: object, digits: int = 0) -> str:
    """A number in a table: with decimals only where it has some."""
    found = number(value)
    if found is None:
        return UNKNOWN
    return f"{found:,.0f}" if found.is_integer() else f"{found:,.{max(digits, 1)}f}"


def score(value: object) -> str:
    """A score of any magnitude: an accuracy, minus a loss, or what a metric gives."""
    found = number(value)
    return UNKNOWN if found is None else f"{found:.6g}"


def by_columns(
    names: Sequence[str], columns: Mapping[str, Sequence[str | Html]], caption: str, marked: int | None = None
) -> Html:
    """Names and columns; one in which nothing is known is left out."""
    kept = {head: cells for head, cells in columns.items() if any(cell not in ("", UNKNOWN) for cell in cells)}
    rows: list[list[str | Html]] = [[name, *(cells[i] for cells in kept.values())] for i, name in enumerate(names)]
    return table(["", *kept], rows, caption, marked)
