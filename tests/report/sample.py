"""A small work directory of the toy space, written by hand: 2 edges, 3 operations, 2 leaves."""

import json
from pathlib import Path
from typing import Any

import numpy as np

CELL = "|skip_connect~0|+|nor_conv_3x3~1|"
OTHER = "|nor_conv_3x3~0|+|nor_conv_3x3~1|"
CURVES = """contender,stage,epoch,images,kendall,kendall_half,kendall_top,regret,score_0_convolutions,\
score_1_convolutions
all,warm_up,1,100,0.125,0.25,,9.5,20,10
all,warm_up,2,200,0.25,0.25,,7.5,30,20
method,leaves,1,450,0.375,0.5,,2.5,40,45
method,leaves,2,650,0.625,0.5,,1.5,45,55
unsplit,unsplit,4,600,0.5,0.25,,3.5,50,40
"""
TREE = {
    "space": "toy",
    "ops": ["none", "skip_connect", "nor_conv_3x3"],
    "edges": ["1<-0", "2<-1"],
    "nodes": [
        {
            "id": 0,
            "parent": None,
            "mask": [[1, 1, 1], [1, 1, 1]],
            "architectures": 9,
            "split": {"edge": 1, "groups": [[0, 1], [2]], "value": -0.25, "margin": 0.125, "ties": 2},
        },
        {"id": 1, "parent": 0, "mask": [[1, 1, 1], [1, 1, 0]], "architectures": 6},
        {"id": 2, "parent": 0, "mask": [[1, 1, 1], [0, 0, 1]], "architectures": 3},
    ],
}


def contender(name: str, kind: str, test: float, half: float = 1.0, **more: Any) -> dict[str, Any]:
    """A contender whose test interval is test +- half."""
    row = {"name": name, "kind": kind, "architecture": OTHER, "leaf": None, "score": 41.5, "images": 12_345}
    row |= {"evaluations": 67, "validation_accuracy": 60.0, "test_accuracy": test, "true_accuracy": None}
    return {**row, "test_interval": [test - half, test + half], "kendall": None, "spearman": None, **more}


def estimate(value: float, half: float, n: int = 3, name: str = "value") -> dict[str, Any]:
    return {name: value, "low": value - half, "high": value + half, "n": n}


def result(**more: Any) -> dict[str, Any]:
    """The result of one seed with all controls."""
    method = contender("split by gradient_matching", "method", 62.25, architecture=CELL, leaf=1)
    method |= {"true_accuracy": 91.5, "kendall": estimate(0.375, 0.125, 40)}
    return {
        "architecture": CELL,
        "leaf": 1,
        "supernet_validation_accuracy": 41.5,
        "validation_accuracy": 63.5,
        "test_accuracy": 62.25,
        "test_interval": [61.25, 63.25],
        "test_images": 1000,
        "true_accuracy": 91.5,
        "contenders": [
            method,
            contender("not split", "unsplit", 61.75),
            contender("random split 1", "random_split", 55),
        ],
        "random_architecture": {"accuracy": 87.0, "low": 86.5, "high": 87.5, "n": 500, "best_of": 8, "best": 93.0},
        "rank_correlation": {
            "truth": "table (truth.csv)",
            "n": 4,
            "kendall": estimate(0.375, 0.125, 4),
            "spearman": None,
            "leaves": [{"leaf": 0, "n": 2, "kendall": None, "spearman": None}],
            "top10": {"n": 3, "kendall": 0.0625, "spearman": None},
        },
        "seconds": {"warm_up": 30.0, "leaves": 90.0},
        **more,
    }


def write(folder: Path, **files: Any) -> Path:
    """A finished run; `files` replace the text or the JSON of config, result, metrics, ..., None leaves one out."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [{"stage": "warm_up", "epoch": e, "leaf": 0, "loss": 2.0 / e, "accuracy": 10.0 * e} for e in (1, 2, 3)]
    rows += [{"stage": "search", "generation": 1, "leaf": k, "evaluated": 4, "best_accuracy": 40.0 + k} for k in (0, 1)]
    contents = {
        "config.json": {"data": {"name": "digits"}, "seed": 5},
        "stages.json": {"warm_up": {"status": "done", "seconds": 30.0}},
        "environment.json": {"started": {"command": ["few_shot.py"]}, "inputs": {"warnings": ["no checksum is known"]}},
        "result.json": result(),
        "split_tree.json": TREE,
        "metrics.jsonl": "".join(json.dumps(row) + "\n" for row in rows),
        "ranking.csv": f"architecture,leaf,truth,method,unsplit\n{CELL},1,91.5,40,39\n{OTHER},0,90.5,38,\n",
        "curves.csv": CURVES,
    }
    for name, value in (contents | {key.replace("__", "."): value for key, value in files.items()}).items():
        if value is not None:
            (folder / name).write_text(value if isinstance(value, str) else json.dumps(value))
    values = np.zeros((2, 3, 3))
    values[1, 0, 1] = values[1, 1, 0] = 0.5
    np.savez(folder / "similarities.npz", node_0=values)
    return folder


def tree(kept: str | None = None, **split: Any) -> dict[str, Any]:
    """The tree with other fields of its split, and leaf 0 kept whole for a reason."""
    node, leaf, *rest = TREE["nodes"]
    leaf = leaf if kept is None else {**leaf, "kept": kept}
    return {**TREE, "nodes": [{**node, "split": {**node["split"], **split}}, leaf, *rest]}


def seeds(folder: Path, rows: list[dict[str, Any]], **more: Any) -> Path:
    """Three finished seeds and their result."""
    for seed in range(3):
        write(folder / f"seed-{seed}", result__json=result(validation_accuracy=60.0 + (seed == 1)))
    (folder / "result.json").write_text(json.dumps({"seeds": [0, 1, 2], "table": rows, **more}))
    return folder


def seed_row(name: str, kind: str, mean: float, difference: tuple[float, float] | None) -> dict[str, Any]:
    """A row of several seeds; difference: (mean, half width)."""
    found = None if difference is None else estimate(*difference, name="mean")
    measures = {"true_accuracy": None, "kendall": None, "difference": found, "images": 1000}
    return {"name": name, "kind": kind, "test_accuracy": estimate(mean, 1.0, name="mean"), **measures}
