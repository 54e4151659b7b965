"""Whether the metric or the dice choose the edge that is split: how often two measurements take the same one.

Of each measurement the edge whose best grouping has the smallest objective is taken (the rule `best`); exact ties count
as equally likely draws.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np

from jaxnas.analysis import mean_interval
from jaxnas.spaces.base import SearchSpace
from jaxnas.splitting import jackknife_values
from jaxnas.studies.metric_ablation.config import MetricAblationConfig

Row = dict[str, Any]
ALL = "all"  # metrics whose measurements depend on the background, together


def edge_agreements(space: SearchSpace, config: MetricAblationConfig, measured: Sequence[Row]) -> list[Row]:
    """Rows of `edges.csv`; measured: rows of units.

    Kinds: `dice`, one metric on the same weights and images over two draws of backgrounds; `seeds`, one metric on
    another seed's weights, images and backgrounds; `shared`, two metrics on the same weights, images and backgrounds;
    `separate`, two metrics on the same weights and images, each over a draw of its own. Values are shares of pairs,
    means over seeds with Student's interval, `seeds` by the jackknife; chance is one over the number of edges.
    """
    taken = {
        (row["metric"], row["warmup"], row["seed"], row["background"]): _taken(row)
        for row in measured
        if row["groupings"]
    }
    names = list(dict.fromkeys(metric for metric, *_ in taken))
    drawn = [name for name in names if _sees_backgrounds(measured, name)]
    found = []
    for warmup in config.warmups:

        def at(name: str, seed: int, draw: int, warmup: int = warmup) -> set[int] | None:
            return taken.get((name, warmup, seed, draw))

        def row(kind: str, a: str, b: str, values: np.ndarray, warmup: int = warmup) -> None:
            if len(values):
                interval = mean_interval(values)
                if np.ptp(values) < 1e-9:  # equal shares say nothing of their spread
                    interval = interval._replace(low=None, high=None)
                found.append(
                    {
                        **{"kind": kind, "metric_a": a, "metric_b": b, "warmup": warmup},
                        **{"value": interval.value, "low": interval.low, "high": interval.high},
                        **{"chance": 1 / len(space.edges), "seeds": len(config.seeds)},
                    }
                )

        draws = [*combinations(range(config.backgrounds), 2)]
        for group in [[name] for name in names] + [drawn]:
            name = group[0] if len(group) == 1 and group is not drawn else ALL
            row("dice", name, name, _by_seed(config, [(a, a, *pair) for a in group for pair in draws], at))
            row("seeds", name, name, _between_seeds(config, group, at))
        pairs = [*combinations(drawn, 2)]
        together = [(a, b, d, d) for a, b in pairs for d in range(config.backgrounds)]
        apart = [(a, b, *order) for a, b in pairs for pair in draws for order in (pair, pair[::-1])]
        row("shared", ALL, ALL, _by_seed(config, together, at))
        row("separate", ALL, ALL, _by_seed(config, apart, at))
    return found


def _by_seed(config: MetricAblationConfig, pairs: Sequence[tuple[str, str, int, int]], at: Any) -> np.ndarray:
    """Of each seed, the mean agreement over pairs (metric, metric, draw, draw) that are measured."""
    values = []
    for seed in config.seeds:
        both = [(at(a, seed, i), at(b, seed, j)) for a, b, i, j in pairs]
        known = [_same(x, y) for x, y in both if x is not None and y is not None]
        if known:
            values.append(float(np.mean(known)))
    return np.array(values)


def _between_seeds(config: MetricAblationConfig, group: Sequence[str], at: Any) -> np.ndarray:
    """Jackknife values, one a seed, of the mean agreement over pairs of seeds and over metrics."""
    matrices = []
    for name in group:
        runs = [at(name, seed, 0) for seed in config.seeds]
        if len(runs) > 1 and all(run is not None for run in runs):
            matrices.append([[_same(x, y) for y in runs] for x in runs])
    return jackknife_values(np.mean(matrices, 0)) if matrices else np.zeros(0)


def _taken(row: Row) -> set[int]:
    least = min(of["value"] for of in row["groupings"])
    return {of["edge"] for of in row["groupings"] if of["value"] == least}


def _same(a: set[int], b: set[int]) -> float:
    """The chance that a draw from each is the same edge."""
    return len(a & b) / (len(a) * len(b))


def _sees_backgrounds(measured: Sequence[Row], name: str) -> bool:
    """Whether another draw of backgrounds changes any similarity; where there is one draw, every metric may."""
    by_unit: dict[Any, list[Any]] = {}
    for row in measured:
        if row["metric"] == name:
            by_unit.setdefault((row["seed"], row["warmup"]), []).append(row["similarity"])
    compared = [rows for rows in by_unit.values() if len(rows) > 1]
    return not compared or any(other != rows[0] for rows in compared for other in rows[1:])
