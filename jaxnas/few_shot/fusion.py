"""Fusion of a contender's scores with free priors, beside what priors do alone and with random scores.

What is taken is decided before the truth is read; how well each way ranks, and how much that is over the priors alone,
is judged on the uniform sample.
"""

from typing import Any, NamedTuple

import numpy as np

from jaxnas.analysis import crossed_difference, kendall
from jaxnas.benchmarks import Table
from jaxnas.few_shot.controls import Contender
from jaxnas.few_shot.judge import Part, scores_of
from jaxnas.few_shot.run_context import FUSION, RunContext, architecture_name
from jaxnas.few_shot.sample import reference_cells
from jaxnas.selection.fusion import fused, prior_ranks

Row = dict[str, Any]
SUPERNET, FUSED, PRIORS, RANDOM = "supernet", "fused", "priors", "priors and random"


class Fusion(NamedTuple):
    """What the supernets of a contender scored, and what each way to rank takes of it."""

    reference: np.ndarray  # scores [n] of the reference sample, each cell in its leaf
    chosen: dict[str, np.ndarray]  # way -> op_ids [E]


def fuse(context: RunContext, contender: Contender, index: int) -> Fusion:
    """Of everything that the search of the `index`-th contender evaluated and of the reference sample, the best by each
    way: by the supernet's scores, by these fused with the priors, by the priors, and by these with random scores."""
    assert contender.supernets is not None
    cells = reference_cells(context)
    reference = scores_of(context, contender.supernets, cells)
    histories = contender.supernets.histories
    op_ids = np.concatenate([*(history.op_ids for history in histories), cells])
    scores = np.concatenate([*(history.scores for history in histories), reference])
    values = _values(context, index, op_ids, scores, reference)
    return Fusion(reference, {way: op_ids[int(of.argmax())] for way, of in values.items()})


def fusion_rows(
    context: RunContext,
    contenders: list[Contender],
    fusions: dict[str, Fusion],
    uniform: Part,
    table: Table | None,
) -> list[Row]:
    """Rows of `fusion.csv`: every contender ranked in each way; gains are over the priors alone, on the same cells."""
    rows = []
    for index, contender in enumerate(contenders):
        if contender.name not in fusions:
            continue
        found = fusions[contender.name]
        values = _values(context, index, uniform.op_ids, uniform.scores[contender.name], found.reference)
        alone = _truth(context, table, found.chosen[PRIORS])
        for way, of in values.items():
            tau = kendall(of, uniform.truth)
            gain = None if way == PRIORS else crossed_difference(of[None], values[PRIORS][None], uniform.truth)
            true = _truth(context, table, found.chosen[way])
            rows.append(
                {
                    **{"contender": contender.name, "ranked_by": way},
                    "architecture": architecture_name(context, found.chosen[way]),
                    "true_accuracy": true,
                    "true_accuracy_over_priors": None if true is None or alone is None else true - alone,
                    **_interval("kendall", tau),
                    **_interval("kendall_over_priors", gain),
                    "n": len(uniform.truth),
                }
            )
    return rows


def _values(
    context: RunContext, index: int, op_ids: np.ndarray, scores: np.ndarray, reference: np.ndarray
) -> dict[str, np.ndarray]:
    """Way -> what it ranks architectures [A, E] by, [A]; scores [A] by the supernets."""
    priors = prior_ranks(context.space, op_ids)
    rng = np.random.default_rng([context.config.seed, FUSION, index, len(op_ids)])
    return {
        SUPERNET: scores,
        FUSED: fused(scores, reference, priors),
        PRIORS: priors,
        RANDOM: rng.random(len(op_ids)) + priors,
    }


def _truth(context: RunContext, table: Table | None, op_ids: np.ndarray) -> float | None:
    return None if table is None else float(table.query(op_ids[None], context.config.data.name)[0])


def _interval(name: str, found: Any) -> Row:
    return {name: found and found.value, f"{name}_low": found and found.low, f"{name}_high": found and found.high}
