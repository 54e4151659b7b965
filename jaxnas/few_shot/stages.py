"""Few-shot NAS, stage by stage: warm up, score and split, train the leaves, search, select.

The method of the metric-driven few-shot literature (Zhao et al., ICML 2021; Hu et al., ICLR 2022; Ly-Manson et al.,
AutoML 2024). Every stage is a function of arrays that goes on from what its `Stage` kept; none of them sees true
accuracies or test images.
"""

from functools import partial
from itertools import count
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.config import SearchConfig
from jaxnas.distributed import parallel
from jaxnas.few_shot.follow import follower
from jaxnas.few_shot.one_shot import calibration_of
from jaxnas.few_shot.run_context import SCORE, WARM_UP, RunContext, purpose_key, steps_per_epoch
from jaxnas.few_shot.scoring import (
    NodeScores,
    joined,
    node_scores,
    score_node,
    scored_readings,
    scoring_batches,
)
from jaxnas.metrics import METRICS, Readings
from jaxnas.search import ALGORITHMS
from jaxnas.selection import ESTIMATES, Evaluated, evaluated, evaluations, leaf_bias, no_history, propose
from jaxnas.spaces.base import mask_size
from jaxnas.spaces.tree import Node, SplitTree
from jaxnas.splitting import FEWEST, EdgeReading, by_batches, grow
from jaxnas.training import SubnetState, initial_weights, new_states, train
from jaxnas.types import Key, Params, Stage


class Chosen(NamedTuple):
    """The selected architecture."""

    leaf: int | None  # None: not taken from a supernet
    op_ids: np.ndarray  # [E]
    score: float  # validation accuracy in its leaf, percent


def warm_up(context: RunContext, stage: Stage) -> Params:
    """Weights of the full supernet after training it on uniform connected single paths."""
    params = initial_weights(context.programs.network, purpose_key(context, WARM_UP, 0))
    keys = jnp.stack([purpose_key(context, WARM_UP, 1)])
    masks = context.space.full_mask()[None]
    states = train_supernets(context, keys, masks, params, context.config.warmup_epochs, stage)
    return parallel.item(states.params, 0)


def split(context: RunContext, params: Params, stage: Stage) -> tuple[SplitTree, dict[int, NodeScores]]:
    """The split tree, and what every scored node gave.

    Every node is scored with the same warmed-up weights and the same R training batches, or with `split.stability` as
    many of them as settle its split; their spread says how far to trust it. Raises UserError naming metric, edge and
    operation if a connected probe gives a measurement that is not finite.
    """
    config, space = context.config.split, context.space
    metric = METRICS[config.metric](context.programs.network, space)
    images, labels = scoring_batches(context)
    chunk = config.batches if config.stability is None else FEWEST
    nodes = sum(int(np.prod(config.groups[:level])) for level in range(len(config.groups)))
    total = nodes * (config.batches // chunk)  # looks, at most
    parts: dict[int, list[Readings]] = {}  # of each node that was scored, in the order of batches

    def measure(node: Node, end: int) -> list[EdgeReading | None]:
        first = end - chunk
        batches = images[first:end], labels[first:end]
        score = partial(score_node, context, metric, params, node, first, batches)
        found = stage.once([node.id, first, end], lambda: score()._asdict())
        parts.setdefault(node.id, []).append(Readings(**found))
        stage.tell(sum(map(len, parts.values())), total, [])
        return scored_readings(context, metric, node, joined(parts[node.id]))

    rng = np.random.default_rng([context.config.seed, SCORE])
    tree = grow(space, config.groups, by_batches(space, measure, config, rng))
    if sum(map(len, parts.values())) < total:  # nodes that stay whole have no children, settled splits no more looks
        stage.tell(total, total, [])
    return tree, {i: node_scores(context, metric, tree.nodes[i], joined(of)) for i, of in parts.items()}


def search(
    context: RunContext,
    params: Params,
    masks: np.ndarray,
    config: SearchConfig,
    purpose: tuple[int, int],
    stage: Stage,
    *,
    parent: Params,
) -> list[Evaluated]:
    """What evolution evaluated in every leaf, on validation accuracy. params: leaves [K, ...].

    With `config.leaf_bias` and several leaves, the first generation of each is evaluated by `parent` as well, the
    weights of the warmed-up supernet, which puts architectures of all leaves on one scale.
    """
    space, seed = context.space, context.config.seed
    total = sum(evaluations(space, mask, config) for mask in masks)
    histories = [no_history(space)] * len(masks)
    for generation in count():
        proposals = [
            propose(np.random.default_rng([seed, *purpose, generation, k]), space, mask, history, config)
            for k, (mask, history) in enumerate(zip(masks, histories, strict=True))
        ]
        if not any(len(proposal) for proposal in proposals):
            break
        found = stage.once([generation], partial(score_paths, context, params, proposals))
        if generation == 0 and uses_leaf_bias(config, len(masks)):
            # As many copies as leaves, so that the program of the leaves serves.
            weights = parallel.copies(parent, len(masks))
            by_parent = stage.once(["parent"], partial(score_paths, context, weights, proposals, 1))
            histories = [
                of._replace(parent=scores.astype(float)) for of, scores in zip(histories, by_parent, strict=True)
            ]
        histories = [evaluated(*of) for of in zip(histories, proposals, found, strict=True)]
        rows = [
            {
                "generation": generation + 1,
                "leaf": k,
                "evaluated": len(of.scores),
                "best_accuracy": float(of.scores.max()),
            }
            for k, of in enumerate(histories)
        ]
        stage.tell(sum(len(of.scores) for of in histories), total, rows)
    return histories


def uses_leaf_bias(config: SearchConfig, leaves: int) -> bool:
    """Whether the parent scores the first generation: asked for, and there is more than one leaf to compare."""
    return config.leaf_bias and leaves > 1


def first_generation(config: SearchConfig) -> int:
    """Most architectures of the first generation of a leaf, which is drawn at random."""
    return min(config.population, config.budget)


def score_paths(
    context: RunContext, params: Params, paths: list[np.ndarray], partial: int | None = None
) -> list[np.ndarray]:
    """Validation accuracies, percent, of paths[k], int [a_k, E], in sub-supernet k. params: leaves [K, ...].

    Norms use the statistics of each batch, or those of `selection.recalibrate` training batches. The supernets are on
    1/partial of the channels; by default, as the algorithm of the leaves has it. In parts of one shape, as many at once
    as there are lanes, so that one program serves all and no leaf waits for a fuller one; repeats fill the last parts
    up and are dropped.
    """
    config = context.config
    evaluate = context.programs.evaluate_in(partial or ALGORITHMS[config.search.algorithm](context.space).partial)
    recalibrate = config.selection.recalibrate
    calibration = (calibration_of(context, recalibrate),) if recalibrate else ()
    size, lanes = min(config.search.population, config.search.budget), parallel.lanes(config.strategy)
    parts = [(k, first) for k, rows in enumerate(paths) for first in range(0, len(rows), size)]
    weights = jax.device_get(params)  # to cut what is spread over devices would be a collective for each leaf
    found = [np.zeros(len(rows), np.float32) for rows in paths]
    for start in range(0, len(parts), lanes):
        now = [parts[i % len(parts)] for i in range(start, start + lanes)]
        batch = np.stack([np.resize(paths[k][first : first + size], (size, paths[k].shape[1])) for k, first in now])
        own = parallel.item(weights, np.array([k for k, _ in now]))
        scores = np.asarray(evaluate((own, jnp.asarray(batch)), context.valid, *calibration))
        for (k, first), row in zip(now, scores, strict=True):
            found[k][first : first + size] = row[: len(found[k]) - first]
    return found


def select(histories: list[Evaluated], tree: SplitTree, config: SearchConfig) -> Chosen:
    """What is taken from one leaf, the best validation accuracy or a selector's choice; of ties the first.

    The leaf is the one whose own is the most accurate, or by `config.leaf` the one that an estimate on what was drawn
    at random in it (the first generation) puts first: scores of different supernets are not on one scale, and the best
    of many is the luckiest too. With `config.leaf_bias`, either compares scores less the `leaf_bias` of their leaf,
    which the same random ones tell; the score that is returned is that of the leaf itself.
    """
    rows = [int(of.scores.argmax()) if of.taken is None else of.taken.row for of in histories]
    scores = [history.scores for history in histories]
    if uses_leaf_bias(config, len(histories)):
        first = [history.scores[: len(history.parent)] for history in histories]
        bias = leaf_bias(first, [history.parent for history in histories])
        scores = [of - taken for of, taken in zip(scores, bias, strict=True)]
    if config.leaf == "best" or len(histories) == 1:
        worth = [float(of[row]) for of, row in zip(scores, rows, strict=True)]
    else:
        sizes = np.array([mask_size(mask) for mask in tree.masks()])
        estimate = ESTIMATES[config.leaf]
        counts = [config.population if of.taken is None else of.taken.drawn for of in histories]
        drawn = [of[:count] for of, count in zip(scores, counts, strict=True)]
        worth = [estimate(of, size / sizes.sum()) for of, size in zip(drawn, sizes, strict=True)]
    leaf = int(np.argmax(worth))
    return Chosen(leaf, histories[leaf].op_ids[rows[leaf]], float(histories[leaf].scores[rows[leaf]]))


def train_supernets(
    context: RunContext, keys: Key, masks: np.ndarray, params: Params, epochs: int, stage: Stage
) -> SubnetState:
    """K sub-supernets, masks [K, E, O], trained for `epochs` from the same weights."""
    programs = context.programs
    states = new_states(keys, masks, params, programs.optimizer, epochs * steps_per_epoch(context))
    follow = follower(context, masks, epochs, partial(score_paths, partial=1))
    return train(states, context.train, programs.epoch, epochs, stage, describe=follow)
