"""Stages of the method: scores of paths in their own leaf, the budget of the search, the split, the selection."""

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnas.config import SearchConfig
from jaxnas.data import load
from jaxnas.distributed import parallel
from jaxnas.few_shot import stages as few_shot
from jaxnas.few_shot.config import TruthConfig
from jaxnas.few_shot.controls import build_contender, scoring_images
from jaxnas.few_shot.follow import followed_cells, follower
from jaxnas.few_shot.forecast import works
from jaxnas.few_shot.judge import scores_of
from jaxnas.few_shot.run_context import SCORE, SEARCH, RunContext, prepare
from jaxnas.few_shot.scoring import scoring_batches
from jaxnas.metrics import Readings
from jaxnas.selection import ESTIMATES, Evaluated
from jaxnas.spaces import SPACES, TOY
from jaxnas.spaces.tree import SplitTree, as_mask
from jaxnas.splitting import bootstrap, choose_split, edges_read_by, of_batches, scored_edges, size_normalised_cut
from jaxnas.testing import TRIANGLE
from jaxnas.training import initial_weights
from jaxnas.types import QUIET
from jaxnas.workdir import open_stage
from tests.few_shot.small import SMALL, keeping


@pytest.fixture(scope="module")
def params(context):
    """Weights of two supernets, [2, ...]."""
    drawn = [initial_weights(context.programs.network, jax.random.key(seed)) for seed in (1, 2)]
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *drawn)


@pytest.fixture(scope="module")
def by_hand(context, params):
    """(leaf, op_ids) -> validation accuracy, each evaluated by itself with the statistics of its batch."""
    forward = jax.jit(lambda *given: context.programs.network.forward(*given)[0])

    def accuracy(leaf: int, op_ids: np.ndarray) -> float:
        hits = 0
        for images, labels in zip(context.valid.images, context.valid.labels, strict=True):
            inputs = context.programs.pipeline.normalise(images)
            logits = forward(parallel.item(params, leaf), inputs, jnp.asarray(op_ids))
            hits += int((np.asarray(logits).argmax(1) == np.asarray(labels)).sum())
        return 100 * hits / 128

    return accuracy


def test_every_path_is_scored_in_its_own_supernet(context, params, by_hand) -> None:
    cells = TOY.enumerate()
    for paths in ([cells[4:9], cells[5:6]], [cells[:0], cells[[7, 4, 5]]], [cells[8:9], cells[4:8]]):
        found = few_shot.score_paths(context, params, paths)
        for leaf, (rows, scores) in enumerate(zip(paths, found, strict=True)):
            assert scores.tolist() == pytest.approx([by_hand(leaf, row) for row in rows], abs=1e-4)
    assert [by_hand(0, row) for row in cells[4:]] != [by_hand(1, row) for row in cells[4:]]  # the supernets differ


def test_no_leaf_waits_for_a_fuller_one(context, params) -> None:
    """Nine paths of one leaf and one of the other in parts of two: 5 + 1 evaluations of parts, and not 2 * 5."""
    cells, asked = TOY.enumerate(), []
    evaluate = context.programs.evaluate

    def counted(item, *given):
        asked.append(item[1].shape)
        return evaluate(item, *given)

    counting = context._replace(programs=context.programs._replace(evaluate_in=lambda partial: counted))
    found = few_shot.score_paths(counting, params, [cells, cells[4:5]])
    assert asked == [(1, 2, 2)] * 6
    assert [len(of) for of in found] == [9, 1] and found[1][0] == pytest.approx(
        few_shot.score_paths(context, params, [cells[:0], cells[4:5]])[1][0]
    )


def test_cells_are_scored_by_the_leaf_that_holds_them(context, tree, params, by_hand) -> None:
    cells = np.array([[2, 2], [1, 1], [2, 1], [1, 2]], np.int32)  # leaves 1, 0, 1, 0
    histories = [Evaluated(cells[1:2], np.array([30.0])), Evaluated(cells[:2], np.array([10.0, 40.0]))]
    found = build_contender(context, "ours", "method", tree, params, histories, 77)
    assert scores_of(context, found.supernets, cells).tolist() == pytest.approx(
        [by_hand(leaf, row) for leaf, row in zip((1, 0, 1, 0), cells, strict=True)], abs=1e-4
    )
    assert (found.name, found.kind, found.images, found.evaluations) == ("ours", "method", 77, 3)
    assert (found.chosen.leaf, found.chosen.op_ids.tolist(), found.chosen.score) == (1, [1, 1], 40.0)
    assert scores_of(context, found.supernets, cells[:0]).shape == (0,)


def test_followed_cells_are_scored_by_the_leaf_that_holds_them_every_few_epochs(context, tree, params, by_hand) -> None:
    followed = context._replace(config=replace(context.config, truth=TruthConfig(alone=4, every=2)))
    cells = followed_cells(followed)
    assert sorted(map(tuple, cells.tolist())) == [(1, 1), (1, 2), (2, 1), (2, 2)]
    tell = follower(followed, tree.masks(), 5, few_shot.score_paths)
    states = SimpleNamespace(params=params)
    assert [[*row] for row in (tell(1, params), tell(3, params))] == [[{}, {}]] * 2
    wanted = [[by_hand(k, row) for row in cells[tree.route(cells) == k]] for k in (0, 1)]
    for epoch in (2, 4, 5):
        assert [row["sample"] for row in tell(epoch, states)] == [pytest.approx(of, abs=1e-3) for of in wanted]
    never = context._replace(config=replace(context.config, truth=TruthConfig(alone=4)))
    assert follower(never, tree.masks(), 5, few_shot.score_paths)(2, params) == [{}, {}]


def test_the_search_evaluates_what_the_leaves_hold_up_to_the_budget(context, tree, params, by_hand) -> None:
    masks = tree.masks()
    whole = few_shot.search(context, params, masks, context.config.search, (SEARCH, 0), QUIET, parent=None)
    assert [sorted(map(tuple, history.op_ids.tolist())) for history in whole] == [[(1, 1), (1, 2)], [(2, 1), (2, 2)]]
    for leaf, history in enumerate(whole):
        assert history.scores.tolist() == pytest.approx([by_hand(leaf, row) for row in history.op_ids], abs=1e-4)
    one = replace(context.config.search, budget=1)
    found = few_shot.search(context, params, masks, one, (SEARCH, 0), QUIET, parent=None)
    assert [len(history.scores) for history in found] == [1, 1]


def test_the_parent_scores_the_first_generation_once_and_a_search_goes_on_with_that(
    context, tree, params, by_hand, monkeypatch
) -> None:
    config, masks = replace(context.config.search, population=1, leaf_bias=True), tree.masks()
    kept, scored = {}, []
    score_paths = few_shot.score_paths
    monkeypatch.setattr(few_shot, "score_paths", lambda *given: scored.append(given[1]) or score_paths(*given))
    parent = parallel.item(params, 1)
    whole = few_shot.search(context, params, masks, config, (SEARCH, 0), keeping(kept), parent=parent)
    assert len(scored) == 3 and [len(history.scores) for history in whole] == [2, 2]  # two generations, and the parent
    for history in whole:
        assert history.parent.tolist() == pytest.approx([by_hand(1, history.op_ids[0])], abs=1e-4)
    del kept[1,]  # killed within the second generation
    again = few_shot.search(context, params, masks, config, (SEARCH, 0), keeping(kept), parent=None)
    assert jax.tree.map(np.ndarray.tolist, again) == jax.tree.map(np.ndarray.tolist, whole) and len(scored) == 4
    plain = few_shot.search(context, params, masks, replace(config, leaf_bias=False), (SEARCH, 0), QUIET, parent=None)
    assert not any(len(history.parent) for history in plain)
    assert [h.op_ids.tolist() for h in plain] == [h.op_ids.tolist() for h in whole]
    one = jax.tree.map(lambda leaf: leaf[:1], params)
    (alone,) = few_shot.search(context, one, masks[:1], config, (SEARCH, 0), QUIET, parent=None)
    assert not len(alone.parent)  # one leaf is compared with none
    counted = build_contender(context, "ours", "method", tree, params, whole, 77)
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


@pytest.fixture(scope="module")
def triangle() -> Iterator[RunContext]:
    """The small problem on the triangle, where the metric can compare all operations."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SPACES, "triangle", TRIANGLE)
        config = replace(SMALL, net=replace(SMALL.net, space="triangle"))
        yield prepare(config, load(config.data, config.seed))


@pytest.fixture(scope="module")
def weights(triangle):
    return initial_weights(triangle.programs.network, jax.random.key(1))


GROUPINGS = [((0, 1), (2,)), ((0, 2), (1,)), ((0,), (1, 2))]


def test_the_split_is_the_smallest_size_normalised_cut_of_the_mean_over_batches(triangle, weights) -> None:
    tree, scores = few_shot.split(triangle, weights, QUIET)
    assert list(scores) == [0] and scores[0].values.shape == (3, 2, 3, 3)
    mean = scores[0].values.mean(1)
    np.testing.assert_allclose(scores[0].similarity, mean, rtol=1e-6)
    cuts = {(edge, groups): size_normalised_cut(mean[edge], groups) for edge in range(3) for groups in GROUPINGS}
    split = tree.nodes[0].split
    assert (split.edge, split.groups) == min(cuts, key=cuts.get)
    assert split.value == pytest.approx(min(cuts.values()), abs=1e-6)
    assert (split.batches, split.counted, split.joined) == (2, 2, ()) and split.backgrounds in (1, 2)


def scored(context, similarities: np.ndarray, connected: np.ndarray | None = None, **settings):
    """The problem with similarities [E, R, O, O] that are given, not measured, and other settings of the split.

    connected bool [E, R, O]: default all.
    """
    config = replace(context.config, split=replace(context.config.split, batches=similarities.shape[1], **settings))
    drawn, _ = scoring_batches(context._replace(config=config))
    alive = np.ones(similarities.shape[:3], bool) if connected is None else connected

    def found(items, params, mask, images, labels):
        first = next(r for r, batch in enumerate(drawn) if (batch == images[0]).all())
        rows, edges = slice(first, first + len(images)), np.asarray(items[1])
        backgrounds = np.zeros((len(edges), len(images), similarities.shape[0]), np.int32)
        backgrounds[..., 0] = np.arange(first, first + len(images))
        return Readings(similarities[edges][:, rows], alive[edges][:, rows], backgrounds)

    return context._replace(programs=context.programs._replace(readings=found), config=config)


def noisy(repeats: int, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=(3, repeats, 3, 3))
    return (noise + noise.swapaxes(2, 3)).astype(np.float32)


def test_batches_enough_say_how_far_to_trust_the_split(triangle, weights) -> None:
    given = noisy(4)
    tree, _ = few_shot.split(scored(triangle, given), weights, QUIET)
    found = tree.nodes[0].split
    rng = np.random.default_rng([triangle.config.seed, SCORE])
    trust = bootstrap(of_batches(given[found.edge]), range(3), found.groups, rng)
    assert (found.margin_low, found.margin_high, found.stability) == trust[2:]
    assert few_shot.split(scored(triangle, given), weights, QUIET)[0] == tree
    assert (found.batches, found.settled, found.backgrounds) == (4, None, 4)


@pytest.mark.parametrize("hit", range(4))
def test_a_batch_that_disconnects_what_is_compared_is_dropped_for_its_edge(triangle, weights, hit) -> None:
    """A background of a user's own that cuts `none` off on one edge; its declared value would have been the split."""
    given, connected = noisy(4), np.ones((3, 4, 3), bool)
    for edge in range(3):
        planted, alive = given.copy(), connected.copy()
        alive[edge, hit, 0] = False
        planted[edge, hit, 0] = planted[edge, hit, :, 0] = -6.3e6
        split = few_shot.split(scored(triangle, planted, alive), weights, QUIET)[0].nodes[0].split
        # The run without that batch, on the edge that it hits.
        without = [of_batches(given[e] if e != edge else np.delete(given[e], hit, 0)) for e in range(3)]
        rng = np.random.default_rng([triangle.config.seed, SCORE])
        config = triangle.config.split
        expected = choose_split(TRIANGLE, TRIANGLE.full_mask(), without, 2, config, rng)
        assert (split.edge, split.groups, split.margin_low) == (expected.edge, expected.groups, expected.margin_low)
        assert split.value == pytest.approx(expected.value, abs=1e-6)
        assert split.batches == 4 and split.counted == (3 if split.edge == edge else 4)
        naive = choose_split(TRIANGLE, TRIANGLE.full_mask(), planted, 2, config, np.random.default_rng(0))
        assert (naive.edge, naive.groups) == (edge, ((0,), (1, 2)))


def test_only_the_edge_that_is_split_is_scored(triangle, weights) -> None:
    """What is scored is what all edges give there, the program is asked for it alone, and it counts alone."""
    both, whole = few_shot.split(triangle, weights, QUIET)
    asked = []

    def readings(items, *rest):
        asked.append(np.asarray(items[1]).tolist())
        return triangle.programs.readings(items, *rest)

    config = replace(triangle.config, split=replace(triangle.config.split, edges="fixed", order=(1,)))
    fixed = triangle._replace(programs=triangle.programs._replace(readings=readings), config=config)
    found, scores = few_shot.split(fixed, weights, QUIET)
    assert asked == [[1]] and found.nodes[0].split.edge == 1
    np.testing.assert_array_equal(scores[0].similarity[1], whole[0].similarity[1])
    assert np.isnan(scores[0].similarity[[0, 2]]).all() and np.isfinite(whole[0].similarity).all()
    assert scoring_images(fixed, found) == 3 * 2 * 32 == scoring_images(triangle, both) / 3
    assert works(fixed, False)[1] == ("split", 1, 3 * 2, 0)
    closed = np.array([[0, 1, 0], [1, 1, 1], [1, 1, 1]], bool)
    assert (edges_read_by(config.split, closed), scored_edges(TRIANGLE, config.split, closed)) == ([1], [1])
    settings = triangle.config.split
    assert (edges_read_by(settings, closed), scored_edges(TRIANGLE, settings, closed)) == ([0, 1, 2], [1, 2])


def test_an_edge_with_nothing_to_compare_is_not_measured_and_not_on_record(context, triangle, params, weights) -> None:
    deep = replace(triangle.config, split=replace(triangle.config.split, groups=(2, 2)))
    tree, scores = few_shot.split(triangle._replace(config=deep), weights, QUIET)
    for node in tree.nodes[:3]:
        compared = TRIANGLE.comparable(as_mask(node))
        for edge, row in enumerate(compared):
            pairs = row[:, None] & row[None, :] & (row.sum() > 1)
            assert (np.isfinite(scores[node.id].similarity[edge]) == pairs).all()
    rest = (jnp.array([[0, 1, 0], [1, 1, 1]], bool), *scoring_batches(context))
    keys = jax.random.split(jax.random.key(0), 2)
    found = context.programs.readings((keys, jnp.arange(2)), parallel.item(params, 0), *rest)
    assert (found.values[0] == 0).all() and (found.values[1] != 0).any()
    # In a chain `none` can nowhere be compared: it joins a group, on record.
    tree, scores = few_shot.split(context, parallel.item(params, 0), QUIET)
    assert tree.nodes[0].split.joined == (0,) and np.isnan(scores[0].similarity[:, 0]).all()


def blocks(batches: int, noise: float) -> np.ndarray:
    """Similarities [3, R, 3, 3]: on edge 2<-0 `none` and skip alike, the convolution apart; noise on all, of opposite
    signs in batches 0 and 1, 2 and 3, ..., which never settles by luck."""
    drawn = np.random.default_rng(1).normal(size=(3, batches // 2, 3, 3))
    values = noise * np.stack([drawn, -drawn], 2).reshape(3, batches, 3, 3)
    values = values + values.swapaxes(2, 3)
    values[1, :, 0, 1] += 1
    values[1, :, 1, 0] += 1
    return values.astype(np.float32)


@pytest.mark.parametrize(("noise", "batches", "settled"), [(0.1, 8, True), (30.0, 32, False)])
def test_batches_are_scored_until_the_split_is_settled_or_there_are_no_more(
    noise, batches, settled, triangle, weights
) -> None:
    given = blocks(32, noise)
    asking = scored(triangle, given, stability=0.999)
    tree, scores = few_shot.split(asking, weights, QUIET)
    found = tree.nodes[0].split
    assert (found.batches, found.settled) == (batches, settled)
    np.testing.assert_array_equal(scores[0].values, given[:, :batches])
    assert scoring_images(asking, tree) == 9 * batches * 32
    # What was decided is what these batches decide when they are all there are.
    alone, _ = few_shot.split(scored(triangle, given[:, :batches]), weights, QUIET)
    by_all = alone.nodes[0].split
    assert (found.edge, found.groups, found.value, found.margin) == (
        *(by_all.edge, by_all.groups),
        *(by_all.value, by_all.margin),
    )
    assert SplitTree.from_json(TRIANGLE, tree.to_json()) == tree


class Killed(Exception):
    pass


def test_scoring_that_is_killed_goes_on_to_the_same_tree(triangle, weights, tmp_path, monkeypatch) -> None:
    asking = scored(triangle, blocks(16, 30.0), stability=0.999, groups=(2, 2))
    whole, scores = few_shot.split(asking, weights, QUIET)
    scorings, score_node = [], few_shot.score_node

    def noting(*given):
        scorings.append((given[3].id, given[4]))
        return score_node(*given)

    monkeypatch.setattr(few_shot, "score_node", noting)

    def run(most: int):
        def show(stage: str, done: int, total: int, note: str) -> None:
            if total and len(scorings) == most:
                raise Killed

        with open_stage(tmp_path, "split", lambda rows: "", show) as stage:
            return few_shot.split(asking, weights, stage)

    for most in (2, 5):  # within the root, and within its first child
        with pytest.raises(Killed):
            run(most)
    tree, again = run(-1)
    assert tree == whole and list(again) == list(scores)
    for node, found in scores.items():
        jax.tree.map(np.testing.assert_array_equal, again[node], found)
    assert len(scorings) == len(set(scorings)) > 5  # nothing was scored twice
    before = len(scorings)
    assert run(-1)[0] == whole and len(scorings) == before  # and nothing is when the stage is opened again


def test_a_root_that_ties_stays_whole_and_its_scores_are_kept(triangle, weights, tmp_path) -> None:
    alike = scored(triangle, np.full((3, 2, 3, 3), 0.5, np.float32), ties="keep", groups=(2, 2))
    tree, scores = few_shot.split(alike, weights, QUIET)
    assert [node.unsplit_reason for node in tree.nodes] == ["9 groupings of 1<-0, 2<-0, 2<-1 scored exactly alike"]
    assert len(tree.leaves) == 1 and list(scores) == [0] and (scores[0].similarity == 0.5).all()
    for _ in range(2):  # nodes that are never scored do not keep what was from being kept
        with open_stage(tmp_path, "split", lambda rows: "", lambda *shown: None) as stage:
            assert few_shot.split(alike, weights, stage)[0] == tree
