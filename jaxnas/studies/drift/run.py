"""Which operations a search favours as it goes on: what two selectors would take from it, epoch by epoch."""

from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np

from jaxnas.benchmarks import Table
from jaxnas.few_shot.one_shot import build_evaluators, build_search_programs, single
from jaxnas.few_shot.run_context import RunContext, architecture_name
from jaxnas.search import ALGORITHMS, Logits
from jaxnas.selection import Selector
from jaxnas.selection.magnitude import magnitude
from jaxnas.selection.perturbation import perturbation
from jaxnas.studies.search.config import StudyConfig
from jaxnas.studies.shared import train_supernets, trained_of
from jaxnas.training import Searching
from jaxnas.types import Stage, UserError
from jaxnas.workdir import read_jsonl

SKIP = "skip_connect"
FOLLOWED: dict[str, Selector] = {
    # The arg-max as published, disconnected or not; edges one after the other, so that no chance is in the order.
    "magnitude": magnitude(connected=False),
    "perturbation": perturbation(order="forward"),
}
Row = dict[str, Any]


def validate_drift(config: StudyConfig, every: int, rate: float) -> None:
    """Raises UserError unless one algorithm with logits is followed, in steps of at least an epoch."""
    with_logits = [name for name in config.algorithms if "logits" in signature(ALGORITHMS[name]).parameters]
    if len(with_logits) != 1 or len(config.algorithms) != 1:
        raise UserError(f"one algorithm that learns logits is followed, not {list(config.algorithms)}")
    if every < 1 or not rate > 0:
        raise UserError(f"every must be at least 1 and rate above 0, not {every} and {rate}")


def follow(context: RunContext, config: StudyConfig, every: int, rate: float, stage: Stage) -> None:
    """Trains a supernet for each seed; each `every` epochs the rows of the stage hold what each selector takes.

    rate: of the logits' Adam; without tuning between two decisions.
    """
    algorithm = ALGORITHMS[config.algorithms[0]](context.space, logits=Logits(rate=rate))
    base, settings = context.programs, context.config
    programs = build_search_programs(base, settings, algorithm)
    judges = build_evaluators(base, settings, base.supernet(algorithm.partial), config.score)
    mask = context.space.full_mask()

    def chosen(epoch: int, states: Searching) -> list[Row]:
        if epoch % every and epoch != config.epochs:
            return [{}] * len(config.seeds)
        rows = []
        for k in range(len(config.seeds)):
            view = trained_of(context, config, programs, judges, single(states, k))
            found = {name: select(np.random.default_rng(0), view, mask, mask.size) for name, select in FOLLOWED.items()}
            rows.append({name: architecture_name(context, taken.op_ids) for name, taken in found.items()})
        return rows

    train_supernets(context, config, programs, mask[None], stage, chosen)


def drift_rows(context: RunContext, config: StudyConfig, metrics: Path, table: Table | None) -> list[Row]:
    """Rows of `drift.csv`, from what `follow` told: skip connections and true accuracy of each architecture taken."""
    rows = []
    for told in read_jsonl(metrics):
        for selector in [name for name in FOLLOWED if name in told]:
            op_ids = np.array(context.space.decode(told[selector]).op_ids)
            rows.append(
                {
                    "epoch": told["epoch"],
                    "seed": config.seeds[told["leaf"]],
                    "selector": selector,
                    "architecture": told[selector],
                    "skips": int((op_ids == context.space.ops.index(SKIP)).sum()),
                    "edges": len(op_ids),
                    "true_accuracy": None if table is None else float(table.query(op_ids[None], config.data.name)[0]),
                }
            )
    return rows
