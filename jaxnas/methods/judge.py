"""How good every contender really was: the one place that reads test images and true accuracies."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from jaxnas.analysis import (
    Interval,
    RankCorrelation,
    expected_best,
    rank_correlation,
    share_interval,
    stratified_mean,
    top_share,
)
from jaxnas.benchmarks import Table
from jaxnas.data import Split
from jaxnas.data.pipeline import padded_batches
from jaxnas.methods.alone import accuracy_alone
from jaxnas.methods.controls import Contender
from jaxnas.methods.problem import Problem
from jaxnas.spaces.tree import SplitTree
from jaxnas.training import SubnetState


class Verdict(NamedTuple):
    """What one contender's architecture reached, trained alone, and how well its supernets rank the sample."""

    validation_accuracy: float
    test: Interval  # Wilson, over test images
    true_accuracy: float | None  # of the table
    correlation: RankCorrelation | None


class Ranking(NamedTuple):
    """The truth of the ranking sample, and how well the method's supernets rank it."""

    source: str  # "table (...)" or "stand-alone (n, epochs)"
    truth: np.ndarray  # [A], percent
    overall: RankCorrelation
    leaves: list[RankCorrelation]  # within each leaf of the method
    top: RankCorrelation  # within the best tenth by the truth
    random: Interval | None  # mean of all connected architectures; None if a leaf has none of the sample
    best_of: tuple[int, float] | None  # (k, expected best of k architectures drawn at random), where all are known


def architectures_to_train(contenders: list[Contender], sample: np.ndarray) -> np.ndarray:
    """The chosen architectures and the sample, each once, in that order; int [A, E]."""
    rows = [tuple(c.chosen.op_ids.tolist()) for c in contenders] + [tuple(row) for row in sample.tolist()]
    return np.array(list(dict.fromkeys(rows)), np.int32)


def judge(
    problem: Problem,
    contenders: list[Contender],
    tree: SplitTree,
    sample: np.ndarray,
    trained: tuple[np.ndarray, SubnetState],
    test: Callable[[], Split],
    table: Table | None,
) -> tuple[list[Verdict], Ranking | None]:
    """Verdicts on the contenders, the method first, and on the ranking of the sample, int [A, E].

    trained: the architectures of `architectures_to_train` and their networks; without a table their test accuracies
    are the truth.
    """
    op_ids, states = trained
    images = test()
    validation = accuracy_alone(problem, states, op_ids, problem.valid)
    tested = accuracy_alone(problem, states, op_ids, padded_batches(images, problem.config.data.eval_batch))
    place = {tuple(row): i for i, row in enumerate(op_ids.tolist())}
    rows = [place[tuple(c.chosen.op_ids.tolist())] for c in contenders]
    name = problem.config.data.name
    if table is not None:
        truth, source = table.query(sample, name), f"table ({table.source})"
    else:
        truth = tested[[place[tuple(row)] for row in sample.tolist()]]
        source = f"stand-alone ({len(sample)}, {problem.config.alone_epochs} epochs)"

    verdicts = [
        Verdict(
            validation_accuracy=float(validation[row]),
            test=share_interval(float(tested[row]), len(images)),
            true_accuracy=None if table is None else float(table.query(op_ids[row][None], name)[0]),
            correlation=None
            if c.sample_scores is None or not len(sample)
            else rank_correlation(c.sample_scores, truth),
        )
        for row, c in zip(rows, contenders, strict=True)
    ]
    scores = contenders[0].sample_scores
    if not len(sample) or scores is None:
        return verdicts, None
    leaves, top = tree.route(sample), top_share(truth, 0.1)
    random, best_of = _random_choice(problem, tree, leaves, truth, table)
    ranking = Ranking(
        source=source,
        truth=truth,
        overall=rank_correlation(scores, truth),
        leaves=[rank_correlation(scores[leaves == k], truth[leaves == k]) for k in range(len(tree.leaves))],
        top=rank_correlation(scores[top], truth[top]),
        random=random,
        best_of=best_of,
    )
    return verdicts, ranking


def _random_choice(
    problem: Problem, tree: SplitTree, leaves: np.ndarray, truth: np.ndarray, table: Table | None
) -> tuple[Interval | None, tuple[int, float] | None]:
    """What an architecture drawn at random reaches: exactly from a table, estimated from a stratified sample else."""
    cells = problem.space.enumerate_connected()
    k, drawn = len(tree.leaves), problem.config.control.random_architectures or len(tree.leaves)
    if table is None:
        if len(set(leaves.tolist())) < k:
            return None, None
        return stratified_mean(truth, leaves, np.bincount(tree.route(cells), minlength=k)), None
    known = table.query(cells, problem.config.data.name)
    mean = float(known.mean())
    return Interval(mean, mean, mean, len(known)), (drawn, expected_best(known, drawn))
