"""Splits crossed with search algorithms and seeds: the leaves of all of them train on one axis.

Every seed has one warmed-up supernet, from which all its sub-supernets start. Splits that are alike are trained once.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple
from zlib import crc32

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.config import SplitConfig
from jaxnas.few_shot.one_shot import begin, build_evaluators, build_search_programs, train_on
from jaxnas.few_shot.run_context import RunContext
from jaxnas.search import ALGORITHMS
from jaxnas.selection import Trained
from jaxnas.spaces.base import SearchSpace
from jaxnas.splitting import at_random, check_settings, grow
from jaxnas.studies.search.cells import EPOCHS, Scope, sample, select
from jaxnas.studies.search.cells import validate_study as check_study
from jaxnas.studies.search.config import StudyConfig
from jaxnas.studies.shared import train_supernets, view_of
from jaxnas.studies.split_ablation.config import SplitAblationConfig
from jaxnas.studies.split_ablation.grown import metric_of
from jaxnas.training import NonFiniteLoss
from jaxnas.types import Array, Params, Stages, UserError
from jaxnas.workdir import Journal

DRAW = 2  # what random trees are drawn for
NONE, RANDOM = "none", "random"
LEAF = "leaf"  # units of the journal, whose values are rows
Row = dict[str, Any]
Trees = Callable[[str, int], np.ndarray]
"""(name of a split, seed) -> its masks, bool [K, E, O]"""


class Leaf(NamedTuple):
    """One sub-supernet to train."""

    split: str  # the first of the splits that are alike
    seed: int
    number: int  # in its split
    mask: np.ndarray  # bool [E, O]


def validate_split_ablation(config: SplitAblationConfig) -> SearchSpace:
    """The space of a config. Raises UserError, before any work, for names and sizes that cannot be."""
    space = check_study(config.study)
    if len(config.study.selectors) > 1:
        raise UserError(
            f"selectors must be one name, by which all leaves are searched, not {[*config.study.selectors]}"
        )
    if config.study.equal != (EPOCHS,):
        raise UserError(f"leaves are compared at equal epochs alone; equal must be epochs, not {[*config.study.equal]}")
    if config.warmup_epochs < 1:
        raise UserError(f"warmup_epochs must be at least 1, it is {config.warmup_epochs}")
    partial = [name for name in config.study.algorithms if ALGORITHMS[name](space).partial > 1]
    if partial:
        raise UserError(f"{partial[0]} trains a supernet of its own, which cannot start from the warmed-up one")
    for name in expanded(config.splits):
        metric_of(name)
    if config.split.metric != SplitConfig.metric:
        raise UserError(f"split.metric is not read here: name splits metric:{config.split.metric}")
    check_settings(space, config.split)
    return space


def expanded(splits: tuple[str, ...]) -> tuple[str, ...]:
    """Names with `random:N` as random 1 .. random N. Raises UserError for a name twice, or no number."""
    names: list[str] = []
    for name in splits:
        kind, _, count = name.partition(":")
        if kind == RANDOM and not (count.isascii() and count.isdigit() and 1 <= int(count) <= 100):
            raise UserError(f"random splits are asked for as random:N with N in 1 .. 100, not {name!r}")
        names += [f"{RANDOM} {i + 1}" for i in range(int(count))] if kind == RANDOM else [name]
    if not names or len(set(names)) < len(names):
        raise UserError(f"splits must be different names, not {list(splits)}")
    return tuple(names)


def random_masks(space: SearchSpace, groups: tuple[int, ...], name: str, seed: int) -> np.ndarray:
    """The leaves of a random tree of so many groups at each level, bool [K, E, O]; fixed by its name and the seed."""
    rng = np.random.default_rng([DRAW, seed, int(name.split()[1])])
    return grow(space, groups, at_random(space, rng)).masks()


def leaves_of(
    config: SplitAblationConfig, space: SearchSpace, trees: Trees
) -> tuple[list[Leaf], dict[tuple[str, int], str]]:
    """Every leaf that is trained, and which split stands for each (split, seed) of those that are alike.

    Unsplit supernets are as many as the split with the most leaves has, the whole space each.
    """
    leaves: list[Leaf] = []
    stands: dict[tuple[str, int], str] = {}
    alike: dict[tuple[Any, ...], str] = {}
    names = expanded(config.splits)
    for seed in config.study.seeds:
        found = {name: trees(name, seed) for name in names if name != NONE}
        most = max(map(len, found.values()), default=1)
        if NONE in names:
            found[NONE] = np.tile(space.full_mask(), (most, 1, 1))
        for name in names:
            content = (seed, name == NONE, *sorted(mask.tobytes() for mask in found[name]))
            stands[name, seed] = alike.setdefault(content, name)
            if stands[name, seed] == name:
                leaves += [Leaf(name, seed, k, mask) for k, mask in enumerate(found[name])]
    return leaves, stands


def warm_up(context: RunContext, config: SplitAblationConfig, stages: Stages) -> Params:
    """Weights of one full supernet for each seed, trained on uniform paths; leaves [seeds, ...]."""
    settings = replace(config.study, epochs=config.warmup_epochs)
    programs = build_search_programs(context.programs, context.config, ALGORITHMS["uniform"](context.space))
    with stages("warm_up") as stage:
        states = train_supernets(context, settings, programs, context.space.full_mask()[None], stage)
    return states.subnet.params


def run_leaves(
    context: RunContext,
    config: SplitAblationConfig,
    journal: Journal,
    leaves: list[Leaf],
    parents: Params,
    stages: Stages,
) -> None:
    """Trains all leaves by each algorithm as one stacked state, and keeps in the journal what each gives.

    parents: weights of the seeds' warmed-up supernets, leaves [seeds, ...]. What the journal has is not done again.
    """
    study = config.study
    base = context.programs
    judges = build_evaluators(base, context.config, base.network, study.score)
    rows = np.array([study.seeds.index(leaf.seed) for leaf in leaves])
    params = jax.jit(lambda tree: jax.tree.map(lambda w: w[rows], tree))(parents)
    masks = np.stack([leaf.mask for leaf in leaves])
    for name in study.algorithms:
        if all(journal.holds(unit_of(name, leaf)) for leaf in leaves):
            continue
        programs = build_search_programs(base, context.config, ALGORITHMS[name](context.space))
        states, error = None, "the training diverged"
        try:
            with stages(f"train_{name}") as stage:
                start = begin(context, programs, _keys(leaves), masks, study.epochs, params)
                states = train_on(context, programs, start, study.epochs, stage, True)
        except NonFiniteLoss as every_one:
            error = str(every_one)
        with stages(f"select_{name}") as stage:
            for number, leaf in enumerate(leaves):
                view = partial(view_of, context, study, programs, judges, states, number)
                journal.once(unit_of(name, leaf), partial(_row, context, study, view, error, name, leaf))
                stage.tell(number + 1, len(leaves), [])


def _row(
    context: RunContext,
    study: StudyConfig,
    see: Callable[[], Trained | None],
    error: str,
    algorithm: str,
    leaf: Leaf,
) -> Row:
    """What is kept of a leaf."""
    named = {"algorithm": algorithm, "split": leaf.split, "seed": leaf.seed, "leaf": leaf.number}
    return {**named, **_taken(context, study, see(), error, leaf)}


def _taken(context: RunContext, study: StudyConfig, view: Trained | None, error: str, leaf: Leaf) -> Row:
    """What the selector takes from a leaf, its validation accuracy, and those of a random sample of the leaf."""
    began = time.monotonic()
    failed: Row = {"op_ids": None, "validation_score": None, "sample": [], "evaluations": 0, "seconds": 0.0}
    if view is None:
        return {**failed, "error": error}
    scope = Scope("", leaf.mask)
    run = leaf.number if leaf.split == NONE else 0  # else all unsplit supernets of a seed would try the same few
    found = select(view, study, {"seed": leaf.seed, "selector": study.selectors[0], "run": run}, scope)
    if found["error"]:
        return {**failed, "error": found["error"]}
    drawn = sample(context.space, scope, study.ranked)
    accuracy = view.accuracy(np.concatenate([[found["op_ids"]], drawn]).astype(np.int32))
    return {
        "op_ids": found["op_ids"],
        "validation_score": float(accuracy[0]),
        "sample": accuracy[1:].tolist(),
        "evaluations": found["evaluations"] + len(accuracy),
        "seconds": round(time.monotonic() - began, 2),
        "error": "",
    }


def _keys(leaves: list[Leaf]) -> Array:
    """A key for each leaf, [K]: by seed, split and number, whichever other splits are trained beside it."""

    def key(leaf: Leaf) -> Array:
        of_seed = jax.random.fold_in(jax.random.key(leaf.seed), crc32(leaf.split.encode()) & 0x7FFFFFFF)
        return jax.random.fold_in(of_seed, leaf.number)

    return jnp.stack([key(leaf) for leaf in leaves])


def unit_of(algorithm: str, leaf: Leaf) -> tuple[str, str, str, int, int]:
    """The name of a leaf in the journal."""
    return LEAF, algorithm, leaf.split, leaf.seed, leaf.number
