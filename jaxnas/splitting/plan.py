"""Growing the split tree level by level: which edge of every node, into which groups."""

import itertools
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from jaxnas.spaces.base import SearchSpace
from jaxnas.spaces.tree import Node, Split, SplitTree, as_mask, as_tuple, child_masks, root
from jaxnas.splitting.partition import Groups, Partition, best_partition
from jaxnas.types import Mask, UserError

Similarity = Callable[[Node], np.ndarray]  # node -> [E, O, O]; rows of closed operations are not read


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


def grow(space: SearchSpace, groups: tuple[int, ...], similarity: Similarity) -> SplitTree:
    """The tree whose level l splits every node into groups[l] parts, on the edge and grouping with the smallest cut.

    `similarity(node)` scores all edges of one node. Every edge with enough open operations is a candidate, edges
    split before included; siblings may split different edges. A grouping is allowed only if each child still holds
    a connected architecture. Raises UserError if a node cannot be split.
    """
    check_groups(space, groups)
    nodes = [root(space)]
    level = [0]
    for parts in groups:
        below = []
        for index in level:
            node = nodes[index]
            split = choose_split(space, as_mask(node), similarity(node), parts)
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


def choose_split(space: SearchSpace, mask: Mask, similarity: np.ndarray, parts: int) -> Split | None:
    """The best edge and grouping of one node; similarity [E, O, O]. None if nothing can be split.

    Of exact ties between edges the first edge is taken; `ties` counts them over all edges and groupings.
    """
    candidates: list[tuple[int, Partition]] = []
    for edge in range(len(space.edges)):
        operations = np.flatnonzero(mask[edge]).tolist()
        if len(operations) < parts:
            continue

        def viable(groups: Groups, edge: int = edge) -> bool:
            return all(bool(space.viable(child)) for child in child_masks(mask, edge, groups))

        partition = best_partition(similarity[edge], operations, parts, viable)
        if partition is not None:
            candidates.append((edge, partition))
    if not candidates:
        return None
    edge, best = min(candidates, key=lambda candidate: candidate[1].value)
    ties = sum(partition.ties for _, partition in candidates if partition.value == best.value)
    return Split(edge, best.groups, best.value, best.margin, ties)


def _groups_with_product(leaves: int, most: int) -> list[list[int]]:
    found = []
    for length in range(1, max(leaves, 1).bit_length() + 1):
        options = itertools.combinations_with_replacement(range(2, most + 1), length)
        found += [list(option) for option in options if math.prod(option) == leaves]
    return found
