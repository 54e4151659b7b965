"""Leaves trained by every kind of search algorithm, and what every selector takes from them."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnas.config import SearchConfig, SelectionConfig
from jaxnas.distributed import parallel
from jaxnas.few_shot import controls, leaves, stages
from jaxnas.few_shot.forecast import works
from jaxnas.few_shot.leaves import first_weights, search_leaves, train_leaves
from jaxnas.few_shot.rehearsal import check_leaves, rehearse
from jaxnas.few_shot.run_context import LEAVES, SEARCH, RunContext
from jaxnas.search import ALGORITHMS
from jaxnas.selection import SELECTORS, Evaluated, Taken
from jaxnas.spaces import TOY
from jaxnas.spaces.tree import SplitTree, root
from jaxnas.training import initial_weights
from jaxnas.types import QUIET, Mask, UserError
from tests.few_shot.small import keeping

BUDGET = 120


def with_settings(context: RunContext, algorithm: str = "uniform", weights: str = "parent", **selection) -> RunContext:
    config = context.config
    search, selected = replace(config.search, algorithm=algorithm), SelectionConfig(**selection)
    return context._replace(config=replace(config, search=search, selection=selected, leaf_weights=weights))


@pytest.fixture(scope="module")
def parent(context):
    """Weights of the whole supernet."""
    return initial_weights(context.programs.network, jax.random.key(1))


@pytest.fixture(scope="module")
def trained(context, parent, tree):
    """algorithm -> the two leaves after an epoch, and what each told."""
    found = {}

    def of(algorithm: str):
        if algorithm not in found:
            told = []
            stage = QUIET._replace(advance=lambda done, total, state, rows: told.extend(rows))
            by = with_settings(context, algorithm)
            found[algorithm] = train_leaves(by, parent, tree.masks(), 1, (LEAVES, 0), stage), told
        return found[algorithm]

    return of


# Paths drawn by logits; a mixture, at the weights or after their next step.
@pytest.mark.parametrize("algorithm", ["dsnas", "darts", "darts2"])
def test_leaves_start_from_the_parent_and_learn_what_their_masks_hold(algorithm, trained, parent, tree) -> None:
    states, told = trained(algorithm)
    assert states.subnet.step.tolist() == [4, 4] and [row["leaf"] for row in told] == [0, 1]
    before = np.asarray(parent["stage1"]["nor_conv_3x3_kernel"])  # [cells, edges, ...]
    after = np.asarray(states.subnet.params["stage1"]["nor_conv_3x3_kernel"])
    changed = (after != before).any(axis=(1, *range(3, after.ndim)))  # [leaves, edges]
    open_ = tree.masks()[:, :, 2]
    assert open_.tolist() == [[False, True], [True, True]] and not changed[~open_].any()
    assert changed[1, 0] and (algorithm == "dsnas" or changed[open_].all())  # a path may never have drawn it
    algorithm_ = ALGORITHMS[algorithm](TOY)
    for k, mask in enumerate(tree.masks()):
        held = np.asarray(algorithm_.probabilities(parallel.item(states.search, k), jnp.asarray(mask)))
        assert ((held > 0) == mask).all()
        assert TOY.decode(told[k]["likeliest"]).op_ids == tuple(held.argmax(1).tolist())


class Watched:
    """A view of a leaf that counts what is asked of it."""

    def __init__(self, view) -> None:
        self.asked, self.narrowed, self.paths = 0, 0, {}
        self.view = self.over(view)

    def over(self, view):
        def counting(function, place: int):
            def run(*given):
                found, choices = function(*given), np.asarray(given[place])
                self.asked += len(choices)
                if function is view.accuracy and np.issubdtype(choices.dtype, np.integer):
                    self.paths |= dict(zip(map(tuple, choices.tolist()), found.tolist(), strict=True))
                return found

            return run

        def narrowed(mask: Mask):
            self.narrowed += 1
            return self.over(view.narrowed(mask))

        return view._replace(
            accuracy=counting(view.accuracy, 0),
            loss=counting(view.loss, 0),
            score=counting(view.score, 1),
            narrowed=narrowed,
        )


@pytest.mark.parametrize("name", [name for name in SELECTORS if name != "evolution"])
def test_every_selector_takes_from_every_leaf_and_goes_on_between_leaves(
    name, context, trained, parent, tree, monkeypatch
) -> None:
    by = with_settings(context, "darts", name=name)
    states, masks = trained("darts")[0], tree.masks()
    config, kept, watched = SearchConfig(budget=BUDGET, population=1), {}, []
    view_of = leaves.single_view

    def watch(*given):
        watched.append(Watched(view_of(*given)))
        return watched[-1].view

    monkeypatch.setattr(leaves, "single_view", watch)
    found = search_leaves(by, states, masks, config, (SEARCH, 0), keeping(kept), parent=parent)
    assert len(found) == len(kept) == 2
    for history, mask, seen in zip(found, masks, watched, strict=True):
        taken = history.taken
        op_ids = history.op_ids[taken.row]
        assert mask[np.arange(2), op_ids].all() and TOY.connected(op_ids)
        assert taken.evaluations == seen.asked <= BUDGET + 1 and taken.drawn == 0
        assert dict(zip(map(tuple, history.op_ids.tolist()), history.scores.tolist(), strict=True)) == seen.paths
        rehearsed = rehearse(by, mask, BUDGET)
        assert rehearsed.tunings == seen.narrowed
        assert rehearsed.evaluations <= BUDGET
    del kept[1,]  # killed after the first leaf
    resumed = search_leaves(by, states, masks, config, (SEARCH, 0), keeping(kept), parent=parent)
    assert len(watched) == 3
    for one, other in zip(found, resumed, strict=True):
        assert one.taken == other.taken
        jax.tree.map(np.testing.assert_array_equal, one, other)


def test_leaves_are_compared_by_accuracies_of_random_ones_and_by_the_parent(context, trained, parent, tree) -> None:
    by = with_settings(context, "darts", name="magnitude")  # whose own score is a probability
    search = replace(by.config.search, leaf="mean", leaf_bias=True, population=2)
    by = by._replace(config=replace(by.config, search=search))
    states, masks = trained("darts")[0], tree.masks()
    found = search_leaves(by, states, masks, search, (SEARCH, 0), QUIET, parent=parent)
    scored = stages.score_paths(by, states.subnet.params, [history.op_ids for history in found])
    common = stages.score_paths(by, parallel.copies(parent, 2), [history.op_ids[:2] for history in found], 1)
    for history, scores, by_parent in zip(found, scored, common, strict=True):
        # Both connected architectures of a leaf are drawn, so that what is taken is one of them.
        assert history.taken.drawn == 2 and len(history.scores) == 2 and history.taken.evaluations == 2 + 2
        np.testing.assert_allclose(history.scores, scores, atol=1e-4)
        np.testing.assert_allclose(history.parent, by_parent, atol=1e-4)
    chosen = stages.select(found, tree, search)
    assert chosen.op_ids.tolist() == found[chosen.leaf].op_ids[found[chosen.leaf].taken.row].tolist()


def test_a_leaf_gives_what_its_selector_took_and_not_its_best_random_one(tree) -> None:
    drawn = np.array([[1, 1], [1, 2]]), np.array([[2, 1], [2, 2]])
    histories = [
        Evaluated(drawn[0], np.array([90.0, 40.0]), taken=Taken(1, 1, 3)),
        Evaluated(drawn[1], np.array([50.0, 60.0]), taken=Taken(1, 1, 3)),
    ]
    best = stages.select(histories, tree, SearchConfig())  # 40 against 60
    assert (best.leaf, best.op_ids.tolist(), best.score) == (1, [2, 2], 60.0)
    mean = stages.select(histories, tree, SearchConfig(leaf="mean"))  # 90 against 50
    assert (mean.leaf, mean.op_ids.tolist(), mean.score) == (0, [1, 2], 40.0)


def test_new_weights_are_the_seeds_and_the_same_for_every_leaf_and_contender(context, parent, tree) -> None:
    by = with_settings(context, weights="new")
    start = first_weights(by, parent)
    assert first_weights(context, parent) is parent
    jax.tree.map(np.testing.assert_array_equal, start, first_weights(by, None))
    other = first_weights(by._replace(config=replace(by.config, seed=1)), None)
    kernel = np.asarray(start["stage1"]["nor_conv_3x3_kernel"])
    for weights in (parent, other):
        assert (kernel != np.asarray(weights["stage1"]["nor_conv_3x3_kernel"])).all()
    after = train_leaves(by, parent, tree.masks(), 1, (LEAVES, 0), QUIET).subnet.params["stage1"]["nor_conv_3x3_kernel"]
    np.testing.assert_array_equal(after[0, :, 0], kernel[:, 0])  # the convolution that is closed in the first leaf
    assert (np.asarray(after[1, :, 0]) != kernel[:, 0]).any()


def by_hand(context: RunContext, params, partial: int, op_ids: np.ndarray, recalibrate: int) -> float:
    """Validation accuracy of a path, with statistics of each batch or of one training batch of the same size."""
    network, pipeline = context.programs.supernet(partial), context.programs.pipeline
    (images,), (labels,) = context.valid
    path, given = jnp.asarray(op_ids), ()
    if recalibrate:
        first = pipeline.normalise(context.train.images[: len(labels)])
        given = ("given", jax.jit(lambda *of: network.forward(*of)[1])(params, first, path))
    run = jax.jit(lambda params, *of: network.forward(params, *of[:2], *given[:1], *of[2:])[0])
    logits = run(params, pipeline.normalise(images), path, *given[1:])
    return 100 * float((np.asarray(logits).argmax(1) == np.asarray(labels)).mean())


def test_recalibrated_statistics_are_those_of_training_images(context, parent, tree) -> None:
    paths = [TOY.enumerate_connected(mask) for mask in tree.masks()]
    params = parallel.copies(parent, 2)
    found = {}
    for recalibrate in (0, 1):
        by = with_settings(context, recalibrate=recalibrate)
        found[recalibrate] = np.concatenate(stages.score_paths(by, params, paths))
        expected = [by_hand(context, parent, 1, row, recalibrate) for row in np.concatenate(paths)]
        np.testing.assert_allclose(found[recalibrate], expected, atol=1e-4)
        searched = stages.search(by, params, tree.masks(), by.config.search, (SEARCH, 0), QUIET, parent=None)
        assert sorted(np.concatenate([of.scores for of in searched])) == sorted(found[recalibrate].astype(float))
    assert (found[0] != found[1]).any()


def test_part_of_the_channels_is_a_network_of_its_own(context, parent, tree) -> None:
    by = with_settings(context, "pc_darts", "new")
    weights = first_weights(by, parent)
    assert weights["stage1"]["nor_conv_3x3_kernel"].shape[-2:] == (1, 1)
    paths = [TOY.enumerate_connected(mask) for mask in tree.masks()]
    found = np.concatenate(stages.score_paths(by, parallel.copies(weights, 2), paths))
    np.testing.assert_allclose(found, [by_hand(by, weights, 4, row, 0) for row in np.concatenate(paths)], atol=1e-4)


def test_every_image_counts_whatever_trains_the_leaves_and_controls_see_as_many(context, tree) -> None:
    # 128 images an epoch and 256 that scored; DARTS sends two batches a step.
    whole = SplitTree(TOY, (root(TOY),)).masks()

    def counted(**settings) -> tuple[int, int, int]:
        by = with_settings(context, "darts", **settings)
        controls.validate_controls(by)
        unsplit, random = controls.unsplit_epochs(by, tree), controls.random_split_epochs(by, tree, tree)
        start, search = controls.inherited_images(by), by.config.search
        alike = [
            start + unsplit * 256 + controls.tuning_images(by, whole, 2 * search.budget),
            start + 2 * random * 256 + controls.tuning_images(by, tree.masks(), search.budget),
            2 * 128 * controls.random_alone_epochs(by, tree, 2),
        ]
        method = controls.method_images(by, tree)
        for images, step in zip(alike, (256, 2 * 256, 2 * 128), strict=True):
            assert abs(images - method) <= step / 2
        return method, unsplit, random

    method = 2 * 128 + 2 * 2 * 256 + 256
    assert counted() == (method, 4 + 1, 2)  # 1 epoch, and 0.5 of each leaf
    # New weights have not seen the warm-up's images: controls get these, too, an epoch, 0.5 of each leaf.
    assert counted(weights="new") == (method, 4 + 2, 2 + 1)
    # One leaf has two edges to decide, the other one; the unsplit supernet two. So method and controls tune once.
    context = context._replace(config=replace(context.config, search=replace(context.config.search, budget=6)))
    assert counted(name="perturbation", tune_epochs=1) == (method + 256, 4 + 1, 2)


@pytest.mark.parametrize(
    ("algorithm", "name", "budget", "message"),
    [
        ("darts", "perturbation", 4, r"the split, leaf 0 of 2: perturbation needs 5 evaluations, the budget is 4"),
        ("darts", "enumeration", 1, r"leaf 0 of 2: enumerating .* needs 2 evaluations, the budget is 1"),
        ("uniform", "magnitude", 9, r"leaf 0 of 2: no operation is more probable"),
        ("cross_path", "magnitude", 9, r"leaf 0 of 2: no operation is more probable"),
    ],
)
def test_a_selector_that_cannot_be_is_told_before_leaves_are_trained(
    context, tree, algorithm, name, budget, message
) -> None:
    with pytest.raises(UserError, match=message):
        check_leaves(with_settings(context, algorithm, name=name), tree.masks(), budget, "the split")


def test_where_a_node_stays_whole_the_unsplit_supernet_has_the_budget_of_fewer_leaves(context) -> None:
    by = with_settings(context, "darts", name="perturbation")  # with the budget 4 of each leaf
    controls.check_unsplit(by, 2)
    with pytest.raises(UserError, match="the supernet that is not split, leaf 0 of 1: perturbation needs 6"):
        controls.check_unsplit(by, 1)


def test_the_work_of_passes_and_selectors_by_hand(context) -> None:
    by = with_settings(context, "darts", "new", name="perturbation", tune_epochs=1, recalibrate=1)
    by = by._replace(config=replace(by.config, search=replace(by.config.search, budget=6)))

    def found_with(every: int) -> dict[str, tuple[int, int, int]]:
        config = replace(by.config, truth=replace(by.config.truth, every=every))
        return {work.stage: tuple(work)[1:] for work in works(by._replace(config=config), with_table=True)}

    found = found_with(every=0)
    # 4 steps an epoch, 8 of DARTS; 12 probes; an evaluation reads a validation and a training batch.
    assert found["warm_up"] == (1, 2 * 4, 0) and found["leaves"] == (2, 2 * 8, 0)
    assert found["search"] == found["random_split_1_search"] == (2, 8, (6 + 1) * 2)  # one tuning between two decisions
    assert found["unsplit"] == (1, 2 * (16 + 8) + 12 + 8 - 8, 0) and found["unsplit_search"] == (1, 8, 7 * 2)
    assert found["random_split_1"] == (2, 16 + (12 + 8) // 2, 0)
    assert found["random_alone"] == (2, (8 + 2 * (16 + 8) + 12) // 2, 1)
    # A look scores 200 of 300 cells, 100 in each of two leaves, and each evaluation reads two batches. Looks come
    # after every second epoch and the last: 1 of 2 epochs, 4 of the 7 whole ones in 60 steps, 2 of the 3 in 26.
    looks = {"warm_up": 1 * 200 * 2, "leaves": 1 * 100 * 2, "unsplit": 4 * 200 * 2, "random_split_1": 2 * 100 * 2}
    followed = {stage: (*work[:2], work[2] + looks.get(stage, 0)) for stage, work in found.items()}
    assert found_with(every=2) == followed
