"""Growing split trees: which numbers of leaves can be had, which edge is split, what cannot be split."""

import numpy as np
import pytest

from jaxnas.config import SplitConfig
from jaxnas.spaces import NAS_BENCH_201, TOY
from jaxnas.spaces.tree import Node, as_mask
from jaxnas.splitting import by_count, by_similarity, check_groups, choose_split, grow
from jaxnas.testing import TRIANGLE
from jaxnas.types import UserError

BLOCKS = {  # edge: which of two blocks every operation is in, and the groups this gives
    0: ([0, 0, 1, 1, 1], ((0, 1), (2, 3, 4))),
    1: ([0, 1, 0, 1, 1], ((0, 2), (1, 3, 4))),
    2: ([0, 0, 0, 1, 1], ((0, 1, 2), (3, 4))),
    3: ([0, 1, 1, 0, 1], ((0, 3), (1, 2, 4))),
    4: ([0, 1, 1, 1, 1], ((0,), (1, 2, 3, 4))),
    5: ([0, 0, 1, 1, 0], ((0, 1, 4), (2, 3))),
}


def planted(edges: list[int], background: float = 0.5) -> np.ndarray:
    """Similarity [6, 5, 5]: 0.9 and 0.1 in blocks on `edges`, the same everywhere on the others."""
    similarity = np.full((6, 5, 5), background)
    for edge in edges:
        block = np.array(BLOCKS[edge][0])
        similarity[edge] = np.where(block[:, None] == block[None, :], 0.9, 0.1)
    return similarity


def random_similarity(seed: int, space) -> np.ndarray:
    edges, ops = space.shape
    noise = np.random.default_rng(seed).normal(size=(edges, ops, ops))
    return noise + noise.swapaxes(1, 2)


def split_of(space, mask: np.ndarray, similarity: np.ndarray, parts: int):
    return choose_split(space, mask, similarity, parts, SplitConfig(), np.random.default_rng(0))


@pytest.mark.parametrize(("groups", "leaves"), [((2, 2, 2), 8), ((3, 2), 6), ((5,), 5), ((2,), 2)])
def test_groups_give_the_number_of_leaves(groups, leaves):
    assert check_groups(NAS_BENCH_201, groups) == leaves
    assert check_groups(NAS_BENCH_201, groups, leaves) == leaves


@pytest.mark.parametrize(
    ("groups", "leaves", "named"),
    [
        ((2, 2, 2), 6, ["[2, 2, 2] give K = 8 leaves, not 6", "whose product is 6: [[2, 3]]"]),
        ((3, 2), 8, ["[3, 2] give K = 6 leaves, not 8", "whose product is 8: [[2, 4], [2, 2, 2]]"]),
        ((2, 2, 2), 7, ["allowed: 8", "whose product is 7: there are none"]),
        ((2, 2, 2), 1, ["allowed: 8", "whose product is 1: there are none"]),
        ((2,), 0, ["allowed: 2", "whose product is 0: there are none"]),
    ],
)
def test_another_number_of_leaves_is_refused_with_what_is_allowed(groups, leaves, named):
    with pytest.raises(UserError) as error:
        check_groups(NAS_BENCH_201, groups, leaves)
    assert all(part in str(error.value) for part in named), str(error.value)


@pytest.mark.parametrize("groups", [(1,), (6,), (2, 1), (6, 2), (0,), ()])
def test_groups_that_no_edge_allows_are_refused(groups):
    with pytest.raises(UserError) as error:
        check_groups(NAS_BENCH_201, groups)
    assert f"from 2 to 5 (operations), not {list(groups)}" in str(error.value)
    with pytest.raises(UserError, match="from 2 to 5"):
        grow(NAS_BENCH_201, groups, by_similarity(NAS_BENCH_201, lambda node: planted([0])))


@pytest.mark.parametrize("edge", BLOCKS)
def test_the_edge_with_the_planted_blocks_is_split_along_them(edge):
    tree = grow(NAS_BENCH_201, (2,), by_similarity(NAS_BENCH_201, lambda node: planted([edge])))
    split = tree.nodes[0].split
    assert (split.edge, split.groups) == (edge, BLOCKS[edge][1])
    assert split.value == pytest.approx(0.1 - 0.9)
    assert split.ties == 1


def test_the_edge_with_the_smaller_value_wins_over_the_earlier_one():
    similarity = planted([1, 4])
    similarity[1] = 0.5 + (similarity[1] - 0.5) / 2
    split = split_of(NAS_BENCH_201, NAS_BENCH_201.full_mask(), similarity, 2)
    assert (split.edge, split.groups) == (4, BLOCKS[4][1])


def test_the_margin_is_that_of_the_second_grouping_of_the_same_edge():
    similarity = planted([4])  # 0 | 1234; the nearest are 01 | 234 and its like
    similarity[1] = planted([4])[4] * 0.9  # an edge with a nearly equal value must not count
    split = split_of(NAS_BENCH_201, NAS_BENCH_201.full_mask(), similarity, 2)
    second = (3 * 0.1 + 3 * 0.9) / 6 - (3 * 0.9 + 0.1) / 4
    assert split.edge == 4
    assert split.margin == pytest.approx(second - (0.1 - 0.9))


def test_a_later_level_may_split_the_same_edge_again():
    similarity = planted([])
    similarity[3] = np.where(np.eye(5, dtype=bool), 1.0, 0.2)
    for a, b in ((0, 1), (2, 3), (2, 4), (3, 4)):
        similarity[3, a, b] = similarity[3, b, a] = 0.8
    similarity[3, 3, 4] = similarity[3, 4, 3] = 0.95
    tree = grow(NAS_BENCH_201, (2, 2), by_similarity(NAS_BENCH_201, lambda node: similarity))
    assert [node.split.edge for node in tree.nodes[:3]] == [3, 0, 3]
    assert tree.nodes[0].split.groups == ((0, 1), (2, 3, 4))
    assert tree.nodes[2].split.groups == ((2,), (3, 4))


@pytest.mark.parametrize("seed", range(5))
def test_scores_of_closed_operations_are_not_read(seed):
    def poisoned(node: Node) -> np.ndarray:
        similarity = random_similarity(seed, NAS_BENCH_201)
        closed = ~as_mask(node)
        similarity[closed] = np.nan
        similarity.swapaxes(1, 2)[closed] = np.nan
        return similarity

    plain = grow(
        NAS_BENCH_201, (2, 2, 2), by_similarity(NAS_BENCH_201, lambda node: random_similarity(seed, NAS_BENCH_201))
    )
    assert grow(NAS_BENCH_201, (2, 2, 2), by_similarity(NAS_BENCH_201, poisoned)) == plain


def test_equal_edges_are_counted_as_ties_and_the_first_is_split():
    similarity = planted([2])
    similarity[5] = similarity[2]
    split = split_of(NAS_BENCH_201, NAS_BENCH_201.full_mask(), similarity, 2)
    assert (split.edge, split.ties) == (2, 2)
    assert split.margin > 0.1


def test_equal_edges_and_groupings_are_all_counted():
    split = split_of(NAS_BENCH_201, NAS_BENCH_201.full_mask(), np.full((6, 5, 5), 0.5), 2)
    assert (split.edge, split.value, split.margin, split.ties) == (0, 0, 0, 6 * 15)


@pytest.mark.parametrize("groups", [(2,), (2, 2)])
@pytest.mark.parametrize("seed", range(8))
def test_no_leaf_of_the_toy_space_is_without_a_connected_architecture(groups, seed):
    tree = grow(TOY, groups, by_similarity(TOY, lambda node: random_similarity(100 * seed + node.id, TOY)))
    connected = {(1, 1), (1, 2), (2, 1), (2, 2)}
    held = [connected & set(map(tuple, TOY.enumerate(mask).tolist())) for mask in tree.masks()]
    assert len(held) == np.prod(groups) and all(held)


def test_a_grouping_that_leaves_none_alone_is_passed_over():
    # The direct edge of the triangle is closed to all but `none` on its way round: `none` alone would leave no cell.
    similarity = np.full((3, 3, 3), 0.1)
    similarity[:, 1, 2] = similarity[:, 2, 1] = 0.9  # none | skip, conv is best
    assert split_of(TRIANGLE, TRIANGLE.full_mask(), similarity, 2).groups == ((0,), (1, 2))
    bridge = np.array([[1, 1, 1], [1, 0, 0], [0, 0, 1]], bool)
    split = split_of(TRIANGLE, bridge, similarity, 2)
    assert split.groups in (((0, 1), (2,)), ((0, 2), (1,))) and split.joined == (0,)


@pytest.mark.parametrize("groups", [(3,), (2, 2, 2)])
def test_what_cannot_be_split_is_refused(groups):
    with pytest.raises(UserError) as error:
        grow(TOY, groups, by_similarity(TOY, lambda node: random_similarity(node.id, TOY)))
    assert f"{groups[-1]} groups" in str(error.value)
    assert f"than {list(groups)}" in str(error.value)


def test_a_mask_without_a_choice_cannot_be_split():
    mask = NAS_BENCH_201.full_mask()
    mask[:, 1:] = False
    mask[:, 3] = True
    mask[:, 0] = False
    assert split_of(NAS_BENCH_201, mask, planted([0]), 2) is None


def test_every_level_is_trained_once_before_it_is_scored_and_may_be_chosen_anew():
    seen, asked = [], []

    def scored_by(edges: list[int]):
        def similarity(node: Node) -> np.ndarray:
            asked.append(node.id)
            return planted(edges)

        return by_similarity(NAS_BENCH_201, similarity)

    def train_level(tree, level):
        seen.append((level, [leaf.id for leaf in tree.leaves], list(asked)))
        return [scored_by([3]), scored_by([5]), None][level]

    tree = grow(NAS_BENCH_201, (2, 2, 2), scored_by([0]), train_level)
    assert seen == [(0, [0], []), (1, [1, 2], [0]), (2, [3, 4, 5, 6], [0, 1, 2])]
    assert [node.split.edge for node in tree.nodes[:3]] == [3, 5, 5]  # as trained, not as given
    assert asked == list(range(7))


def test_each_level_has_its_own_number_of_groups():
    similarity = planted([])
    for edge, block in ((1, [0, 1, 2, 2, 0]), (4, [0, 1, 0, 1, 1])):
        similarity[edge] = np.where(np.equal.outer(block, block), 0.9, 0.1)
    tree = grow(NAS_BENCH_201, (3, 2), by_similarity(NAS_BENCH_201, lambda node: similarity))
    assert tree.nodes[0].split.groups == ((0, 4), (1,), (2, 3))
    assert [(node.split.edge, node.split.groups) for node in tree.nodes[1:4]] == [(4, ((0, 2), (1, 3, 4)))] * 3


def nonlinear_functions() -> np.ndarray:
    """Most convolutions on a path from input to output that `none` does not cut, of every cell in order."""
    cells = NAS_BENCH_201.enumerate()
    counts = np.zeros(len(cells), int)
    for path in ([3], [0, 4], [1, 5], [0, 2, 5]):  # edges 3<-0; 1<-0, 3<-1; 2<-0, 3<-2; 1<-0, 2<-1, 3<-2
        ops = cells[:, path]
        counts = np.maximum(counts, np.isin(ops, (2, 3)).sum(1) * (ops != 0).all(1))
    return counts


def test_counts_of_nonlinear_functions_partition_the_space_into_the_published_sizes():
    counts = nonlinear_functions()
    members = by_count(NAS_BENCH_201, counts, ((0, 1), (2,), (3,)))
    assert members.dtype == bool and members.shape == (3, 15_625)
    assert (members.sum(0) == 1).all()
    assert members.sum(1).tolist() == [1983 + 7122, 5520, 1000]  # EFS-NAS's own lists, counts 0 and 1 together
    assert [set(counts[row]) for row in members] == [{0, 1}, {2}, {3}]


@pytest.mark.parametrize(
    "groups",
    [((0, 1), (2,)), ((0, 1), (1, 2), (3,)), ((0, 1), (2,), (3,), (4,)), ((0, 1), (2, 3), ()), ()],
    ids=["one is missing", "one is in two", "one does not occur", "one is empty", "none"],
)
def test_groups_that_are_no_partition_of_the_counts_are_refused(groups):
    with pytest.raises(UserError, match=r"each of the counts \[0, 1, 2, 3\] once"):
        by_count(NAS_BENCH_201, nonlinear_functions(), groups)


def test_counts_of_another_space_are_refused():
    with pytest.raises(UserError, match=r"each of the 9 architectures, not of shape \(15625,\)"):
        by_count(TOY, nonlinear_functions(), ((0, 1), (2,), (3,)))
