"""The leaves of a tree: trained by any search algorithm, and an architecture taken from each by any selector.

Leaves of uniform paths that evolution searches go side by side, over several processes too; other selectors go leaf by
leaf, in one process.
"""

from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxnas.config import SearchConfig, SelectionConfig
from jaxnas.distributed import parallel
from jaxnas.few_shot import one_shot
from jaxnas.few_shot import run_context as run_context
from jaxnas.few_shot.config import FewShotConfig
from jaxnas.few_shot.follow import follower
from jaxnas.few_shot.rehearsal import selector_of
from jaxnas.few_shot.run_context import LEAVES, RunContext, purpose_key
from jaxnas.few_shot.stages import first_generation, score_paths, search, train_supernets, uses_leaf_bias
from jaxnas.search import ALGORITHMS
from jaxnas.selection import Evaluated, Taken, Trained
from jaxnas.training import Searching, initial_weights
from jaxnas.types import Params, Stage

DRAW, SELECT = 1, 2  # what dice of a leaf are for


class Compiled(NamedTuple):
    """What leaves are trained and read by."""

    programs: one_shot.SearchPrograms
    judges: one_shot.Evaluators


def compiled(context: RunContext) -> Compiled:
    """The programs of the config's algorithm and selector; seeds share them."""
    config = context.config
    parts = {name: getattr(config, name) for name in ("data", "net", "optimizer", "strategy")}
    search, selection = SearchConfig(algorithm=config.search.algorithm), SelectionConfig(score=config.selection.score)
    return _compiled(context.programs, FewShotConfig(**parts, search=search, selection=selection))


@lru_cache(maxsize=1)
def _compiled(base: run_context.FewShotPrograms, config: FewShotConfig) -> Compiled:
    space = run_context.SPACES[config.net.space]
    algorithm = ALGORITHMS[config.search.algorithm](space)
    judges = one_shot.build_evaluators(base, config, base.supernet(algorithm.partial), config.selection.score)
    return Compiled(one_shot.build_search_programs(base, config, algorithm), judges)


def first_weights(context: RunContext, parent: Params) -> Params:
    """What all leaves of a run start from, those of controls too: the parent's weights, or new ones of the seed."""
    if context.config.leaf_weights == "parent":
        return parent
    network = context.programs.supernet(ALGORITHMS[context.config.search.algorithm](context.space).partial)
    return initial_weights(network, purpose_key(context, LEAVES, 1))


def train_leaves(
    context: RunContext, parent: Params, masks: np.ndarray, epochs: int, purpose: tuple[int, int], stage: Stage
) -> Searching:
    """K sub-supernets, masks [K, E, O] -> leaves [K, ...], trained from `first_weights` on a schedule of their own.

    Raises NonFiniteLoss if one diverges. Algorithms other than uniform paths also see validation images.
    """
    keys, weights = jax.random.split(purpose_key(context, *purpose), len(masks)), first_weights(context, parent)
    if context.config.search.algorithm == "uniform":
        return Searching(train_supernets(context, keys, masks, weights, epochs, stage), ())
    programs = compiled(context).programs
    start = one_shot.begin(context, programs, keys, masks, epochs, parallel.copies(weights, len(masks)))
    likeliest, follow = one_shot.likeliest(context, programs), follower(context, masks, epochs, score_paths)

    def told(epoch: int, states: Searching) -> list[dict[str, Any]]:
        both = zip(likeliest(epoch, states), follow(epoch, states.subnet), strict=True)
        return [{**learnt, **scores} for learnt, scores in both]

    return one_shot.train_on(context, programs, start, epochs, stage, describe=told)


def search_leaves(
    context: RunContext,
    states: Searching,
    masks: np.ndarray,
    config: SearchConfig,
    purpose: tuple[int, int],
    stage: Stage,
    *,
    parent: Params,
) -> list[Evaluated]:
    """What was evaluated in every leaf, leaves [K, ...], and what is taken from it: by evolution, or another selector.

    Selectors score each in a way of its own. So leaves are compared by validation accuracy: of what was taken and,
    where `config` compares leaves by architectures drawn at random, of `population` of these in each leaf, evaluated
    beyond the budget. Every path whose accuracy was looked at is among what was evaluated, once. Goes on after the
    last leaf that `stage` kept.
    """
    if context.config.selection.name == "evolution":
        return search(context, states.subnet.params, masks, config, purpose, stage, parent=parent)
    found = []
    for k, mask in enumerate(masks):
        kept = stage.once([k], partial(_searched, context, states, parent, k, mask, config, purpose, len(masks)))
        taken = Taken(**kept["taken"])
        scores, by_parent = kept["scores"].astype(float), kept["parent"].astype(float)
        found.append(Evaluated(kept["op_ids"], scores, by_parent, taken))
        row = {"leaf": k, "evaluated": taken.evaluations, "best_accuracy": float(scores[taken.row])}
        stage.tell(k + 1, len(masks), [row])
    return found


def _searched(
    context: RunContext,
    states: Searching,
    parent: Params,
    leaf: int,
    mask: np.ndarray,
    config: SearchConfig,
    purpose: tuple[int, int],
    leaves: int,
) -> dict[str, Any]:
    """What is kept of one leaf: the fields of `Evaluated`, accuracies as the float32 that they are."""
    draw, choose = (np.random.default_rng([context.config.seed, *purpose, leaf, use]) for use in (DRAW, SELECT))
    drawn = context.space.draw_connected(draw, shown(context, leaves), mask)
    found = _taken(context, single_view(context, states, leaf), mask, drawn, config.budget, choose)
    assert found.taken is not None
    taken, by_parent = found.taken, np.zeros(0, np.float32)
    if uses_leaf_bias(config, leaves):
        (by_parent,) = score_paths(context, parallel.copies(parent, 1), [drawn], 1)
        taken = taken._replace(evaluations=taken.evaluations + len(drawn))
    kept = found._replace(scores=found.scores.astype(np.float32), parent=by_parent, taken=taken)
    return {**kept._asdict(), "taken": taken._asdict()}


def shown(context: RunContext, leaves: int) -> int:
    """Architectures drawn at random that are evaluated in each leaf beside what a selector does there."""
    config = context.config.search
    by_random = leaves > 1 and (config.leaf_bias or config.leaf != "best")
    return first_generation(config) if by_random and context.config.selection.name != "evolution" else 0


def single_view(context: RunContext, states: Searching, leaf: int) -> Trained:
    """One of the trained leaves, [K, ...], as the selector of the config sees it."""
    selection, (programs, judges) = context.config.selection, compiled(context)
    one = one_shot.single(states, leaf)
    return one_shot.trained_of(context, programs, judges, one, selection.recalibrate, selection.tune_epochs)


def _taken(
    context: RunContext, view: Trained, mask: np.ndarray, drawn: np.ndarray, budget: int, rng: np.random.Generator
) -> Evaluated:
    """What the selector takes from a leaf, after what was `drawn` of it, int [A, E], is evaluated."""
    looked: dict[tuple[int, ...], float] = {}  # paths in the order in which they were first evaluated

    def accuracy(choices: np.ndarray) -> np.ndarray:
        found = view.accuracy(choices)
        if np.issubdtype(np.asarray(choices).dtype, np.integer):
            for row, value in zip(np.asarray(choices).tolist(), found.tolist(), strict=True):
                looked.setdefault(tuple(row), value)
        return found

    watched = view._replace(accuracy=accuracy)
    if len(drawn):
        watched.accuracy(drawn)
    found = selector_of(context, budget)(rng, watched, mask, budget)
    own, evaluations = tuple(found.op_ids.tolist()), len(drawn) + found.evaluations
    if own not in looked:
        watched.accuracy(found.op_ids[None].astype(np.int32))
        evaluations += 1
    taken = Taken(list(looked).index(own), len(drawn), evaluations)
    return Evaluated(np.array(list(looked), np.int32), np.array(list(looked.values())), taken=taken)
