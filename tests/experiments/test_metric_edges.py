"""How often two measurements take the same edge, by hand."""

import numpy as np
import pytest

from jaxnas.studies.metric_ablation.config import MetricAblationConfig
from jaxnas.studies.metric_ablation.edges import edge_agreements
from jaxnas.testing import TRIANGLE


def unit(metric: str, seed: int, background: int, *best: int, marked: float = 0.0) -> dict:
    """A measurement that takes the edges `best`, which tie; `marked` tells similarities of one draw from another's."""
    groupings = [{"edge": edge, "value": -1.0 if edge in best else 0.0} for edge in range(3)]
    row = {"metric": metric, "seed": seed, "warmup": 0, "background": background}
    return {**row, "groupings": groupings, "similarity": [marked]}


def test_shares_of_pairs_are_those_counted_by_hand() -> None:
    config = MetricAblationConfig(seeds=(0, 1), warmups=(0,), backgrounds=2)
    rows = [
        # Metric a takes edge 0, then 1 by another draw; b 0 and 0, then 2 and a tie of 2 with 0; c sees no background.
        *(unit("a", 0, 0, 0), unit("a", 0, 1, 1, marked=1), unit("a", 1, 0, 2), unit("a", 1, 1, 2, marked=1)),
        *(unit("b", 0, 0, 0), unit("b", 0, 1, 0, marked=1), unit("b", 1, 0, 2), unit("b", 1, 1, 2, 0, marked=1)),
        *(unit("c", seed, draw, 1) for seed in (0, 1) for draw in (0, 1)),
    ]
    found = {(row["kind"], row["metric_a"]): row["value"] for row in edge_agreements(TRIANGLE, config, rows)}
    assert found == pytest.approx(
        {
            **{("dice", "a"): 0.5, ("dice", "b"): (1 + 0.5) / 2, ("dice", "c"): 1.0},
            **{("seeds", "a"): 0.0, ("seeds", "b"): 0.0, ("seeds", "c"): 1.0},
            # Of metrics that see backgrounds, a and b: by seed, means over metrics or over the pair.
            **{("dice", "all"): ((0 + 1) / 2 + (1 + 0.5) / 2) / 2, ("seeds", "all"): 0.0},
            ("shared", "all"): ((1 + 0) / 2 + (1 + 0.5) / 2) / 2,
            # a of one draw with b of the other: seed 0 0|0 and 1|0, seed 1 2|{2, 0} and 2|2.
            ("separate", "all"): ((1 + 0) / 2 + (0.5 + 1) / 2) / 2,
        }
    )


def test_random_edges_agree_as_chance_does_and_what_failed_is_left_out() -> None:
    config = MetricAblationConfig(seeds=tuple(range(200)), warmups=(0,), backgrounds=2)
    rng = np.random.default_rng(0)
    rows = [
        unit(name, seed, draw, int(rng.integers(3)), marked=draw)
        for name in "ab"
        for seed in range(200)
        for draw in (0, 1)
    ]
    rows.append({"metric": "lost", "seed": 0, "warmup": 0, "background": 0, "groupings": [], "similarity": []})
    for row in edge_agreements(TRIANGLE, config, rows):
        assert row["metric_a"] in ("a", "b", "all") and row["chance"] == 1 / 3
        assert row["low"] <= row["value"] <= row["high"] and abs(row["value"] - 1 / 3) < 0.1
