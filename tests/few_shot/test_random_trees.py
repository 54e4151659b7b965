"""Trees drawn at random: the control that a metric is compared with."""

from dataclasses import replace

import numpy as np
import pytest

from jaxnas.few_shot.controls import random_trees
from jaxnas.spaces import NAS_BENCH_201, TOY
from jaxnas.spaces.tree import as_mask
from jaxnas.splitting import at_random, grow
from jaxnas.types import UserError


def drawn(seed: int, groups: tuple[int, ...] = (2, 2, 2), space=NAS_BENCH_201):
    return grow(space, groups, at_random(space, np.random.default_rng(seed)))


@pytest.mark.parametrize("groups", [(2, 2, 2), (3, 2), (5,)], ids=str)
def test_leaves_of_a_random_tree_partition_the_space(groups) -> None:
    for seed in range(5):
        tree = drawn(seed, groups)
        cells = NAS_BENCH_201.enumerate()
        inside = tree.masks()[:, np.arange(6), cells].all(-1)  # [K, A]
        assert len(tree.leaves) == np.prod(groups)
        assert (inside.sum(0) == 1).all()
        splits = [node.split for node in tree.nodes if node.split is not None]
        assert all((split.value, split.margin, split.ties) == (None, None, 1) for split in splits)
        for node in tree.nodes:
            if node.split is not None:
                assert sorted(sum(node.split.groups, ())) == np.flatnonzero(as_mask(node)[node.split.edge]).tolist()


def test_every_node_of_a_random_tree_keeps_a_connected_architecture() -> None:
    for seed in range(10):
        for tree in (drawn(seed), drawn(seed, (2, 2), TOY)):
            for node in tree.nodes:
                assert tree.space.connected(tree.space.enumerate(as_mask(node))).any()


def test_a_random_tree_is_fixed_by_its_generator() -> None:
    assert drawn(3) == drawn(3)
    assert len({str(drawn(seed).to_json()) for seed in range(10)}) == 10


def test_edges_and_groupings_are_drawn_uniformly() -> None:
    choose = at_random(NAS_BENCH_201, np.random.default_rng(0))
    root = drawn(0).nodes[0]
    splits = [choose(root, 2) for _ in range(240)]
    edges = np.bincount([split.edge for split in splits], minlength=6)
    assert ((edges - 40) ** 2 / 40).sum() < 20.5  # chi-squared of 5 degrees, its 99.9 % point
    alone = sum(min(map(len, split.groups)) == 1 for split in splits)
    assert abs(alone - 80) < 4 * (240 * 2 / 9) ** 0.5  # 5 of the 15 groupings set one operation apart
    assert len({(split.edge, split.groups) for split in splits}) > 75  # of 90; some 84 are expected


def test_an_edge_that_would_leave_none_alone_is_never_split_so() -> None:
    choose = at_random(TOY, np.random.default_rng(1))
    root = drawn(0, (2,), TOY).nodes[0]
    found = {(split.edge, split.groups) for split in (choose(root, 2) for _ in range(200))}
    assert found == {(edge, groups) for edge in (0, 1) for groups in (((0, 1), (2,)), ((0, 2), (1,)))}
    assert choose(root, 3) is None


def test_a_tree_that_cannot_be_is_told_before_the_work(context) -> None:
    deep = context._replace(config=replace(context.config, split=replace(context.config.split, groups=(2, 2, 2))))
    with pytest.raises(UserError, match="use fewer levels or groups"):
        random_trees(deep)
    assert len(random_trees(context)) == 1 and random_trees(context) == random_trees(context)
