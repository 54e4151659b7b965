"""Search spaces: order, the architecture string, connectedness, enumeration, and the benchmark's own numbering."""

import csv
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnas.nets.cells import PLAIN
from jaxnas.spaces import NAS_BENCH_201, SPACES, TOY, Architecture, SearchSpace, operations
from jaxnas.spaces.nas_bench_201 import benchmark_order
from jaxnas.types import UserError

BY_HAND = {
    "|none~0|+|skip_connect~0|nor_conv_1x1~1|+|nor_conv_3x3~0|avg_pool_3x3~1|none~2|": (0, 1, 2, 3, 4, 0),
    "|skip_connect~0|+|nor_conv_1x1~0|nor_conv_3x3~1|+|avg_pool_3x3~0|none~1|none~2|": (1, 2, 3, 4, 0, 0),
}
GOOD = next(iter(BY_HAND))


def joined(op_ids: np.ndarray) -> np.ndarray:
    """Whether one of the four routes of a NAS-Bench-201 cell from input to output is open; op_ids [A, 6]."""
    e0, e1, e2, e3, e4, e5 = (op_ids != 0).T
    return e3 | (e1 & e5) | (e0 & e4) | (e0 & e2 & e5)


def some_masks(seed: int, count: int) -> np.ndarray:
    """Random masks [count, 6, 5] with no empty row, about half of the rows closed to everything but none."""
    rng = np.random.default_rng(seed)
    masks = rng.random((count, 6, 5)) < 0.3
    masks[rng.random((count, 6)) < 0.5] = False
    masks[..., 0] |= ~masks.any(-1)
    return masks


def test_the_order_of_operations_and_edges_is_pinned():
    assert NAS_BENCH_201.ops == ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
    assert [NAS_BENCH_201.edge_name(e) for e in range(6)] == ["1<-0", "2<-0", "2<-1", "3<-0", "3<-1", "3<-2"]
    assert (NAS_BENCH_201.nodes, NAS_BENCH_201.shape, NAS_BENCH_201.size) == (4, (6, 5), 15_625)
    assert (TOY.nodes, TOY.shape, TOY.size) == (3, (2, 3), 9)
    assert SPACES == {"nas-bench-201": NAS_BENCH_201, "toy": TOY}


@pytest.mark.parametrize("text", BY_HAND)
def test_a_string_written_by_hand_gives_ids_written_by_hand(text):
    assert NAS_BENCH_201.decode(text).op_ids == BY_HAND[text]
    assert NAS_BENCH_201.encode(Architecture(BY_HAND[text])) == text


def test_decode_inverts_encode_for_every_architecture():
    texts = set()
    for op_ids in map(tuple, NAS_BENCH_201.enumerate().tolist()):
        text = NAS_BENCH_201.encode(Architecture(op_ids))
        assert NAS_BENCH_201.decode(text).op_ids == op_ids
        texts.add(text)
    assert len(texts) == 15_625


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (GOOD.replace("nor_conv_3x3", "nor_conv_7x7"), ["'nor_conv_7x7~0'", *NAS_BENCH_201.ops]),
        (GOOD.replace("avg_pool_3x3~1", "avg_pool_3x3~one"), ["'avg_pool_3x3~one'", "OP~SOURCE"]),
        (GOOD.replace("|none~2|", "|none~3|"), ["'3<-0', '3<-1', '3<-3']", "'3<-2'"]),
        (GOOD.replace("|none~2|", "|"), ["'3<-0', '3<-1']", "'3<-2'"]),
        (GOOD + "+|none~0|", ["'4<-0'", "nas-bench-201"]),
        ("|skip_connect~0|+|skip_connect~1|", ["'2<-1'", "'3<-0'"]),
        ("", ["''", "OP~SOURCE"]),
    ],
)
def test_decode_names_what_was_given_and_what_is_allowed(text, named):
    with pytest.raises(UserError) as error:
        NAS_BENCH_201.decode(text)
    assert all(part in str(error.value) for part in [repr(text), *named]), str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        GOOD.replace("|none~0|+", "|none~0|skip_connect~0|+"),
        GOOD.replace("|none~0|+", "none~0+"),
        GOOD.replace("none~2", "none~²"),
    ],
    ids=["an edge twice", "bars missing", "superscript digit"],
)
def test_decode_refuses_another_form(text):
    with pytest.raises(UserError):
        NAS_BENCH_201.decode(text)


@pytest.mark.parametrize("op_ids", [(0, 1, 2, 3, 4), (0, 1, 2, 3, 4, 5), (0, 1, 2, 3, 4, -1), (0,) * 7])
def test_encode_names_what_was_given_and_what_is_allowed(op_ids):
    with pytest.raises(UserError) as error:
        NAS_BENCH_201.encode(Architecture(op_ids))
    assert f"6 operation ids below 5, not {op_ids}" in str(error.value)


def test_connected_follows_the_four_routes_for_every_architecture():
    op_ids = NAS_BENCH_201.enumerate()
    connected = NAS_BENCH_201.connected(op_ids)
    np.testing.assert_array_equal(connected, joined(op_ids))
    assert connected.sum() == 15_284


def test_four_architectures_of_the_toy_space_are_connected():
    op_ids = TOY.enumerate()
    connected = op_ids[TOY.connected(op_ids)].tolist()
    assert connected == TOY.enumerate_connected().tolist() == [[1, 1], [1, 2], [2, 1], [2, 2]]


def test_connected_architectures_of_a_mask_are_drawn_alike_and_each_once():
    mask = np.array([[1, 1, 1], [1, 0, 1]], bool)  # (1, 2) and (2, 2) are connected
    counts = {(1, 2): 0, (2, 2): 0}
    for seed in range(400):
        (drawn,) = TOY.draw_connected(np.random.default_rng(seed), 1, mask).tolist()
        counts[tuple(drawn)] += 1
    assert 160 < counts[1, 2] < 240  # 4 deviations
    for count in (2, 9):
        drawn = TOY.draw_connected(np.random.default_rng(0), count, mask).tolist()
        assert sorted(drawn) == [[1, 2], [2, 2]]
    cut = np.array([[1, 0, 0], [1, 1, 1]], bool)
    assert TOY.draw_connected(np.random.default_rng(0), 3, cut).shape == (0, 2)


@pytest.mark.parametrize("space", [NAS_BENCH_201, TOY], ids=lambda space: space.name)
def test_connected_is_the_same_inside_jit(space):
    op_ids = space.enumerate()
    traced = jax.jit(space.connected)(jnp.asarray(op_ids))
    np.testing.assert_array_equal(traced, space.connected(op_ids))
    assert bool(jax.jit(space.connected)(jnp.asarray(op_ids[-1])))


def test_a_mask_is_viable_if_it_holds_a_connected_architecture():
    masks = some_masks(seed=0, count=200)
    expected = [bool(joined(NAS_BENCH_201.enumerate(mask)).any()) for mask in masks]
    assert 40 < sum(expected) < 160
    assert [bool(NAS_BENCH_201.viable(mask)) for mask in masks] == expected
    np.testing.assert_array_equal(NAS_BENCH_201.viable(masks), expected)


def test_enumerate_lists_a_mask_with_the_last_edge_fastest():
    op_ids = NAS_BENCH_201.enumerate()
    np.testing.assert_array_equal(op_ids, np.stack(np.unravel_index(np.arange(15_625), (5,) * 6), 1))
    assert op_ids.dtype == np.int32
    mask = np.array([[True, False, True], [False, True, True]])
    assert TOY.enumerate(mask).tolist() == [[0, 1], [0, 2], [2, 1], [2, 2]]


def test_enumerate_is_read_only():
    for table in (TOY.enumerate(), TOY.enumerate(TOY.full_mask()), benchmark_order()):
        with pytest.raises(ValueError, match="read-only"):
            table[0, 0] = 1


def test_check_mask_returns_a_bool_mask():
    mask = NAS_BENCH_201.check_mask(np.eye(6, 5) + np.eye(6, 5, -5))
    assert mask.dtype == bool
    assert mask.tolist() == [[o == e % 5 for o in range(5)] for e in range(6)]


def test_check_mask_names_the_edges_that_are_empty():
    mask = NAS_BENCH_201.full_mask()
    mask[[2, 5]] = False
    for refuse in (NAS_BENCH_201.check_mask, NAS_BENCH_201.enumerate):
        with pytest.raises(UserError, match=r"none on \['2<-1', '3<-2'\]"):
            refuse(mask)


def test_check_mask_names_both_shapes():
    with pytest.raises(UserError, match=r"nas-bench-201 has shape \(6, 5\).*not \(2, 3\)"):
        NAS_BENCH_201.check_mask(TOY.full_mask())


@pytest.mark.parametrize(
    ("index", "text"),
    [
        (0, "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|"),
        (9, "|avg_pool_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|nor_conv_3x3~2|"),
    ],
)
def test_the_benchmark_numbers_its_cells_as_published(index, text):
    assert NAS_BENCH_201.encode(Architecture(tuple(benchmark_order()[index].tolist()))) == text


def test_the_benchmark_numbers_every_cell_once():
    cells = sorted(map(tuple, benchmark_order().tolist()))
    assert cells == list(itertools.product(range(5), repeat=6))


def test_the_benchmark_order_is_that_of_the_published_table(data_folder):
    with open(data_folder / "nats_bench_tss_200epochs.csv", newline="", encoding="utf-8") as handle:
        published = {int(row["index"]): row["architecture"] for row in csv.DictReader(handle)}
    ours = [NAS_BENCH_201.encode(Architecture(op_ids)) for op_ids in map(tuple, benchmark_order().tolist())]
    assert dict(enumerate(ours)) == published


PATHS = ([3], [0, 4], [1, 5], [0, 2, 5])  # edges 3<-0; 1<-0, 3<-1; 2<-0, 3<-2; 1<-0, 2<-1, 3<-2


def live_paths(op_ids: np.ndarray) -> np.ndarray:
    """Which paths from input to output hold no `none`, bool [A, P]."""
    return np.stack([(op_ids[:, path] != 0).all(1) for path in PATHS], 1)


@pytest.mark.parametrize("seed", range(12))
def test_what_can_be_compared_is_what_some_background_of_the_mask_connects(seed) -> None:
    rng = np.random.default_rng(seed)
    mask = rng.random((6, 5)) < rng.uniform(0.25, 0.7)
    mask[np.arange(6), rng.integers(5, size=6)] = True
    found = NAS_BENCH_201.comparable(mask)
    for edge in range(6):
        opened = mask.copy()
        opened[edge] = [False, False, False, True, False]
        others = live_paths(NAS_BENCH_201.enumerate(opened))  # with a convolution on the edge
        through = np.array([edge in path for path in PATHS])
        between, around = (others & through).any(1), (others & ~through).any(1)
        expected = mask[edge] & between.any()
        expected[0] = mask[edge, 0] and (between & around).any()
        assert found[edge].tolist() == expected.tolist()
        joined = NAS_BENCH_201.joins(NAS_BENCH_201.enumerate(opened) != 0)[:, edge]
        assert (joined == between).all()


def test_of_the_whole_space_all_can_be_compared_and_of_a_chain_all_but_none() -> None:
    assert NAS_BENCH_201.comparable(NAS_BENCH_201.full_mask()).all()
    assert TOY.comparable(TOY.full_mask()).tolist() == [[False, True, True]] * 2


OPS, CHAIN = TOY.ops, TOY.edges


@pytest.mark.parametrize(
    ("ops", "edges", "told"),
    [
        (
            ("none", "skip_conect"),
            CHAIN,
            r"has unknown operations \['skip_conect'\]; allowed: \['none', 'avg_pool_3x3', ",
        ),
        (("none", "max_pool_3x3", "nor_conv_9x9"), CHAIN, r"unknown operations \['max_pool_3x3', 'nor_conv_9x9'\]"),
        (("skip_connect", "nor_conv_3x3"), CHAIN, "must be distinct, 'none' one of them"),
        (("none", "skip_connect", "skip_connect"), CHAIN, "must be distinct"),
        ((), CHAIN, "must be a tuple of names"),
        (["none", "skip_connect"], CHAIN, "must be a tuple of names"),
        (("none", 3), CHAIN, "must be a tuple of names"),
        ("none", CHAIN, "must be a tuple of names"),
        (OPS, (), r"must be a tuple of \(target, source\)"),
        (OPS, None, r"must be a tuple of \(target, source\)"),
        (OPS, ((1, 0, 2),), r"must be a tuple of \(target, source\)"),
        (OPS, ((1.0, 0.0),), r"must be a tuple of \(target, source\)"),
        (OPS, (("1", "0"),), r"must be a tuple of \(target, source\)"),
        (OPS, ((True, False),), r"must be a tuple of \(target, source\)"),
        (OPS, ((1, -1),), r"must be a tuple of \(target, source\)"),
        (OPS, ((0, 1),), "target above source"),
        (OPS, ((1, 0), (1, 0)), "must be distinct"),
        (OPS, ((2, 0), (1, 0)), "ascending"),
        (OPS, ((1, 0), (3, 0)), "node 2 of mine is reached by no edge"),
        (OPS, ((1, 0), (3, 2)), "node 2 of mine is reached by no edge"),
        (OPS, ((10**12, 0),), "node 1 of mine is reached by no edge"),
    ],
)
def test_a_space_that_cannot_be_is_refused_when_it_is_built(ops, edges, told):
    with pytest.raises(UserError, match=told) as caught:
        SearchSpace("mine", ops, edges)
    assert "mine" in str(caught.value)


def test_an_operation_of_a_plugin_can_be_chosen_once_it_has_a_name(monkeypatch):
    monkeypatch.setattr(operations, "WEIGHTLESS", {*operations.WEIGHTLESS, "max_pool_3x3"})
    assert SearchSpace("mine", ("none", "max_pool_3x3"), CHAIN).shape == (2, 2)


def test_a_description_may_name_operations_that_are_not_here():
    space = SearchSpace("theirs", ("none", "max_pool_3x3"), CHAIN, described=True)
    assert space == SearchSpace("theirs", ("none", "max_pool_3x3"), CHAIN, described=True)
    with pytest.raises(UserError, match="must be distinct"):
        SearchSpace("theirs", ("none", "none"), CHAIN, described=True)


def test_every_operation_without_weights_has_a_function():
    assert set(PLAIN) == operations.WEIGHTLESS
