"""The tables of a metric ablation, from the rows of its units."""

from collections.abc import Sequence
from itertools import combinations, combinations_with_replacement
from typing import Any, NamedTuple

import numpy as np

from jaxnas.analysis import Interval, mean_interval
from jaxnas.spaces.base import SearchSpace
from jaxnas.splitting import Tied, chance, jackknife_values, pairwise, possible, rand_agreement
from jaxnas.studies.metric_ablation.config import MetricAblationConfig
from jaxnas.studies.metric_ablation.edges import edge_agreements
from jaxnas.studies.metric_ablation.run import PARTS, metrics_of

Row = dict[str, Any]
ALIKE = 1e-9  # values that differ by less differ by rounding
UNIT = ("metric", "seed", "warmup", "background")
COLUMNS = {
    "scores": (*UNIT, "edge", "operation", "batch", "value"),
    "similarity": (*UNIT, "edge", "operation_a", "operation_b", "value"),
    "groupings": (
        *(*UNIT, "edge", "groups", "value", "margin", "margin_low", "margin_high", "stability", "ties"),
        *("counted", "backgrounds", "chosen"),
    ),
    "edges": ("kind", "metric_a", "metric_b", "warmup", "value", "low", "high", "chance", "seeds"),
    "agreement": (
        *("kind", "metric_a", "metric_b", "warmup_a", "warmup_b", "value", "low", "high"),
        *("chance", "chance_low", "chance_high", "seeds", "edges"),
    ),
    "cost": ("metric", "compile_seconds", "node_seconds", "passes", "units", "failed", "error"),
}
"""file -> its columns"""


class Tables(NamedTuple):
    """Rows of every file, as in COLUMNS."""

    scores: list[Row]
    similarity: list[Row]
    groupings: list[Row]
    edges: list[Row]
    agreement: list[Row]
    cost: list[Row]


def tables(space: SearchSpace, config: MetricAblationConfig, rows: Sequence[Row]) -> Tables:
    """All tables; rows of units, as `measure_units` returns them."""
    measured = [row for row in rows if "groupings" in row]
    return Tables(
        scores=[line for row in measured for line in _scores(space, row)],
        similarity=[line for row in measured for line in _similarities(space, row)],
        groupings=[line for row in measured for line in _groupings(space, row)],
        edges=edge_agreements(space, config, measured),
        agreement=agreements(space, config, measured),
        cost=[_cost(space, config, name, rows) for name in metrics_of(config)],
    )


def group_names(space: SearchSpace, groups: Sequence[Sequence[int]]) -> str:
    """`none+skip_connect|nor_conv_3x3`."""
    return "|".join("+".join(space.ops[op] for op in group) for group in groups)


def agreements(space: SearchSpace, config: MetricAblationConfig, measured: Sequence[Row]) -> list[Row]:
    """Three kinds of rows: between metrics (same seed and weights), between seeds, between lengths of the warm-up."""
    edges = _splittable(measured)
    if not edges:
        return []
    of = {(r["metric"], r["warmup"], r["seed"]): _tied(r) for r in measured if r["background"] == 0}
    names = [name for name in metrics_of(config) if any(metric == name for metric, _, _ in of)]
    found = []
    for warmup in config.warmups:
        for a, b in combinations_with_replacement(names, 2):
            pairs = [((a, warmup, seed), (b, warmup, seed)) for seed in config.seeds]
            found += _row("metrics", a, b, warmup, warmup, _concords(of, pairs), edges)
    for name in names:
        for warmup in config.warmups:
            runs = [of[name, warmup, seed] for seed in config.seeds if (name, warmup, seed) in of]
            if len(runs) > 1:
                found += _between_seeds(space, config, name, warmup, runs, edges)
        for first, last in combinations(sorted(config.warmups), 2):
            pairs = [((name, first, seed), (name, last, seed)) for seed in config.seeds]
            found += _row("warmups", name, name, first, last, _concords(of, pairs), edges)
    return found


def _between_seeds(
    space: SearchSpace, config: MetricAblationConfig, name: str, warmup: int, runs: list[list[Tied]], edges: list[int]
) -> list[Row]:
    mask = space.full_mask()
    allowed = [possible(space, mask, edge, PARTS, config.split.min_size) for edge in edges]
    drawn = chance([[tied[0] for tied in run] for run in runs], allowed, np.random.default_rng(0))
    (row,) = _row("seeds", name, name, warmup, warmup, jackknife_values(pairwise(runs)), edges)
    low, high = np.quantile(drawn, (0.025, 0.975))
    level = {"chance": float(drawn.mean()), "chance_low": float(low), "chance_high": float(high)}
    return [{**row, **level, "seeds": len(runs)}]


def _concords(of: dict[Any, list[Tied]], pairs: Sequence[tuple[Any, Any]]) -> np.ndarray:
    """One mean over edges for each pair of which both are measured; a unit agrees wholly with itself."""
    return np.array(
        [
            1.0 if a == b else np.mean([rand_agreement(*tied) for tied in zip(of[a], of[b], strict=True)])
            for a, b in pairs
            if a in of and b in of
        ]
    )


def _row(kind: str, a: str, b: str, first: int, last: int, values: np.ndarray, edges: list[int]) -> list[Row]:
    """The row of a mean over values, one a seed; none of no values.

    Indices are few: seeds that happen to have the same one say nothing of their spread, and have no interval.
    """
    if not len(values):
        return []
    interval: Interval = mean_interval(values)
    if np.ptp(values) < ALIKE:
        interval = interval._replace(low=None, high=None)
    row = dict.fromkeys(COLUMNS["agreement"])
    row |= {"kind": kind, "metric_a": a, "metric_b": b, "warmup_a": first, "warmup_b": last}
    row |= {"value": interval.value, "low": interval.low, "high": interval.high}
    return [{**row, "seeds": len(values), "edges": len(edges)}]


def _scores(space: SearchSpace, row: Row) -> list[Row]:
    if row["scores"] is None:
        return []
    return [
        {**_of(row), "edge": space.edge_name(e), "operation": space.ops[o], "batch": r, "value": _short(value)}
        for (e, r, o), value in np.ndenumerate(np.array(row["scores"]))
    ]


def _similarities(space: SearchSpace, row: Row) -> list[Row]:
    return [
        {
            **{**_of(row), "edge": space.edge_name(e)},
            **{"operation_a": space.ops[a], "operation_b": space.ops[b], "value": _short(value)},
        }
        for (e, a, b), value in np.ndenumerate(np.array(row["similarity"]))
        if a < b
    ]


def _groupings(space: SearchSpace, row: Row) -> list[Row]:
    return [
        {
            **{**_of(row), "edge": space.edge_name(of["edge"]), "groups": group_names(space, of["tied"][0])},
            **{name: of[name] for name in ("value", "margin", "margin_low", "margin_high", "stability")},
            "ties": len(of["tied"]),
            **{name: of[name] for name in ("counted", "backgrounds")},
            "chosen": " ".join(rule for rule, edge in row["taken"].items() if edge == of["edge"]),
        }
        for of in row["groupings"]
    ]


def _cost(space: SearchSpace, config: MetricAblationConfig, name: str, rows: Sequence[Row]) -> Row:
    """Seconds of a node are those of the whole space; the first call of a program also compiles it."""
    rows = [row for row in rows if row["metric"] == name]
    roots = [(row["seconds"][0], row["cold"]) for row in rows if row["seconds"]]
    warm = [seconds for seconds, cold in roots if not cold]
    node = float(np.median(warm)) if warm else None
    cold = [seconds for seconds, cold in roots if cold]
    errors = [row["error"] for row in rows if row["error"]]
    return {
        "metric": name,
        "compile_seconds": round(max(max(cold) - (node or 0.0), 0.0), 4) if cold else None,
        "node_seconds": node,
        "passes": space.full_mask().size * config.split.batches,
        "units": len(rows),
        "failed": len(errors),
        "error": next(iter(errors), ""),
    }


def _tied(row: Row) -> list[Tied]:
    """Groupings of every edge, as tuples: rows that were read again hold lists."""
    return [[tuple(tuple(group) for group in groups) for groups in of["tied"]] for of in row["groupings"]]


def _splittable(measured: Sequence[Row]) -> list[int]:
    """The edges that have a grouping: the same ones whatever the similarities."""
    return [of["edge"] for of in measured[0]["groupings"]] if measured else []


def _of(row: Row) -> Row:
    return {name: row[name] for name in UNIT}


def _short(value: float) -> float:
    return float(f"{value:.7g}")  # what float32 knows
