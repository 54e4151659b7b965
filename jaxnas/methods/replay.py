"""Rules that choose a sub-supernet, replayed on tables of true accuracies: regret against budget."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from jaxnas.analysis import mean_interval
from jaxnas.selection.leaves import RULES, Arms, Rule
from jaxnas.types import UserError

ORACLE = "oracle"


class Outcome(NamedTuple):
    """One rule on one split with one budget, over repetitions."""

    split: str
    rule: str
    noise: float  # deviation of what a pull adds to the true accuracy, points
    budget: int
    evaluations: float  # mean number that were made
    regret: float  # mean of the optimum of the space minus the best cell of the chosen sub-supernet, points
    found: float  # share of repetitions whose choice holds the optimum


class Summary(NamedTuple):
    """One rule with one budget, over splits."""

    rule: str
    noise: float
    budget: int
    splits: int
    regret: float
    regret_low: float | None  # 95 %, over splits: these share cells and are no independent sample
    regret_high: float | None
    found: float


def check(rules: Sequence[str], budgets: Sequence[int], noises: Sequence[float], repetitions: int) -> None:
    """Raises UserError for unknown rules, or budgets, noises and repetitions that cannot be."""
    unknown = [name for name in rules if name not in RULES]
    if unknown or not rules:
        raise UserError(f"rules must be some of {sorted(RULES)}, not {list(rules)}")
    if not budgets or min(budgets) < 1 or not noises or not min(noises) >= 0 or repetitions < 2:
        raise UserError(
            f"budgets must be from 1 on, noises from 0 on and repetitions from 2 on, "
            f"not {list(budgets)}, {list(noises)} and {repetitions}"
        )


def arms_of(scores: Sequence[np.ndarray], sizes: np.ndarray, noise: float) -> Arms:
    """Arms that draw, with replacement, from the scores [n_k] of each sub-supernet and add noise."""

    def pull(rng: np.random.Generator, k: int, n: int) -> np.ndarray:
        drawn = scores[k][rng.integers(len(scores[k]), size=n)]
        return drawn + noise * rng.standard_normal(n) if noise else drawn

    def whole(rng: np.random.Generator, k: int) -> float:
        return float(scores[k].mean() + noise * rng.standard_normal())

    return Arms(sizes, pull, whole)


def replay(
    splits: Mapping[str, np.ndarray],
    accuracies: np.ndarray,
    rules: Sequence[str],
    budgets: Sequence[int],
    noises: Sequence[float],
    repetitions: int,
    seed: int,
    show: Callable[[str], None] = lambda split: None,
) -> Iterable[Outcome]:
    """Outcomes by split, noise, rule and budget.

    splits: the leaf of every architecture, int [N]; accuracies [N], percent. The score of a whole sub-supernet is its
    true mean here, and pulls are true accuracies, both with noise.
    """
    for number, (name, leaf) in enumerate(splits.items()):
        show(name)
        values = [accuracies[leaf == k] for k in range(int(leaf.max()) + 1)]
        regrets = accuracies.max() - np.array([of.max() for of in values])
        sizes = np.array([len(of) for of in values])
        for noise in noises:
            yield Outcome(name, ORACLE, noise, 0, 0.0, float(regrets.min()), 1.0)
            arms = arms_of(values, sizes, noise)
            for rule in rules:
                for budget in budgets:
                    key = [seed, number, budget, int(1000 * noise), *rule.encode()]
                    yield _repeated(name, rule, RULES[rule], arms, noise, budget, regrets, repetitions, key)


def summarise(outcomes: Sequence[Outcome]) -> list[Summary]:
    """Means over splits with their intervals."""
    found = []
    for rule, noise, budget in dict.fromkeys((o.rule, o.noise, o.budget) for o in outcomes):
        same = [o for o in outcomes if (o.rule, o.noise, o.budget) == (rule, noise, budget)]
        mean = mean_interval(np.array([o.regret for o in same]))
        share = float(np.mean([o.found for o in same]))
        found.append(Summary(rule, noise, budget, len(same), mean.value, mean.low, mean.high, share))
    return found


def _repeated(
    name: str,
    rule: str,
    choose: Rule,
    arms: Arms,
    noise: float,
    budget: int,
    regrets: np.ndarray,
    repetitions: int,
    key: list[int],
) -> Outcome:
    picked = [choose(np.random.default_rng([*key, i]), arms, budget) for i in range(repetitions)]
    of = regrets[[p.arm for p in picked]]
    evaluations = float(np.mean([p.evaluations.sum() for p in picked]))
    return Outcome(name, rule, noise, budget, evaluations, float(of.mean()), float(np.mean(of == 0)))
