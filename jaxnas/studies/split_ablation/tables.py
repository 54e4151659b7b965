"""What splits were worth under each search: cells, and means over seeds by each rule that picks a leaf."""

from typing import Any

import numpy as np

from jaxnas.analysis import mean_interval
from jaxnas.few_shot.run_context import RunContext, architecture_name, steps_per_epoch
from jaxnas.search import ALGORITHMS
from jaxnas.selection import ESTIMATES
from jaxnas.spaces.base import SearchSpace, mask_size
from jaxnas.studies.split_ablation.config import SplitAblationConfig
from jaxnas.studies.split_ablation.leaves import NONE, RANDOM, Leaf, Row, expanded
from jaxnas.studies.truth import Truth

ORACLE, MEAN, VALIDATION = "oracle", "any leaf", "validation"
Values = dict[tuple[str, str, str], dict[int, float]]  # (split, algorithm, rule) -> seed -> true accuracy
Shares = dict[tuple[str, int, int], float]  # (split, seed, leaf) -> share of the space


def shares_of(space: SearchSpace, leaves: list[Leaf]) -> Shares:
    """How much of the space each leaf is."""
    return {(leaf.split, leaf.seed, leaf.number): mask_size(leaf.mask) / space.size for leaf in leaves}


def images_of(context: RunContext, config: SplitAblationConfig, algorithm: str, leaves: int) -> int:
    """Training images that one split sees, forward and backward: its warm-up, and all its leaves."""
    epochs = config.warmup_epochs + leaves * ALGORITHMS[algorithm](context.space).passes * config.study.epochs
    return epochs * steps_per_epoch(context) * config.study.data.batch


def cell_rows(
    context: RunContext,
    config: SplitAblationConfig,
    kept: list[Row],
    stands: dict[tuple[str, int], str],
    scoring: dict[tuple[str, int], int],
    shares: Shares,
    truth: Truth,
    source: str,
) -> list[Row]:
    """Rows of `cells.csv`: every leaf of every split, and the rules that pick it; splits that are alike have the same
    results, and `same_as`. scoring: training images that grew a split here."""
    by_split: dict[tuple[str, str, int], list[Row]] = {}
    for row in kept:
        by_split.setdefault((row["algorithm"], row["split"], row["seed"]), []).append(row)
    rows = []
    for algorithm in config.study.algorithms:
        for split in expanded(config.splits):
            for seed in config.study.seeds:
                trained = stands[split, seed]
                of = sorted(by_split[algorithm, trained, seed], key=lambda row: row["leaf"])
                places = picks(of, shares, truth)
                for place, row in enumerate(of):
                    op_ids = row["op_ids"]
                    rows.append(
                        {
                            **{"split": split, "algorithm": algorithm, "seed": seed, "leaf": row["leaf"]},
                            "architecture": architecture_name(context, np.array(op_ids)) if op_ids else "",
                            "validation_score": row["validation_score"],
                            "true_accuracy": truth[tuple(op_ids)] if op_ids else None,
                            "picked_by": " ".join(rule for rule, best in places.items() if best == place),
                            "truth_source": source,
                            "images_seen": images_of(context, config, algorithm, 1)
                            - images_of(context, config, algorithm, 0),
                            "scoring_images": scoring.get((split, seed), 0),
                            **{"seconds": row["seconds"], "evaluations": row["evaluations"], "error": row["error"]},
                            "same_as": "" if trained == split else trained,
                        }
                    )
    return rows


def picks(kept: list[Row], shares: Shares, truth: Truth) -> dict[str, int]:
    """Which of the leaves of one split each rule picks, as a place in `kept`; none if a leaf failed.

    oracle: the best by the truth, what the literature prints. validation: the best validation accuracy. The others: the
    leaf that an estimate on its random sample puts first.
    """
    if not kept or any(row["error"] for row in kept):
        return {}
    found = {
        ORACLE: int(np.argmax([truth[tuple(row["op_ids"])] for row in kept])),
        VALIDATION: int(np.argmax([row["validation_score"] for row in kept])),
    }
    if all(row["sample"] for row in kept):
        share = [shares[row["split"], row["seed"], row["leaf"]] for row in kept]
        for name, estimate in ESTIMATES.items():
            worth = [estimate(np.array(row["sample"]), part) for row, part in zip(kept, share, strict=True)]
            found[name] = int(np.argmax(worth))
    return found


def picked(kept: list[Row], shares: Shares, truth: Truth) -> dict[str, float]:
    """True accuracy of what each rule picks of the leaves of one split, and of any leaf, their mean."""
    places = picks(kept, shares, truth)
    if not places:
        return {}
    true = [truth[tuple(row["op_ids"])] for row in kept]
    found = {rule: true[place] for rule, place in places.items()}
    return {ORACLE: found.pop(ORACLE), MEAN: float(np.mean(true)), **found}


def table_rows(config: SplitAblationConfig, values: Values, chance: dict[str, dict[int, float]]) -> list[Row]:
    """Rows of `table.csv`: means over seeds with Student's intervals, and differences paired by seed.

    values: by split, algorithm and rule; chance: by name, controls that have no split. Differences are from the unsplit
    supernets and from the mean of the random splits, under the same algorithm and rule.
    """
    rows = []
    rules = list(dict.fromkeys(rule for _, _, rule in values)) or [ORACLE, MEAN, VALIDATION]
    randoms = [name for name in expanded(config.splits) if name.startswith(f"{RANDOM} ")]
    for algorithm in config.study.algorithms:
        for rule in rules:
            of_random = _mean_of([values.get((name, algorithm, rule), {}) for name in randoms])
            for split in expanded(config.splits):
                own = values.get((split, algorithm, rule), {})
                row: Row = {"split": split, "algorithm": algorithm, "rule": rule, **_interval("true_accuracy", own)}
                row |= _difference(
                    "from_unsplit", own, {} if split == NONE else values.get((NONE, algorithm, rule), {})
                )
                row |= _difference("from_random", own, {} if split in randoms else of_random)
                rows.append(row)
    for name, own in chance.items():
        row = {"split": name, "algorithm": "", "rule": "", **_interval("true_accuracy", own)}
        rows.append({**row, **_difference("from_unsplit", own, {}), **_difference("from_random", own, {})})
    return rows


def _mean_of(runs: list[dict[int, float]]) -> dict[int, float]:
    """Mean over runs, of the seeds that all of them have."""
    seeds = set.intersection(*(set(run) for run in runs)) if runs else set()
    return {seed: float(np.mean([run[seed] for run in runs])) for seed in sorted(seeds)}


def _interval(name: str, own: dict[int, float]) -> dict[str, Any]:
    found = mean_interval(np.array(list(own.values()))) if own else None
    return {
        "seeds": len(own),
        name: None if found is None else found.value,
        f"{name}_low": None if found is None else found.low,
        f"{name}_high": None if found is None else found.high,
    }


def _difference(name: str, own: dict[int, float], other: dict[int, float]) -> dict[str, Any]:
    pairs = [own[seed] - other[seed] for seed in own if seed in other]
    found = mean_interval(np.array(pairs)) if pairs else None
    # Equal differences in all seeds say nothing of their spread.
    spread = found is not None and np.ptp(pairs) > 1e-9
    return {
        name: None if found is None else found.value,
        f"{name}_low": found.low if found is not None and spread else None,
        f"{name}_high": found.high if found is not None and spread else None,
    }
