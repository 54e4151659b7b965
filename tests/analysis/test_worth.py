"""Splits of a file on the data sets they are of, and which of them are the same."""

import numpy as np

from jaxnas.analysis import identical, split_statistics, weigh, worth
from jaxnas.spaces import NAS_BENCH_201, TOY, NamedSplit, membership, read_splits, tree_of

EDGE_0 = np.array([[[1, 0, 0], [1, 1, 1]], [[0, 1, 1], [1, 1, 1]]], bool)
EDGE_1 = EDGE_0[:, ::-1]
TABLE = {"a": np.arange(9.0), "b": np.random.default_rng(0).random(9) * 100}


def named(metric: str, dataset: str | None, masks: np.ndarray) -> NamedSplit:
    return NamedSplit(metric, dataset, masks, tree_of(TOY, masks))


def test_a_split_is_weighed_on_its_data_set_or_on_all() -> None:
    splits = [named("x", "b", EDGE_0), named("x", "c", EDGE_0), named("split_tree", None, EDGE_1)]
    found = weigh(TOY, splits, TABLE)
    assert [(w.metric, w.dataset) for w in found] == [("x", "b"), ("split_tree", "a"), ("split_tree", "b")]
    for of in found:
        assert of.statistics == split_statistics(membership(TOY, of.split.masks), TABLE[of.dataset])
        assert len(of.subs) == 2 and sum(sub.n_architectures for sub in of.subs) == 9
        assert set(of.percentiles) == {"same_edges", "random_edges"}
    assert (found[1].nulls["same_edges"].edges == 1).all()
    assert set(found[1].nulls["random_edges"].edges.ravel().tolist()) == {0, 1}


def test_splits_of_one_shape_share_their_random_trees(monkeypatch) -> None:
    drawn, null = [], worth.null
    monkeypatch.setattr(worth, "null", lambda *args: drawn.append(args[1:4]) or null(*args))
    other = EDGE_0.copy()
    other[:, 0] = [[0, 1, 0], [1, 0, 1]]  # another operation alone: the same shape
    found = weigh(TOY, [named("x", "a", EDGE_0), named("y", "a", other), named("z", "a", EDGE_0[::-1])], TABLE)
    assert len(drawn) == 2 and found[0].nulls is found[1].nulls is found[2].nulls


def test_splits_are_identical_whatever_the_order_of_their_parts() -> None:
    splits = [named("x", "a", EDGE_0), named("y", "a", EDGE_1), named("z", "b", EDGE_0[::-1])]
    groups = identical(weigh(TOY, splits, TABLE))
    assert [[w.metric for w in group] for group in groups] == [["x", "z"], ["y"]]


def test_of_the_published_splits_fourteen_are_different(data_folder, monkeypatch) -> None:
    monkeypatch.setattr(worth, "null", lambda *args: None)
    monkeypatch.setattr(worth, "percentiles", lambda *args: None)
    splits = read_splits(NAS_BENCH_201, data_folder / "published_splits.json")
    table = {name: np.arange(15_625.0) for name in ("cifar10", "cifar100", "imagenet16-120")}
    found = weigh(NAS_BENCH_201, splits, table)
    groups = identical([of for of in found if not of.metric.startswith("random")])
    assert sum(map(len, groups)) == 27 and len(groups) == 14
    largest = {(of.metric, of.dataset) for of in max(groups, key=len)}
    assert ("snip", "cifar10") in largest and ("gn", "cifar100") in largest and len(largest) == 5
    assert len(identical(found)) == 17
