"""Growing the split tree level by level: which edge of every node, into which groups."""

import itertools
import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from jaxnas.spaces.base import SearchSpace
from jaxnas.spaces.tree import Node, Split, SplitTree, as_mask, as_tuple, child_masks, root
from jaxnas.splitting.partition import Groups, Partition, best_partition, set_partitions
from jaxnas.types import Mask, UserError

Similarity = Callable[[Node], np.ndarray]  # node -> [E, O, O]; rows of closed operations are not read
Choose = Callable[[Node, int], Split | None]  # (node, number of groups) -> how to split it; None: it cannot be


def check_groups(space: SearchSpace, groups: tuple[int, ...], leaves: int | None = None) -> int:
    """K, the number of leaves. Raises UserError for groups that no edge allows, or another K than they give."""
    most = len(space.ops)
    wrong = [k for k in groups if not 2 <= k <= most]
    if wrong or not groups:
        raise UserError(f"split.groups must be numbers of groups from 2 to {most} (operations), not {list(groups)}")
    product = math.prod(groups)
    if leaves is not None and leaves != product:
        raise UserError(
            f"split.groups {list(groups)} give K = {product} leaves, not {leaves}; allowed: {product} with these "
            f"groups, or groups whose product is {leaves}: {_groups_with_product(leaves, most) or 'there are none'}"
        )
    return product


def grow(space: SearchSpace, groups: tuple[int, ...], choose: Choose) -> SplitTree:
    """The tree whose level l splits every node into groups[l] parts, on the edge and grouping that `choose` names.

    `choose(node, parts)` is `by_similarity` or `at_random`. Every edge with enough open operations is a candidate,
    edges split before included; siblings may split different edges. Raises UserError if a node cannot be split.
    """
    check_groups(space, groups)
    nodes = [root(space)]
    level = [0]
    for parts in groups:
        below = []
        for index in level:
            node = nodes[index]
            split = choose(node, parts)
            if split is None:
                raise UserError(
                    f"node {node.id} of the split tree has no edge whose operations fall into {parts} groups that "
                    f"each keep a connected architecture; use fewer levels or groups than {list(groups)}"
                )
            nodes[index] = replace(node, split=split)
            for mask in child_masks(as_mask(node), split.edge, split.groups):
                below.append(len(nodes))
                nodes.append(Node(len(nodes), node.id, as_tuple(mask), None))
        level = below
    return SplitTree(space, tuple(nodes))


def by_similarity(space: SearchSpace, similarity: Similarity) -> Choose:
    """The edge and grouping of the smallest cut; `similarity(node)` scores all edges of one node."""
    return lambda node, parts: choose_split(space, as_mask(node), similarity(node), parts)


def at_random(space: SearchSpace, rng: np.random.Generator) -> Choose:
    """A uniform draw of an edge that can be split and of one of its allowed groupings: the control of a metric."""

    def choose(node: Node, parts: int) -> Split | None:
        mask = as_mask(node)
        options = {
            edge: [groups for groups in set_partitions(operations, parts) if _keeps_cells(space, mask, edge, groups)]
            for edge, operations in _candidates(mask, parts)
        }
        edges = [edge for edge, groupings in options.items() if groupings]
        if not edges:
            return None
        edge = int(rng.choice(edges))
        return Split(edge, options[edge][rng.integers(len(options[edge]))], value=None, margin=None, ties=1)

    return choose


def choose_split(space: SearchSpace, mask: Mask, similarity: np.ndarray, parts: int) -> Split | None:
    """The best edge and grouping of one node; similarity [E, O, O]. None if nothing can be split.

    A grouping is allowed only if each child still holds a connected architecture.
    Of exact ties between edges the first edge is taken; `ties` counts them over all edges and groupings.
    """
    candidates: list[tuple[int, Partition]] = []
    for edge, operations in _candidates(mask, parts):
        partition = best_partition(similarity[edge], operations, parts, partial(_keeps_cells, space, mask, edge))
        if partition is not None:
            candidates.append((edge, partition))
    if not candidates:
        return None
    edge, best = min(candidates, key=lambda candidate: candidate[1].value)
    ties = sum(partition.ties for _, partition in candidates if partition.value == best.value)
    return Split(edge, best.groups, best.value, best.margin, ties)


def _candidates(mask: Mask, parts: int) -> list[tuple[int, list[int]]]:
    """Edges with at least `parts` open operations, and these."""
    return [(edge, np.flatnonzero(row).tolist()) for edge, row in enumerate(mask) if row.sum() >= parts]


def _keeps_cells(space: SearchSpace, mask: Mask, edge: int, groups: Groups) -> bool:
    """Whether every child still holds a connected architecture."""
    return all(bool(space.viable(child)) for child in child_masks(mask, edge, groups))


def _groups_with_product(leaves: int, most: int) -> list[list[int]]:
    found = []
    for length in range(1, max(leaves, 1).bit_length() + 1):
        options = itertools.combinations_with_replacement(range(2, most + 1), length)
        found += [list(option) for option in options if math.prod(option) == leaves]
    return found
