"""The files of a work directory, checked; whatever an unfinished or older run lacks is None or empty."""

import csv
import json
import math
import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxnas.few_shot.result_file import Result, read_result
from jaxnas.report.format import LARGEST
from jaxnas.types import UserError, brief

NOISE = ("margin_low", "margin_high", "stability")  # of a cut; older trees lack them
DEEPEST = 20  # levels of a JSON file


class Cut(NamedTuple):
    """How a node was split; names as in `split_tree.json`."""

    edge: int
    groups: tuple[tuple[int, ...], ...]
    value: float
    margin: float | None
    ties: int
    decided: str | None  # by which policy; None: no tie, or an older tree
    margin_low: float | None  # 95 % interval of the margin over batches; None: not known
    margin_high: float | None
    stability: float | None
    batches: int | None  # that it was decided on
    settled: bool | None  # whether they settled it; None: all batches were to be scored
    backgrounds: int | None  # distinct ones among those that count; None: not known
    joined: tuple[int, ...]  # operations that could not be compared, and joined a group by the policy


class TreeNode(NamedTuple):
    """A node of the split tree."""

    id: int
    parent: int | None
    mask: np.ndarray  # bool [E, O]
    architectures: int
    cut: Cut | None
    kept: str | None  # why a leaf was not split although its level was


class Tree(NamedTuple):
    """The split tree; nodes in breadth-first order, leaf k is the k-th node without a cut."""

    ops: tuple[str, ...]
    edges: tuple[str, ...]
    nodes: tuple[TreeNode, ...]


class Scores(NamedTuple):
    """Supernet scores of the uniform sample beside the truth."""

    leaf: np.ndarray  # int [A] of the method's tree
    truth: np.ndarray  # float [A], percent
    columns: dict[str, np.ndarray]  # float [A] of each supernet, percent; NaN where it has none


class Run(NamedTuple):
    """One seed."""

    path: Path
    config: dict[str, Any]
    stages: dict[str, Any]
    environment: dict[str, Any]
    result: Result | None
    tree: Tree | None
    similarities: dict[int, np.ndarray]  # node -> [E, O, O]; NaN where nothing was compared
    scores: Scores | None
    fusion: list[dict[str, str]]  # rows of `fusion.csv`; none without a fusion
    curves: list[dict[str, str]]  # rows of `curves.csv`
    metrics: list[dict[str, Any]]


def seed_folders(path: Path) -> list[Path]:
    """The folders seed-0, seed-1, ... of a directory of several seeds, in order of the number."""
    found = [child for child in path.glob("seed-*") if re.fullmatch(r"seed-\d{1,9}", child.name) and child.is_dir()]
    return sorted(found, key=lambda child: int(child.name[5:]))


def read_total(path: Path) -> Result | None:
    """The `result.json` of one seed or of several; None if there is none yet. Raises UserError if it is damaged."""
    data = read_object(path / "result.json")
    return None if data is None else read_result(data, str(path / "result.json"))


def read_run(path: Path) -> Run:
    """Everything a report needs of one seed. Raises UserError naming a file that is damaged, or for no run at all."""
    config, result = read_object(path / "config.json"), read_total(path)
    if config is None and result is None:
        raise UserError(f"{path} holds no run: there is neither config.json nor result.json nor seed-0")
    tree = _tree(path / "split_tree.json")
    return Run(
        path=path,
        config=config or {},
        stages=read_object(path / "stages.json") or {},
        environment=read_object(path / "environment.json") or {},
        result=result,
        tree=tree,
        similarities={} if tree is None else _similarities(path / "similarities.npz", tree),
        scores=_scores(path / "ranking.csv"),
        curves=_table(path / "curves.csv", ("contender", "stage", "epoch", "images", "kendall")),
        fusion=_table(path / "fusion.csv", ("contender", "ranked_by", "kendall")),
        metrics=read_metrics(path / "metrics.jsonl"),
    )


def read_object(path: Path) -> dict[str, Any] | None:
    """The object of a JSON file; None if there is no such file. Raises UserError if it holds anything else."""
    text = _read(path)
    try:
        value = None if text is None else json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is damaged: {brief(str(error))}") from error
    if text is not None and not isinstance(value, dict):
        raise UserError(f"{path} is damaged: it must hold a JSON object, not {brief(value)}")
    level = [value]
    for _ in range(DEEPEST):
        level = [v for x in level for v in (x.values() if isinstance(x, dict) else x if isinstance(x, list) else ())]
    if level:
        raise UserError(f"{path} is damaged: it is nested more than {DEEPEST} deep")
    return value


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The rows of `metrics.jsonl`, each with its stage. Raises UserError naming a line that is none.

    A last line without its newline is one that is being written, and is not there yet.
    """
    rows = []
    for i, line in enumerate((_read(path) or "").split("\n")[:-1]):
        try:
            row = json.loads(line, parse_constant=_refuse)
        except (ValueError, RecursionError) as error:
            raise UserError(f"{path} is damaged in line {i + 1}: {brief(str(error))}") from error
        if not isinstance(row, dict) or not isinstance(row.get("stage"), str):
            raise UserError(f"{path} is damaged in line {i + 1}: it must be an object with a stage, not {brief(row)}")
        rows.append(row)
    return rows


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {path}: {brief(str(error))}") from error


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _tree(path: Path) -> Tree | None:
    data = read_object(path)
    if data is None:
        return None
    try:
        ops, edges = tuple(str(op) for op in data["ops"]), tuple(str(edge) for edge in data["edges"])
        nodes = tuple(_node(node, (len(edges), len(ops))) for node in data["nodes"])
    except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
        raise UserError(f"{path} is damaged: {type(error).__name__} {brief(str(error))}") from error
    ids = [node.id for node in nodes]
    parents = [node.parent for node in nodes]
    in_order = ids == list(range(len(ids))) and parents[:1] == [None]
    if not in_order or any(parent not in ids[:i] for i, parent in enumerate(parents) if i):
        raise UserError(f"{path} is damaged: nodes must be numbered from 0, each after its parent")
    for node in nodes:
        children, groups = parents.count(node.id), len(node.cut.groups) if node.cut else 0
        if children != groups:
            raise UserError(f"{path} is damaged: node {node.id} has {children} children but {groups} groups")
    return Tree(ops, edges, nodes)


def _node(data: dict[str, Any], shape: tuple[int, int]) -> TreeNode:
    mask, cut = np.array(data["mask"], bool), data.get("split")
    if mask.shape != shape:
        raise ValueError(f"a mask has shape {mask.shape}, not {shape}")
    split = None
    if cut is not None:
        groups = tuple(tuple(int(o) for o in group) for group in cut["groups"])
        margin, decided = cut["margin"], cut.get("decided")
        low, high, stability = [None if cut.get(name) is None else float(cut[name]) for name in NOISE]
        policy = None if decided is None else str(decided)
        margin = margin and float(margin)
        batches, settled, backgrounds = cut.get("batches"), cut.get("settled"), cut.get("backgrounds")
        split = Cut(
            int(cut["edge"]),
            groups,
            float(cut["value"]),
            margin,
            int(cut["ties"]),
            policy,
            margin_low=low,
            margin_high=high,
            stability=stability,
            batches=None if batches is None else int(batches),
            settled=None if settled is None else bool(settled),
            backgrounds=None if backgrounds is None else int(backgrounds),
            joined=tuple(int(op) for op in cut.get("joined", ())),
        )
        if not 0 <= split.edge < shape[0] or not all(
            0 <= o < shape[1] for group in (*groups, split.joined) for o in group
        ):
            raise ValueError(f"a split of edge {split.edge} into {groups}")
    parent, kept = data["parent"], data.get("kept")
    return TreeNode(
        id=int(data["id"]),
        parent=None if parent is None else int(parent),
        mask=mask,
        architectures=int(data["architectures"]),
        cut=split,
        kept=None if kept is None else str(kept),
    )


def _similarities(path: Path, tree: Tree) -> dict[int, np.ndarray]:
    if not path.exists():
        return {}
    edges, ops = len(tree.edges), len(tree.ops)
    found = {}
    try:
        with open(path, "rb") as handle, np.load(handle, allow_pickle=False) as arrays:
            for node in tree.nodes:
                if f"node_{node.id}" in arrays.files:
                    values = np.asarray(arrays[f"node_{node.id}"], float)
                    if values.shape != (edges, ops, ops):
                        raise ValueError(f"node_{node.id} must be [{edges}, {ops}, {ops}], not {values.shape}")
                    if (np.abs(values) > LARGEST).any():
                        raise ValueError(f"node_{node.id} holds numbers above {LARGEST:g}")
                    found[node.id] = values
    except Exception as error:  # any bytes may stand there, and the readers of zip and npy raise many kinds
        raise UserError(f"{path} is damaged: {brief(str(error))}") from error
    return found


def _scores(path: Path) -> Scores | None:
    """Rows of the uniform sample with a truth; None if the file has none. Older files hold one sample alone."""
    text = _read(path)
    if text is None:
        return None
    try:
        reader = csv.DictReader(text.splitlines(), strict=True)
        rows = list(reader)
        names = [name for name in reader.fieldnames or () if name not in ("architecture", "sample", "leaf", "truth")]
        kept = [row for row in rows if row["truth"] and row.get("sample", "uniform") == "uniform"]
        leaf = np.array([int(row["leaf"] or -1) for row in kept], int)
        truth = np.array([_finite(row["truth"]) for row in kept])
        columns = {name: np.array([_finite(row[name]) if row[name] else math.nan for row in kept]) for name in names}
    except (csv.Error, KeyError, ValueError, TypeError, OverflowError) as error:
        raise UserError(f"{path} is damaged: {type(error).__name__} {brief(str(error))}") from error
    return Scores(leaf, truth, columns) if kept else None


def _table(path: Path, names: tuple[str, ...]) -> list[dict[str, str]]:
    """Rows of a CSV file that have these columns at least; none if there is no file."""
    text = _read(path)
    try:
        rows = [] if text is None else list(csv.DictReader(text.splitlines(), strict=True))
        if any(row[name] is None for row in rows for name in names):
            raise ValueError("a row is too short")
    except (csv.Error, KeyError, ValueError) as error:
        raise UserError(f"{path} is damaged: {type(error).__name__} {brief(str(error))}") from error
    return rows


def _finite(text: str) -> float:
    value = float(text)
    if not abs(value) <= LARGEST:
        raise ValueError(f"{text} is no accuracy")
    return value
