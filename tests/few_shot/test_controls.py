"""Equal numbers of training images, worked by hand for three presets."""

from dataclasses import replace

import numpy as np
import pytest

from jaxnas.data import Dataset, Split, colours_of, load
from jaxnas.few_shot import controls
from jaxnas.few_shot.presets import PRESETS
from jaxnas.few_shot.run_context import RunContext, prepare
from jaxnas.spaces import NAS_BENCH_201
from jaxnas.spaces.tree import Split as TreeSplit
from jaxnas.spaces.tree import SplitTree, root
from jaxnas.splitting import grow


def level_by_level(split_edges: tuple[int, ...]) -> SplitTree:
    """Every node of level l split on edge split_edges[l] into its first two open operations and the others."""

    def choose(node, parts):
        level = 0 if node.parent is None else 1 if node.parent == 0 else 2
        edge = split_edges[level]
        operations = tuple(np.flatnonzero(node.mask[edge]).tolist())
        return TreeSplit(edge, (operations[:2], operations[2:]), None, None, 1)

    return grow(NAS_BENCH_201, (2, 2, 2), choose)


DIFFERENT = level_by_level((0, 1, 2))  # 5 operations always fall into 2 and 3


def prepared(preset: str) -> RunContext:
    """The preset's problem with 8 leaves; of CIFAR-10 with noise for images, of which only the number counts."""
    config = replace(PRESETS[preset], strategy="loop", split=replace(PRESETS[preset].split, groups=(2, 2, 2)))
    if config.data.name == "digits":
        return prepare(config, load(config.data, 0))
    rng = np.random.default_rng(0)
    train, valid = (
        Split(rng.integers(0, 256, (n, 16, 16, 3), dtype=np.uint8), np.arange(n) % 10, 10)
        for n in (config.data.train, config.data.valid)
    )
    return prepare(config, Dataset(train, valid, lambda: valid, colours_of(train), tuple("0123456789"), ()))


@pytest.fixture(scope="module")
def digits() -> RunContext:
    return prepared("digits")


def test_scored_operations_are_the_open_ones_of_every_split_node(digits, context, tree) -> None:
    # Open operations: 30 at the root; 27 + 28 below; then, with 2 or 3 of 5 left on two edges, 24 + 25 + 25 + 26.
    assert [sum(map(sum, node.mask)) for node in DIFFERENT.nodes[:7]] == [30, 27, 28, 24, 25, 25, 26]
    assert controls.scoring_images(digits, DIFFERENT) == (30 + 55 + 100) * 4 * 64
    assert controls.scoring_images(context, tree) == 4 * 2 * 32  # in a chain `none` is not compared


def test_images_of_the_smallest_problem_by_hand(context, tree) -> None:
    # 128 images an epoch; 2 + 2 * 2 epochs and 256 images that scored, which are 2 epochs.
    assert controls.epoch_images(context) == 128
    assert controls.method_images(context, tree) == 6 * 128 + 256 == 1024
    assert controls.unsplit_epochs(context, tree) == 2 * 2 + 2
    assert controls.random_split_epochs(context, tree, tree) == 2 + 1
    assert controls.random_alone_epochs(context, tree, 2) == 4
    assert controls.random_alone_epochs(context, tree, 3) == 3  # 2.7
    assert controls.random_alone_epochs(context, tree, 100) == 1


def test_where_a_node_stays_whole_its_scoring_counts_and_random_leaves_share_its_epochs(context, tree) -> None:
    whole = SplitTree(context.space, (replace(root(context.space), unsplit_reason="all alike"),))
    assert controls.scoring_images(context, whole) == 4 * 2 * 32
    assert controls.method_images(context, whole) == (2 + 2) * 128 + 256 == 768
    assert controls.unsplit_epochs(context, whole) == 2 + 2
    # A second random leaf of 2 epochs uses the 256 images.
    assert controls.random_split_epochs(context, whole, tree) == 2


def test_the_remainder_of_an_epoch_is_not_counted(context, tree) -> None:
    other = context._replace(config=replace(context.config, data=replace(context.config.data, batch=50)))
    assert controls.epoch_images(other) == 100
    assert controls.method_images(other, tree) == 6 * 100 + 4 * 2 * 50


def test_images_of_digits_by_hand(digits) -> None:
    method = (200 + 8 * 200) * 320 + 185 * 4 * 64
    assert controls.method_images(digits, DIFFERENT) == method == 623_360
    assert controls.unsplit_epochs(digits, DIFFERENT) == 1600 + 148  # 47,360 / 320
    assert controls.random_split_epochs(digits, DIFFERENT, DIFFERENT) == 200 + 18  # 18.5, to even
    assert controls.random_alone_epochs(digits, DIFFERENT, 8) == 244  # 243.5, to even


def test_images_of_cifar_by_hand() -> None:
    small = prepared("cifar10-small")
    assert controls.epoch_images(small) == 40_000
    assert controls.method_images(small, DIFFERENT) == (12 + 8 * 15) * 40_000 + 185 * 64 * 16 == 5_469_440
    assert controls.unsplit_epochs(small, DIFFERENT) == 120 + 5  # 189,440 / 40,000 = 4.7
    assert controls.random_split_epochs(small, DIFFERENT, DIFFERENT) == 15 + 1
    assert controls.random_alone_epochs(small, DIFFERENT, 8) == 17


@pytest.mark.parametrize("name", ["smoke", "digits", "cifar10-small"])
@pytest.mark.parametrize("edges", [(0, 1, 2), (3, 4, 5), (5, 0, 3)])
def test_controls_see_the_methods_images_within_half_an_epoch_of_each_network(name, edges, context, tree) -> None:
    one = prepared(name) if name != "smoke" else context
    split = level_by_level(edges) if name != "smoke" else tree
    config, each, leaves = one.config, controls.epoch_images(one), len(split.leaves)
    method, alone = controls.method_images(one, split), config.control.random_architectures
    unsplit = (config.warmup_epochs + controls.unsplit_epochs(one, split)) * each
    random = (config.warmup_epochs + leaves * controls.random_split_epochs(one, split, split)) * each
    best_of = alone * controls.random_alone_epochs(one, split, alone) * each
    assert abs(unsplit - method) <= each / 2
    assert abs(random - method) <= leaves * each / 2
    assert abs(best_of - method) <= alone * each / 2
