"""Algorithms crossed with selectors, seeds and sub-spaces: every cell is one architecture and what it cost."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Any, NamedTuple

import numpy as np

from jaxnas.data import Dataset
from jaxnas.few_shot.config import FewShotConfig
from jaxnas.few_shot.one_shot import SearchPrograms, build_evaluators, build_search_programs
from jaxnas.few_shot.run_context import RunContext, prepare
from jaxnas.few_shot.run_context import validate_few_shot as check_few_shot
from jaxnas.few_shot.validation import check_channels, check_images, scalar_metrics
from jaxnas.search import ALGORITHMS
from jaxnas.selection import SELECTORS, Trained
from jaxnas.selection.magnitude import path_probabilities
from jaxnas.spaces.base import SearchSpace
from jaxnas.studies.search.config import StudyConfig
from jaxnas.studies.shared import train_supernets, view_of
from jaxnas.training import NonFiniteLoss
from jaxnas.types import Mask, Stages, UserError
from jaxnas.workdir import Journal

EPOCHS, IMAGES, ARITHMETIC = EQUAL = ("epochs", "images", "arithmetic")  # what a comparison holds equal
RANKED, SELECT = range(2)  # what is drawn for
CELL, SUPERNET = "cell", "supernet"  # units of the journal, whose values are rows
Row = dict[str, Any]


class Scope(NamedTuple):
    """A sub-space that is searched."""

    name: str  # whole, or the number of a leaf
    mask: Mask


def validate_study(config: StudyConfig) -> SearchSpace:
    """The space of a config. Raises UserError, before any work, for names and sizes that cannot be."""
    for given, allowed, what in (
        (config.algorithms, [*ALGORITHMS], "algorithms"),
        (config.selectors, [*SELECTORS], "selectors"),
        ((config.score,), scalar_metrics(), "score"),
        (config.equal, [*EQUAL], "equal"),
    ):
        if not given or len(set(given)) < len(given) or not set(given) <= set(allowed):
            raise UserError(f"{what} must be different ones of {allowed}, not {list(given)}")
    if not config.seeds or len(set(config.seeds)) < len(config.seeds) or min(config.seeds) < 0:
        raise UserError(f"seeds must be different numbers from 0 on, not {list(config.seeds)}")
    for name, low in {"epochs": 1, "tune_epochs": 0, "budget": 1, "recalibrate": 0, "ranked": 0, "random": 0}.items():
        if getattr(config, name) < low:
            raise UserError(f"{name} must be at least {low}, it is {getattr(config, name)}")
    space = check_few_shot(_few_shot(config))
    for name in config.algorithms:
        check_channels(space, config.net.channels, name)
    return space


def prepare_study(config: StudyConfig, dataset: Dataset) -> RunContext:
    """What all cells share: images, network, and how architectures are trained alone. Raises UserError."""
    validate_study(config)
    context = prepare(_few_shot(config), dataset)
    check_images(context.train, context.valid, config.recalibrate, config.data.batch)
    return context


def search_scopes(
    context: RunContext,
    config: StudyConfig,
    journal: Journal,
    scopes: list[Scope],
    lengths: Sequence[tuple[str, int]],
    stages: Stages,
) -> None:
    """Trains every supernet, and keeps in the journal what each is worth and what each selector takes from it.

    lengths: algorithms, each with epochs; no pair twice.

    What the journal has is not computed again. A supernet that diverged and a selector that cannot be have rows
    with an `error`.
    """
    base, settings = context.programs, context.config
    judges_of = cache(partial(build_evaluators, base, settings, score=config.score))  # shared by those of one network
    made: dict[str, SearchPrograms] = {}  # of each algorithm, for any length of training
    masks = np.stack([scope.mask for scope in scopes])
    items = [(seed, scope) for seed in config.seeds for scope in scopes]
    for name, epochs in lengths:
        cells = [{"algorithm": name, "epochs": epochs, "scope": scope.name, "seed": seed} for seed, scope in items]
        if all(journal.holds(unit) for cell in cells for unit in _units(cell, config.selectors)):
            continue
        config = replace(config, epochs=epochs)
        algorithm = ALGORITHMS[name](context.space)
        if name not in made:
            made[name] = build_search_programs(base, settings, algorithm)
        programs = made[name]
        judges = judges_of(base.supernet(algorithm.partial))
        states, error = None, "the training diverged"
        try:
            with stages(f"train_{name}_{epochs}") as stage:
                states = train_supernets(context, config, programs, masks, stage)
        except NonFiniteLoss as every_one:
            error = str(every_one)
        with stages(f"select_{name}_{epochs}") as stage:
            for number, (cell, (_, scope)) in enumerate(zip(cells, items, strict=True)):
                view = cache(partial(view_of, context, config, programs, judges, states, number))
                _record(journal, config, view, error, cell, scope)
                stage.tell(number + 1, len(items), [])


def _record(
    journal: Journal, config: StudyConfig, see: Callable[[], Trained | None], error: str, cell: Row, scope: Scope
) -> None:
    """Keeps the rows of one supernet that the journal lacks; where there is nothing to `see`, they hold the error."""

    def of_supernet() -> Row:
        view = see()
        said = {"error": error} if view is None else {"error": "", **statistics(view, scope, config.ranked)}
        return {**cell, **said}

    def of_selector(selector: str) -> Row:
        row, view = {**cell, "selector": selector}, see()
        return {**row, **(_failed(error) if view is None else select(view, config, row, scope))}

    supernet, *units = _units(cell, config.selectors)
    journal.once(supernet, of_supernet)
    for unit, selector in zip(units, config.selectors, strict=True):
        journal.once(unit, partial(of_selector, selector))


def _units(cell: Row, selectors: Sequence[str]) -> list[tuple[Any, ...]]:
    """Names of what is kept of one supernet: its own, then that of each selector."""
    name = (cell["algorithm"], cell["epochs"], cell["scope"], cell["seed"])
    return [(SUPERNET, *name), *((CELL, *name, selector) for selector in selectors)]


def kept_rows(journal: Journal, kind: str) -> list[Row]:
    """The rows that the journal has of one kind, in the order in which they were found."""
    return [row for _, row in journal.under(kind)]


def statistics(view: Trained, scope: Scope, ranked: int) -> Row:
    """What a supernet says of a random sample of its architectures: accuracy of each path, and its probability."""
    op_ids = sample(view.space, scope, ranked)
    if not len(op_ids):
        return {"op_ids": [], "accuracy": [], "probability": []}
    return {
        "op_ids": op_ids.tolist(),
        "accuracy": view.accuracy(op_ids).tolist(),
        "probability": path_probabilities(view.probabilities, op_ids).tolist(),
    }


def sample(space: SearchSpace, scope: Scope, wanted: int) -> np.ndarray:
    """Connected architectures of a sub-space drawn at random, the same for every supernet; int [A, E]."""
    return space.draw_connected(np.random.default_rng([RANKED]), wanted, scope.mask)


def select(view: Trained, config: StudyConfig, cell: Row, scope: Scope) -> Row:
    """What one selector takes from one supernet, and what that cost.

    What it draws depends on seed, selector and, of several supernets of the same architectures, which it is (`run`).
    """
    rng = np.random.default_rng([SELECT, cell["seed"], config.selectors.index(cell["selector"]), cell.get("run", 0)])
    began = time.monotonic()
    try:
        found = SELECTORS[cell["selector"]]()(rng, view, scope.mask, config.budget)
    except UserError as error:
        return _failed(str(error))
    return {
        "error": "",
        "op_ids": found.op_ids.tolist(),
        "validation_score": found.score,
        "evaluations": found.evaluations,
        "seconds": round(time.monotonic() - began, 2),
    }


def _failed(error: str) -> Row:
    return {"error": error, "op_ids": None, "validation_score": None, "evaluations": 0, "seconds": 0.0}


def _few_shot(config: StudyConfig) -> FewShotConfig:
    return FewShotConfig(
        data=config.data,
        net=config.net,
        optimizer=config.optimizer,
        alone_epochs=config.alone_epochs,
        strategy=config.strategy,
    )
