"""Splits from files: masks by metric and data set, the split tree of a run, or a folder of such trees."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxnas.spaces.base import SearchSpace
from jaxnas.spaces.tree import Node, Split, SplitTree, as_mask, as_tuple, child_masks, root
from jaxnas.types import UserError, truncated_repr

LARGEST = 4 << 20  # bytes of a file; the 36 published splits take 27 kB
LONGEST = 80  # characters of a name
MOST = 1000  # sub-supernets of a split


class NamedSplit(NamedTuple):
    """One split of a file."""

    metric: str
    dataset: str | None  # in lower case; None: of no data set in particular
    masks: np.ndarray  # bool [K, E, O], in the order of the file
    tree: SplitTree  # that gives these masks


def read_splits(space: SearchSpace, path: Path) -> list[NamedSplit]:
    """The splits of a file, or of a folder of files, each as masks and as a tree.

    A file holds `{"splits": {metric: {data set: masks [K][E][O] of 0 and 1}}}`, or is the `split_tree.json` of a run.
    In a folder each file NAME.json holds one split, which gets that name.

    Args:
        space: what is split; E edges, O operations.
        path: the file or the folder.

    Returns:
        A `NamedSplit` for each, in the order of the file, or of the names of files: metric, data set, masks bool
        [K, E, O], and the `SplitTree` that gives them.

    Raises:
        UserError: naming the file, and the split in it, for what is unreadable, damaged, of another space, no partition
            of the space, or no result of splitting one edge after the other.

    Example:
        >>> import json
        >>> import tempfile
        >>> from pathlib import Path
        >>> from jaxnas import SPACES, read_splits
        >>> halves = [[[1, 1, 0], [1, 1, 1]], [[0, 0, 1], [1, 1, 1]]]  # the first edge with and without its convolution
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "splits.json")
        ...     _ = path.write_text(json.dumps({"splits": {"snip": {"digits": halves}}}))
        ...     [split] = read_splits(SPACES["toy"], path)
        >>> split.metric, split.dataset, split.masks.shape
        ('snip', 'digits', (2, 2, 3))
    """
    if not path.is_dir():
        return _of_file(space, path)
    files = sorted(path.glob("*.json"))
    if not 0 < len(files) <= MOST or not all(_is_name(file.stem) for file in files):
        raise UserError(
            f"{path} must hold 1 to {MOST} files of splits with short names, NAME.json; it has {len(files)}"
        )
    found = []
    for file in files:
        splits = _of_file(space, file)
        if len(splits) > 1:
            raise UserError(f"{file} holds {len(splits)} splits; in a folder of splits each file must hold one")
        found.append(splits[0]._replace(metric=file.stem))
    return found


def _of_file(space: SearchSpace, path: Path) -> list[NamedSplit]:
    data = _object(path)
    if "nodes" in data:
        return [_of_tree(space, data, str(path))]
    by_metric = data.get("splits")
    if not isinstance(by_metric, dict) or not by_metric or not all(isinstance(v, dict) for v in by_metric.values()):
        raise UserError(f"{path} must hold 'splits' by metric and data set, or the 'nodes' of a split tree")
    found = []
    for metric, by_dataset in by_metric.items():
        for dataset, masks in by_dataset.items():
            if not _is_name(metric) or not _is_name(dataset):
                raise UserError(
                    f"{path}: {truncated_repr(metric)} on {truncated_repr(dataset)} are no names for a table"
                )
            found.append(
                _of_masks(space, metric, dataset.lower(), masks, f"{path}: {truncated_repr(metric)} on {dataset!r}")
            )
    names = [(split.metric, split.dataset) for split in found]
    if not found or len(set(names)) < len(names):
        raise UserError(f"{path} must hold at least one split, and one of a metric on each data set")
    return found


def _is_name(text: str) -> bool:
    return 0 < len(text) <= LONGEST and text.isprintable()


def membership(space: SearchSpace, masks: np.ndarray) -> np.ndarray:
    """Which architectures each mask holds. masks bool [K, E, O] -> bool [K, N], N as `space.enumerate()`."""
    op_ids, edges = space.enumerate(), np.arange(len(space.edges))
    return np.stack([mask[edges, op_ids].all(1) for mask in masks])


def tree_of(space: SearchSpace, masks: np.ndarray) -> SplitTree:
    """A split tree whose leaves are these masks, bool [K, E, O]; where several edges could be split first, the lowest.

    Raises UserError if splitting one edge after the other cannot give them.
    """
    nodes, members = [root(space)], [np.arange(len(masks))]
    for at in range(2 * len(masks)):  # the list grows while it is walked
        if at == len(nodes):
            break
        inside = masks[members[at]]
        if len(inside) == 1 and (inside[0] == as_mask(nodes[at])).all():
            continue
        parts = ((edge, _components(inside[:, edge])) for edge in range(len(space.edges)))
        edge, groups = next(((e, g) for e, g in parts if len(g) > 1), (0, ()))
        if not groups:
            raise UserError(f"no splitting of one edge after the other gives sub-supernets {members[at].tolist()}")
        nodes[at] = replace(nodes[at], split=Split(edge, groups, None, None, 1))
        for group, mask in zip(groups, child_masks(as_mask(nodes[at]), edge, groups), strict=True):
            nodes.append(Node(len(nodes), at, as_tuple(mask), None))
            members.append(members[at][inside[:, edge, list(group)].any(1)])
    return SplitTree(space, tuple(nodes))


def _components(rows: np.ndarray) -> tuple[tuple[int, ...], ...]:
    """Groups of operations that no row joins, by the first row that holds them. rows bool [M, O]."""
    groups: list[set[int]] = []
    for row in rows:
        here = set(np.flatnonzero(row).tolist())
        joined = [group for group in groups if group & here]
        first = groups.index(joined[0]) if joined else len(groups)
        merged = here.union(*joined)
        groups = [group for group in groups if group not in joined]
        groups.insert(first, merged)
    return tuple(tuple(sorted(group)) for group in groups)


def _object(path: Path) -> dict[str, Any]:
    try:
        with open(path, "rb") as handle:
            content = handle.read(LARGEST + 1)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    if len(content) > LARGEST:
        raise UserError(f"{path} has more than {LARGEST >> 20} MiB, larger than any file of splits")
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is damaged, or no JSON: {truncated_repr(str(error))}") from error
    if not isinstance(value, dict):
        raise UserError(f"{path} is no file of splits: it must hold a JSON object, not a {type(value).__name__}")
    return value


def _of_tree(space: SearchSpace, data: dict[str, Any], where: str) -> NamedSplit:
    nodes = data["nodes"]
    if not isinstance(nodes, list) or not 0 < len(nodes) <= 2 * MOST:
        raise UserError(f"{where} must have 1 to {2 * MOST} nodes")
    try:
        tree = SplitTree.from_json(space, data)
        halved = all(node.split is None or len(node.split.groups) > 1 for node in tree.nodes)
    except UserError as error:
        raise UserError(f"{where}: {truncated_repr(str(error), 400)}") from error
    except Exception as error:  # any values may stand in the fields of a foreign file
        raise UserError(f"{where} is damaged: {type(error).__name__} {truncated_repr(str(error))}") from error
    if not halved:
        raise UserError(f"{where} is damaged: nodes are split into 2 groups or more")
    masks = tree.masks()
    _check_partition(space, masks, where)
    return NamedSplit("split_tree", None, masks, tree)


def _of_masks(space: SearchSpace, metric: str, dataset: str, value: Any, where: str) -> NamedSplit:
    try:
        numbers = np.array(value)
    except (ValueError, OverflowError) as error:
        raise UserError(f"{where}: masks must be 0 and 1, as many rows and columns in each") from error
    if numbers.ndim != 3 or numbers.shape[1:] != space.shape or not 0 < len(numbers) <= MOST:
        wanted = f"[K, {space.shape[0]}, {space.shape[1]}] (K up to {MOST}, edges, operations of {space.name})"
        raise UserError(f"{where}: masks must have shape {wanted}, not {numbers.shape}")
    if numbers.dtype.kind not in "bi" or not ((numbers == 0) | (numbers == 1)).all():
        raise UserError(f"{where}: masks must be of 0 and 1")
    masks = numbers.astype(bool)
    try:
        for mask in masks:
            space.check_mask(mask)
        _check_partition(space, masks, where)
        return NamedSplit(metric, dataset, masks, tree_of(space, masks))
    except UserError as error:
        raise UserError(str(error) if str(error).startswith(where) else f"{where}: {error}") from error


def _check_partition(space: SearchSpace, masks: np.ndarray, where: str) -> None:
    held = membership(space, masks).sum(0)
    if (held != 1).any():
        counts = f"{int((held == 0).sum())} are in none and {int((held > 1).sum())} in several"
        raise UserError(f"{where}: is no partition; of {space.size} architectures {counts} of the sub-supernets")
