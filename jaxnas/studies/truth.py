"""What architectures are truly worth in a study, and random search, its control: by a table, or trained alone.

Architectures are trained alone by one seed whatever the seeds of the study, so that its parts agree on them.
"""

from typing import Any, NamedTuple

import numpy as np

from jaxnas.benchmarks import Table
from jaxnas.data import Dataset, Images
from jaxnas.data.pipeline import padded_batches
from jaxnas.few_shot.images import warn
from jaxnas.few_shot.run_context import RunContext
from jaxnas.few_shot.standalone import standalone_accuracy, train_standalone
from jaxnas.studies.search.cells import Scope
from jaxnas.studies.search.config import StudyConfig
from jaxnas.types import Stages
from jaxnas.workdir import Journal

TRUTH, RANDOM_SEARCH = 100, 101  # what keys are for, beside the purposes of few-shot runs
ALONE = "alone"  # units of the journal: accuracies of architectures trained alone
SEARCHED = "random_search"  # in the place of a selector
_STAGES = {TRUTH: "alone", RANDOM_SEARCH: SEARCHED}
Row = dict[str, Any]
Truth = dict[tuple[int, ...], float]  # op_ids -> true accuracy, percent


class Search(NamedTuple):
    """One random search: these architectures, each trained alone for so many epochs."""

    scope: str
    seed: int
    op_ids: np.ndarray  # int [A, E]
    epochs: int


def random_draws(context: RunContext, config: StudyConfig, scopes: list[Scope]) -> dict[tuple[int, str], np.ndarray]:
    """`random` connected architectures for each (seed, scope), int [A, E]; none where none are asked for."""
    draws = {}
    for seed in config.seeds if config.random else ():
        for place, scope in enumerate(scopes):
            rng = np.random.default_rng([RANDOM_SEARCH, seed, place])
            draws[seed, scope.name] = context.space.draw_connected(rng, config.random, scope.mask)
    return draws


def random_search(context: RunContext, journal: Journal, searches: list[Search], stages: Stages) -> list[Row]:
    """The control: of each search a row with the best of its architectures by validation images.

    Searches that train the same architectures for as many epochs share them.
    """
    scores: dict[int, Truth] = {}
    for epochs in sorted({search.epochs for search in searches}):
        op_ids = np.concatenate([search.op_ids for search in searches if search.epochs == epochs])
        scores[epochs] = trained_alone(context, journal, op_ids, epochs, RANDOM_SEARCH, context.valid, stages)
    rows = []
    for search in searches:
        found = [scores[search.epochs][tuple(row)] for row in search.op_ids.tolist()]
        best = int(np.argmax(found))
        rows.append(
            {
                **{"algorithm": "", "selector": SEARCHED, "scope": search.scope, "seed": search.seed, "error": ""},
                **{"op_ids": search.op_ids[best].tolist(), "validation_score": float(found[best])},
                **{"epochs": search.epochs, "evaluations": len(search.op_ids), "seconds": None},
            }
        )
    return rows


def true_accuracies(
    context: RunContext,
    config: StudyConfig,
    journal: Journal,
    dataset: Dataset,
    table: Table | None,
    op_ids: np.ndarray,
    stages: Stages,
) -> Truth:
    """Of architectures [A, E]: by the table, or by training each alone and testing it."""
    if table is None:
        test = padded_batches(dataset.test(), config.data.eval_batch)
        warn(dataset.leaks())
        return trained_alone(context, journal, op_ids, config.alone_epochs, TRUTH, test, stages)
    rows = np.unique(op_ids, axis=0)
    if not len(rows):
        return {}
    values = table.query(rows, config.data.name)
    return dict(zip(map(tuple, rows.tolist()), map(float, values), strict=True))


def trained_alone(
    context: RunContext, journal: Journal, op_ids: np.ndarray, epochs: int, purpose: int, images: Images, stages: Stages
) -> Truth:
    """Accuracies of architectures [A, E] trained alone; those that the journal has are not trained again."""
    name = (ALONE, _STAGES[purpose], epochs)
    known = {tuple(row): value for unit, of in journal.under(*name) for row, value in zip(unit[-1], of, strict=True)}
    missing = sorted({*map(tuple, op_ids.tolist())} - {*known})

    def train() -> list[float]:
        rows = np.array(missing, np.int32)
        with stages(f"{_STAGES[purpose]}_{epochs}") as stage:
            states = train_standalone(context, rows, epochs, purpose, stage)
            return standalone_accuracy(context, states, rows, images).tolist()

    if missing:
        known |= zip(missing, journal.once([*name, missing], train), strict=True)
    return known
