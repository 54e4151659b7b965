"""Several seeds of one config as one table: means over seeds, paired differences, and how far seeds agree."""

import csv
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxnas.analysis import Crossed, Interval, crossed_difference, crossed_kendall, mean_interval, reliability
from jaxnas.few_shot.result_file import column_of

Row = dict[str, Any]
EQUAL = 1e-6  # accuracies are shares of a few hundred images, and taus of a few cells
METHOD = "method"


class SeedScores(NamedTuple):
    """The uniform sample of a seed's `ranking.csv`."""

    architectures: list[str]  # [A]
    truth: list[float]  # [A], percent
    scores: dict[str, list[float]]  # column of a contender -> [A]


def join_seeds(results: dict[int, Row], scores: list[SeedScores | None]) -> Row:
    """The result of several seeds from the `result.json` of each; contenders are matched by name.

    `difference` is the method's test accuracy minus the contender's, paired by seed; intervals are Student's over
    seeds, but for those of `over_seeds` from the `scores` of each seed's ranking sample. Seeds with equal values give
    no interval, unless it is a difference of 0.
    """
    runs = [{row["name"]: row for row in result["contenders"]} for result in results.values()]
    method, ranked = next(iter(runs[0])), over_seeds(scores)
    return {
        "seeds": list(results),
        "architectures": [result["architecture"] for result in results.values()],
        "table": [_row(name, method, runs, ranked) for name in runs[0]],
        "random_architecture": _random([result["random_architecture"] for result in results.values()]),
        "seconds": {"together": round(sum(sum(result["seconds"].values()) for result in results.values()), 2)},
    }


def deviations(results: list[Row]) -> dict[str, float]:
    """Of the paired differences that `join_seeds` has, between seeds, in points; none for less than two results.

    Only of contenders that all results have, and whose differences are not all equal: these say nothing of spread.
    """
    if len(results) < 2:
        return {}
    runs = [{row["name"]: row for row in result["contenders"]} for result in results]
    method, *others = runs[0]
    shared = [name for name in others if all({name, method} <= run.keys() for run in runs)]
    gains = {name: _gains(name, method, runs) for name in shared}
    return {name: float(np.std(of, ddof=1)) for name, of in gains.items() if np.ptp(of) > EQUAL}


def _gains(name: str, method: str, runs: list[dict[str, Row]]) -> list[float]:
    return [run[method]["test_accuracy"] - run[name]["test_accuracy"] for run in runs]


def _row(name: str, method: str, runs: list[dict[str, Row]], ranked: dict[str, Row]) -> Row:
    rows = [run[name] for run in runs]
    gains = _gains(name, method, runs)

    def tau(field: str) -> Row | None:
        return _mean([row.get(field) and row[field]["value"] for row in rows])

    apart = {"kendall": tau("kendall"), "kendall_difference": None, "reliability": None}
    return {
        "name": name,
        "kind": rows[0]["kind"],
        "test_accuracy": _mean([row["test_accuracy"] for row in rows]),
        "true_accuracy": _mean([row["true_accuracy"] for row in rows]),
        "difference": None if name == method else _difference(gains),
        **ranked.get(column_of(name, rows[0]["kind"]), apart),
        "kendall_half": tau("kendall_half"),
        "kendall_top": tau("kendall_top"),
        "images": round(float(np.mean([row["images"] for row in rows]))),
        "evaluations": round(float(np.mean([row["evaluations"] for row in rows]))),
    }


def _mean(values: list[float | None]) -> Row | None:
    """None if any seed has no value: a mean over some seeds would be of another quantity."""
    known = [value for value in values if value is not None]
    return None if len(known) < len(values) else _over_seeds(known, np.ptp(known) > EQUAL)


def _difference(gains: list[float]) -> Row:
    """Gains that are all 0 keep their interval: equal choices differ in no seed."""
    return _over_seeds(gains, np.ptp(gains) > EQUAL or abs(gains[0]) <= EQUAL)


def _over_seeds(values: list[float], spread: bool) -> Row:
    """Without an interval where there is no `spread`: values that happen to be equal say nothing of it."""
    found = mean_interval(np.array(values))
    low, high = (found.low, found.high) if spread else (None, None)
    return {"mean": found.value, "low": low, "high": high, "n": found.n}


def _random(rows: list[Row | None]) -> Row | None:
    known = [row for row in rows if row is not None]
    if len(known) < len(rows):
        return None
    values = [row["accuracy"] for row in known]
    exact = known[0]["low"] == known[0]["high"] and len(set(values)) == 1  # the mean of a whole table
    mean = Interval(values[0], values[0], values[0], len(values)) if exact else mean_interval(np.array(values))
    best = None if known[0]["best"] is None else float(np.mean([row["best"] for row in known]))
    return {
        "accuracy": mean.value,
        "low": mean.low,
        "high": mean.high,
        "n": sum(row["n"] for row in known),
        "best_of": known[0]["best_of"],
        "best": best,
    }


def read_scores(path: Path) -> SeedScores | None:
    """None if there is no such file: no ranking was judged."""
    if not path.exists():
        return None
    with open(path, encoding="utf-8", newline="") as handle:
        rows = [row for row in csv.DictReader(handle) if row.get("sample", "uniform") == "uniform"]
    names = [name for name in rows[0] if name not in ("architecture", "sample", "leaf", "truth")] if rows else []
    return SeedScores(
        [row["architecture"] for row in rows],
        [float(row["truth"]) for row in rows],
        {name: [float(row[name]) for row in rows] for name in names},
    )


def over_seeds(seeds: list[SeedScores | None]) -> dict[str, Row]:
    """By column: `kendall`, `kendall_difference` (the method's less this one's) and `reliability`, with intervals that
    cross seeds and cells; None where a ranking is constant. Nothing if the seeds have not ranked the same cells.

    Where truths are of networks trained alone, each seed has its own.
    """
    known = [seed for seed in seeds if seed is not None]
    if not known or len(known) < len(seeds) or any(s.architectures != known[0].architectures for s in known):
        return {}
    truth, names = np.array([seed.truth for seed in known]), list(known[0].scores)
    scores = {name: np.array([seed.scores[name] for seed in known]) for name in names}
    return {
        name: {
            "kendall": _plain(crossed_kendall(of, truth)),
            "kendall_difference": None if name == METHOD else _plain(crossed_difference(scores[METHOD], of, truth)),
            "reliability": _plain(reliability(of)),
        }
        for name, of in scores.items()
    }


def _plain(of: Crossed | None) -> Row | None:
    return None if of is None else {"mean": of.value, "low": of.low, "high": of.high, "n": of.seeds, "cells": of.n}
