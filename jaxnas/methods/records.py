"""What a few-shot run writes: rows and objects of its files, made from what the stages returned."""

from typing import Any

import jax
import numpy as np

from jaxnas.analysis import Interval, RankCorrelation
from jaxnas.benchmarks import Table
from jaxnas.methods.controls import Contender
from jaxnas.methods.judge import Ranking, Verdict
from jaxnas.methods.problem import Problem, architecture_name
from jaxnas.methods.scoring import NodeScores
from jaxnas.selection import Evaluated
from jaxnas.spaces.tree import SplitTree

Row = dict[str, Any]


def architecture_rows(problem: Problem, histories: list[Evaluated], table: Table | None) -> list[Row]:
    """Everything the method's search evaluated; what the parent supernet scored; with a table, its true accuracy."""
    name, rows = problem.config.data.name, []
    for leaf, history in enumerate(histories):
        truths = [None] * len(history.scores) if table is None else table.query(history.op_ids, name).tolist()
        later = len(history.scores) - len(history.parent)
        by_parent = [*(round(float(score), 4) for score in history.parent), *[None] * later]
        for op_ids, score, common, truth in zip(history.op_ids, history.scores, by_parent, truths, strict=True):
            rows.append(
                {
                    "architecture": architecture_name(problem, op_ids),
                    "leaf": leaf,
                    "supernet_validation_accuracy": round(float(score), 4),
                    "parent_accuracy": common,
                    "truth": truth,
                    "truth_source": None if table is None else f"table ({table.source})",
                }
            )
    return rows


def score_arrays(scores: dict[int, NodeScores]) -> dict[str, np.ndarray]:
    """What `similarities.npz` holds: of every scored node the similarities, and what each batch gave."""
    arrays = {}
    for node, found in scores.items():
        arrays[f"node_{node}"] = found.similarity
        arrays |= {f"node_{node}_batches_{i}": part for i, part in enumerate(jax.tree.leaves(found.values))}
    return arrays


def contender_rows(problem: Problem, contenders: list[Contender], verdicts: list[Verdict]) -> list[Row]:
    """One object a contender, the method first."""
    return [
        {
            "name": contender.name,
            "kind": contender.kind,
            "architecture": architecture_name(problem, contender.chosen.op_ids),
            "leaf": contender.chosen.leaf,
            "score": contender.chosen.score,
            "images": contender.images,
            "evaluations": contender.evaluations,
            "validation_accuracy": verdict.validation_accuracy,
            "test_accuracy": verdict.test.value,
            "test_interval": [verdict.test.low, verdict.test.high],
            "true_accuracy": verdict.true_accuracy,
            **_correlation(verdict.correlation),
        }
        for contender, verdict in zip(contenders, verdicts, strict=True)
    ]


def flat_rows(rows: list[Row]) -> list[Row]:
    """Contender rows with a column for each number, as a CSV file wants them."""
    flat = []
    for row in rows:
        low, high = row["test_interval"]
        numbers = {"test_low": low, "test_high": high}
        for name in ("kendall", "spearman"):
            interval = row[name] or {}
            numbers |= {name: interval.get("value"), **{f"{name}_{k}": interval.get(k) for k in ("low", "high", "n")}}
        flat.append({**{k: v for k, v in row.items() if k != "test_interval"}, **numbers})
    return flat


def ranking_rows(
    problem: Problem, tree: SplitTree, sample: np.ndarray, contenders: list[Contender], ranking: Ranking
) -> list[Row]:
    """The ranking sample: leaf of the method, truth, and the score of every contender that has a supernet."""
    scores = {
        c.kind if c.kind in ("method", "unsplit") else c.name.replace(" ", "_"): c.sample_scores
        for c in contenders
        if c.sample_scores is not None
    }
    return [
        {
            "architecture": architecture_name(problem, op_ids),
            "leaf": int(leaf),
            "truth": float(truth),
            **{name: round(float(values[i]), 4) for name, values in scores.items()},
        }
        for i, (op_ids, leaf, truth) in enumerate(zip(sample, tree.route(sample), ranking.truth, strict=True))
    ]


def result_object(rows: list[Row], ranking: Ranking | None, test_images: int, seconds: dict[str, float]) -> Row:
    """What `result.json` holds: the method's row, the comparison, the ranking, the cost."""
    method = rows[0]
    return {
        "architecture": method["architecture"],
        "leaf": method["leaf"],
        "supernet_validation_accuracy": method["score"],
        **{k: method[k] for k in ("validation_accuracy", "test_accuracy", "test_interval")},
        "test_images": test_images,
        "true_accuracy": method["true_accuracy"],
        "contenders": rows,
        "random_architecture": None
        if ranking is None or ranking.random is None
        else _random(ranking.random, ranking.best_of),
        "rank_correlation": None if ranking is None else _ranking(ranking),
        "seconds": seconds,
    }


def _ranking(ranking: Ranking) -> Row:
    return {
        "truth": ranking.source,
        "n": ranking.overall.n,
        **_correlation(ranking.overall),
        "leaves": [{"leaf": k, "n": leaf.n, **_correlation(leaf)} for k, leaf in enumerate(ranking.leaves)],
        "top10": {"n": ranking.top.n, **_correlation(ranking.top)},
    }


def _random(mean: Interval, best_of: tuple[int, float] | None) -> Row:
    return {
        "accuracy": mean.value,
        "low": mean.low,
        "high": mean.high,
        "n": mean.n,
        "best_of": best_of and best_of[0],
        "best": best_of and best_of[1],
    }


def _correlation(correlation: RankCorrelation | None) -> Row:
    def plain(interval: Interval | None) -> Row | None:
        return None if interval is None else interval._asdict()

    if correlation is None:
        return {"kendall": None, "spearman": None}
    return {"kendall": plain(correlation.kendall), "spearman": plain(correlation.spearman)}
