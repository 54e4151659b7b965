"""Which edge is split, and what is done about ties: every rule and policy by its own small example."""

import json
from collections import Counter

import numpy as np
import pytest

from jaxnas.config import SplitConfig
from jaxnas.spaces import NAS_BENCH_201, TOY
from jaxnas.spaces.tree import SplitTree, as_mask
from jaxnas.splitting import (
    EDGE_RULES,
    OBJECTIVES,
    SPLIT_PRESETS,
    TIES,
    by_similarity,
    check_settings,
    grow,
    scored_edges,
)
from jaxnas.splitting.choose import choose_split
from jaxnas.splitting.edges import LOOKS, Candidate
from jaxnas.splitting.partition import Partition
from jaxnas.types import UserError
from tests.splitting.test_growing import planted, random_similarity

FULL = NAS_BENCH_201.full_mask()


def split_of(similarity: np.ndarray, mask: np.ndarray = FULL, seed: int = 0, **settings):
    rng = np.random.default_rng(seed)
    return choose_split(NAS_BENCH_201, mask, similarity, 2, SplitConfig(**settings), rng)


def levels() -> np.ndarray:
    """Every edge in the same blocks 01 | 234, on levels that differ: [6, 5, 5]."""
    block = np.array([0, 0, 1, 1, 1])
    same = block[:, None] == block
    crossing, inside = [0.3, 0.1, 0.5, 0.2, 0.4, 0.35], [0.4, 0.5, 0.95, 0.6, 0.7, 0.65]
    return np.stack([np.where(same, high, low) for low, high in zip(crossing, inside, strict=True)])


@pytest.mark.parametrize("edges", EDGE_RULES)
@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("ties", TIES)
def test_every_choice_of_rules_grows_a_tree_that_survives_json(edges, objective, ties) -> None:
    settings = SplitConfig(groups=(2, 2), objective=objective, edges=edges, ties=ties, order=(4, 2), min_size=2)
    rng = np.random.default_rng(0)
    choose = by_similarity(
        NAS_BENCH_201, lambda node: np.tanh(random_similarity(node.id, NAS_BENCH_201)), settings, rng
    )
    tree = grow(NAS_BENCH_201, settings.groups, choose)
    assert len(tree.leaves) == 4
    assert all(len(group) >= 2 for node in tree.nodes if node.split for group in node.split.groups)
    assert SplitTree.from_json(NAS_BENCH_201, tree.to_json()) == tree


def test_the_best_edge_is_the_one_of_the_smallest_objective() -> None:
    # Means between minus within: -0.1, -0.4, -0.45, -0.4, -0.3, -0.3.
    assert split_of(levels()).edge == 2
    assert split_of(levels(), edges="best", objective="cross_sum", min_size=2).edge == 1  # 6 pairs of 0.1


def test_gm_nas_splits_where_the_cut_is_cheapest_and_the_released_mincut_where_it_is_dearest() -> None:
    balanced = {"objective": "cross_sum", "min_size": 2}
    assert split_of(levels(), edges="cheapest_cut", **balanced).edge == 1
    assert split_of(levels(), edges="cheapest_cut_inverted", **balanced).edge == 2
    assert split_of(levels(), edges="cheapest_cut", **balanced).groups == ((0, 1), (2, 3, 4))


@pytest.mark.parametrize(("rule", "second"), [("cheapest_cut", 3), ("cheapest_cut_inverted", 4)])
def test_the_rules_of_the_literature_split_an_edge_once_on_a_path(rule, second) -> None:
    mask = FULL.copy()
    mask[[1, 2], 0] = False  # 4 operations are left on these
    assert split_of(levels(), mask, edges=rule, objective="cross_sum", min_size=2).edge == second
    assert split_of(levels(), mask).edge == 2


def test_fixed_edges_come_one_a_level_in_their_order() -> None:
    settings = SplitConfig(edges="fixed", order=(5, 0, 3))
    choose = by_similarity(NAS_BENCH_201, lambda node: random_similarity(node.id, NAS_BENCH_201), settings)
    tree = grow(NAS_BENCH_201, (2, 2, 2), choose)
    assert [node.split.edge for node in tree.nodes[:7]] == [5, 0, 0, 3, 3, 3, 3]


def test_a_fixed_edge_that_cannot_be_split_is_not_passed_over() -> None:
    mask = TOY.full_mask()
    settings = SplitConfig(groups=(2,), edges="fixed", order=(0, 1))
    mask[0] = [True, True, False]  # still two operations, but no longer whole: edge 1 is next
    for changed, edge in ((TOY.full_mask(), 0), (mask, 1)):
        found = choose_split(TOY, changed, random_similarity(0, TOY), 2, settings, np.random.default_rng(0))
        assert found.edge == edge
    mask[1] = [True, False, True]
    assert choose_split(TOY, mask, random_similarity(0, TOY), 2, settings, np.random.default_rng(0)) is None


@pytest.mark.parametrize("edges", EDGE_RULES)
def test_edges_that_a_rule_does_not_look_at_are_not_read(edges) -> None:
    settings = SplitConfig(groups=(2, 2), edges=edges, order=(4, 2))

    def similarity(node, unread: float):
        values = random_similarity(node.id, NAS_BENCH_201)
        scored = scored_edges(NAS_BENCH_201, settings, as_mask(node))
        return np.stack([edge if e in scored else np.full((5, 5), unread) for e, edge in enumerate(values)])

    poisoned, plain, whole = (
        grow(NAS_BENCH_201, (2, 2), by_similarity(NAS_BENCH_201, scores, settings, np.random.default_rng(0)))
        for scores in (
            lambda node: similarity(node, np.nan),
            lambda node: similarity(node, -9.0),
            lambda node: random_similarity(node.id, NAS_BENCH_201),
        )
    )
    assert poisoned == plain == whole
    assert len(scored_edges(NAS_BENCH_201, settings, FULL)) == (1 if edges == "fixed" else 6) and set(LOOKS) <= set(
        EDGE_RULES
    )


def test_random_edges_are_drawn_uniformly_and_grouped_by_the_objective() -> None:
    partition = Partition(((0, 1), (2, 3, 4)), 0.0, 1.0, (((0, 1), (2, 3, 4)),))
    candidates = [Candidate(edge, partition, 0.0) for edge in range(6)]
    rule = EDGE_RULES["random"](SplitConfig(), np.random.default_rng(0))
    left = [rule(FULL, candidates) for _ in range(600)]
    assert {len(of) for of in left} == {1}
    drawn = np.bincount([of[0].edge for of in left], minlength=6)
    assert ((drawn - 100) ** 2 / 100).sum() < 20.5  # chi-squared of 5 degrees, its 99.9 % point
    found = [split_of(levels(), seed=seed, edges="random") for seed in range(8)]
    assert len({split.edge for split in found}) > 1
    assert {(split.groups, split.ties) for split in found} == {(partition.groups, 1)}


def test_equal_similarities_tie_and_every_policy_does_what_it_says() -> None:
    equal = np.full((6, 5, 5), 0.5)
    lowest = split_of(equal, ties="lowest")
    assert (lowest.edge, lowest.groups, lowest.ties, lowest.decided) == (0, ((0,), (1, 2, 3, 4)), 90, "lowest")
    drawn = [split_of(equal, seed=seed, ties="random") for seed in range(8)]
    assert {(split.ties, split.decided) for split in drawn} == {(90, "random")}
    assert len({(split.edge, split.groups) for split in drawn}) > 4
    assert split_of(equal, seed=7, ties="random") == drawn[7]
    kept = split_of(equal, ties="keep")
    assert kept == "90 groupings of 1<-0, 2<-0, 2<-1, 3<-0, 3<-1, 3<-2 scored exactly alike"


@pytest.mark.parametrize("ties", TIES)
def test_without_a_tie_no_policy_decides(ties) -> None:
    found = split_of(planted([3]), ties=ties)
    assert (found.edge, found.groups, found.ties, found.decided) == (3, ((0, 3), (1, 2, 4)), 1, None)


def test_a_drawn_grouping_is_one_of_the_tied_alone() -> None:
    similarity = planted([2, 5])
    found = [split_of(similarity, seed=seed, ties="random") for seed in range(12)]
    assert {(split.edge, split.groups) for split in found} == {(2, ((0, 1, 2), (3, 4))), (5, ((0, 1, 4), (2, 3)))}


def test_tied_groupings_are_drawn_uniformly() -> None:
    rng, tied = np.random.default_rng(0), list("abcdef")
    drawn = Counter(TIES["random"](tied, rng) for _ in range(600))
    assert sum((drawn[name] - 100) ** 2 / 100 for name in tied) < 20.5
    assert TIES["keep"](tied, rng) is None


def test_a_metric_that_tells_nothing_apart_gives_the_published_split_of_linear_regions(data_folder) -> None:
    """The original study's #lr split: saturated scores, and of the ties {none} against the rest, on three edges.

    It splits 2<-1 also where 1<-0 is {none}, so that nothing reaches 2<-1: these two nodes stay whole here.
    """
    settings = SPLIT_PRESETS["original-study"]
    choose = by_similarity(NAS_BENCH_201, lambda node: np.zeros((6, 5, 5)), settings, np.random.default_rng(0))
    tree = grow(NAS_BENCH_201, settings.groups, choose)
    published = json.loads((data_folder / "published_splits.json").read_text())["splits"]["lr"]["cifar10"]
    ours, theirs = ({mask.tobytes() for mask in np.asarray(masks, bool)} for masks in (tree.masks(), published))
    assert (len(ours), len(theirs), len(ours & theirs)) == (6, 8, 4)
    whole = [node for node in tree.nodes if node.unsplit_reason is not None]
    assert {as_mask(node).tobytes() for node in whole} == ours - theirs
    for node in whole:
        assert node.unsplit_reason == "no background makes 2<-1 live, so that its operations change nothing"
        mask = as_mask(node)
        parts = [np.asarray(part, bool) for part in published if (np.asarray(part, bool) <= mask).all()]
        assert np.flatnonzero(mask[0]).tolist() == [0] and len(parts) == 2
        assert (parts[0] | parts[1] == mask).all() and (parts[0] & parts[1] == mask)[[0, 1, 3, 4, 5]].all()
    assert np.bincount(tree.route(NAS_BENCH_201.enumerate())).sum() == 15_625
    assert SplitTree.from_json(NAS_BENCH_201, tree.to_json()) == tree
    assert all(node.split.decided == "lowest" for node in tree.nodes if node.split is not None)


def test_a_node_that_stays_whole_is_a_leaf_on_record_and_its_sibling_is_split() -> None:
    def similarity(node):
        return planted([0]) if node.id == 0 else planted([1]) if node.id == 2 else np.full((6, 5, 5), 0.1)

    tree = grow(NAS_BENCH_201, (2, 2, 2), by_similarity(NAS_BENCH_201, similarity, SplitConfig(ties="keep")))
    assert [node.id for node in tree.leaves] == [1, 3, 4]
    assert "scored exactly alike" in tree.nodes[1].unsplit_reason and tree.nodes[0].unsplit_reason is None
    again = SplitTree.from_json(NAS_BENCH_201, tree.to_json())
    assert again == tree and again.nodes[1].unsplit_reason == tree.nodes[1].unsplit_reason
    assert np.bincount(tree.route(NAS_BENCH_201.enumerate())).sum() == 15_625


@pytest.mark.parametrize("name", SPLIT_PRESETS)
def test_a_preset_grows_a_tree_of_nas_bench_201(name) -> None:
    settings = SPLIT_PRESETS[name]
    check_settings(NAS_BENCH_201, settings)
    choose = by_similarity(NAS_BENCH_201, lambda node: random_similarity(node.id, NAS_BENCH_201), settings)
    tree = grow(NAS_BENCH_201, settings.groups, choose)
    sizes = {len(group) for node in tree.nodes if node.split for group in node.split.groups}
    edges = [node.split.edge for node in tree.nodes if node.split]
    if name == "original-study":
        assert [NAS_BENCH_201.edge_name(e) for e in edges] == ["1<-0", *["2<-0"] * 2, *["2<-1"] * 4]
        assert len(tree.leaves) == 8
    else:
        assert len(tree.leaves) == 4 and sizes == {2, 3} and edges[0] not in edges[1:]


def test_the_original_study_peels_single_operations_off_positive_similarities() -> None:
    similarity = 0.6 + 0.1 * np.tanh(random_similarity(0, NAS_BENCH_201))
    choose = by_similarity(NAS_BENCH_201, lambda node: similarity, SPLIT_PRESETS["original-study"])
    tree = grow(NAS_BENCH_201, (2, 2, 2), choose)
    assert {tuple(sorted(map(len, node.split.groups))) for node in tree.nodes if node.split} == {(1, 4)}
    assert sorted(int(mask.sum(1).prod()) for mask in tree.masks()) == [125, 500, 500, 500, 2000, 2000, 2000, 8000]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"objective": "mincut"}, r"unknown split\.objective 'mincut'; allowed: \['cross_mean_minus"),
        ({"edges": "first"}, r"unknown split\.edges 'first'; allowed: \['best', 'cheapest_cut'"),
        ({"ties": "first"}, r"unknown split\.ties 'first'; allowed: \['keep', 'lowest', 'random'\]"),
        ({"min_size": 0}, r"split\.min_size must be from 1 to 2, as 2 groups of 5 operations allow, not 0"),
        ({"groups": (2, 3), "min_size": 2}, r"from 1 to 1, as 3 groups of 5 operations allow, not 2"),
        ({"edges": "fixed"}, r"split\.order must name 3 different edges from 0 to 5, .* not \[\]"),
        ({"edges": "fixed", "order": (0, 1, 1)}, r"not \[0, 1, 1\]"),
        ({"edges": "fixed", "order": (0, 1, 6)}, r"not \[0, 1, 6\]"),
        ({"edges": "fixed", "order": (-1, 0, 1)}, r"not \[-1, 0, 1\]"),
        ({"groups": ()}, r"split\.groups must be"),
        ({"stability": 0.0}, r"split\.stability must lie in \(0, 1\], .* not 0$"),
        ({"stability": 1.5}, r"not 1\.5$"),
        ({"stability": 0.9, "batches": 4}, r"split\.batches must be a multiple of 4, from 8 on, .* it is 4$"),
        ({"stability": 0.9, "batches": 10}, r"it is 10$"),
        ({"leaves": 6}, r"K = 8 leaves, not 6"),
    ],
)
def test_settings_that_cannot_be_are_told_with_what_is_allowed(settings, told) -> None:
    with pytest.raises(UserError, match=told):
        check_settings(NAS_BENCH_201, SplitConfig(**settings))
    with pytest.raises(UserError, match=told):
        by_similarity(NAS_BENCH_201, lambda node: planted([0]), SplitConfig(**settings))
