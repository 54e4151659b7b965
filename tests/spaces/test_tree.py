"""Split trees: leaves partition the space, JSON reads back exactly, and tampered JSON is refused."""

import json
from functools import cache

import numpy as np
import pytest

from jaxnas.spaces import NAS_BENCH_201, TOY
from jaxnas.spaces.tree import Node, SplitTree, as_mask, as_tuple, child_masks, mask_size, root
from jaxnas.splitting import by_similarity, grow
from jaxnas.types import UserError

TREES = [(groups, seed) for groups in ((2, 2, 2), (3, 2), (5,)) for seed in range(5)]


@cache
def grown(groups: tuple[int, ...], seed: int) -> SplitTree:
    def similarity(node: Node) -> np.ndarray:
        noise = np.random.default_rng([seed, node.id]).normal(size=(6, 5, 5))
        return noise + noise.swapaxes(1, 2)

    return grow(NAS_BENCH_201, groups, by_similarity(NAS_BENCH_201, similarity))


@cache
def planted() -> SplitTree:
    """Node 0 splits edge 1, its children edges 4 and 5, all into operations 0, 2, 4 and 1, 3."""

    def similarity(node: Node) -> np.ndarray:
        scores = np.full((6, 5, 5), 0.5)
        block = np.array([0, 1, 0, 1, 0])
        scores[[1, 4, 5][node.id]] = block[:, None] == block[None, :]
        return scores

    return grow(NAS_BENCH_201, (2, 2), by_similarity(NAS_BENCH_201, similarity))


def box(mask: np.ndarray) -> tuple[np.ndarray, ...]:
    """The architectures of a mask as an index into an array [O, ...] of one axis for each edge."""
    return np.ix_(*[np.flatnonzero(row) for row in mask])


def as_json(tree: SplitTree) -> dict:
    return json.loads(json.dumps(tree.to_json()))


@pytest.mark.parametrize(("groups", "seed"), TREES)
def test_every_architecture_lies_in_exactly_one_leaf_and_is_routed_there(groups, seed):
    tree = grown(groups, seed)
    visits, leaf = np.zeros((5,) * 6, int), np.zeros((5,) * 6, int)
    for k, mask in enumerate(tree.masks()):
        visits[box(mask)] += 1
        leaf[box(mask)] = k
    assert (visits == 1).all()
    np.testing.assert_array_equal(tree.route(NAS_BENCH_201.enumerate()), leaf.ravel())


@pytest.mark.parametrize(("groups", "seed"), TREES)
def test_there_are_as_many_leaves_as_groups_give_and_their_sizes_add_up(groups, seed):
    tree = grown(groups, seed)
    assert len(tree.leaves) == np.prod(groups)
    assert sum(mask_size(mask) for mask in tree.masks()) == 15_625
    assert sum(node["architectures"] for node in as_json(tree)["nodes"] if "split" not in node) == 15_625


@pytest.mark.parametrize(("groups", "seed"), TREES)
def test_every_leaf_holds_a_connected_architecture(groups, seed):
    connected = NAS_BENCH_201.connected(NAS_BENCH_201.enumerate()).reshape((5,) * 6)
    assert all(connected[box(mask)].any() for mask in grown(groups, seed).masks())


@pytest.mark.parametrize(("groups", "seed"), TREES)
def test_json_reads_back_to_an_equal_tree(groups, seed):
    tree = grown(groups, seed)
    again = SplitTree.from_json(NAS_BENCH_201, as_json(tree))
    assert again == tree
    assert hash(again) == hash(tree)
    assert again != grown((2, 3), seed)


def test_nodes_are_numbered_breadth_first_with_children_in_the_order_of_their_groups():
    tree = grown((2, 2, 2), 0)
    assert [node.id for node in tree.nodes] == list(range(15))
    assert [node.parent for node in tree.nodes] == [None, *(i // 2 for i in range(14))]
    for node in tree.nodes[:7]:
        rows = [as_mask(child)[node.split.edge] for child in tree.children(node)]
        assert tuple(tuple(np.flatnonzero(row).tolist()) for row in rows) == node.split.groups


def test_siblings_may_split_different_edges():
    tree = planted()
    assert {node.id: node.split.edge for node in tree.nodes if node.split} == {0: 1, 1: 4, 2: 5}
    assert [node.split.groups for node in tree.nodes[:3]] == [((0, 2, 4), (1, 3))] * 3


def test_the_json_names_operations_and_edges_beside_their_numbers():
    data = as_json(grown((2, 2, 2), 0))
    assert data["ops"] == list(NAS_BENCH_201.ops)
    assert data["edges"] == ["1<-0", "2<-0", "2<-1", "3<-0", "3<-1", "3<-2"]
    split = data["nodes"][0]["split"]
    assert split["edge_name"] == data["edges"][split["edge"]]
    assert split["group_names"] == [[data["ops"][o] for o in group] for group in split["groups"]]


def test_child_masks_leave_the_other_edges_and_the_parent_alone():
    mask = TOY.full_mask()
    first, second = child_masks(mask, 1, ((0, 2), (1,)))
    assert first.tolist() == [[True] * 3, [True, False, True]]
    assert second.tolist() == [[True] * 3, [False, True, False]]
    assert mask.all()


def flip_on_the_split_edge(data: dict) -> None:
    split = data["nodes"][0]["split"]
    data["nodes"][1]["mask"][split["edge"]][split["groups"][1][0]] = 1


def close_on_another_edge(data: dict) -> None:
    data["nodes"][1]["mask"][0][0] = 0


def drop_the_last_child(data: dict) -> None:
    data["nodes"].pop()


def move_an_operation(data: dict) -> None:
    data["nodes"][0]["split"]["groups"] = [[0, 2], [1, 3, 4]]


def swap_the_children(data: dict) -> None:
    data["nodes"][1]["mask"], data["nodes"][2]["mask"] = data["nodes"][2]["mask"], data["nodes"][1]["mask"]


def empty_a_row(data: dict) -> None:
    data["nodes"][-1]["mask"][0] = [0] * 5


def rename_the_space(data: dict) -> None:
    data["space"] = "toy"


def reorder_the_operations(data: dict) -> None:
    data["ops"].reverse()


def reorder_the_edges(data: dict) -> None:
    data["edges"].reverse()


def turn_a_split_node_into_a_leaf(data: dict) -> None:
    del data["nodes"][1]["split"]


def close_an_operation_everywhere(data: dict) -> None:
    for node in data["nodes"]:
        node["mask"][0][0] = 0


@pytest.mark.parametrize(
    "tamper",
    [
        flip_on_the_split_edge,
        close_on_another_edge,
        drop_the_last_child,
        move_an_operation,
        swap_the_children,
        empty_a_row,
        rename_the_space,
        reorder_the_operations,
        reorder_the_edges,
        turn_a_split_node_into_a_leaf,
        close_an_operation_everywhere,
    ],
    ids=lambda tamper: tamper.__name__,
)
def test_tampered_json_is_refused(tamper):
    data = as_json(planted())
    assert SplitTree.from_json(NAS_BENCH_201, data) == planted()
    tamper(data)
    with pytest.raises(UserError):
        SplitTree.from_json(NAS_BENCH_201, data)


def test_a_tree_of_another_space_is_refused_by_name():
    with pytest.raises(UserError, match=r"'nas-bench-201'.*not of 'toy'"):
        SplitTree.from_json(TOY, as_json(grown((5,), 0)))


def test_a_tree_of_one_leaf_routes_everything_to_it():
    tree = SplitTree(TOY, (root(TOY),))
    assert tree.leaves == (Node(0, None, as_tuple(np.ones((2, 3), bool)), None),)
    assert tree.route(TOY.enumerate()).tolist() == [0] * 9
