"""Objectives of a grouping: worked by hand, by brute force, and tying exactly where arithmetic ties."""

import itertools

import numpy as np
import pytest

from jaxnas.splitting import OBJECTIVES, best_partition, cross_sum, normalised_cut, size_normalised_cut, within_sum
from jaxnas.splitting.partition import set_partitions
from jaxnas.types import UserError
from tests.splitting.test_partition import by_hand, random_similarity

HAND = ((0, 1), (2, 3))


def symmetric(pairs: dict[tuple[int, int], float], operations: int) -> np.ndarray:
    similarity = np.zeros((operations, operations))
    for (a, b), value in pairs.items():
        similarity[a, b] = similarity[b, a] = value
    return similarity


def by_matrix(name: str, similarity: np.ndarray, groups) -> float:
    """The objective from indicator vectors and whole matrices."""
    label = np.array([next(g for g, group in enumerate(groups) if op in group) for op in range(len(similarity))])
    same, upper = label[:, None] == label, np.triu(np.ones(similarity.shape, bool), 1)
    between, within = similarity[upper & ~same], similarity[upper & same]
    if name == "cross_sum":
        return between.sum()
    if name == "within_sum":
        return -within.sum()
    if name == "cross_mean_minus_within_mean":
        return between.mean() - within.mean()
    weights = (1 + similarity) * ~np.eye(len(similarity), dtype=bool)
    inside = [label == g for g in range(len(groups))]
    return sum(weights[i][:, ~i].sum() / weights[i].sum() for i in inside)


def test_the_four_objectives_of_the_published_example() -> None:
    # GM-NAS's example, operations 1 to 4 there: {1, 2} | {3, 4} cuts 0.1 + 0.2 + 0.1 + 0.3.
    assert cross_sum(by_hand(), HAND) == pytest.approx(0.7)
    assert within_sum(by_hand(), HAND) == pytest.approx(-1.5)
    assert size_normalised_cut(by_hand(), HAND) == pytest.approx(0.7 / 4 - 1.5 / 2)
    assert normalised_cut(by_hand(), HAND) == pytest.approx(4.7 / (4.7 + 2 * 1.7) + 4.7 / (4.7 + 2 * 1.8))


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_published_example_falls_into_the_published_groups(name) -> None:
    assert best_partition(by_hand(), range(4), 2, objective=OBJECTIVES[name]).groups == HAND


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("k", [2, 3])
def test_every_objective_is_that_of_whole_matrices(name, k) -> None:
    for seed in range(3):
        similarity = np.tanh(random_similarity(seed))
        for groups in set_partitions(range(5), k):
            assert OBJECTIVES[name](similarity, groups) == pytest.approx(by_matrix(name, similarity, groups))


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_objective_reads_neither_the_diagonal_nor_other_operations(name) -> None:
    similarity = np.full((6, 6), np.nan)
    similarity[np.ix_([0, 2, 3, 5], [0, 2, 3, 5])] = by_hand()
    np.fill_diagonal(similarity, np.nan)
    assert OBJECTIVES[name](similarity, ((0, 2), (3, 5))) == OBJECTIVES[name](by_hand(), HAND)


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("level", [0.1, 0.7, -1 / 3, -1.0])
@pytest.mark.parametrize("n", [4, 5, 6])
def test_equal_similarities_give_groupings_of_equal_sizes_exactly_one_value(name, level, n) -> None:
    similarity = np.full((n, n), level)
    values: dict[tuple[int, ...], set[float]] = {}
    for k in (2, 3):
        for groups in set_partitions(range(n), k):
            values.setdefault(tuple(sorted(map(len, groups))), set()).add(OBJECTIVES[name](similarity, groups))
    assert all(len(found) == 1 for found in values.values())


@pytest.mark.parametrize("name", ["cross_mean_minus_within_mean", "normalised_cut"])
@pytest.mark.parametrize("level", [0.0, 0.1, 0.7, 0.9])
def test_equal_similarities_are_a_tie_of_all_groupings_under_normalised_objectives(name, level) -> None:
    for n, groupings in ((4, 7), (5, 15)):
        best = best_partition(np.full((n, n), level), range(n), 2, objective=OBJECTIVES[name])
        assert (best.ties, best.margin) == (groupings, 0)
    assert normalised_cut(np.full((5, 5), level), ((0, 1), (2, 3, 4))) == 5 / 4  # (k - 1) n / (n - 1)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_exchanged_operations_tie_exactly(name) -> None:
    # With 0 and 3 exchanged the matrix is the same, and 01 | 23 becomes 02 | 13; the sums come in another order.
    pairs = {(0, 1): 0.9, (1, 3): 0.9, (0, 2): 0.95, (2, 3): 0.95, (0, 3): 0.1, (1, 2): 0.15}
    similarity = symmetric(pairs, 4)
    assert OBJECTIVES[name](similarity, HAND) == OBJECTIVES[name](similarity, ((0, 2), (1, 3)))


def test_positive_similarities_fall_apart_by_arithmetic_under_the_sum_and_not_under_the_means() -> None:
    # Two clear blocks of 2 and 3 on a high level: the sum prefers 4 pairs of any kind to 6 of the lowest.
    block = np.array([0, 0, 1, 1, 1])
    similarity = np.where(block[:, None] == block, 0.9, 0.7)
    assert best_partition(similarity, range(5), 2).groups == ((0, 1), (2, 3, 4))
    assert best_partition(similarity, range(5), 2, objective=normalised_cut).groups == ((0, 1), (2, 3, 4))
    summed = best_partition(similarity, range(5), 2, objective=cross_sum)
    assert sorted(map(len, summed.groups)) == [1, 4]
    assert summed.value == pytest.approx(0.9 + 3 * 0.7)
    assert best_partition(similarity, range(5), 2, objective=cross_sum, min_size=2).groups == ((0, 1), (2, 3, 4))
    for seed in range(20):  # whatever positive similarities there are
        noise = np.random.default_rng(seed).uniform(0.5, 0.7, (5, 5))
        assert sorted(map(len, best_partition(noise + noise.T, range(5), 2, objective=cross_sum).groups)) == [1, 4]


@pytest.mark.parametrize("seed", range(5))
def test_the_two_sums_choose_alike_on_one_edge(seed) -> None:
    similarity = random_similarity(seed)
    crossing, inside = (best_partition(similarity, range(5), 2, objective=of) for of in (cross_sum, within_sum))
    assert crossing.groups == inside.groups
    assert crossing.value - inside.value == pytest.approx(similarity[np.triu_indices(5, 1)].sum())
    assert crossing.margin == pytest.approx(inside.margin)


def test_a_group_without_weight_counts_one() -> None:
    similarity = np.full((3, 3), -1.0)
    assert normalised_cut(similarity, ((0, 1), (2,))) == 2.0
    similarity[0, 1] = similarity[1, 0] = 0.5
    assert normalised_cut(similarity, ((0, 1), (2,))) == 1.0  # nothing crosses, and 2 has nothing
    assert normalised_cut(similarity, ((0,), (1, 2))) == 2.0


def test_weights_below_zero_are_refused() -> None:
    with pytest.raises(UserError, match=r"at least -1, .* not -1\.5"):
        normalised_cut(symmetric({(0, 1): -1.5}, 3), ((0, 1), (2,)))


def test_no_objective_gives_a_negative_zero() -> None:
    for name, groups in itertools.product(OBJECTIVES, ([(0,), (1,)], [(0, 1)])):
        assert str(OBJECTIVES[name](np.zeros((2, 2)), tuple(groups))) != "-0.0"
