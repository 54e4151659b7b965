"""Few-shot NAS, stage by stage: warm up, score and split, train the leaves, search, select, judge.

The method of the metric-driven few-shot literature (Zhao et al., ICML 2021; Hu et al., ICLR 2022; Ly-Manson et al.,
AutoML 2024). Every stage is a function of arrays; only `judge` sees true accuracies and test images.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas import parallel
from jaxnas.analysis import RankCorrelation, rank_correlation
from jaxnas.benchmarks import Table
from jaxnas.data import Images, Split
from jaxnas.data.pipeline import padded_batches
from jaxnas.methods.problem import Problem, steps_per_epoch
from jaxnas.metrics import METRICS, edge_similarity
from jaxnas.metrics.probes import check_similarity
from jaxnas.selection import Evaluated, evaluations, no_history, propose
from jaxnas.spaces.tree import Node, SplitTree, as_mask
from jaxnas.splitting import grow
from jaxnas.training import (
    SubnetState,
    build_evaluate,
    build_optimizer,
    initial_weights,
    new_state,
    new_states,
    train,
)
from jaxnas.types import Array, Key, Params

# One key for each purpose, folded into the run's key.
WARM_UP, SCORE, LEAVES, SEARCH, ALONE = range(5)
Report = Callable[[str, int, int, list[dict[str, Any]]], None]
"""(stage, done, total, rows of metrics): called as a stage proceeds"""


class Chosen(NamedTuple):
    """The selected architecture."""

    leaf: int
    op_ids: np.ndarray  # [E]
    score: float  # validation accuracy in its leaf, percent


class Judgement(NamedTuple):
    """How good the chosen architecture and the ranking really were."""

    validation_accuracy: float  # of the architecture trained alone, percent
    test_accuracy: float
    true_accuracy: float | None
    truths: list[np.ndarray] | None  # true accuracy of everything evaluated, by leaf
    correlation: RankCorrelation | None  # of supernet scores with the truth, over all leaves
    source: str | None  # where the truth comes from


def warm_up(problem: Problem, report: Report) -> Params:
    """Weights of the full supernet after training it on uniform connected single paths."""
    params = initial_weights(problem.network, _key(problem, WARM_UP, 0))
    keys = jnp.stack([_key(problem, WARM_UP, 1)])
    masks = problem.space.full_mask()[None]
    states = _train_supernets(problem, keys, masks, params, problem.config.warmup_epochs, "warm-up", report)
    return parallel.item(states.params, 0)


def split(problem: Problem, params: Params, report: Report) -> tuple[SplitTree, dict[int, np.ndarray]]:
    """The split tree, and for every split node its similarities [E, R, O, O].

    Every node is scored with the same warmed-up weights and the same R training batches. Raises UserError naming
    metric, edge and operation if a connected probe gives a similarity that is not finite.
    """
    config = problem.config
    images, labels = _scoring_batches(problem)
    metric = METRICS[config.split.metric](problem.network, problem.space)
    similarity = edge_similarity(metric, problem.space, config.split.background)

    def of_edge(item: tuple[Key, Array], params: Params, mask: Array, images: Array, labels: Array) -> Any:
        return similarity(item[0], params, mask, item[1], images, labels)

    of_edges = parallel.over(of_edge, problem.config.strategy)
    edges = jnp.arange(len(problem.space.edges))
    measured: dict[int, np.ndarray] = {}
    total = 1 + sum(int(np.prod(config.split.groups[:level])) for level in range(1, len(config.split.groups)))

    def score(node: Node) -> np.ndarray:
        keys = jax.random.split(_key(problem, SCORE, 1 + node.id), len(edges))
        values, alive = jax.device_get(of_edges((keys, edges), params, jnp.asarray(as_mask(node)), images, labels))
        check_similarity(problem.space, config.split.metric, values, alive)
        measured[node.id] = values
        report("split", len(measured), total, [])
        return values.mean(1)

    return grow(problem.space, config.split.groups, score), measured


def train_leaves(problem: Problem, params: Params, tree: SplitTree, report: Report) -> SubnetState:
    """The K sub-supernets, leaves [K, ...], trained from the parent's weights; optimizer and schedule restarted."""
    masks = tree.masks()
    keys = jax.random.split(_key(problem, LEAVES, 0), len(masks))
    return _train_supernets(problem, keys, masks, params, problem.config.leaf_epochs, "leaves", report)


def search(problem: Problem, params: Params, masks: np.ndarray, report: Report) -> list[Evaluated]:
    """What evolution evaluated in every leaf, on validation accuracy with batch statistics. params: leaves [K, ...]."""
    config, space = problem.config, problem.space
    evaluate = parallel.over(build_evaluate(problem.network, problem.pipeline), problem.config.strategy)
    histories = [no_history(space) for _ in masks]
    population = min(config.search.population, config.search.budget)
    generation, total = 0, sum(evaluations(space, mask, config.search) for mask in masks)
    while True:
        proposals = [
            propose(
                np.random.default_rng([config.seed, SEARCH, generation, k]), space, mask, histories[k], config.search
            )
            for k, mask in enumerate(masks)
        ]
        if not any(len(proposal) for proposal in proposals):
            return histories
        # One shape for every generation, so that one program serves all; repeats are evaluated and dropped.
        fallback = [history.op_ids[:1] for history in histories]
        batch = np.stack(
            [
                np.resize(p if len(p) else f, (population, len(space.edges)))
                for p, f in zip(proposals, fallback, strict=True)
            ]
        )
        scores = np.asarray(evaluate((params, jnp.asarray(batch)), problem.valid), float)
        histories = [
            Evaluated(np.concatenate([h.op_ids, p]), np.concatenate([h.scores, s[: len(p)]]))
            for h, p, s in zip(histories, proposals, scores, strict=True)
        ]
        generation += 1
        done = sum(len(history.scores) for history in histories)
        rows = [
            {"generation": generation, "leaf": k, "evaluated": len(h.scores), "best_accuracy": float(h.scores.max())}
            for k, h in enumerate(histories)
        ]
        report("search", done, total, rows)


def select(histories: list[Evaluated]) -> Chosen:
    """The architecture with the best validation accuracy in its own leaf; of ties the first leaf, first evaluated."""
    leaf = int(np.argmax([history.scores.max() for history in histories]))
    best = int(histories[leaf].scores.argmax())
    return Chosen(leaf, histories[leaf].op_ids[best], float(histories[leaf].scores[best]))


def judge(
    problem: Problem,
    chosen: Chosen,
    histories: list[Evaluated],
    test: Callable[[], Split],
    truth: Table | None,
    report: Report,
) -> Judgement:
    """Trains the chosen architecture alone and reads its test and true accuracy: the one place that does."""
    op_ids = chosen.op_ids[None]
    states = train_alone(problem, op_ids, report)
    validation = float(accuracy_alone(problem, states, op_ids, problem.valid)[0])
    batches = padded_batches(test(), problem.config.data.eval_batch)
    tested = float(accuracy_alone(problem, states, op_ids, batches)[0])
    if truth is None:
        return Judgement(validation, tested, None, None, None, None)
    name = problem.config.data.name
    truths = [truth.query(history.op_ids, name) for history in histories]
    scores = np.concatenate([history.scores for history in histories])
    correlation = rank_correlation(scores, np.concatenate(truths))
    true = float(truth.query(op_ids, name)[0])
    return Judgement(validation, tested, true, truths, correlation, f"table ({truth.source})")


def train_alone(problem: Problem, op_ids: np.ndarray, report: Report) -> SubnetState:
    """Networks of A architectures, each trained alone from new weights, with running statistics. op_ids [A, E].

    The states have leaves [A, ...]; one program serves every architecture.
    """
    config = problem.config
    masks = jnp.asarray(np.eye(len(problem.space.ops), dtype=bool)[op_ids])
    optimizer, steps = build_optimizer(config.optimizer), config.alone_epochs * steps_per_epoch(problem)

    def start(weights_key: Key, key: Key, mask: Array) -> SubnetState:
        return new_state(key, mask, problem.alone.init(weights_key), optimizer, steps, problem.alone.init_stats())

    keys = [jnp.stack([_key(problem, ALONE, 2 * i + purpose) for i in range(len(op_ids))]) for purpose in (0, 1)]
    states = jax.jit(jax.vmap(start))(*keys, masks)
    report_epoch = _by_epoch("alone", config.alone_epochs, report)
    return train(states, problem.train, problem.alone_epoch, config.alone_epochs, report_epoch)


def accuracy_alone(problem: Problem, states: SubnetState, op_ids: np.ndarray, batches: Images) -> np.ndarray:
    """Accuracies [A], percent, of networks trained alone, by their running statistics. op_ids [A, E]."""
    evaluate = parallel.over(build_evaluate(problem.alone, problem.pipeline), problem.config.strategy)
    return np.asarray(evaluate((states.params, jnp.asarray(op_ids)[:, None], states.stats), batches))[:, 0]


def _train_supernets(
    problem: Problem, keys: Key, masks: np.ndarray, params: Params, epochs: int, stage: str, report: Report
) -> SubnetState:
    optimizer = build_optimizer(problem.config.optimizer)
    states = new_states(keys, masks, params, optimizer, epochs * steps_per_epoch(problem))
    return train(states, problem.train, problem.epoch, epochs, _by_epoch(stage, epochs, report))


def _scoring_batches(problem: Problem) -> tuple[Array, Array]:
    """R augmented training batches, float [R, B, H, W, C], and labels [R, B]; the same for every node and edge."""
    repeats, size = problem.config.split.batches, problem.config.data.batch
    order_key, augment_key = jax.random.split(_key(problem, SCORE, 0))
    examples = problem.train.labels.shape[0]
    # With fewer than R whole batches in the training set, they are drawn again, in another order.
    passes = -(-repeats * size // examples)
    orders = [jax.random.permutation(k, examples) for k in jax.random.split(order_key, passes)]
    indices = jnp.concatenate(orders)[: repeats * size].reshape(repeats, size)
    images = jax.vmap(problem.pipeline.augment)(jax.random.split(augment_key, repeats), problem.train.images[indices])
    return images, problem.train.labels[indices]


def _by_epoch(stage: str, epochs: int, report: Report) -> Callable[[int, list[dict[str, Any]]], None]:
    return lambda done, rows: report(stage, done, epochs, rows)


def _key(problem: Problem, purpose: int, index: int) -> Key:
    return jax.random.fold_in(jax.random.fold_in(jax.random.key(problem.config.seed), purpose), index)
