"""Rules that choose a sub-supernet, replayed on tables of true accuracies and on trained leaves: regret by budget."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxnas.analysis import mean_interval, random_trees, shape_of
from jaxnas.benchmarks import Table
from jaxnas.selection.leaves import RULES, Arms, leaf_bias
from jaxnas.spaces import NamedSplit, SearchSpace, membership, read_splits
from jaxnas.types import UserError
from jaxnas.workdir import read_json

ORACLE = "oracle"


class Trial(NamedTuple):
    """One split: what its sub-supernets are drawn from, and what choosing each would cost."""

    name: str
    source: str  # "table": pulls are true accuracies; "trained": those by sub-supernets; "corrected": less leaf bias
    scores: list[np.ndarray]  # by sub-supernet, [n_k]
    sizes: np.ndarray  # int [K]
    regrets: np.ndarray  # [K], the optimum of the space minus the best cell of the sub-supernet, points
    beforehand: int = 0  # evaluations that the scores took before the first pull


class Outcome(NamedTuple):
    """One rule on one split with one budget, over repetitions."""

    split: str
    source: str
    rule: str
    noise: float  # deviation of what a pull adds to its score, points
    budget: int
    evaluations: float  # mean number that were made
    regret: float  # mean of the regrets of the chosen sub-supernets, points
    found: float  # share of repetitions whose choice holds the optimum


class Summary(NamedTuple):
    """One rule with one budget, over splits."""

    source: str
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


def of_table(name: str, leaf: np.ndarray, accuracies: np.ndarray) -> Trial:
    """A split by the true accuracies of its cells. leaf int [N]: of every architecture; accuracies [N], percent."""
    scores = [accuracies[leaf == k] for k in range(int(leaf.max()) + 1)]
    return Trial(name, "table", scores, np.array([len(of) for of in scores]), _regrets(scores))


def of_splits(
    splits: Sequence[NamedSplit], dataset: str, accuracies: np.ndarray, random_splits: int, seed: int
) -> list[Trial]:
    """Every split, and beside it random trees of its shape on random edges. accuracies [N], percent."""
    found = []
    for number, split in enumerate(splits):
        space = split.tree.space
        found.append(of_table(f"{split.metric} ({dataset})", membership(space, split.masks).argmax(0), accuracies))
        if random_splits:
            trees, _ = random_trees(space, shape_of(split.tree), True, random_splits, 1000 * seed + number)
            names = [f"random tree {i + 1} like {split.metric} ({dataset})" for i in range(random_splits)]
            found += [of_table(n, tree.astype(int), accuracies) for n, tree in zip(names, trees, strict=True)]
    return found


def of_run(space: SearchSpace, folder: Path, table: Table) -> list[Trial]:
    """The trained sub-supernets of a finished few-shot run: scores of its ranking sample, drawn at random in each leaf.

    If the run's parent supernet scored the first generation of its search, too, there is a second trial: the same
    scores less the leaf bias that this generation tells. Raises UserError if the folder holds no such run, its data set
    is not in the table, or a leaf has no sample.
    """
    try:
        (split,) = read_splits(space, folder / "split_tree.json")
        dataset = str(read_json(folder / "config.json")["data"]["name"])
        with open(folder / "ranking.csv", encoding="utf-8", newline="") as handle:
            ranked = [*csv.DictReader(handle)]
        # Where each leaf has a sample of its own, these are as many of every leaf; cells of the top were picked.
        kinds = {row.get("sample") for row in ranked}
        kept = [row for row in ranked if row.get("sample") == ("leaf" if "leaf" in kinds else row.get("sample"))]
        rows = [(int(row["leaf"]), float(row["method"])) for row in kept if row.get("sample") != "top"]
        bias, beforehand = _bias(folder / "architectures.csv", len(split.masks))
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise UserError(f"{folder} holds no finished few-shot run with a ranking: {error}") from error
    table.check(dataset)
    leaf = membership(space, split.masks).argmax(0)
    true = of_table(f"{folder.name} ({dataset})", leaf, table.accuracies[dataset])
    scores = [np.array([score for k, score in rows if k == leaf]) for leaf in range(len(true.sizes))]
    if not all(map(len, scores)):
        raise UserError(f"{folder / 'ranking.csv'} has no architecture of some leaf")
    trained = true._replace(source="trained", scores=scores)
    if not beforehand:
        return [trained]
    corrected = [of - taken for of, taken in zip(scores, bias, strict=True)]
    return [trained, trained._replace(source="corrected", scores=corrected, beforehand=beforehand)]


def arms_of(trial: Trial, noise: float) -> Arms:
    """Arms that draw, with replacement, from the scores of each sub-supernet and add noise."""

    def pull(rng: np.random.Generator, k: int, n: int) -> np.ndarray:
        drawn = trial.scores[k][rng.integers(len(trial.scores[k]), size=n)]
        return drawn + noise * rng.standard_normal(n) if noise else drawn

    def whole(rng: np.random.Generator, k: int) -> float:
        return float(trial.scores[k].mean() + noise * rng.standard_normal())

    return Arms(trial.sizes, pull, whole)


def replay(
    trials: Sequence[Trial],
    rules: Sequence[str],
    budgets: Sequence[int],
    noises: Sequence[float],
    repetitions: int,
    seed: int,
) -> Iterator[Outcome]:
    """Outcomes by split, noise, rule and budget; the score of a whole sub-supernet is the mean of its scores.

    Noise is added where pulls are true accuracies; those of trained sub-supernets are noisy as they are.
    """
    for number, trial in enumerate(trials):
        for noise in noises if trial.source == "table" else (0.0,):
            best = float(trial.regrets.min())
            yield Outcome(trial.name, trial.source, ORACLE, noise, 0, 0.0, best, 1.0)
            arms = arms_of(trial, noise)
            for rule in rules:
                for budget in budgets:
                    key = [seed, number, budget, int(1000 * noise), *rule.encode()]
                    picked = [RULES[rule](np.random.default_rng([*key, i]), arms, budget) for i in range(repetitions)]
                    of = trial.regrets[[p.arm for p in picked]]
                    spent = float(np.mean([p.evaluations.sum() for p in picked]))
                    spent += trial.beforehand if spent else 0  # a rule that asks for no score needs no correction
                    found = float(np.mean(of == best))
                    yield Outcome(trial.name, trial.source, rule, noise, budget, spent, float(of.mean()), found)


def summarise(outcomes: Sequence[Outcome]) -> list[Summary]:
    """Means over splits with their intervals."""
    found = []
    for cell in dict.fromkeys((o.source, o.rule, o.noise, o.budget) for o in outcomes):
        same = [o for o in outcomes if (o.source, o.rule, o.noise, o.budget) == cell]
        mean = mean_interval(np.array([o.regret for o in same]))
        share = float(np.mean([o.found for o in same]))
        found.append(Summary(*cell, len(same), mean.value, mean.low, mean.high, share))
    return found


def _bias(path: Path, leaves: int) -> tuple[np.ndarray, int]:
    """Leaf bias [K] by the architectures that the parent scored, too, and the evaluations of both; none: zeros, 0."""
    by_leaf: list[list[tuple[float, float]]] = [[] for _ in range(leaves)]
    if path.exists():
        with open(path, encoding="utf-8", newline="") as handle:
            for row in csv.DictReader(handle):
                if row.get("parent_accuracy"):
                    pair = (float(row["supernet_validation_accuracy"]), float(row["parent_accuracy"]))
                    by_leaf[int(row["leaf"])].append(pair)
    if not any(by_leaf):
        return np.zeros(leaves), 0
    own, parent = ([np.array([pair[i] for pair in pairs]) for pairs in by_leaf] for i in (0, 1))
    return leaf_bias(own, parent), 2 * sum(map(len, by_leaf))


def _regrets(accuracies: Sequence[np.ndarray]) -> np.ndarray:
    best = np.array([of.max() for of in accuracies])
    return best.max() - best
