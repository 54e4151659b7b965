"""What chance gives: the statistics of random trees with the group sizes of a split, and where the split lies there."""

from typing import NamedTuple

import numpy as np

from jaxnas.analysis.splits import SplitStatistics, leaf_type, statistics_of_leaves
from jaxnas.spaces.base import SearchSpace
from jaxnas.spaces.tree import Node, SplitTree

TREES = 1000
DIGITS = 9  # statistics that agree to so many decimals are equal: sums in another order differ in the last ones


class Shape(NamedTuple):
    """What a random tree keeps of a tree: the edge of every node and the sizes of its groups, in canonical order."""

    edge: int
    parts: tuple[tuple[int, "Shape | None"], ...]  # operations of each group, and how it is split further


class Null(NamedTuple):
    """The statistics of T random trees of one shape."""

    statistics: SplitStatistics  # arrays [T]
    edges: np.ndarray  # int [T, D]: the D edges that each tree splits


def shape_of(tree: SplitTree) -> Shape | None:
    """The shape of a split tree; None for a tree of one leaf."""
    return _shape(tree, tree.nodes[0])


def random_trees(
    space: SearchSpace, shape: Shape | None, random_edges: bool, trees: int = TREES, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """The leaf of every architecture in random trees, int [T, N], and the edges that each splits, int [T, D].

    At every node the operations open on its edge fall into groups of the given sizes, each grouping as probable as any
    other, independently of the other nodes. `random_edges`: the D edges of the shape are replaced by D edges drawn
    without replacement, in random order, anew for each tree.
    """
    rng = np.random.default_rng([seed, int(random_edges)])
    used, count = sorted(_edges(shape)), len(space.ops)
    leaves = _draw(shape, used, np.ones((trees, len(used), count), bool), rng)
    table = np.zeros(
        (trees, count ** len(used)), leaf_type(len(leaves))
    )  # the leaf of every choice on the edges that are split
    for k, open_ops in enumerate(leaves):
        inside = np.ones((trees, 1), bool)
        for axis in range(len(used)):
            inside = (inside[:, :, None] & open_ops[:, axis, None, :]).reshape(trees, -1)
        table[inside] = k
    edges = np.tile(np.array(used, int), (trees, 1))
    if random_edges:
        edges = rng.permuted(np.tile(np.arange(len(space.edges)), (trees, 1)), axis=1)[:, : len(used)]
    op_ids = space.enumerate()
    powers = count ** np.arange(len(used))[::-1]
    found = np.empty((trees, len(op_ids)), table.dtype)
    for row in np.unique(edges, axis=0):
        same = (edges == row).all(1)
        found[same] = table[same][:, op_ids[:, row] @ powers]
    return found, edges


def null(
    space: SearchSpace,
    shape: Shape | None,
    accuracies: np.ndarray,
    random_edges: bool,
    trees: int = TREES,
    seed: int = 0,
) -> Null:
    """Statistics of random trees of a shape; accuracies [N], percent. The same seed gives the same trees."""
    leaves, edges = random_trees(space, shape, random_edges, trees, seed)
    return Null(statistics_of_leaves(leaves, accuracies), edges)


def percentiles(observed: SplitStatistics, chance: Null) -> SplitStatistics:
    """Per cent of random trees with a smaller value of each statistic; equal ones count half, so chance means 50."""
    return SplitStatistics(*(_percentile(o, drawn) for o, drawn in zip(observed, chance.statistics, strict=True)))


def edge_share(chance: Null) -> SplitStatistics:
    """Of the variance of each statistic among random trees, the share that the choice of edges alone explains.

    Epsilon squared of an analysis of variance by the set of edges: eta squared less what chance would give it.
    """
    _, group = np.unique(np.sort(chance.edges, axis=1), axis=0, return_inverse=True)
    return SplitStatistics(*(_epsilon2(np.asarray(values), group.ravel()) for values in chance.statistics))


def _shape(tree: SplitTree, node: Node) -> Shape | None:
    if node.split is None:
        return None
    below = [_shape(tree, child) for child in tree.children(node)]
    parts = [(len(group), child) for group, child in zip(node.split.groups, below, strict=True)]
    return Shape(node.split.edge, tuple(sorted(parts, key=repr)))  # mirror images are one shape


def _edges(shape: Shape | None) -> set[int]:
    return set() if shape is None else {shape.edge}.union(*(_edges(child) for _, child in shape.parts))


def _draw(shape: Shape | None, used: list[int], open_ops: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    """The open operations of every leaf below a node, each bool [T, D, O]."""
    if shape is None:
        return [open_ops]
    axis, start, leaves = used.index(shape.edge), 0, []
    keys = np.where(open_ops[:, axis], rng.random(open_ops[:, axis].shape), 2.0)  # closed operations come last
    rank = keys.argsort(1).argsort(1)
    for size, child in shape.parts:
        part = open_ops.copy()
        part[:, axis] = (start <= rank) & (rank < start + size)
        leaves += _draw(child, used, part, rng)
        start += size
    return leaves


def _percentile(observed: float | np.ndarray, drawn: float | np.ndarray) -> float:
    value, values = np.round(observed, DIGITS), np.round(drawn, DIGITS)
    return float(100 * (np.mean(values < value) + np.mean(values == value) / 2))


def _epsilon2(values: np.ndarray, group: np.ndarray) -> float:
    n, k = len(values), group.max() + 1
    total = ((values - values.mean()) ** 2).sum()
    if total == 0 or n <= k:
        return 0.0
    means = np.bincount(group, values) / np.bincount(group)
    within = ((values - means[group]) ** 2).sum()
    return float(max(0.0, 1 - within / (n - k) / (total / (n - 1))))
