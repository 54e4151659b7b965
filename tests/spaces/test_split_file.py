"""Files of splits: what is read, and every way in which a file is refused."""

import json
from pathlib import Path

import numpy as np
import pytest

from jaxnas.spaces import NAS_BENCH_201, TOY, membership, read_splits, tree_of
from jaxnas.spaces.tree import SplitTree
from jaxnas.types import UserError

RUN = Path(__file__).parent.parent.parent / "docs" / "results" / "cifar10-small" / "seed-0" / "split_tree.json"
HALVES = [[[1, 1, 1], [1, 0, 0]], [[1, 1, 1], [0, 1, 1]]]  # edge 1 of the toy space: none against the rest
QUARTERS = [
    [[1, 0, 0], [1, 1, 0]],
    [[1, 0, 0], [0, 0, 1]],
    [[0, 1, 1], [0, 1, 0]],
    [[0, 1, 1], [1, 0, 1]],
]
PINWHEEL = [  # boxes of the 3 x 3 cells that no straight cut separates
    [[1, 0, 0], [1, 1, 0]],
    [[1, 1, 0], [0, 0, 1]],
    [[0, 0, 1], [0, 1, 1]],
    [[0, 1, 1], [1, 0, 0]],
    [[0, 1, 0], [0, 1, 0]],
]


def write(folder: Path, value: object) -> Path:
    path = folder / "splits.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def published(masks: object, metric: str = "gm", dataset: str = "CIFAR10") -> dict:
    return {"notes": {"source": "a test"}, "splits": {metric: {dataset: masks}}}


def tree(**changed: object) -> dict:
    masks = np.array(HALVES, bool)
    return {**tree_of(TOY, masks).to_json(), **changed}


@pytest.mark.parametrize("masks", [HALVES, QUARTERS, [[[1, 1, 1], [1, 1, 1]]]], ids=["2", "4", "1"])
def test_masks_are_read_in_the_order_of_the_file_with_a_tree_that_gives_them(tmp_path, masks) -> None:
    (split,) = read_splits(TOY, write(tmp_path, published(masks[::-1])))
    assert (split.metric, split.dataset) == ("gm", "cifar10")
    assert split.masks.astype(int).tolist() == masks[::-1]
    assert sorted(split.tree.masks().astype(int).tolist()) == sorted(masks)


def test_membership_is_that_of_every_cell_looked_at_alone() -> None:
    found = membership(TOY, np.array(QUARTERS, bool))
    for k, mask in enumerate(QUARTERS):
        for n, (a, b) in enumerate(TOY.enumerate().tolist()):
            assert found[k, n] == (mask[0][a] and mask[1][b])


def test_the_split_tree_of_a_run_is_read_as_it_is() -> None:
    (split,) = read_splits(NAS_BENCH_201, RUN)
    tree = SplitTree.from_json(NAS_BENCH_201, json.loads(RUN.read_text()))
    assert (split.metric, split.dataset, split.tree) == ("split_tree", None, tree)
    assert (split.masks == tree.masks()).all()
    # Masks alone lead to a tree of the same leaves.
    again = tree_of(NAS_BENCH_201, split.masks).masks()
    assert sorted(map(bytes, again)) == sorted(map(bytes, split.masks))


def test_the_files_of_a_folder_are_splits_of_their_names(tmp_path) -> None:
    (tmp_path / "snip-0.json").write_text(json.dumps(tree()))
    (tmp_path / "gm.json").write_text(json.dumps(published(QUARTERS, metric="mine")))
    (tmp_path / "notes.txt").write_text("not read")
    found = read_splits(TOY, tmp_path)
    assert [(split.metric, split.dataset) for split in found] == [("gm", "cifar10"), ("snip-0", None)]
    assert [split.masks.astype(int).tolist() for split in found] == [QUARTERS, HALVES]
    (tmp_path / "gm.json").write_text(json.dumps({"splits": {name: {"a": HALVES} for name in ("x", "y")}}))
    with pytest.raises(UserError, match=r"gm\.json holds 2 splits; in a folder of splits each file must hold one"):
        read_splits(TOY, tmp_path)
    (tmp_path / "gm.json").unlink()
    (tmp_path / "gm.json").mkdir()
    with pytest.raises(UserError, match=r"cannot read .*gm\.json: Is a directory"):
        read_splits(TOY, tmp_path)
    (tmp_path / "gm.json").rename(tmp_path / ("x" * 81 + ".json"))
    with pytest.raises(UserError, match="1 to 1000 files of splits with short names"):
        read_splits(TOY, tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="it has 0"):
        read_splits(TOY, tmp_path / "empty")


def test_of_edges_that_could_be_split_first_the_lowest_is() -> None:
    product = np.array([[a, b] for a in HALVES[0][1:] + HALVES[1][1:] for b in HALVES[0][1:] + HALVES[1][1:]], bool)
    tree = tree_of(TOY, product)
    assert [node.split.edge for node in tree.nodes if node.split] == [0, 1, 1]
    assert (tree.masks() == product).all()


def test_the_published_splits_are_read_whole(data_folder) -> None:
    splits = read_splits(NAS_BENCH_201, data_folder / "published_splits.json")
    assert len(splits) == 36 and {split.dataset for split in splits} == {"cifar10", "cifar100", "imagenet16-120"}
    for split in splits:
        edges = [node.split.edge for node in split.tree.nodes if node.split]
        assert edges == [0, 1, 1, 2, 2, 2, 2]
        assert (split.tree.masks() == split.masks).all()  # the file numbers them in the order of the tree


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ('{"splits": {"gm": ', "is damaged, or no JSON"),
        ("[" * 100_000, "is damaged, or no JSON"),
        ("\xff", "is damaged, or no JSON"),
        ("[1, 2]", "must hold a JSON object, not a list"),
        ({"masks": []}, "must hold 'splits' by metric and data set"),
        ({"splits": {"gm": [1]}}, "must hold 'splits' by metric and data set"),
        ({"splits": {"gm": {}}}, "at least one split"),
        ({"splits": {"gm": {"A": HALVES, "a": HALVES}}}, "one of a metric on each data set"),
        (published(HALVES, metric="\ud800"), "are no names"),
        (published(HALVES, dataset="x" * 81), "are no names"),
        (published([HALVES[0]]), "'CIFAR10': is no partition; of 9 architectures 6 are in none and 0 in several"),
        (published([*HALVES, HALVES[0]]), "0 are in none and 3 in several"),
        (
            published([*HALVES, [[1, 1, 1], [0, 0, 0]]]),
            "every edge needs an open operation; the mask has none on ['2<-1']",
        ),
        (
            published(np.ones((8, 6, 5), int).tolist()),
            "shape [K, 2, 3] (K up to 1000, edges, operations of toy), not (8, 6, 5)",
        ),
        (published(np.ones((1001, 2, 3), int).tolist()), "not (1001, 2, 3)"),
        (published([]), "not (0,)"),
        (published([[[1, 1, 1], [1, 1]]]), "as many rows and columns in each"),
        (published([[[2, 1, 1], [1, 1, 1]]]), "must be of 0 and 1"),
        (published([[[0.5, 1, 1], [1, 1, 1]]]), "must be of 0 and 1"),
        (published([[["1", "1", "1"], ["1", "1", "1"]]]), "must be of 0 and 1"),
        (published([[[1e999, 1, 1], [1, 1, 1]]]), "must be of 0 and 1"),
        (published([[[10**400, 1, 1], [1, 1, 1]]]), "must be of 0 and 1"),
        (published(PINWHEEL), "no splitting of one edge after the other gives sub-supernets [0, 1, 2, 3, 4]"),
        (tree(space="darts"), "is of space 'darts'"),
        (tree(nodes=[]), "must have 1 to 2000 nodes"),
        (tree(nodes=7), "must have 1 to 2000 nodes"),
        (tree(nodes=[7]), "is damaged: TypeError"),
        (tree(nodes=[{"id": 0}]), "is damaged: KeyError"),
        (tree(nodes=tree()["nodes"][:2]), "do not partition"),
        (tree(nodes=[*tree()["nodes"], {**tree()["nodes"][2], "id": 3, "parent": 2}]), "has children but no split"),
        (tree(nodes=[*tree()["nodes"], {**tree()["nodes"][2], "id": 3, "parent": None}]), "numbered from 0"),
        (
            tree(nodes=[{**node, "id": node["id"] * 2, "parent": node["parent"]} for node in tree()["nodes"]]),
            "numbered from 0",
        ),
    ],
)
def test_a_file_that_is_no_splits_is_told_in_one_sentence(tmp_path, value, words) -> None:
    path = write(tmp_path, value)
    with pytest.raises(UserError) as error:
        read_splits(TOY, path)
    said = str(error.value)
    assert words in said and str(path) in said and "\n" not in said and len(said) < 700


def test_a_file_that_is_not_there_or_too_large_is_told(tmp_path) -> None:
    with pytest.raises(UserError, match=r"cannot read .*none\.json: No such file"):
        read_splits(TOY, tmp_path / "none.json")
    with pytest.raises(UserError, match="has more than 4 MiB"):
        read_splits(TOY, write(tmp_path, " " * (4 << 20) + "{}"))
