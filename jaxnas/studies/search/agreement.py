"""How well the supernets of a study rank, over seeds and architectures, and how far seeds agree with each other."""

from itertools import combinations
from typing import Any

import numpy as np

from jaxnas.analysis import crossed_difference, crossed_kendall, reliability
from jaxnas.spaces.base import SearchSpace
from jaxnas.studies.truth import Row, Truth

Rankings = dict[tuple[str, str, str], Row]  # (equal, algorithm, scope) -> columns
KINDS = ("accuracy", "probability")  # of its path, or of its operations: by which a supernet ranks architectures
Scores = dict[int, np.ndarray]  # seed -> scores [A] of the architectures of the sample


def rankings(supernets: list[Row], truth: Truth) -> Rankings:
    """Of every algorithm Kendall's tau-b with the truth, between its seeds, and how far it is behind the largest.

    All are means over seeds with intervals over seeds and architectures, which are crossed; `behind` is paired by both.
    Supernets that diverged are left out.
    """
    found: Rankings = {}
    sub_spaces: dict[tuple[str, str], dict[str, list[Row]]] = {}
    for row in supernets:
        if row.get("op_ids"):
            of = sub_spaces.setdefault((row["equal"], row["scope"]), {})
            of.setdefault(row["algorithm"], []).append(row)
    for (equal, scope), of in sub_spaces.items():
        (first, *_), *_ = of.values()
        true = np.array([truth[tuple(op_ids)] for op_ids in first["op_ids"]])
        for kind in KINDS:
            scores = {name: {row["seed"]: np.array(row[kind], float) for row in rows} for name, rows in of.items()}
            for name, columns in _ranked(scores, true, kind).items():
                found.setdefault((equal, name, scope), {}).update(columns)
    return found


def _ranked(scores: dict[str, Scores], truth: np.ndarray, kind: str) -> dict[str, Row]:
    taus = {name: crossed_kendall(_stacked(of), truth) for name, of in scores.items()}
    known = {name: tau.value for name, tau in taus.items() if tau is not None}
    most = max((len(scores[name]) for name in known), default=0)  # a lucky one of few seeds does not lead
    best = max((name for name in known if len(scores[name]) == most), key=lambda name: known[name], default=None)
    rows: dict[str, Row] = {}
    for name, of in scores.items():
        agree = reliability(_stacked(of)) if len(of) > 1 else None
        common = set(of) & set(scores[best]) if best not in (None, name) and name in known else set()
        behind = None
        if best is not None and common:
            ahead, own = (_stacked({seed: given[seed] for seed in common}) for given in (scores[best], of))
            behind = crossed_difference(ahead, own, truth)
        rows[name] = {
            **interval_columns(f"kendall_{kind}", taus[name]),
            **interval_columns(f"reliability_{kind}", agree),
            **interval_columns(f"behind_{kind}", behind),
        }
    return rows


def between_seeds(space: SearchSpace, cells: list[Row], mask: np.ndarray) -> Row:
    """How far the architectures that were selected with different seeds agree.

    `deviation` of their true accuracies, points; `edges_agree`: share of the edges on which two of them have the same
    operation, a mean over pairs; `edges_chance`: of two drawn at random, each open operation of an edge as likely.
    """
    values = [row["true_accuracy"] for row in cells if row["true_accuracy"] is not None]
    op_ids = [np.array(space.decode(row["architecture"]).op_ids) for row in cells]
    same = [float((a == b).mean()) for a, b in combinations(op_ids, 2)]
    return {
        "deviation": float(np.std(values, ddof=1)) if len(values) > 1 else None,
        "edges_agree": float(np.mean(same)) if same else None,
        "edges_chance": float((1 / np.asarray(mask).sum(-1)).mean()),
    }


def interval_columns(column: str, found: Any) -> Row:
    """A value with `low` and `high`, or None, as three columns."""
    return {
        column: None if found is None else found.value,
        f"{column}_low": None if found is None else found.low,
        f"{column}_high": None if found is None else found.high,
    }


def _stacked(of: Scores) -> np.ndarray:
    return np.stack([of[seed] for seed in sorted(of)])
