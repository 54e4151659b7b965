"""What the cells of a study were worth: rows of its tables, and means over seeds with intervals."""

from pathlib import Path

import numpy as np

from jaxnas.analysis import kendall, mean_interval
from jaxnas.analysis.intervals import expected_best
from jaxnas.benchmarks import Table
from jaxnas.config import StudyConfig
from jaxnas.data import Dataset
from jaxnas.methods.problem import Problem, architecture_name, steps_per_epoch
from jaxnas.search import ALGORITHMS
from jaxnas.studies.selection import CELLS, SUPERNETS, Scope
from jaxnas.studies.truth import Row, Truth, random_epochs, random_search, true_accuracies
from jaxnas.types import Stages
from jaxnas.workdir import read_rows


def conclude(
    problem: Problem,
    config: StudyConfig,
    workdir: Path,
    dataset: Dataset,
    table: Table | None,
    scopes: list[Scope],
    stages: Stages,
) -> tuple[list[Row], list[Row], list[Row]]:
    """Rows of `cells.csv`, `supernets.csv` and `summary.csv`."""
    cells, supernets = _kept(workdir / CELLS, config), _kept(workdir / SUPERNETS, config)
    cells = [*cells, *random_search(problem, config, workdir, scopes, random_epochs(problem, config), stages)]
    asked = [row["op_ids"] for row in cells if row["op_ids"]]
    asked += [op_ids for row in supernets for op_ids in row.get("op_ids", ())]
    op_ids = np.array(asked, np.int32).reshape(-1, len(problem.space.edges))
    truth = true_accuracies(problem, config, workdir, dataset, table, op_ids, stages)
    known = {} if table is None else {scope.name: _values(problem, scope, table, config) for scope in scopes}
    cell_rows = [_cell(problem, row, truth, known.get(row["scope"])) for row in cells]
    supernet_rows = [_supernet(problem, config, row, truth) for row in supernets]
    return cell_rows, supernet_rows, [*summaries(cell_rows), *_chance(config, known)]


def summaries(cells: list[Row]) -> list[Row]:
    """Means over seeds of the cells that did not fail, with Student's intervals."""
    rows = []
    for name in dict.fromkeys((row["algorithm"], row["selector"], row["scope"]) for row in cells):
        of = [row for row in cells if (row["algorithm"], row["selector"], row["scope"]) == name]
        good = [row for row in of if not row["error"]]
        rows.append({**dict(zip(("algorithm", "selector", "scope"), name, strict=True)), **_mean(of, good)})
    return rows


def _mean(of: list[Row], good: list[Row]) -> Row:
    row: Row = {"seeds": len(of), "failed": len(of) - len(good)}
    for column in ("true_accuracy", "regret"):
        values = [r[column] for r in good if r[column] is not None]
        found = mean_interval(np.array(values)) if values else None
        row[column] = None if found is None else found.value
        row[f"{column}_low"] = None if found is None else found.low
        row[f"{column}_high"] = None if found is None else found.high
    return {**row, "evaluations": float(np.mean([r["evaluations"] for r in good])) if good else None}


def _cell(problem: Problem, row: Row, truth: Truth, known: np.ndarray | None) -> Row:
    """One row of `cells.csv`; rank and regret are among the connected architectures of its sub-space, `known` [A]."""
    found: Row = {"architecture": "", "true_accuracy": None, "true_rank": None, "regret": None}
    if row["op_ids"]:
        value = truth[tuple(row["op_ids"])]
        found |= {"architecture": architecture_name(problem, np.array(row["op_ids"])), "true_accuracy": value}
        if known is not None:
            found |= {"true_rank": 1 + int((known > value).sum()), "regret": float(known.max()) - value}
    names = ("algorithm", "selector", "scope", "seed")
    rest = ("validation_score", "evaluations", "seconds", "error")
    return {**{n: row[n] for n in names}, **found, **{n: row[n] for n in rest}}


def _supernet(problem: Problem, config: StudyConfig, row: Row, truth: Truth) -> Row:
    """How well one supernet ranks the sample, by the accuracy of its paths and by their probabilities."""
    values = np.array([truth[tuple(op_ids)] for op_ids in row.get("op_ids", ())])
    found: Row = {**{n: row[n] for n in ("algorithm", "scope", "seed")}, "n": len(values)}
    for column in ("accuracy", "probability"):
        tau = kendall(np.array(row[column]), values) if len(values) else None
        found[f"kendall_{column}"] = None if tau is None else tau.value
        found[f"kendall_{column}_low"] = None if tau is None else tau.low
        found[f"kendall_{column}_high"] = None if tau is None else tau.high
    images = (
        ALGORITHMS[row["algorithm"]](problem.space).passes
        * config.epochs
        * steps_per_epoch(problem)
        * config.data.batch
    )
    return {**found, "images": images, "error": row["error"]}


def _chance(config: StudyConfig, known: dict[str, np.ndarray]) -> list[Row]:
    """What a random connected architecture has, and the expected best of several if one could see the truth."""
    rows: list[Row] = []
    for scope, values in known.items():
        for k in dict.fromkeys((1, config.random or 1, 100)):
            value = expected_best(values, k)
            row: Row = {"algorithm": "", "selector": "random cell" if k == 1 else f"best of {k} by the truth"}
            row |= {"scope": scope, "seeds": None, "failed": 0, "true_accuracy": value}
            row |= {"true_accuracy_low": None, "true_accuracy_high": None, "regret": float(values.max()) - value}
            rows.append({**row, "regret_low": None, "regret_high": None, "evaluations": k})
    return rows


def _values(problem: Problem, scope: Scope, table: Table, config: StudyConfig) -> np.ndarray:
    return table.query(problem.space.enumerate_connected(scope.mask), config.data.name)


def _kept(path: Path, config: StudyConfig) -> list[Row]:
    """Rows of a file in the order of the config."""
    rows = read_rows(path)
    place = {name: i for i, name in enumerate(config.algorithms)}
    return sorted(rows, key=lambda row: (place[row["algorithm"]], row["scope"], row["seed"]))
