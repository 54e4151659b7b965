"""The split tree: which edge every node splits, into which groups, and the masks of the leaves."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from jaxnas.spaces.base import SearchSpace, mask_size
from jaxnas.types import Mask, UserError

LATER: dict[str, Callable[[Any], Any]] = {
    **{"decided": str, "margin_low": float, "margin_high": float, "stability": float, "batches": int, "settled": bool},
    **{"counted": int, "backgrounds": int},
}
"""fields of a split that older trees lack, and their types"""


@dataclass(frozen=True)
class Split:
    """How one node was split."""

    edge: int
    groups: tuple[tuple[int, ...], ...]  # operation ids; together the open operations of the edge
    value: float | None  # objective of the chosen grouping, smaller = better separated; None: drawn at random
    margin: float | None  # how much worse the second-best grouping of the same edge is; None if there is no other
    ties: int  # groupings, over all edges that the rule left, with exactly the chosen value; 1 = no tie
    decided: str | None = None  # the tie policy that decided; None: no tie, or a tree of before there were policies
    margin_low: float | None = None  # ends of the 95 % interval of the margin over batches, by bootstrap;
    margin_high: float | None = None  # None: too few batches, or no other grouping
    stability: float | None = None  # share of the resamplings of the batches in which this grouping wins its edge
    batches: int | None = None  # that were scored for it; None: not by batches, or an older tree
    settled: bool | None = (
        None  # False: the most batches were reached before it was stable; None: all were to be scored
    )
    counted: int | None = None  # batches that count on the edge: those that connect all that is compared there
    backgrounds: int | None = None  # distinct ones among these
    joined: tuple[int, ...] = ()  # operations that could not be compared, and joined a group by the tie policy


@dataclass(frozen=True)
class Node:
    """A sub-space of the tree; `mask` is [E, O] as nested tuples of bool so that the node is hashable."""

    id: int
    parent: int | None
    mask: tuple[tuple[bool, ...], ...]
    split: Split | None  # None: a leaf
    unsplit_reason: str | None = None  # why a leaf was not split although its level was

    @property
    def size(self) -> int:
        """Architectures in it, disconnected ones included."""
        return mask_size(as_mask(self))


@dataclass(frozen=True)
class SplitTree:
    """Which edge every node splits, and into which groups: `nodes` in breadth-first order, node 0 the whole space.

    `grow` makes one.

    Raises:
        UserError: where node 0 is not the whole space, or children do not partition their parent.

    Example:
        >>> import numpy as np
        >>> from jaxnas import NAS_BENCH_201, grow
        >>> from jaxnas.splitting import at_random
        >>> tree = grow(NAS_BENCH_201, (2, 2), at_random(NAS_BENCH_201, np.random.default_rng(0)))
        >>> tree.masks().shape, sum(leaf.size for leaf in tree.leaves)
        ((4, 6, 5), 15625)
        >>> tree.route(NAS_BENCH_201.enumerate()).shape  # the leaf of every architecture
        (15625,)
    """

    space: SearchSpace
    nodes: tuple[Node, ...]

    def __post_init__(self) -> None:
        if not self.nodes or not as_mask(self.nodes[0]).all():
            raise UserError(f"node 0 of a split tree must be the whole space {self.space.name}")
        for node in self.nodes:
            self.space.check_mask(as_mask(node))
            if node.split is None and self.children(node):
                raise UserError(f"node {node.id} of the split tree has children but no split")
            if node.split is not None and node.unsplit_reason is not None:
                raise UserError(
                    f"node {node.id} of the split tree is split, and has a reason not to be: {node.unsplit_reason}"
                )
            if node.split is not None:
                _check_children(self.space, node, self.children(node))

    def children(self, node: Node) -> tuple[Node, ...]:
        """The children of a node, in the order of its groups."""
        return tuple(child for child in self.nodes if child.parent == node.id)

    @property
    def leaves(self) -> tuple[Node, ...]:
        """The sub-spaces to train, in breadth-first order; leaf k is the k-th of these."""
        return tuple(node for node in self.nodes if node.split is None)

    def masks(self) -> np.ndarray:
        """Masks of the leaves, bool [K, E, O]."""
        return np.stack([as_mask(leaf) for leaf in self.leaves])

    def route(self, op_ids: np.ndarray) -> np.ndarray:
        """The leaf of every architecture. op_ids int [A, E] -> int [A]; each lies in exactly one leaf."""
        inside = self.masks()[:, np.arange(op_ids.shape[-1]), op_ids].all(-1)  # [K, A]
        return inside.argmax(0)

    def to_json(self) -> dict[str, Any]:
        """A JSON object with names beside numbers; `from_json` reads it back exactly."""
        return {
            "space": self.space.name,
            "ops": list(self.space.ops),
            "edges": [self.space.edge_name(e) for e in range(len(self.space.edges))],
            "nodes": [_node_to_json(self.space, node) for node in self.nodes],
        }

    @staticmethod
    def from_json(space: SearchSpace, data: dict[str, Any]) -> "SplitTree":
        """The tree of `to_json`.

        Raises UserError for another space, nodes out of order and children that do not partition their parent;
        KeyError, TypeError, ValueError or OverflowError where values are of the wrong kind.
        """
        edges = [space.edge_name(e) for e in range(len(space.edges))]
        given = tuple(data.get(name) for name in ("space", "ops", "edges"))
        if given != (space.name, list(space.ops), edges):
            raise UserError(
                f"the split tree is of space {given[0]!r} with operations {given[1]} and edges {given[2]}, "
                f"not of {space.name!r} with {list(space.ops)} and {edges}"
            )
        nodes = tuple(_node_from_json(space.shape, node) for node in data["nodes"])
        parents = [node.parent for node in nodes]
        in_order = [node.id for node in nodes] == list(range(len(nodes))) and parents[:1] == [None]
        if not in_order or any(parent is None or not 0 <= parent < i for i, parent in enumerate(parents) if i):
            raise UserError("nodes must be numbered from 0, each after its parent")
        return SplitTree(space, nodes)


def root(space: SearchSpace) -> Node:
    """The whole space as a tree of one leaf."""
    return Node(0, None, as_tuple(space.full_mask()), None)


def child_masks(mask: Mask, edge: int, groups: tuple[tuple[int, ...], ...]) -> list[Mask]:
    """The masks of a node's children, one for each group of operations on `edge`."""
    children = []
    for group in groups:
        child = mask.copy()
        child[edge] = False
        child[edge, list(group)] = mask[edge, list(group)]
        children.append(child)
    return children


def as_mask(node: Node) -> Mask:
    """The mask of a node as an array, bool [E, O]."""
    return np.array(node.mask, bool)


def as_tuple(mask: Mask) -> tuple[tuple[bool, ...], ...]:
    """A mask as nested tuples."""
    return tuple(tuple(bool(x) for x in row) for row in mask)


def _check_children(space: SearchSpace, node: Node, children: tuple[Node, ...]) -> None:
    assert node.split is not None
    masks = [as_mask(child) for child in children]
    expected = child_masks(as_mask(node), node.split.edge, node.split.groups)
    same = len(masks) == len(expected) and all((a == b).all() for a, b in zip(masks, expected, strict=True))
    total = sum(mask_size(mask) for mask in masks)
    if not same or total != mask_size(as_mask(node)):
        raise UserError(
            f"children of node {node.id} do not partition it: split of edge {space.edge_name(node.split.edge)} into "
            f"{node.split.groups} gives {total} of {mask_size(as_mask(node))} architectures"
        )


def _node_to_json(space: SearchSpace, node: Node) -> dict[str, Any]:
    mask = as_mask(node)
    row: dict[str, Any] = {
        "id": node.id,
        "parent": node.parent,
        "mask": mask.astype(int).tolist(),
        "architectures": mask_size(mask),
    }
    if node.split is not None:
        row["split"] = {
            "edge": node.split.edge,
            "edge_name": space.edge_name(node.split.edge),
            "groups": [list(group) for group in node.split.groups],
            "group_names": [[space.ops[o] for o in group] for group in node.split.groups],
            "value": node.split.value,
            "margin": node.split.margin,
            "ties": node.split.ties,
            **{name: getattr(node.split, name) for name in LATER},
            "joined": list(node.split.joined),
        }
    if node.unsplit_reason is not None:
        row["kept"] = node.unsplit_reason
    return row


def described_space(data: dict[str, Any]) -> SearchSpace:
    """The space that a tree's JSON object describes by name, operations and edges.

    Raises KeyError, TypeError, ValueError and UserError for one that describes none.
    """
    edges = [tuple(int(end) for end in str(name).split("<-")) for name in data["edges"]]
    pairs = tuple((target, source) for target, source in edges)
    return SearchSpace(str(data["space"]), tuple(str(op) for op in data["ops"]), pairs, described=True)


def _node_from_json(shape: tuple[int, int], data: dict[str, Any]) -> Node:
    mask, split, parent, reason = np.array(data["mask"], bool), data.get("split"), data["parent"], data.get("kept")
    if mask.shape != shape:
        raise ValueError(f"a mask has shape {mask.shape}, not {shape}")
    return Node(
        id=int(data["id"]),
        parent=None if parent is None else int(parent),
        mask=as_tuple(mask),
        split=None if split is None else _split_from_json(shape, split),
        unsplit_reason=None if reason is None else str(reason),
    )


def _split_from_json(shape: tuple[int, int], data: dict[str, Any]) -> Split:
    def optional(kind: Callable[[Any], Any], name: str) -> Any:
        return None if data.get(name) is None else kind(data[name])

    split = Split(
        edge=int(data["edge"]),
        groups=tuple(tuple(int(op) for op in group) for group in data["groups"]),
        value=None if data["value"] is None else float(data["value"]),
        margin=None if data["margin"] is None else float(data["margin"]),
        ties=int(data["ties"]),
        **{name: optional(kind, name) for name, kind in LATER.items()},
        joined=tuple(int(op) for op in data.get("joined", ())),
    )
    operations = [op for group in (*split.groups, split.joined) for op in group]
    if not 0 <= split.edge < shape[0] or not all(0 <= op < shape[1] for op in operations):
        raise ValueError(f"a split of edge {split.edge} into {split.groups}")
    return split
