"""What the method is compared with, at an equal number of training images.

A contender is a way to choose an architecture: the method, or a control. Images that score operations count as
training images: each went forward and backward through the network.
"""

import math
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from jaxnas.methods import few_shot
from jaxnas.methods.alone import accuracy_alone, train_alone
from jaxnas.methods.few_shot import Chosen
from jaxnas.methods.problem import RANDOM_ALONE, RANDOM_SPLIT, UNSPLIT, Problem, steps_per_epoch
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


class Contender(NamedTuple):
    """A way to choose an architecture, and what it chose."""

    name: str
    kind: str  # method, unsplit, random_split, random_alone
    chosen: Chosen
    images: int  # training images seen before it chose
    evaluations: int  # of architectures on validation images, before it chose
    supernets: Supernets | None


def controls(problem: Problem, params: Params, tree: SplitTree, stages: Stages) -> list[Contender]:
    """The controls that the config asks for. params: of the warmed-up supernet; tree: of the method."""
    wanted, found = problem.config.control, []
    if wanted.unsplit:
        found.append(unsplit(problem, params, tree, stages))
    for index, drawn in enumerate(random_trees(problem)):
        found.append(random_split(problem, params, tree, drawn, index, stages))
    if wanted.random_architectures:
        found.append(random_alone(problem, tree, stages))
    return found


def epoch_images(problem: Problem) -> int:
    """Training images of one epoch of one network."""
    return steps_per_epoch(problem) * problem.config.data.batch


def scoring_images(problem: Problem, tree: SplitTree) -> int:
    """Training images that scored the open operations of every scored edge of every node that was to be split.

    As many batches as the node's split took; all of them where it stays whole.
    """
    settings, total = problem.config.split, 0
    for node in tree.nodes:
        if node.split is not None or node.kept is not None:
            taken = None if node.split is None else node.split.batches
            total += passes(problem.space, as_mask(node), settings, settings.batches if taken is None else taken)
    return total * problem.config.data.batch


def method_images(problem: Problem, tree: SplitTree) -> int:
    """Training images that the method saw before it chose."""
    config = problem.config
    epochs = config.warmup_epochs + len(tree.leaves) * config.leaf_epochs
    return epochs * epoch_images(problem) + scoring_images(problem, tree)


def unsplit_epochs(problem: Problem, tree: SplitTree) -> int:
    """Epochs of the one supernet: those of all leaves of the method, and as many images as scoring cost."""
    scoring = round(scoring_images(problem, tree) / epoch_images(problem))
    return len(tree.leaves) * problem.config.leaf_epochs + scoring


def random_split_epochs(problem: Problem, tree: SplitTree) -> int:
    """Epochs of each leaf of a random tree: those of a leaf of the method, and its share of what scoring cost.

    A random tree has all leaves of the config; where nodes of the method's stayed whole, they share its epochs.
    """
    epochs, leaves = problem.config.leaf_epochs, math.prod(problem.config.split.groups)
    missing = (leaves - len(tree.leaves)) * epochs * epoch_images(problem)
    return max(1, epochs + round((scoring_images(problem, tree) - missing) / (leaves * epoch_images(problem))))


def random_alone_epochs(problem: Problem, tree: SplitTree, networks: int) -> int:
    """Epochs of each of so many networks trained alone, which together see the method's images."""
    return max(1, round(method_images(problem, tree) / (networks * epoch_images(problem))))


def contend(
    problem: Problem,
    name: str,
    kind: str,
    tree: SplitTree,
    params: Params,
    histories: list[Evaluated],
    images: int,
) -> Contender:
    """The contender of trained sub-supernets, params [K, ...], that were searched."""
    evaluated = sum(len(history.scores) + len(history.parent) for history in histories)
    chosen = few_shot.select(histories, tree, problem.config.search)
    return Contender(name, kind, chosen, images, evaluated, Supernets(tree, params, histories))


def unsplit(problem: Problem, params: Params, tree: SplitTree, stages: Stages) -> Contender:
    """One supernet, from the same warmed-up weights, trained and searched as long as all leaves of `tree` together."""
    config, epochs = problem.config, unsplit_epochs(problem, tree)
    whole = SplitTree(problem.space, (root(problem.space),))
    with stages("unsplit") as stage:
        states = few_shot.train_leaves(problem, params, whole, epochs, (UNSPLIT, 0), stage)
    with stages("unsplit_search") as stage:
        budget = replace(config.search, budget=len(tree.leaves) * config.search.budget)
        histories = few_shot.search(problem, states.params, params, whole.masks(), budget, (UNSPLIT, 0), stage)
    images = (config.warmup_epochs + epochs) * epoch_images(problem)
    return contend(problem, "not split", "unsplit", whole, states.params, histories, images)


def random_trees(problem: Problem) -> list[SplitTree]:
    """Trees of as many groups as the method's, drawn at random; fixed by the seed before any work.

    Draws that end where a node cannot be split are repeated; raises UserError if all of TRIES do.
    """

    def draw(index: int) -> SplitTree:
        rng = np.random.default_rng([problem.config.seed, RANDOM_SPLIT, index])
        for _ in range(TRIES - 1):
            with suppress(UserError):
                return grow(problem.space, problem.config.split.groups, at_random(problem.space, rng))
        return grow(problem.space, problem.config.split.groups, at_random(problem.space, rng))

    return [draw(index) for index in range(problem.config.control.random_splits)]


def random_split(
    problem: Problem,
    params: Params,
    tree: SplitTree,
    drawn: SplitTree,
    index: int,
    stages: Stages,
) -> Contender:
    """A tree `drawn` at random; its leaves also get the images that scoring cost the method's `tree`."""
    config, epochs = problem.config, random_split_epochs(problem, tree)
    purpose = (RANDOM_SPLIT, 1 + index)
    with stages(f"random_split_{index + 1}") as stage:
        states = few_shot.train_leaves(problem, params, drawn, epochs, purpose, stage)
    with stages(f"random_split_{index + 1}_search") as stage:
        histories = few_shot.search(problem, states.params, params, drawn.masks(), config.search, purpose, stage)
    images = (config.warmup_epochs + len(drawn.leaves) * epochs) * epoch_images(problem)
    name = f"random split {index + 1}"
    return contend(problem, name, "random_split", drawn, states.params, histories, images)


def random_alone(problem: Problem, tree: SplitTree, stages: Stages) -> Contender:
    """Architectures drawn at random, each trained alone for an equal share of the method's images; the best of them.

    The best is taken by validation accuracy, and is then trained like everything that was chosen.
    """
    rng = np.random.default_rng([problem.config.seed, RANDOM_ALONE])
    op_ids = problem.space.draw_connected(rng, problem.config.control.random_architectures)
    epochs = random_alone_epochs(problem, tree, len(op_ids))
    with stages("random_alone") as stage:
        states = train_alone(problem, op_ids, epochs, RANDOM_ALONE, stage)
        scores = accuracy_alone(problem, states, op_ids, problem.valid)
    best = int(scores.argmax())
    chosen = Chosen(None, op_ids[best], float(scores[best]))
    images = len(op_ids) * epochs * epoch_images(problem)
    return Contender(f"best of {len(op_ids)} random", "random_alone", chosen, images, len(op_ids), None)
