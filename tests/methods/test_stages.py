"""Stages of the method: scores of paths in their own leaf, the budget of the search, the split, the selection."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnas import parallel
from jaxnas.config import SearchConfig
from jaxnas.methods import few_shot
from jaxnas.methods.controls import contend, scoring_images
from jaxnas.methods.few_shot import SCORE, SEARCH
from jaxnas.methods.forecast import works
from jaxnas.selection import ESTIMATES, Evaluated
from jaxnas.spaces import TOY
from jaxnas.spaces.tree import SplitTree, as_mask
from jaxnas.splitting import bootstrap, looked_at, scored_edges, size_normalised_cut
from jaxnas.training import initial_weights
from jaxnas.types import QUIET
from jaxnas.workdir import open_stage, stages


@pytest.fixture(scope="module")
def params(problem):
    """Weights of two supernets, [2, ...]."""
    drawn = [initial_weights(problem.programs.network, jax.random.key(seed)) for seed in (1, 2)]
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *drawn)


@pytest.fixture(scope="module")
def by_hand(problem, params):
    """(leaf, op_ids) -> validation accuracy, each evaluated by itself with the statistics of its batch."""
    forward = jax.jit(lambda *given: problem.programs.network.forward(*given)[0])

    def accuracy(leaf: int, op_ids: np.ndarray) -> float:
        hits = 0
        for images, labels in zip(problem.valid.images, problem.valid.labels, strict=True):
            inputs = problem.programs.pipeline.normalise(images)
            logits = forward(parallel.item(params, leaf), inputs, jnp.asarray(op_ids))
            hits += int((np.asarray(logits).argmax(1) == np.asarray(labels)).sum())
        return 100 * hits / 128

    return accuracy


def test_every_path_is_scored_in_its_own_supernet(problem, params, by_hand) -> None:
    cells = TOY.enumerate()
    for paths in ([cells[4:9], cells[5:6]], [cells[:0], cells[[7, 4, 5]]], [cells[8:9], cells[4:8]]):
        found = few_shot.score_paths(problem, params, paths)
        for leaf, (rows, scores) in enumerate(zip(paths, found, strict=True)):
            assert scores.tolist() == pytest.approx([by_hand(leaf, row) for row in rows], abs=1e-4)
    assert [by_hand(0, row) for row in cells[4:]] != [by_hand(1, row) for row in cells[4:]]  # the supernets differ


def test_the_sample_is_scored_by_the_leaf_that_holds_it(problem, tree, params, by_hand) -> None:
    sample = np.array([[2, 2], [1, 1], [2, 1], [1, 2]], np.int32)  # leaves 1, 0, 1, 0
    histories = [Evaluated(sample[1:2], np.array([30.0])), Evaluated(sample[:2], np.array([10.0, 40.0]))]
    found = contend(problem, "ours", "method", tree, params, histories, 77, sample)
    assert found.sample_scores.tolist() == pytest.approx(
        [by_hand(leaf, row) for leaf, row in zip((1, 0, 1, 0), sample, strict=True)], abs=1e-4
    )
    assert (found.name, found.kind, found.images, found.evaluations) == ("ours", "method", 77, 3)
    assert (found.chosen.leaf, found.chosen.op_ids.tolist(), found.chosen.score) == (1, [1, 1], 40.0)
    empty = contend(problem, "ours", "method", tree, params, histories, 77, sample[:0])
    assert empty.sample_scores.shape == (0,)


def test_the_search_evaluates_what_the_leaves_hold_up_to_the_budget(problem, tree, params, by_hand) -> None:
    masks = tree.masks()
    whole = few_shot.search(problem, params, None, masks, problem.config.search, (SEARCH, 0), QUIET)
    assert [sorted(map(tuple, history.op_ids.tolist())) for history in whole] == [[(1, 1), (1, 2)], [(2, 1), (2, 2)]]
    for leaf, history in enumerate(whole):
        assert history.scores.tolist() == pytest.approx([by_hand(leaf, row) for row in history.op_ids], abs=1e-4)
    one = replace(problem.config.search, budget=1)
    assert [len(h.scores) for h in few_shot.search(problem, params, None, masks, one, (SEARCH, 0), QUIET)] == [1, 1]


def test_the_parent_scores_the_first_generation_once_and_a_search_goes_on_with_that(
    problem, tree, params, by_hand, monkeypatch
) -> None:
    config, masks = replace(problem.config.search, population=1, leaf_bias=True), tree.masks()
    kept, scored = [], []
    record = QUIET._replace(advance=lambda done, total, state, rows: kept.append(jax.tree.map(np.copy, state)))
    score_paths = few_shot.score_paths
    monkeypatch.setattr(few_shot, "score_paths", lambda *given: scored.append(given[1]) or score_paths(*given))
    parent = parallel.item(params, 1)
    whole = few_shot.search(problem, params, parent, masks, config, (SEARCH, 0), record)
    assert len(scored) == 3 and [len(history.scores) for history in whole] == [2, 2]  # two generations, and the parent
    for history in whole:
        assert history.parent.tolist() == pytest.approx([by_hand(1, history.op_ids[0])], abs=1e-4)
    stopped = QUIET._replace(resume=lambda start: (2, {**start, **kept[0]}))
    again = few_shot.search(problem, params, None, masks, config, (SEARCH, 0), stopped)
    assert jax.tree.map(np.ndarray.tolist, again) == jax.tree.map(np.ndarray.tolist, whole) and len(scored) == 4
    plain = few_shot.search(problem, params, None, masks, replace(config, leaf_bias=False), (SEARCH, 0), QUIET)
    assert not any(len(history.parent) for history in plain)
    assert [h.op_ids.tolist() for h in plain] == [h.op_ids.tolist() for h in whole]
    one = jax.tree.map(lambda leaf: leaf[:1], params)
    (alone,) = few_shot.search(problem, one, None, masks[:1], config, (SEARCH, 0), QUIET)
    assert not len(alone.parent)  # one leaf is compared with none
    counted = contend(problem, "ours", "method", tree, params, whole, 77, masks[:0, :, 0])
    assert counted.evaluations == 4 + 2


def test_leaves_are_compared_less_what_each_scores_above_the_parent(tree) -> None:
    # The first leaf flatters its architectures: by the parent they are worse.
    histories = [
        Evaluated(np.array([[1, 1], [2, 1]]), np.array([80.0, 85.0]), np.array([30.0])),
        Evaluated(np.array([[1, 2], [2, 2]]), np.array([60.0, 61.0]), np.array([35.0])),
    ]
    # One architecture each, so slope 1: 80 - 30 and 60 - 35 above the parent, 12.5 more and less than the mean.
    config = SearchConfig(population=1)
    for rule in ("best", *ESTIMATES):  # 85 - 12.5 against 61 + 12.5; 80 - 12.5 against 60 + 12.5
        plain = replace(config, leaf=rule)
        assert few_shot.select(histories, tree, plain).leaf == 0, rule
        chosen = few_shot.select(histories, tree, replace(plain, leaf_bias=True))
        assert (chosen.leaf, chosen.op_ids.tolist(), chosen.score) == (1, [2, 2], 61.0), rule
    # What the best of a leaf lies above its first generation counts whole: 87 - 12.5.
    lucky = [histories[0]._replace(scores=np.array([80.0, 87.0])), histories[1]]
    assert few_shot.select(lucky, tree, replace(config, leaf_bias=True)).leaf == 0


def test_selection_takes_the_best_validation_score_of_any_leaf_and_the_first_of_ties(tree) -> None:
    histories = [
        Evaluated(np.array([[1, 1], [2, 1]]), np.array([50.0, 60.0])),
        Evaluated(np.array([[1, 2], [2, 2]]), np.array([60.0, 61.0])),
    ]
    config = SearchConfig(population=1)
    chosen = few_shot.select(histories, tree, config)
    assert (chosen.leaf, chosen.op_ids.tolist(), chosen.score) == (1, [2, 2], 61.0)
    equal = [histories[0], histories[1]._replace(scores=np.array([60.0, 60.0]))]
    tied = few_shot.select(equal, tree, config)
    assert (tied.leaf, tied.op_ids.tolist()) == (0, [2, 1])
    # By a rule on the first generation, here of one architecture each: 50 against 60, and 50 against 40.
    assert few_shot.select(equal, tree, replace(config, leaf="mean")).leaf == 1
    lower = [histories[0], histories[1]._replace(scores=np.array([40.0, 99.0]))]
    by_rule = few_shot.select(lower, tree, replace(config, leaf="expected_best"))
    assert (by_rule.leaf, by_rule.op_ids.tolist(), by_rule.score) == (0, [2, 1], 60.0)


def test_the_split_is_the_smallest_size_normalised_cut_of_the_mean_over_batches(problem, params) -> None:
    tree, similarities = few_shot.split(problem, parallel.item(params, 0), QUIET)
    values = similarities[0]
    assert list(similarities) == [0] and values.shape == (2, 2, 3, 3)
    mean = (values[:, 0] + values[:, 1]) / 2
    # The third leaves `none` without company. These two tie where `none` has no similarity: the lowest comes first.
    allowed = [((0, 2), (1,)), ((0, 1), (2,))]
    cuts = {(edge, groups): size_normalised_cut(mean[edge], groups) for edge in (0, 1) for groups in allowed}
    split = tree.nodes[0].split
    assert (split.edge, split.groups) == min(cuts, key=cuts.get)
    assert split.value == pytest.approx(min(cuts.values()), abs=1e-6)


def scored(problem, similarities: np.ndarray, **settings):
    """The problem with similarities [E, R, O, O] that are given, not measured, and other settings of the split."""
    config = replace(problem.config, split=replace(problem.config.split, batches=similarities.shape[1], **settings))
    drawn, _ = few_shot.scoring_batches(problem._replace(config=config))

    def found(items, params, mask, images, labels):
        first = next(r for r, batch in enumerate(drawn) if (batch == images[0]).all())
        values = similarities[np.asarray(items[1])][:, first : first + len(images)]
        return values, np.ones(values.shape[:3], bool)

    return problem._replace(programs=problem.programs._replace(similarities=found), config=config)


def test_batches_enough_say_how_far_to_trust_the_split(problem, params) -> None:
    noise = np.random.default_rng(0).normal(size=(2, 4, 3, 3))
    given = (noise + noise.swapaxes(2, 3)).astype(np.float32)
    tree, similarities = few_shot.split(scored(problem, given), params, QUIET)
    found = tree.nodes[0].split
    allowed = [((0, 1), (2,)), ((0, 2), (1,))]
    rng = np.random.default_rng([problem.config.seed, SCORE])
    trust = bootstrap(similarities[0][found.edge], range(3), found.groups, rng, allowed=allowed.__contains__)
    assert (found.margin_low, found.margin_high, found.stability) == trust[2:]
    assert few_shot.split(scored(problem, given), params, QUIET)[0] == tree
    assert (found.batches, found.settled) == (4, None)


def test_only_the_edge_that_is_split_is_scored(problem, tree, params) -> None:
    """What is scored is what all edges give there, the program is asked for it alone, and it counts alone."""
    both, whole = few_shot.split(problem, parallel.item(params, 0), QUIET)
    asked = []

    def similarities(items, *rest):
        asked.append(np.asarray(items[1]).tolist())
        return problem.programs.similarities(items, *rest)

    config = replace(problem.config, split=replace(problem.config.split, edges="fixed", order=(1,)))
    fixed = problem._replace(programs=problem.programs._replace(similarities=similarities), config=config)
    found, values = few_shot.split(fixed, parallel.item(params, 0), QUIET)
    assert asked == [[1]] and found.nodes[0].split.edge == 1
    np.testing.assert_array_equal(values[0][1], whole[0][1])
    assert np.isnan(values[0][0]).all() and np.isfinite(whole[0]).all()
    assert scoring_images(fixed, found) == 3 * 2 * 32 == scoring_images(problem, both) / 2
    assert works(fixed, False)[1] == ("split", 1, 3 * 2, 0)
    closed = np.array([[1, 0, 0], [1, 1, 1]], bool)
    assert (looked_at(config.split, closed), scored_edges(config.split, closed)) == ([1], [1])
    assert (looked_at(problem.config.split, closed), scored_edges(problem.config.split, closed)) == ([0, 1], [1])


def test_an_edge_with_one_open_operation_is_not_measured_and_not_on_record(problem, params) -> None:
    deep = replace(problem.config, split=replace(problem.config.split, groups=(2, 2)))
    tree, values = few_shot.split(problem._replace(config=deep), parallel.item(params, 0), QUIET)
    for node in tree.nodes[:3]:
        single = as_mask(node).sum(1) == 1
        assert np.isnan(values[node.id][single]).all() and np.isfinite(values[node.id][~single]).all()
    assert any((as_mask(node).sum(1) == 1).any() for node in tree.nodes[:3])
    rest = (jnp.array([[0, 1, 0], [1, 1, 1]], bool), *few_shot.scoring_batches(problem))
    keys = jax.random.split(jax.random.key(0), 2)
    alone, _ = problem.programs.similarities((keys, jnp.arange(2)), parallel.item(params, 0), *rest)
    assert (alone[0] == 0).all() and (alone[1] != 0).any()


def blocks(batches: int, noise: float) -> np.ndarray:
    """Similarities [2, R, 3, 3]: on edge 2<-1 `none` and skip alike, the convolution apart; noise on all, of opposite
    signs in batches 0 and 1, 2 and 3, ..., which never settles by luck."""
    drawn = np.random.default_rng(1).normal(size=(2, batches // 2, 3, 3))
    values = noise * np.stack([drawn, -drawn], 2).reshape(2, batches, 3, 3)
    values = values + values.swapaxes(2, 3)
    values[1, :, 0, 1] += 1
    values[1, :, 1, 0] += 1
    return values.astype(np.float32)


@pytest.mark.parametrize(("noise", "batches", "settled"), [(0.1, 8, True), (30.0, 32, False)])
def test_batches_are_scored_until_the_split_is_settled_or_there_are_no_more(
    noise, batches, settled, problem, params
) -> None:
    given = blocks(32, noise)
    asking = scored(problem, given, stability=0.999)
    tree, similarities = few_shot.split(asking, params, QUIET)
    found = tree.nodes[0].split
    assert (found.batches, found.settled) == (batches, settled)
    np.testing.assert_array_equal(similarities[0], given[:, :batches])
    assert scoring_images(asking, tree) == 6 * batches * 32
    # What was decided is what these batches decide when they are all there are.
    alone, _ = few_shot.split(scored(problem, given[:, :batches]), params, QUIET)
    by_all = alone.nodes[0].split
    assert (found.edge, found.groups, found.value, found.margin) == (
        *(by_all.edge, by_all.groups),
        *(by_all.value, by_all.margin),
    )
    assert SplitTree.from_json(TOY, tree.to_json()) == tree


class Killed(Exception):
    pass


def test_scoring_that_is_killed_within_a_node_goes_on_to_the_same_tree(problem, params, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(stages, "EVERY", 0.0)
    asking = scored(problem, blocks(16, 30.0), stability=0.999, groups=(2, 2))
    whole, similarities = few_shot.split(asking, params, QUIET)
    scorings = []

    def run(most: int):
        def show(stage: str, done: int, total: int, note: str) -> None:
            scorings.append(done)
            if len(scorings) == most:
                raise Killed

        with open_stage(tmp_path, "split", lambda rows: "", show) as stage:
            return few_shot.split(asking, params, stage)

    for most in (2, 5):  # within the root, and within its first child
        with pytest.raises(Killed):
            run(most)
    tree, again = run(99)
    assert tree == whole and list(again) == list(similarities)
    for node, values in similarities.items():
        np.testing.assert_array_equal(again[node], values)
    assert len(scorings) == len(set(scorings)) and scorings[-1] == 3 * 4  # nothing was scored twice
    before = len(scorings)
    assert run(99)[0] == whole and len(scorings) == before  # and nothing is when the stage is opened again


def test_a_root_that_ties_stays_whole_and_its_similarities_are_kept(problem, params, tmp_path) -> None:
    alike = scored(problem, np.full((2, 2, 3, 3), 0.5, np.float32), ties="keep", groups=(2, 2))
    tree, similarities = few_shot.split(alike, params, QUIET)
    assert [node.kept for node in tree.nodes] == ["4 groupings of 1<-0, 2<-1 scored exactly alike"]
    assert len(tree.leaves) == 1 and list(similarities) == [0] and (similarities[0] == 0.5).all()
    for _ in range(2):  # nodes that are never scored do not keep what was from being kept
        with open_stage(tmp_path, "split", lambda rows: "", lambda *shown: None) as stage:
            assert few_shot.split(alike, params, stage)[0] == tree
