"""Growing the split tree level by level, and sub-spaces that are no masks."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from jaxnas.spaces.base import SearchSpace
from jaxnas.spaces.tree import Node, SplitTree, as_mask, as_tuple, child_masks, root
from jaxnas.splitting.choose import Choose
from jaxnas.splitting.settings import check_groups
from jaxnas.types import UserError

TrainLevel = Callable[[SplitTree, int], Choose | None]
"""(tree so far, level) -> how this level is chosen, say with weights trained in its nodes; None: as before"""


def grow(
    space: SearchSpace, groups: tuple[int, ...], choose: Choose, train_level: TrainLevel | None = None
) -> SplitTree:
    """The tree whose level l splits every node into groups[l] parts, on the edge and grouping that `choose` names.

    Siblings may split different edges, and a node for which `choose` gives a reason stays a leaf.

    Args:
        space: the space of E edges and O operations that the tree divides.
        groups: parts of a node, by level; each from 2 to O.
        choose: `(node, parts) -> Split`, a reason not to split, or None: what `by_similarity` or `at_random` of
            `jaxnas.splitting` gives.
        train_level: `(tree, level) -> choose` of this level, or None: as before. It is called once before each level
            is scored; the leaves of its tree are the nodes to train.

    Returns:
        The `SplitTree`, whose K leaves are the sub-spaces to train: the product of `groups`, fewer where nodes stay
        whole.

    Raises:
        UserError: for groups that no edge allows, and if a node cannot be split.

    Source:
        GM-NAS (Hu et al. 2022) trains between levels, as `train_level` allows.

    Example:
        >>> import numpy as np
        >>> from jaxnas import NAS_BENCH_201, grow
        >>> from jaxnas.splitting import by_similarity
        >>> alike, kinds = np.zeros((6, 5, 5)), np.array([0, 0, 1, 1, 0])  # on edge 2 two kinds of operations
        >>> alike[2] = kinds[:, None] == kinds
        >>> tree = grow(NAS_BENCH_201, (2,), by_similarity(NAS_BENCH_201, lambda node: alike))
        >>> tree.nodes[0].split.edge, tree.nodes[0].split.groups
        (2, ((0, 1, 4), (2, 3)))
    """
    check_groups(space, groups)
    nodes = [root(space)]
    level = [0]
    for depth, parts in enumerate(groups):
        if train_level is not None:
            choose = train_level(SplitTree(space, tuple(nodes)), depth) or choose
        below = []
        for index in level:
            node = nodes[index]
            split = choose(node, parts)
            if split is None:
                raise UserError(
                    f"node {node.id} of the split tree has no edge whose operations fall into {parts} groups that "
                    f"each keep a connected architecture; use fewer levels or groups than {list(groups)}"
                )
            if isinstance(split, str):
                nodes[index] = replace(node, unsplit_reason=split)
                continue
            nodes[index] = replace(node, split=split)
            for mask in child_masks(as_mask(node), split.edge, split.groups):
                below.append(len(nodes))
                nodes.append(Node(len(nodes), node.id, as_tuple(mask), None))
        level = below
    return SplitTree(space, tuple(nodes))


def by_count(space: SearchSpace, counts: np.ndarray, groups: Sequence[Sequence[int]]) -> np.ndarray:
    """Sub-spaces of architectures with a structural count in the same group; bool [K, N], in the order of `enumerate`.

    counts int [N], of every architecture; groups of counts, such as {0, 1}, {2}, {3} nonlinear functions (EFS-NAS,
    AAAI 2025). Raises UserError unless every count that occurs is in exactly one group, and every group occurs.
    """
    counts = np.asarray(counts)
    if counts.shape != (space.size,):
        raise UserError(f"counts must be one for each of the {space.size} architectures, not of shape {counts.shape}")
    listed, found = [c for group in groups for c in group], np.unique(counts).tolist()
    members = np.stack([np.isin(counts, list(group)) for group in groups]) if groups else np.zeros((0, space.size))
    if len(set(listed)) < len(listed) or not members.any(0).all() or not members.any(1).all():
        raise UserError(
            f"groups must hold each of the counts {found} once, and each one that occurs, not {list(map(list, groups))}"
        )
    return members
