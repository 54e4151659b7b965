"""Grouping operations: the objective by hand, the exhaustive search by brute force, ids instead of positions."""

import itertools

import numpy as np
import pytest

from jaxnas.splitting import best_partition, size_normalised_cut
from jaxnas.splitting.partition import set_partitions
from jaxnas.types import UserError

STIRLING = {
    1: [1],
    2: [1, 1],
    3: [1, 3, 1],
    4: [1, 7, 6, 1],
    5: [1, 15, 25, 10, 1],
    6: [1, 31, 90, 65, 15, 1],
}


def by_hand() -> np.ndarray:
    similarity = np.zeros((4, 4))
    pairs = {(0, 1): 0.7, (2, 3): 0.8, (0, 2): 0.1, (1, 3): 0.2, (0, 3): 0.1, (1, 2): 0.3}
    for (a, b), value in pairs.items():
        similarity[a, b] = similarity[b, a] = value
    return similarity


def random_similarity(seed: int, operations: int = 5) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=(operations, operations))
    return noise + noise.T


def brute_force(similarity: np.ndarray, operations: list[int], groups: int) -> list[tuple[float, frozenset]]:
    """All groupings by labels, best first, from the matrix of the open operations."""
    block = similarity[np.ix_(operations, operations)]
    upper = np.triu(np.ones(block.shape, bool), 1)
    found = {}
    for labels in itertools.product(range(groups), repeat=len(operations)):
        if len(set(labels)) == groups:
            label = np.array(labels)
            same = label[:, None] == label[None, :]
            parts = frozenset(frozenset(np.array(operations)[label == g].tolist()) for g in range(groups))
            within, between = block[upper & same], block[upper & ~same]
            found[parts] = between.sum() / between.size - within.sum() / within.size
    return sorted(((value, parts) for parts, value in found.items()), key=lambda item: item[0])


def as_sets(groups) -> frozenset:
    return frozenset(map(frozenset, groups))


def test_the_example_worked_by_hand():
    best = best_partition(by_hand(), range(4), 2)
    assert best.groups == ((0, 1), (2, 3))
    assert best.value == pytest.approx((0.1 + 0.2 + 0.1 + 0.3) / 4 - (0.7 + 0.8) / 2)
    second = (0.7 + 0.1 + 0.1) / 3 - (0.3 + 0.2 + 0.8) / 3  # 0 | 1 2 3
    assert best.margin == pytest.approx(second - best.value)
    assert best.ties == 1


def test_the_sign_of_the_similarity_matters():
    best = best_partition(-by_hand(), range(4), 2)
    assert best.groups == ((0, 2), (1, 3))
    assert best.value == pytest.approx((0.1 + 0.2) / 2 - (0.7 + 0.1 + 0.3 + 0.8) / 4)


@pytest.mark.parametrize(("n", "k"), [(n, k) for n in STIRLING for k in range(1, n + 1)])
def test_set_partitions_are_all_and_distinct(n, k):
    operations = [3 * i + 1 for i in range(n)]
    found = list(set_partitions(operations, k))
    assert len(found) == len(set(map(as_sets, found))) == STIRLING[n][k - 1]
    for groups in found:
        assert len(groups) == k and all(groups)
        assert sorted(itertools.chain(*groups)) == operations
        assert all(list(group) == sorted(group) for group in groups)
        assert [group[0] for group in groups] == sorted(group[0] for group in groups)


def test_more_groups_than_operations_cannot_be_had():
    assert list(set_partitions([0, 1], 3)) == []
    assert best_partition(by_hand(), [0, 1], 3) is None


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("level", [0.0, 0.5, 1.0, 0.1, 0.7, -1 / 3])
@pytest.mark.parametrize("k", [2, 3, 4, 5])
def test_constant_similarity_prefers_no_grouping(level, k, dtype):
    similarity = np.full((5, 5), level, dtype)
    values = {groups: size_normalised_cut(similarity, groups) for groups in set_partitions(range(5), k)}
    assert {groups: value for groups, value in values.items() if value != 0} == {}
    best = best_partition(similarity, range(5), k)
    assert (best.value, best.ties) == (0, STIRLING[5][k - 1])
    assert best.margin == (None if k == 5 else 0)


def test_two_operations_in_two_groups_give_zero_and_no_margin():
    best = best_partition(random_similarity(0), [1, 4], 2)
    assert best == (((1,), (4,)), 0.0, None, (((1,), (4,)),))


@pytest.mark.parametrize("poison", [np.nan, 1e9, -1e9])
def test_operations_are_rows_by_id_not_by_position(poison):
    similarity = np.full((5, 5), poison)
    for (a, b), value in {(1, 3): 0.2, (1, 4): 0.9, (3, 4): 0.4}.items():
        similarity[a, b] = similarity[b, a] = value
    best = best_partition(similarity, [1, 3, 4], 2)
    assert best.groups == ((1, 4), (3,))
    assert best.value == pytest.approx((0.2 + 0.4) / 2 - 0.9)
    assert best.margin == pytest.approx(((0.2 + 0.9) / 2 - 0.4) - best.value)


def test_the_diagonal_is_not_read():
    similarity = by_hand()
    np.fill_diagonal(similarity, np.nan)
    assert best_partition(similarity, range(4), 2) == best_partition(by_hand(), range(4), 2)


@pytest.mark.parametrize("operations", [[0, 1, 2, 3, 4], [0, 2, 3, 4], [1, 2, 3, 4]])
@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("seed", range(5))
def test_the_best_grouping_is_that_of_brute_force(seed, k, operations):
    similarity = random_similarity(seed)
    first, second, *_ = brute_force(similarity, operations, k)
    best = best_partition(similarity, operations, k)
    assert as_sets(best.groups) == first[1]
    assert best.value == pytest.approx(first[0])
    assert best.margin == pytest.approx(second[0] - first[0])


@pytest.mark.parametrize("seed", range(5))
def test_a_constant_added_to_all_similarities_changes_nothing(seed):
    plain = best_partition(random_similarity(seed), range(5), 2)
    shifted = best_partition(random_similarity(seed) + 3.7, range(5), 2)
    assert shifted.groups == plain.groups
    assert (shifted.value, shifted.margin) == pytest.approx((plain.value, plain.margin))


@pytest.mark.parametrize("seed", range(5))
def test_relabelled_operations_are_grouped_alike(seed):
    order = np.random.default_rng(100 + seed).permutation(5)  # operation i is called order[i]
    renamed = np.zeros((5, 5))
    renamed[np.ix_(order, order)] = random_similarity(seed)
    plain = best_partition(random_similarity(seed), range(5), 2)
    best = best_partition(renamed, range(5), 2)
    assert as_sets(best.groups) == as_sets([order[list(group)].tolist() for group in plain.groups])
    assert best.value == pytest.approx(plain.value)


def test_only_allowed_groupings_are_considered():
    best = best_partition(by_hand(), range(4), 2, allowed=lambda groups: {len(group) for group in groups} == {1, 3})
    assert best.groups == ((0,), (1, 2, 3))
    assert best.value == pytest.approx((0.7 + 0.1 + 0.1) / 3 - (0.3 + 0.2 + 0.8) / 3)
    third = (0.1 + 0.2 + 0.8) / 3 - (0.7 + 0.1 + 0.3) / 3  # 3 | 0 1 2
    assert best.margin == pytest.approx(third - best.value)


def test_a_single_allowed_grouping_has_no_margin():
    best = best_partition(by_hand(), range(4), 2, allowed=lambda groups: groups == ((0, 3), (1, 2)))
    assert (best.groups, best.margin, best.ties) == (((0, 3), (1, 2)), None, 1)


@pytest.mark.parametrize(("k", "min_size", "sizes"), [(2, 2, [2, 3]), (2, 1, None), (3, 2, None), (3, 1, None)])
@pytest.mark.parametrize("seed", range(5))
def test_groups_hold_the_fewest_operations_asked_for(seed, k, min_size, sizes):
    similarity = random_similarity(seed)
    by_size = [(v, g) for v, g in brute_force(similarity, range(5), k) if min(map(len, g)) >= min_size]
    best = best_partition(similarity, range(5), k, min_size=min_size)
    if not by_size:
        assert best is None and (k, min_size) == (3, 2)
        return
    assert as_sets(best.groups) == by_size[0][1]
    assert best.margin == pytest.approx(by_size[1][0] - by_size[0][0])
    assert sizes is None or sorted(map(len, best.groups)) == sizes


@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf])
def test_similarities_that_are_not_finite_are_refused_where_they_would_decide(poison):
    similarity = random_similarity(0)
    similarity[1, 3] = similarity[3, 1] = poison
    with pytest.raises(UserError, match=r"open operations \[1, 2, 3\] must be finite"):
        best_partition(similarity, [1, 2, 3], 2)
    assert best_partition(similarity, [0, 1, 2], 2) == best_partition(random_similarity(0), [0, 1, 2], 2)


def test_nothing_allowed_gives_none():
    assert best_partition(by_hand(), range(4), 2, allowed=lambda groups: False) is None


def test_ties_are_counted_and_the_first_is_taken():
    similarity = np.zeros((3, 3))
    for a, b in ((0, 1), (1, 2)):
        similarity[a, b] = similarity[b, a] = 1
    best = best_partition(similarity, range(3), 2)
    assert best == (((0, 1), (2,)), -0.5, 0.0, (((0, 1), (2,)), ((0,), (1, 2))))
    assert best.ties == 2


def test_ties_are_counted_whatever_the_order_of_their_pairs():
    similarity = np.zeros((4, 4))
    pairs = {(0, 1): 0.9, (1, 3): 0.9, (0, 2): 0.95, (2, 3): 0.95, (0, 3): 0.1, (1, 2): 0.15}
    for (a, b), value in pairs.items():
        similarity[a, b] = similarity[b, a] = value
    best = best_partition(similarity, range(4), 2)
    assert best.groups == ((0, 1), (2, 3))  # with 0 and 3 exchanged this is 02 | 13
    assert best.value == pytest.approx((0.95 + 0.1 + 0.15 + 0.9) / 4 - (0.9 + 0.95) / 2)
    assert (best.margin, best.ties) == (0, 2)
