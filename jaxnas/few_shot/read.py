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
from jaxnas.spaces.tree import SplitTree, described_space
from jaxnas.types import UserError, truncated_repr

DEEPEST = 20  # levels of a JSON file


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
    tree: SplitTree | None
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
        raise UserError(f"{path} is damaged: {truncated_repr(str(error))}") from error
    if text is not None and not isinstance(value, dict):
        raise UserError(f"{path} is damaged: it must hold a JSON object, not {truncated_repr(value)}")
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
            raise UserError(f"{path} is damaged in line {i + 1}: {truncated_repr(str(error))}") from error
        if not isinstance(row, dict) or not isinstance(row.get("stage"), str):
            raise UserError(
                f"{path} is damaged in line {i + 1}: it must be an object with a stage, not {truncated_repr(row)}"
            )
        rows.append(row)
    return rows


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {path}: {truncated_repr(str(error))}") from error


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _tree(path: Path) -> SplitTree | None:
    data = read_object(path)
    if data is None:
        return None
    try:
        return SplitTree.from_json(described_space(data), data)
    except UserError as error:
        raise UserError(f"{path} is damaged: {error}") from error
    except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
        raise UserError(f"{path} is damaged: {type(error).__name__} {truncated_repr(str(error))}") from error


def _similarities(path: Path, tree: SplitTree) -> dict[int, np.ndarray]:
    if not path.exists():
        return {}
    edges, ops = tree.space.shape
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
        raise UserError(f"{path} is damaged: {truncated_repr(str(error))}") from error
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
        raise UserError(f"{path} is damaged: {type(error).__name__} {truncated_repr(str(error))}") from error
    return Scores(leaf, truth, columns) if kept else None


def _table(path: Path, names: tuple[str, ...]) -> list[dict[str, str]]:
    """Rows of a CSV file that have these columns at least; none if there is no file."""
    text = _read(path)
    try:
        rows = [] if text is None else list(csv.DictReader(text.splitlines(), strict=True))
        if any(row[name] is None for row in rows for name in names):
            raise ValueError("a row is too short")
    except (csv.Error, KeyError, ValueError) as error:
        raise UserError(f"{path} is damaged: {type(error).__name__} {truncated_repr(str(error))}") from error
    return rows


def _finite(text: str) -> float:
    value = float(text)
    if not abs(value) <= LARGEST:
        raise ValueError(f"{text} is no accuracy")
    return value
