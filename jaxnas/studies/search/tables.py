"""What the cells of a study were worth: rows of its tables, and means over seeds with intervals."""

import numpy as np

from jaxnas.analysis import kendall, mean_interval
from jaxnas.analysis.intervals import expected_best
from jaxnas.benchmarks import Table
from jaxnas.data import Dataset
from jaxnas.few_shot.run_context import RunContext, architecture_name
from jaxnas.studies.search.agreement import Rankings, between_seeds, interval_columns, rankings
from jaxnas.studies.search.cells import CELL, SUPERNET, Scope, kept_rows
from jaxnas.studies.search.config import StudyConfig
from jaxnas.studies.search.costs import Costs, epochs_of, random_epochs
from jaxnas.studies.truth import Row, Search, Truth, random_draws, random_search, true_accuracies
from jaxnas.types import Stages
from jaxnas.workdir import Journal

GROUP = ("equal", "algorithm", "selector", "scope", "control_of")  # cells that differ in their seeds alone
COST = ("epochs", "images", "billion_multiply_adds")  # of the training


def conclude(
    context: RunContext,
    config: StudyConfig,
    journal: Journal,
    dataset: Dataset,
    table: Table | None,
    scopes: list[Scope],
    costs: Costs,
    stages: Stages,
) -> tuple[list[Row], list[Row], list[Row]]:
    """Rows of `cells.csv`, `supernets.csv` and `summary.csv`."""
    cells, supernets = (_compared(kept_rows(journal, kind), config, costs) for kind in (CELL, SUPERNET))
    cells = [*cells, *_searched(context, config, journal, scopes, costs, stages)]
    asked = [row["op_ids"] for row in cells if row["op_ids"]]
    asked += [op_ids for row in supernets for op_ids in row.get("op_ids", ())]
    op_ids = np.array(asked, np.int32).reshape(-1, len(context.space.edges))
    truth = true_accuracies(context, config, journal, dataset, table, op_ids, stages)
    known = {} if table is None else {scope.name: _values(context, scope, table, config) for scope in scopes}
    cell_rows = [_cell(context, row, truth, known.get(row["scope"])) for row in cells]
    supernet_rows = [_supernet(row, truth) for row in supernets]
    summary = summaries(context, cell_rows, rankings(supernets, truth), {scope.name: scope.mask for scope in scopes})
    return cell_rows, supernet_rows, _filled([*summary, *_chance(config, known)])


def _compared(rows: list[Row], config: StudyConfig, costs: Costs) -> list[Row]:
    """Rows once for each comparison that they belong to, in the order of the config, with what they cost."""

    def chosen(row: Row) -> list[int]:
        return [config.selectors.index(row["selector"])] if "selector" in row else []

    found = []
    for equal in config.equal:
        for name, epochs in epochs_of(config, costs, equal).items():
            of = [row for row in rows if (row["algorithm"], row["epochs"]) == (name, epochs)]
            for row in sorted(of, key=lambda row: (row["scope"], row["seed"], *chosen(row))):
                spent = {
                    "images": epochs * costs.images[name],
                    "billion_multiply_adds": epochs * costs.products[name, row["scope"]] / 1e9,
                }
                found.append({**row, "equal": equal, "control_of": "", **spent})
    return found


def _searched(
    context: RunContext, config: StudyConfig, journal: Journal, scopes: list[Scope], costs: Costs, stages: Stages
) -> list[Row]:
    """The random searches of every comparison, one for all algorithms beside which it would be the same."""
    draws = random_draws(context, config, scopes)
    beside: dict[tuple[str, str, tuple[int, ...]], list[str]] = {}  # (equal, scope, epochs of each seed) -> algorithms
    for equal in config.equal if draws else ():
        for scope in scopes:
            for name in config.algorithms:
                drawn = [draws[seed, scope.name] for seed in config.seeds]
                epochs = tuple(random_epochs(config, costs, equal, name, scope.name, op_ids) for op_ids in drawn)
                beside.setdefault((equal, scope.name, epochs), []).append(name)
    wanted = [
        ({"equal": equal, "control_of": " ".join(names)}, Search(scope, seed, draws[seed, scope], epochs))
        for (equal, scope, of_seeds), names in beside.items()
        for seed, epochs in zip(config.seeds, of_seeds, strict=True)
    ]
    searches = [search for _, search in wanted]
    found = random_search(context, journal, searches, stages)
    spent = [
        {
            "images": s.epochs * costs.alone_images * len(s.op_ids),
            "billion_multiply_adds": s.epochs * costs.alone(s.op_ids) / 1e9,
        }
        for s in searches
    ]
    return [{**row, **name, **cost} for (name, _), row, cost in zip(wanted, found, spent, strict=True)]


def summaries(context: RunContext, cells: list[Row], ranked: Rankings, masks: dict[str, np.ndarray]) -> list[Row]:
    """Means over seeds of the cells that did not fail, with Student's intervals, the difference from the random search
    of the same cost, paired by seed, and how far the seeds agree. masks: of each scope."""
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in cells:
        groups.setdefault(tuple(row[name] for name in GROUP), []).append(row)
    controls = {
        (equal, algorithm, scope): of
        for (equal, _, _, scope, control_of), of in groups.items()
        for algorithm in control_of.split()
    }
    rows = []
    for name, of in groups.items():
        equal, algorithm, _, scope, _ = name
        row = {**dict(zip(GROUP, name, strict=True)), **_mean(of), **_cost(of)}
        row |= _difference(of, controls.get((equal, algorithm, scope), []))
        row |= between_seeds(context.space, [r for r in of if not r["error"]], masks[scope])
        rows.append({**row, **ranked.get((equal, algorithm, scope), {})})
    return rows


def _filled(rows: list[Row]) -> list[Row]:
    """Rows with the columns of all, None where they have none."""
    columns = dict.fromkeys(column for row in rows for column in row)
    return [{**dict.fromkeys(columns), **row} for row in rows]


def _mean(of: list[Row]) -> Row:
    good = [row for row in of if not row["error"]]
    row: Row = {"seeds": len(of), "failed": len(of) - len(good)}
    for column in ("true_accuracy", "regret"):
        row |= _estimate(column, [r[column] for r in good if r[column] is not None])
    return {**row, "evaluations": float(np.mean([r["evaluations"] for r in good])) if good else None}


def _cost(of: list[Row]) -> Row:
    return {column: float(np.mean([row[column] for row in of])) for column in COST}


def _difference(of: list[Row], control: list[Row]) -> Row:
    """From a control, paired by seed. Equal differences say nothing of their spread: they have no interval."""
    theirs = {row["seed"]: row["true_accuracy"] for row in control}
    pairs = [row["true_accuracy"] - theirs[row["seed"]] for row in of if row["seed"] in theirs and not row["error"]]
    row = _estimate("difference", pairs)
    return row if pairs and np.ptp(pairs) > 1e-9 else {**row, "difference_low": None, "difference_high": None}


def _estimate(column: str, values: list[float]) -> Row:
    return interval_columns(column, mean_interval(np.array(values)) if values else None)


def _cell(context: RunContext, row: Row, truth: Truth, known: np.ndarray | None) -> Row:
    """One row of `cells.csv`; rank and regret are among the connected architectures of its sub-space, `known` [A]."""
    found: Row = {"architecture": "", "true_accuracy": None, "true_rank": None, "regret": None}
    if row["op_ids"]:
        value = truth[tuple(row["op_ids"])]
        found |= {"architecture": architecture_name(context, np.array(row["op_ids"])), "true_accuracy": value}
        if known is not None:
            found |= {"true_rank": 1 + int((known > value).sum()), "regret": float(known.max()) - value}
    names = (*GROUP, "seed", *COST)
    rest = ("validation_score", "evaluations", "seconds", "error")
    return {**{n: row[n] for n in names}, **found, **{n: row[n] for n in rest}}


def _supernet(row: Row, truth: Truth) -> Row:
    """How well one supernet ranks the sample, by the accuracy of its paths and by their probabilities."""
    values = np.array([truth[tuple(op_ids)] for op_ids in row.get("op_ids", ())])
    found: Row = {**{n: row[n] for n in ("equal", "algorithm", "scope", "seed")}, "n": len(values)}
    for column in ("accuracy", "probability"):
        found |= interval_columns(f"kendall_{column}", kendall(np.array(row[column]), values) if len(values) else None)
    return {**found, **{n: row[n] for n in (*COST, "error")}}


def _chance(config: StudyConfig, known: dict[str, np.ndarray]) -> list[Row]:
    """What a random connected architecture has, and the expected best of several if one could see the truth."""
    rows: list[Row] = []
    for equal in config.equal:
        for scope, values in known.items():
            for k in dict.fromkeys((1, config.random or 1, 100)):
                value = expected_best(values, k)
                row: Row = {"equal": equal, "selector": "random cell" if k == 1 else f"best of {k} by the truth"}
                row |= {"algorithm": "", "scope": scope, "control_of": "", "failed": 0, "true_accuracy": value}
                rows.append({**row, "regret": float(values.max()) - value, "evaluations": k})
    return rows


def _values(context: RunContext, scope: Scope, table: Table, config: StudyConfig) -> np.ndarray:
    return table.query(context.space.enumerate_connected(scope.mask), config.data.name)
