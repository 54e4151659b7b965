"""Which sub-supernet to keep: rules that draw architectures from each and count every evaluation; numpy only.

What is wanted is the sub-supernet that holds the best architecture, so that rules differ in what they take a few
scores for: the mean of a sub-space, its upper tail, or the best seen so far.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from jaxnas.analysis import intervals
from jaxnas.types import UserError

BEST_OF = 10  # draws that `expected_best` looks ahead
QUANTILE = 0.9
ALPHA = 0.5  # exploration of MaxUCB, as published
Generator = np.random.Generator


class Arms(NamedTuple):
    """K sub-supernets as they are seen from outside."""

    sizes: np.ndarray
    """int [K], architectures of each"""
    pull: Callable[[Generator, int, int], np.ndarray]
    """(generator, arm, n) -> scores [n] of n architectures drawn from the arm; larger = better; n evaluations"""
    whole: Callable[[Generator, int], float]
    """(generator, arm) -> score of the whole sub-supernet, all open operations mixed; one evaluation"""


class Picked(NamedTuple):
    """What a rule chose, and what it cost."""

    arm: int
    evaluations: np.ndarray  # int [K]


Rule = Callable[[Generator, Arms, int], Picked]
"""(generator, arms, budget of evaluations) -> choice"""
Estimate = Callable[[np.ndarray, float], float]
"""(scores [n] of architectures drawn from a sub-supernet, its share of the space) -> how good it is"""


def by_whole(rng: Generator, arms: Arms, budget: int) -> Picked:
    """The best score of a whole sub-supernet, each scored once (what few-shot papers call validation accuracy)."""
    del budget
    scores = [arms.whole(rng, k) for k in range(len(arms.sizes))]
    return Picked(int(np.argmax(scores)), np.ones(len(arms.sizes), int))


def by_estimate(estimate: Estimate) -> Rule:
    """The best `estimate(scores [n], share of the space)`, of a budget that is spent evenly."""

    def rule(rng: Generator, arms: Arms, budget: int) -> Picked:
        counts = _evenly(budget, len(arms.sizes))
        scores = [arms.pull(rng, k, n) for k, n in enumerate(counts)]
        return Picked(_best(scores, arms, estimate), counts)

    return rule


def successive_halving(estimate: Estimate) -> Rule:
    """Rounds of equal budget, after each of which the worse half is dropped (Jamieson & Talwalkar, AISTATS 2016)."""

    def rule(rng: Generator, arms: Arms, budget: int) -> Picked:
        left = list(range(len(arms.sizes)))
        scores = [np.zeros(0) for _ in left]
        rounds = max(1, math.ceil(math.log2(len(left))))
        for turn in range(rounds):
            spent = sum(map(len, scores))
            this_round = (budget - spent) // (rounds - turn)
            for k, n in zip(left, _evenly(max(this_round, len(left)), len(left)), strict=True):
                scores[k] = np.concatenate([scores[k], arms.pull(rng, k, int(n))])
            ranked = sorted(left, key=lambda k: -estimate(scores[k], _share(arms, k)))
            left = ranked[: max(1, math.ceil(len(left) / 2))]
        return Picked(left[0], np.array([len(of) for of in scores]))

    return rule


def ucb_mean(rng: Generator, arms: Arms, budget: int) -> Picked:
    """UCB1 on scores scaled to 0 .. 1 by those seen (Auer et al., 2002); the arm with the best mean is taken."""

    def index(scores: list[np.ndarray], t: int) -> np.ndarray:
        return np.array([of.mean() + math.sqrt(2 * math.log(t) / len(of)) for of in scores])

    return _bandit(rng, arms, budget, index, np.mean)


def ucb_max(rng: Generator, arms: Arms, budget: int) -> Picked:
    """MaxUCB: the best so far + (alpha log t / n)^2, scores scaled to .01 .. .99 (Balef et al., arXiv 2505.05226).

    As the authors' code has it: one pull of every arm first, t counts from 1, and the scaling is renewed at every
    step. The arm with the best score is taken.
    """

    def index(scores: list[np.ndarray], t: int) -> np.ndarray:
        return np.array([0.01 + 0.98 * of.max() + (ALPHA * math.log(t) / len(of)) ** 2 for of in scores])

    return _bandit(rng, arms, budget, index, np.max)


def at_random(rng: Generator, arms: Arms, budget: int) -> Picked:
    """Any sub-supernet, at no cost: the control."""
    del budget
    return Picked(int(rng.integers(len(arms.sizes))), np.zeros(len(arms.sizes), int))


def mean(scores: np.ndarray, share: float) -> float:
    """Mean score."""
    del share
    return float(scores.mean())


def expected_best(scores: np.ndarray, share: float) -> float:
    """Expected best of ten draws, of the scores seen."""
    del share
    return intervals.expected_best(scores, BEST_OF)


def upper_quantile(scores: np.ndarray, share: float) -> float:
    """The 90 % quantile."""
    del share
    return float(np.quantile(scores, QUANTILE))


def sized_best(draws: int) -> Estimate:
    """Expected best of as many draws as fall into the sub-space when `draws` fall into the whole space.

    Corrects for size: a small sub-space of good architectures has fewer chances than a large one to hold the best.
    """
    return lambda scores, share: intervals.expected_best(scores, max(1, round(draws * share)))


ESTIMATES: dict[str, Estimate] = {
    "mean": mean,
    "expected_best": expected_best,
    "upper_quantile": upper_quantile,
    "sized_best": sized_best(100),
}
RULES: dict[str, Rule] = {
    "whole": by_whole,
    **{name: by_estimate(estimate) for name, estimate in ESTIMATES.items()},
    "halving_mean": successive_halving(mean),
    "halving_best": successive_halving(expected_best),
    "ucb_mean": ucb_mean,
    "ucb_max": ucb_max,
    "random": at_random,
}


def leaf_bias(scores: Sequence[np.ndarray], parent: Sequence[np.ndarray]) -> np.ndarray:
    """What to take off the scores of each leaf so that leaves can be compared, float [K], of mean 0.

    Each leaf's supernet is trained on its own, and may rate all its architectures higher or lower than another would;
    `parent` [n_k] are scores of the same architectures as `scores` [n_k] by one supernet of the whole space. One line
    from the parent's scale to the leaves' is drawn for all leaves: its slope is the ratio of the deviations within
    leaves (1 if the parent tells none of their architectures apart), so that leaves of better architectures may gain
    more. What a leaf's mean lies above this line is its bias. So the parent tells how leaves differ, the leaf's own
    scores how architectures within it do, and what all leaves gained is kept. A gain that one leaf has for itself is
    taken off whole, be it luck or that fewer paths share its weights: nothing here tells the two apart. Exact where a
    leaf adds a constant to the truth and the parent is a rising line of it. Raises UserError unless the parent scored
    what the leaves did, and at least one architecture of each.
    """
    if [len(of) for of in scores] != [len(of) for of in parent] or not all(map(len, scores)):
        raise UserError("the parent supernet must score what the leaves scored, at least one architecture of each")
    own, common = (np.array([of.mean() for of in by]) for by in (scores, parent))
    spread, of_parent = (sum(float(((of - of.mean()) ** 2).sum()) for of in by) for by in (scores, parent))
    slope = math.sqrt(spread / of_parent) if of_parent > 0 else 1.0
    above = own - slope * common
    return above - above.mean()


def _bandit(
    rng: Generator,
    arms: Arms,
    budget: int,
    index: Callable[[list[np.ndarray], int], np.ndarray],
    final: Callable[[np.ndarray], float],
) -> Picked:
    scores = [arms.pull(rng, k, 1) for k in range(len(arms.sizes))]
    for t in range(len(scores) + 1, budget + 1):
        k = int(np.argmax(index(_scaled(scores), t)))
        scores[k] = np.concatenate([scores[k], arms.pull(rng, k, 1)])
    return Picked(int(np.argmax([final(of) for of in scores])), np.array([len(of) for of in scores]))


def _scaled(scores: list[np.ndarray]) -> list[np.ndarray]:
    every = np.concatenate(scores)
    low, spread = every.min(), np.ptp(every)
    return [(of - low) / (spread if spread > 0 else 1.0) for of in scores]


def _evenly(budget: int, parts: int) -> np.ndarray:
    """At least one each; what is left over goes to the first."""
    each, over = divmod(max(budget, parts), parts)
    return np.array([each + (k < over) for k in range(parts)])


def _best(scores: list[np.ndarray], arms: Arms, estimate: Estimate) -> int:
    return int(np.argmax([estimate(of, _share(arms, k)) for k, of in enumerate(scores)]))


def _share(arms: Arms, k: int) -> float:
    return float(arms.sizes[k] / arms.sizes.sum())
