"""Random trees: of the right shape, uniform, the same for a seed, and a fair measure of any split."""

import numpy as np
import pytest
from scipy import stats

from jaxnas.analysis import edge_share, null, percentiles, random_trees, shape_of, split_statistics
from jaxnas.analysis.nulls import Null, Shape
from jaxnas.analysis.splits import SplitStatistics
from jaxnas.spaces import NAS_BENCH_201, TOY, SearchSpace, membership, tree_of

CUBE = SearchSpace(
    "cube", ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3"), ((1, 0), (2, 0), (2, 1))
)  # 64 cells
UNEVEN = Shape(0, ((1, None), (3, Shape(2, ((2, None), (2, Shape(0, ((1, None), (2, None)))))))))


def partition(space: SearchSpace, leaves: np.ndarray) -> np.ndarray:
    return np.stack([leaves == k for k in range(leaves.max() + 1)])


def masks_of(space: SearchSpace, leaves: np.ndarray) -> np.ndarray:
    """The smallest box around every leaf, bool [K, E, O]."""
    ids, ops = space.enumerate(), np.arange(len(space.ops))
    return np.stack([(ids[leaves == k][:, :, None] == ops).any(0) for k in range(leaves.max() + 1)])


@pytest.mark.parametrize("random_edges", [False, True])
def test_random_trees_are_partitions_of_the_shape_they_are_drawn_from(random_edges) -> None:
    leaves, edges = random_trees(CUBE, UNEVEN, random_edges, trees=40)
    assert leaves.shape == (40, 64) and edges.shape == (40, 2)
    for row, used in zip(leaves, edges, strict=True):
        masks = masks_of(CUBE, row)
        assert (membership(CUBE, masks).argmax(0) == row).all() and (membership(CUBE, masks).sum(0) == 1).all()
        assert [int(mask.sum(1).prod()) for mask in masks] == [16, 24, 8, 16]
        closed = {int(e) for e in np.flatnonzero(~masks.all((0, 2)))}
        assert closed == set(used.tolist()) and (random_edges or closed == {0, 2})
    assert random_edges == (len(np.unique(edges, axis=0)) > 1)


def test_the_shape_of_a_tree_is_read_back_from_its_masks_and_mirror_images_are_one() -> None:
    leaves, _ = random_trees(CUBE, UNEVEN, False, trees=10)
    for row in leaves:
        for order in (slice(None), slice(None, None, -1)):
            assert shape_of(tree_of(CUBE, masks_of(CUBE, row)[order])) == UNEVEN
    assert shape_of(tree_of(CUBE, CUBE.full_mask()[None])) is None


def test_every_grouping_is_as_probable_as_any_other() -> None:
    leaves, edges = random_trees(CUBE, Shape(1, ((2, None), (2, Shape(0, ((1, None), (3, None)))))), True, 6000, seed=3)
    # 6 ordered pairs of edges, 6 groups of 2 of 4 on the first, 4 single operations on the second
    codes = [row.tobytes() for row in leaves]
    counts = np.array(list({code: codes.count(code) for code in set(codes)}.values()))
    assert len(counts) == 6 * 6 * 4
    assert stats.chisquare(counts).pvalue > 0.001
    assert stats.chisquare(np.unique(edges, axis=0, return_counts=True)[1]).pvalue > 0.001


def test_the_same_seed_gives_the_same_trees_and_another_gives_others() -> None:
    accuracies = np.random.default_rng(0).normal(70, 10, 64)
    first, again, other = (null(CUBE, UNEVEN, accuracies, True, trees=50, seed=seed) for seed in (0, 0, 1))
    assert all((a == b).all() for a, b in zip(first.statistics, again.statistics, strict=True))
    assert (first.edges == again.edges).all() and (first.edges != other.edges).any()


@pytest.mark.parametrize("random_edges", [False, True])
def test_the_percentile_of_a_random_split_is_uniform(random_edges) -> None:
    rng = np.random.default_rng(1)
    ids = NAS_BENCH_201.enumerate()
    accuracies = rng.normal(0, 3, (6, 5))[np.arange(6), ids].sum(1) + rng.normal(0, 2, len(ids))
    shape = Shape(0, ((2, Shape(1, ((1, None), (4, None)))), (3, Shape(3, ((2, None), (3, None))))))
    chance = null(NAS_BENCH_201, shape, accuracies, random_edges, trees=1000)
    drawn = null(NAS_BENCH_201, shape, accuracies, random_edges, trees=300, seed=1).statistics
    rows = [SplitStatistics(*(values[i] for values in drawn)) for i in range(300)]
    places = np.array([percentiles(row, chance) for row in rows])
    for name, of in zip(SplitStatistics._fields, places.T, strict=True):
        assert 42 < of.mean() < 58, name  # equal values count half: chance is the middle, whatever ties there are
        if name in ("eta2", "kl_top1_bits", "max_enrichment_top1", "one_per_sub"):  # hardly tied
            assert stats.kstest(of / 100, "uniform").pvalue > 0.001, name


def test_equal_values_count_half_and_rounding_does_not_part_them() -> None:
    zeros = np.zeros(4)
    drawn = SplitStatistics(np.array([0.1 + 0.2, 0.3, 0.5, 0.1]), *[zeros] * 8)
    found = percentiles(SplitStatistics(0.3, *[0.0] * 7, 1.0), Null(drawn, np.zeros((4, 1), int)))
    assert found == (50.0, *[50.0] * 7, 100.0)


def test_a_split_as_good_as_can_be_is_at_the_top() -> None:
    ids = NAS_BENCH_201.enumerate()
    accuracies = 50 + 40.0 * ((ids[:, 0] == 3) & (ids[:, 1] == 3)) + np.random.default_rng(0).random(len(ids))
    best = Shape(0, ((1, Shape(1, ((1, None), (4, None)))), (4, None)))
    leaf = np.where(ids[:, 0] == 3, np.where(ids[:, 1] == 3, 0, 1), 2)
    found = split_statistics(partition(NAS_BENCH_201, leaf), accuracies)
    chance = null(NAS_BENCH_201, best, accuracies, True, trees=300)
    assert percentiles(found, chance).kl_top1_bits > 99 and found.max_share_top1 == 1
    assert 0.1 < edge_share(chance).max_share_top1 < 1  # one pair of edges of 15 matters, then the grouping


def test_what_edges_explain_is_nothing_everything_or_as_much_as_was_put_in() -> None:
    rng = np.random.default_rng(0)
    edges = rng.integers(0, 3, (4000, 1))
    noise, steps = rng.normal(size=4000), edges[:, 0].astype(float)
    columns = [noise, steps, steps * 1.5**0.5 + noise, np.ones(4000), *[noise] * 5]
    found = edge_share(Null(SplitStatistics(*columns), edges))
    # The variance of the steps is 2/3 (so 1 with the factor), that of the noise 1.
    assert found[:4] == pytest.approx((0, 1, 0.5, 0), abs=0.04)
    swapped = np.where(rng.random((4000, 1)) < 0.5, [[0, 1]], [[1, 0]])  # the same set of edges in another order
    assert edge_share(Null(SplitStatistics(*[swapped[:, 0].astype(float)] * 9), swapped)).eta2 == 0


def test_a_tree_of_one_leaf_has_a_null_of_one_value() -> None:
    found = null(TOY, None, np.arange(9.0), True, trees=5)
    assert found.edges.shape == (5, 0) and (found.statistics.eta2 == 0).all()
    assert (found.statistics.regret_by_mean == 0).all()
