"""How good every contender really was: the one place that reads test images and true accuracies."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from jaxnas.analysis import (
    Interval,
    RankCorrelation,
    expected_best,
    rank_correlation,
    sample_mean,
    share_interval,
    top_share,
)
from jaxnas.benchmarks import Table
from jaxnas.data import Split
from jaxnas.data.pipeline import padded_batches
from jaxnas.few_shot import sample, stages
from jaxnas.few_shot.controls import Contender, Supernets
from jaxnas.few_shot.run_context import RunContext
from jaxnas.few_shot.standalone import standalone_accuracy
from jaxnas.spaces.tree import SplitTree
from jaxnas.training import SubnetState


class Agreement(NamedTuple):
    """How well the supernets of a contender rank cells."""

    whole: RankCorrelation  # the uniform sample
    half: RankCorrelation  # its better half by the truth
    top: RankCorrelation  # the best tenth by the truth


class Verdict(NamedTuple):
    """What one contender's architecture reached, trained alone, and how well its supernets rank the sample."""

    validation_accuracy: float
    test: Interval  # Wilson, over test images
    true_accuracy: float | None  # of the table
    agreement: Agreement | None


class Part(NamedTuple):
    """Cells of the ranking sample that were drawn in one way."""

    kind: str  # uniform, top, leaf
    op_ids: np.ndarray  # [A, E]
    leaf: np.ndarray  # int [A] of the method's tree
    truth: np.ndarray  # [A], percent
    scores: dict[str, np.ndarray]  # contender's name -> [A]; those that score this part


class Ranking(NamedTuple):
    """The ranking sample, its truth and its scores."""

    source: str  # "table (...)" or "stand-alone (n, epochs)"
    parts: list[Part]  # the uniform sample first
    agreement: Agreement  # of the method
    leaves: list[RankCorrelation]  # within each leaf of the method
    random: Interval  # mean of all connected architectures
    best_of: tuple[int, float] | None  # (k, expected best of k architectures drawn at random), where all are known


def architectures_to_train(contenders: list[Contender], cells: np.ndarray) -> np.ndarray:
    """The chosen architectures and those `cells`, each once, in that order; int [A, E]."""
    rows = [tuple(c.chosen.op_ids.tolist()) for c in contenders] + [tuple(row) for row in cells.tolist()]
    return np.array(list(dict.fromkeys(rows)), np.int32)


def judge(
    context: RunContext,
    contenders: list[Contender],
    tree: SplitTree,
    cells: np.ndarray,
    trained: tuple[np.ndarray, SubnetState],
    test: Callable[[], Split],
    table: Table | None,
) -> tuple[list[Verdict], Ranking | None]:
    """Verdicts on the contenders, the method first, and on the ranking of the uniform sample `cells`, int [A, E].

    trained: the architectures of `architectures_to_train` and their networks; without a table their test accuracies
    are the truth.
    """
    op_ids, states = trained
    images = test()
    validation = standalone_accuracy(context, states, op_ids, context.valid)
    tested = standalone_accuracy(context, states, op_ids, padded_batches(images, context.config.data.eval_batch))
    place = {tuple(row): i for i, row in enumerate(op_ids.tolist())}
    rows = [place[tuple(c.chosen.op_ids.tolist())] for c in contenders]
    name = context.config.data.name
    ranking, agreements = None, dict[str, Agreement]()
    if len(cells) and table is not None:
        ranking, agreements = _by_table(context, contenders, tree, cells, table)
    elif len(cells):
        truth = tested[[place[tuple(row)] for row in cells.tolist()]]
        ranking, agreements = _by_networks(context, contenders, tree, cells, truth)
    verdicts = [
        Verdict(
            validation_accuracy=float(validation[row]),
            test=share_interval(float(tested[row]), len(images)),
            true_accuracy=None if table is None else float(table.query(op_ids[row][None], name)[0]),
            agreement=agreements.get(c.name),
        )
        for row, c in zip(rows, contenders, strict=True)
    ]
    return verdicts, ranking


def scores_of(context: RunContext, supernets: Supernets, op_ids: np.ndarray) -> np.ndarray:
    """Validation accuracies [A], percent, of op_ids int [A, E], each by the leaf that holds it."""
    scores = np.zeros(len(op_ids))
    if len(op_ids):
        routes = supernets.tree.route(op_ids)
        paths = [op_ids[routes == k] for k in range(len(supernets.tree.leaves))]
        for k, found in enumerate(stages.score_paths(context, supernets.params, paths)):
            scores[routes == k] = found
    return scores


def _by_table(
    context: RunContext, contenders: list[Contender], tree: SplitTree, cells: np.ndarray, table: Table
) -> tuple[Ranking, dict[str, Agreement]]:
    """The uniform sample, more of the true best tenth, and a sample of each leaf of the method."""
    every, name = context.space.enumerate_connected(), context.config.data.name
    wanted, groups = context.config.control.random_architectures, context.config.split.groups
    known, drawn = table.query(every, name), wanted or math.prod(groups)  # of every seed, whatever stays whole
    top = sample.top_cells(context, every, known, cells)
    of_leaves = sample.leaf_cells(context, tree)

    def part(kind: str, op_ids: np.ndarray, by: list[Contender]) -> Part:
        scores = {c.name: scores_of(context, c.supernets, op_ids) for c in by if c.supernets is not None}
        return Part(kind, op_ids, tree.route(op_ids), table.query(op_ids, name), scores)

    uniform, top_part = part("uniform", cells, contenders), part("top", top, contenders)
    leaves = part("leaf", np.concatenate(of_leaves), contenders[:1])
    best = uniform.truth >= sample.best_tenth(known)
    truth = np.concatenate([uniform.truth[best], top_part.truth])
    agreements = {
        c: _agreement(scores, uniform.truth, np.concatenate([scores[best], top_part.scores[c]]), truth)
        for c, scores in uniform.scores.items()
    }
    mean = float(known.mean())
    ranking = Ranking(
        source=f"table ({table.source})",
        parts=[uniform, top_part, leaves],
        agreement=agreements[contenders[0].name],
        leaves=_within(leaves, contenders[0].name, len(tree.leaves)),
        random=Interval(mean, mean, mean, len(known)),
        best_of=(drawn, expected_best(known, drawn)),
    )
    return ranking, agreements


def _by_networks(
    context: RunContext, contenders: list[Contender], tree: SplitTree, cells: np.ndarray, truth: np.ndarray
) -> tuple[Ranking, dict[str, Agreement]]:
    """The uniform sample alone, whose truth [A] networks trained alone have shown."""
    scores = {c.name: scores_of(context, c.supernets, cells) for c in contenders if c.supernets is not None}
    uniform, top = Part("uniform", cells, tree.route(cells), truth, scores), top_share(truth, sample.BEST)
    agreements = {c: _agreement(values, truth, values[top], truth[top]) for c, values in scores.items()}
    ranking = Ranking(
        source=f"stand-alone ({len(cells)}, {context.config.alone_epochs} epochs)",
        parts=[uniform],
        agreement=agreements[contenders[0].name],
        leaves=_within(uniform, contenders[0].name, len(tree.leaves)),
        random=sample_mean(truth, len(context.space.enumerate_connected())),
        best_of=None,
    )
    return ranking, agreements


def _agreement(scores: np.ndarray, truth: np.ndarray, top: np.ndarray, top_truth: np.ndarray) -> Agreement:
    better = top_share(truth, 0.5)
    half = rank_correlation(scores[better], truth[better])
    return Agreement(rank_correlation(scores, truth), half, rank_correlation(top, top_truth))


def _within(part: Part, name: str, leaves: int) -> list[RankCorrelation]:
    inside = [part.leaf == k for k in range(leaves)]
    return [rank_correlation(part.scores[name][of], part.truth[of]) for of in inside]
