"""How well supernets of several seeds rank the same cells: means over seeds, differences, and how far seeds agree."""

import csv
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxnas.analysis import Crossed, crossed_difference, crossed_kendall, reliability

METHOD = "method"
Row = dict[str, Any]


class SeedScores(NamedTuple):
    """The uniform sample of a seed's `ranking.csv`."""

    architectures: list[str]  # [A]
    truth: list[float]  # [A], percent
    scores: dict[str, list[float]]  # column of a contender -> [A]


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
