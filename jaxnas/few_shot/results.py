"""What a few-shot run writes: rows and objects of its files, made from what the stages returned."""

from typing import Any

import jax
import numpy as np

from jaxnas.analysis import Interval, RankCorrelation
from jaxnas.benchmarks import Table
from jaxnas.few_shot.controls import Contender
from jaxnas.few_shot.judge import Agreement, Ranking, Verdict
from jaxnas.few_shot.result_file import column_of
from jaxnas.few_shot.run_context import RunContext, architecture_name
from jaxnas.few_shot.scoring import NodeScores
from jaxnas.selection import Evaluated

Row = dict[str, Any]


def architecture_rows(context: RunContext, histories: list[Evaluated], table: Table | None) -> list[Row]:
    """Everything the method's search evaluated; what the parent supernet scored; with a table, its true accuracy."""
    name, rows = context.config.data.name, []
    for leaf, history in enumerate(histories):
        truths = [None] * len(history.scores) if table is None else table.query(history.op_ids, name).tolist()
        later = len(history.scores) - len(history.parent)
        by_parent = [*(round(float(score), 4) for score in history.parent), *[None] * later]
        for op_ids, score, common, truth in zip(history.op_ids, history.scores, by_parent, truths, strict=True):
            rows.append(
                {
                    "architecture": architecture_name(context, op_ids),
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


def contender_rows(context: RunContext, contenders: list[Contender], verdicts: list[Verdict]) -> list[Row]:
    """One object a contender, the method first."""
    return [
        {
            "name": contender.name,
            "kind": contender.kind,
            "architecture": architecture_name(context, contender.chosen.op_ids),
            "leaf": contender.chosen.leaf,
            "score": contender.chosen.score,
            "images": contender.images,
            "evaluations": contender.evaluations,
            "validation_accuracy": verdict.validation_accuracy,
            "test_accuracy": verdict.test.value,
            "test_interval": [verdict.test.low, verdict.test.high],
            "true_accuracy": verdict.true_accuracy,
            **_agreement(verdict.agreement),
        }
        for contender, verdict in zip(contenders, verdicts, strict=True)
    ]


def flat_rows(rows: list[Row]) -> list[Row]:
    """Contender rows with a column for each number, as a CSV file wants them."""
    flat = []
    for row in rows:
        low, high = row["test_interval"]
        numbers = {"test_low": low, "test_high": high}
        for name in ("kendall", "spearman", "kendall_half", "kendall_top"):
            interval = row[name] or {}
            numbers |= {name: interval.get("value"), **{f"{name}_{k}": interval.get(k) for k in ("low", "high", "n")}}
        flat.append({**{k: v for k, v in row.items() if k != "test_interval"}, **numbers})
    return flat


def ranking_rows(context: RunContext, contenders: list[Contender], ranking: Ranking) -> list[Row]:
    """The ranking sample: how it was drawn, leaf of the method, truth, and the score of every contender's supernets."""
    columns = {c.name: column_of(c.name, c.kind) for c in contenders if c.supernets is not None}
    return [
        {
            "architecture": architecture_name(context, op_ids),
            "sample": part.kind,
            "leaf": int(part.leaf[i]),
            "truth": float(part.truth[i]),
            **{
                column: round(float(part.scores[name][i]), 4) if name in part.scores else None
                for name, column in columns.items()
            },
        }
        for part in ranking.parts
        for i, op_ids in enumerate(part.op_ids)
    ]


def result_object(rows: list[Row], ranking: Ranking | None, test_images: int | None, seconds: dict[str, float]) -> Row:
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
        "random_architecture": None if ranking is None else _random(ranking.random, ranking.best_of),
        "rank_correlation": None if ranking is None else _ranking(ranking),
        "seconds": seconds,
    }


def _ranking(ranking: Ranking) -> Row:
    whole, half, top = ranking.agreement
    return {
        "truth": ranking.source,
        **_correlation(whole),
        "leaves": [{"leaf": k, **_correlation(leaf)} for k, leaf in enumerate(ranking.leaves)],
        "half": _correlation(half),
        "top10": _correlation(top),
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


def _agreement(of: Agreement | None) -> Row:
    """Of a contender; None without supernets or a sample."""
    return {
        "kendall": of and _plain(of.whole.kendall),
        "spearman": of and _plain(of.whole.spearman),
        "kendall_half": of and _plain(of.half.kendall),
        "kendall_top": of and _plain(of.top.kendall),
    }


def _correlation(of: RankCorrelation) -> Row:
    return {"n": of.n, "kendall": _plain(of.kendall), "spearman": _plain(of.spearman)}


def _plain(interval: Interval | None) -> Row | None:
    return None if interval is None else interval._asdict()
