"""What the method is compared with, at an equal number of training images.

A contender is a way to choose an architecture: the method, or a control. Images that score operations count as
training images: each went forward and backward through the network.
"""

import math
from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from jaxnas.config import SearchConfig
from jaxnas.few_shot import stages as few_shot
from jaxnas.few_shot.leaves import search_leaves, train_leaves
from jaxnas.few_shot.rehearsal import check_leaves, tuning_epochs
from jaxnas.few_shot.run_context import RANDOM_ALONE, RANDOM_SPLIT, UNSPLIT, RunContext, of_seed, steps_per_epoch
from jaxnas.few_shot.stages import Chosen
from jaxnas.few_shot.standalone import standalone_accuracy, train_standalone
from jaxnas.search import ALGORITHMS
from jaxnas.selection import Evaluated
from jaxnas.spaces.tree import SplitTree, as_mask, root
from jaxnas.splitting import at_random, grow, passes
from jaxnas.types import Params, Stages, UserError

TRIES = 100  # draws of a random tree


class Supernets(NamedTuple):
    """Trained sub-supernets."""

    tree: SplitTree
    params: Params  # leaves [K, ...]
    histories: list[Evaluated]  # what the search evaluated in each
    tuned: int = 0  # images of the training between decisions of the selector; these are not the weights kept here


class Contender(NamedTuple):
    """A way to choose an architecture, and what it chose."""

    name: str
    kind: str  # method, unsplit, random_split, random_alone
    chosen: Chosen
    images: int  # training images seen before it chose
    evaluations: int  # of architectures on validation images, before it chose
    supernets: Supernets | None


def controls(context: RunContext, params: Params, tree: SplitTree, stages: Stages) -> list[Contender]:
    """The controls that the config asks for. params: of the warmed-up supernet; tree: of the method."""
    wanted, found = context.config.control, []
    if wanted.unsplit:
        found.append(unsplit(context, params, tree, stages))
    for index, drawn in enumerate(random_trees(context)):
        found.append(random_split(context, params, tree, drawn, index, stages))
    if wanted.random_architectures:
        found.append(random_alone(context, tree, stages))
    return found


def epoch_images(context: RunContext) -> int:
    """Training images of one epoch of one network."""
    return steps_per_epoch(context) * context.config.data.batch


def scoring_images(context: RunContext, tree: SplitTree) -> int:
    """Training images that scored the open operations of every scored edge of every node that was to be split.

    As many batches as the node's split took; all of them where it stays whole.
    """
    settings, total = context.config.split, 0
    for node in tree.nodes:
        if node.split is not None or node.unsplit_reason is not None:
            taken = None if node.split is None else node.split.batches
            total += passes(context.space, as_mask(node), settings, settings.batches if taken is None else taken)
    return total * context.config.data.batch


def leaf_epoch_images(context: RunContext) -> int:
    """Images that one epoch of one leaf sends through it: those of every pass of the search algorithm."""
    return ALGORITHMS[context.config.search.algorithm](context.space).passes * epoch_images(context)


def tuning_images(context: RunContext, masks: np.ndarray, budget: int) -> int:
    """Images of the training between decisions of the selector, in leaves with masks [K, E, O]."""
    return tuning_epochs(context, masks, budget) * leaf_epoch_images(context)


def inherited_images(context: RunContext) -> int:
    """Images that the weights have seen from which leaves start: those of the warm-up, unless they are new."""
    return (context.config.leaf_weights == "parent") * context.config.warmup_epochs * epoch_images(context)


def method_images(context: RunContext, tree: SplitTree) -> int:
    """Training images that the method saw before it chose."""
    return inherited_images(context) + leaves_images(context, tree) + _others(context, tree)


def leaves_images(context: RunContext, tree: SplitTree) -> int:
    """Images that trained all leaves of the method."""
    return len(tree.leaves) * context.config.leaf_epochs * leaf_epoch_images(context)


def _others(context: RunContext, tree: SplitTree) -> int:
    """Images of the method that are neither in the weights its leaves start from nor in their training.

    They scored operations, tuned, and warmed up a supernet that gave the leaves no weights.
    """
    config = context.config
    warm_up = config.warmup_epochs * epoch_images(context) - inherited_images(context)
    return warm_up + scoring_images(context, tree) + tuning_images(context, tree.masks(), config.search.budget)


def unsplit_epochs(context: RunContext, tree: SplitTree) -> int:
    """Epochs of the one supernet: those of all leaves of the method, and as many as its other images make.

    Its own tuning takes its part of them.
    """
    budget = unsplit_search(context, tree).budget
    others = _others(context, tree) - tuning_images(context, context.space.full_mask()[None], budget)
    return max(1, len(tree.leaves) * context.config.leaf_epochs + round(others / leaf_epoch_images(context)))


def random_split_epochs(context: RunContext, tree: SplitTree, drawn: SplitTree) -> int:
    """Epochs of each leaf of the `drawn` tree: those of a leaf of the method, and its share of the others' images.

    A random tree has all leaves of the config; where nodes of the method's stayed whole, they share its epochs. Their
    own tuning takes its part.
    """
    config, leaves = context.config, math.prod(context.config.split.groups)
    missing = (leaves - len(tree.leaves)) * config.leaf_epochs * leaf_epoch_images(context)
    others = _others(context, tree) - tuning_images(context, drawn.masks(), config.search.budget) - missing
    return max(1, config.leaf_epochs + round(others / (leaves * leaf_epoch_images(context))))


def random_alone_epochs(context: RunContext, tree: SplitTree, networks: int) -> int:
    """Epochs of each of so many networks trained alone, which together see the method's images."""
    return max(1, round(method_images(context, tree) / (networks * epoch_images(context))))


def build_contender(
    context: RunContext,
    name: str,
    kind: str,
    tree: SplitTree,
    params: Params,
    histories: list[Evaluated],
    images: int,
    tuned: int = 0,
) -> Contender:
    """The contender of trained sub-supernets, params [K, ...], that were searched.

    images: seen until it chose; tuned: those of the training between decisions of the selector.
    """
    evaluated = sum(len(of.scores) + len(of.parent) if of.taken is None else of.taken.evaluations for of in histories)
    chosen = few_shot.select(histories, tree, context.config.search)
    return Contender(name, kind, chosen, images, evaluated, Supernets(tree, params, histories, tuned))


def unsplit(context: RunContext, params: Params, tree: SplitTree, stages: Stages) -> Contender:
    """One supernet, from the same weights as the leaves, trained and searched as long as all of `tree` together."""
    epochs = unsplit_epochs(context, tree)
    whole = SplitTree(context.space, (root(context.space),))
    masks, search = whole.masks(), unsplit_search(context, tree)
    with stages("unsplit") as stage:
        states = train_leaves(context, params, masks, epochs, (UNSPLIT, 0), stage)
    with stages("unsplit_search") as stage:
        histories = search_leaves(context, states, masks, search, (UNSPLIT, 0), stage, parent=params)
    tuned = tuning_images(context, masks, search.budget)
    images = inherited_images(context) + epochs * leaf_epoch_images(context) + tuned
    return build_contender(context, "not split", "unsplit", whole, states.subnet.params, histories, images, tuned)


def unsplit_search(context: RunContext, tree: SplitTree) -> SearchConfig:
    """The search of the one supernet: with the budget of all leaves of the method."""
    config = context.config.search
    return replace(config, budget=len(tree.leaves) * config.budget)


def validate_controls(context: RunContext, seeds: Collection[int] = ()) -> None:
    """Raises UserError, before any work, for a control that cannot be.

    Random trees are those of every one of the `seeds`; of none, those of the run's seed.
    """
    config = context.config
    for seed in seeds or (config.seed,):
        for index, drawn in enumerate(random_trees(of_seed(context, seed))):
            check_leaves(context, drawn.masks(), config.search.budget, f"random split {index + 1}")
    check_unsplit(context, math.prod(config.split.groups))


def check_unsplit(context: RunContext, leaves: int) -> None:
    """Raises UserError where the budget of so many leaves is too small for the supernet that is not split."""
    if context.config.control.unsplit:
        full, budget = context.space.full_mask()[None], leaves * context.config.search.budget
        check_leaves(context, full, budget, "the supernet that is not split")


def random_trees(context: RunContext) -> list[SplitTree]:
    """Trees of as many groups as the method's, drawn at random; fixed by the seed before any work.

    Draws that end where a node cannot be split are repeated; raises UserError if all of TRIES do.
    """

    def draw(index: int) -> SplitTree:
        rng = np.random.default_rng([context.config.seed, RANDOM_SPLIT, index])
        for _ in range(TRIES - 1):
            with suppress(UserError):
                return grow(context.space, context.config.split.groups, at_random(context.space, rng))
        return grow(context.space, context.config.split.groups, at_random(context.space, rng))

    return [draw(index) for index in range(context.config.control.random_splits)]


def random_split(
    context: RunContext,
    params: Params,
    tree: SplitTree,
    drawn: SplitTree,
    index: int,
    stages: Stages,
) -> Contender:
    """A tree `drawn` at random; its leaves also get the images that scoring cost the method's `tree`."""
    search, epochs = context.config.search, random_split_epochs(context, tree, drawn)
    purpose, masks = (RANDOM_SPLIT, 1 + index), drawn.masks()
    with stages(f"random_split_{index + 1}") as stage:
        states = train_leaves(context, params, masks, epochs, purpose, stage)
    with stages(f"random_split_{index + 1}_search") as stage:
        histories = search_leaves(context, states, masks, search, purpose, stage, parent=params)
    tuned = tuning_images(context, masks, search.budget)
    images = inherited_images(context) + len(masks) * epochs * leaf_epoch_images(context) + tuned
    name = f"random split {index + 1}"
    return build_contender(context, name, "random_split", drawn, states.subnet.params, histories, images, tuned)


def random_alone(context: RunContext, tree: SplitTree, stages: Stages) -> Contender:
    """Architectures drawn at random, each trained alone for an equal share of the method's images; the best of them.

    The best is taken by validation accuracy, and is then trained like everything that was chosen.
    """
    rng = np.random.default_rng([context.config.seed, RANDOM_ALONE])
    op_ids = context.space.draw_connected(rng, context.config.control.random_architectures)
    epochs = random_alone_epochs(context, tree, len(op_ids))
    with stages("random_alone") as stage:
        states = train_standalone(context, op_ids, epochs, RANDOM_ALONE, stage)
        scores = standalone_accuracy(context, states, op_ids, context.valid)
    best = int(scores.argmax())
    chosen = Chosen(None, op_ids[best], float(scores[best]))
    images = len(op_ids) * epochs * epoch_images(context)
    return Contender(f"best of {len(op_ids)} random", "random_alone", chosen, images, len(op_ids), None)
