"""Operations that cannot be compared, batches that do not count, scores that are averaged before they are compared."""

from dataclasses import replace

import numpy as np
import pytest

from jaxnas.config import SplitConfig
from jaxnas.spaces import NAS_BENCH_201, TOY
from jaxnas.spaces.tree import SplitTree, root
from jaxnas.splitting import (
    EdgeReading,
    as_readings,
    at_random,
    bootstrap,
    by_similarity,
    choose_split,
    grow,
    of_batches,
    scored_edges,
)
from jaxnas.testing import TRIANGLE

# Only 1<-0 2<-1 leads through the triangle: `none` on either edge disconnects every cell.
BRIDGE = np.array([[1, 1, 1], [1, 0, 0], [1, 1, 1]], bool)


def scores(values: np.ndarray) -> EdgeReading:
    """Of scores [R, O], in numpy: minus the distance of means."""

    def pool(shares: np.ndarray) -> np.ndarray:
        mean = shares @ values
        return -np.abs(mean[..., :, None] - mean[..., None, :])

    return EdgeReading(pool, len(values), len(values))


def decided(space, mask, readings, **settings):
    return choose_split(space, mask, readings, 2, SplitConfig(groups=(2,), **settings), np.random.default_rng(3))


def test_an_operation_that_cannot_be_compared_joins_a_group_by_the_policy_and_is_on_record() -> None:
    similarity = np.zeros((3, 3, 3))
    similarity[:, 0, 1] = similarity[:, 1, 0] = 5.0  # what `none` compares as is not read
    lowest = decided(TRIANGLE, BRIDGE, similarity, ties="lowest")
    assert (lowest.edge, lowest.groups, lowest.joined, lowest.decided) == (0, ((0, 2), (1,)), (0,), "lowest")
    drawn = {
        choose_split(TRIANGLE, BRIDGE, similarity, 2, SplitConfig(ties="random"), np.random.default_rng(seed)).groups
        for seed in range(20)
    }
    assert drawn == {((0, 2), (1,)), ((0, 1), (2,))}
    assert decided(TRIANGLE, BRIDGE, similarity, ties="keep") is None  # both edges stay whole
    toy = grow(TOY, (2,), by_similarity(TOY, lambda node: similarity[:2]))
    assert toy.nodes[0].split.joined == (0,) and SplitTree.from_json(TOY, toy.to_json()) == toy


def test_under_keep_only_the_edge_with_such_an_operation_stays_whole() -> None:
    # 3<-2 is a bridge (nothing else enters the output), the edges before it are not.
    mask = NAS_BENCH_201.full_mask()
    mask[[3, 4], 1:] = False
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(6, 5, 5))
    similarity = noise + noise.swapaxes(1, 2)
    similarity[5] *= 100  # it would be the edge
    taken = decided(NAS_BENCH_201, mask, similarity, ties="lowest")
    assert taken.edge == 5 and taken.joined == (0,) and min(map(len, taken.groups)) >= 1
    kept = decided(NAS_BENCH_201, mask, similarity, ties="keep")
    assert kept.edge in (1, 2) and kept.joined == ()
    assert kept == decided(NAS_BENCH_201, mask, similarity[[0, 1, 2, 3, 4, 0]], ties="keep")


def test_the_smallest_size_counts_those_that_joined() -> None:
    mask = NAS_BENCH_201.full_mask()
    mask[[3, 4], 1:] = False
    mask[5] = [True, True, True, True, False]  # three can be compared, two groups of two are asked for
    similarity = np.zeros((6, 5, 5))
    similarity[5, 1, 2] = similarity[5, 2, 1] = 9.0
    found = decided(NAS_BENCH_201, mask, similarity, min_size=2, edges="best")
    assert (found.edge, found.groups, found.joined, found.decided) == (5, ((0, 3), (1, 2)), (0,), None)


def test_a_dead_edge_is_no_candidate_of_any_rule_nor_of_chance() -> None:
    mask = np.array([[1, 0, 0], [1, 1, 1], [1, 1, 1]], bool)  # nothing reaches node 1
    similarity = np.zeros((3, 3, 3))
    similarity[2, 0, 1] = similarity[2, 1, 0] = 100.0
    assert decided(TRIANGLE, mask, similarity).edge == 1
    assert scored_edges(TRIANGLE, SplitConfig(), mask) == [1]
    node = replace(root(TRIANGLE), mask=tuple(map(tuple, mask.tolist())))
    rng = np.random.default_rng(0)
    assert {at_random(TRIANGLE, rng)(node, 2).edge for _ in range(30)} == {1}


def test_a_node_that_could_only_be_split_on_dead_edges_stays_whole_and_says_so() -> None:
    mask, similarity = np.array([[1, 0, 0], [1, 1, 1], [1, 1, 1]], bool), np.zeros((3, 3, 3))
    only = "no background makes 2<-1 live, so that its operations change nothing"
    assert decided(TRIANGLE, mask, similarity, edges="fixed", order=(2, 1)) == only
    assert decided(TRIANGLE, mask, similarity, edges="fixed", order=(1, 2)).edge == 1
    mask[1] = [False, True, False]  # the live edge has no choice left
    assert decided(TRIANGLE, mask, similarity) == only
    cut, equal = NAS_BENCH_201.full_mask(), np.zeros((6, 5, 5))
    cut[[3, 5], 1:] = False  # nothing leads on from node 2, and all goes through node 1
    cut[[0, 4]] = [False, True, False, False, False]
    both = "no background makes any of 2<-0, 2<-1 live, so that their operations change nothing"
    assert decided(NAS_BENCH_201, cut, equal) == both
    cut[[1, 2], 2:] = False  # two operations fall into no three groups, live or not
    assert choose_split(NAS_BENCH_201, cut, equal, 3, SplitConfig(), np.random.default_rng(0)) is None


def test_nothing_known_of_an_edge_or_no_batch_that_counts_makes_it_no_candidate() -> None:
    clear = np.zeros((8, 3, 3))
    clear[:, 0, 1] = clear[:, 1, 0] = 1.0
    nothing = of_batches(clear[:0])
    mask = TRIANGLE.full_mask()
    assert decided(TRIANGLE, mask, [None, nothing, of_batches(clear)]).edge == 2
    assert decided(TRIANGLE, mask, [None, nothing, None]) is None


def test_scores_are_averaged_before_they_are_compared() -> None:
    """Noise that is larger than what tells operations apart: means of distances would tie the groupings."""
    rng = np.random.default_rng(0)
    worth = np.array([0.0, 0.0, 1.0])
    noise = rng.normal(0, 5, (400, 3))
    noise -= noise.mean(0)
    reading = scores(worth + noise)
    found = decided(TRIANGLE, TRIANGLE.full_mask(), [reading, None, None])
    assert found.groups == ((0, 1), (2,)) and found.value == pytest.approx(-1.0) and found.margin == pytest.approx(1.5)
    assert found.batches == found.counted == 400
    trust = bootstrap(reading, range(3), found.groups, np.random.default_rng(0))
    # The value of a resampling is - (|d02| + |d12|) / 2 + |d01|; its noise is that of a mean of 400 batches.
    resampled = []
    for seed in range(300):
        mean = (worth + noise)[np.random.default_rng(seed).integers(400, size=400)].mean(0)
        apart = np.abs(mean[:, None] - mean)
        resampled.append(apart[0, 1] - (apart[0, 2] + apart[1, 2]) / 2)
    assert [trust.value_low, trust.value_high] == pytest.approx(np.percentile(resampled, [2.5, 97.5]), abs=0.1)


def test_similarities_of_batches_and_their_mean_decide_alike() -> None:
    noise = np.random.default_rng(1).normal(size=(3, 6, 3, 3))
    values = noise + noise.swapaxes(2, 3)
    by_batch, by_mean = (decided(TRIANGLE, TRIANGLE.full_mask(), given) for given in (values, values.mean(1)))
    assert (by_batch.edge, by_batch.groups) == (by_mean.edge, by_mean.groups)
    assert by_batch.value == pytest.approx(by_mean.value) and by_mean.batches is None and by_batch.batches == 6
    assert as_readings([None]) == [None]
