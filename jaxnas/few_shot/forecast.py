"""What a run will do and take, before it is started: steps are counted, one step and one evaluation are timed here."""

import math
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxnas.data import Images
from jaxnas.distributed import parallel
from jaxnas.few_shot import controls
from jaxnas.few_shot.follow import MOST
from jaxnas.few_shot.leaves import shown
from jaxnas.few_shot.rehearsal import Rehearsal, rehearse
from jaxnas.few_shot.run_context import RunContext, steps_per_epoch
from jaxnas.few_shot.sample import MOST_OF_A_LEAF
from jaxnas.few_shot.stages import first_generation, uses_leaf_bias
from jaxnas.search import ALGORITHMS, sample_connected
from jaxnas.splitting import scored_edges
from jaxnas.training import build_epoch, build_evaluate, build_step, initial_weights, new_states
from jaxnas.training.state import SubnetState
from jaxnas.types import UserError

TIMED = 3  # steps that are timed


class Work(NamedTuple):
    """One stage: `networks` networks, each taking `steps` training steps and `batches` evaluated batches."""

    stage: str
    networks: int
    steps: int
    batches: int


class Forecast(NamedTuple):
    """The work of all stages, and what it takes on this machine."""

    work: list[Work]
    seconds: list[float]  # of each stage; compilation apart
    compile_seconds: float  # of one training program; a run compiles about eight
    memory: int  # bytes on the fullest device


def works(context: RunContext, with_table: bool) -> list[Work]:
    """The stages in order, at most. A scored operation counts as a step, and a step of a search algorithm as many as it
    sends batches through the network; a mixture is reckoned like a path. What will be open, when a split is settled and
    what a selector asks for in a leaf is not known yet: that is told by the whole space."""
    config, each = context.config, steps_per_epoch(context)
    each_leaf = ALGORITHMS[config.search.algorithm](context.space).passes * each
    leaves, valid = math.prod(config.split.groups), context.valid.labels.shape[0]
    reads = valid + config.selection.recalibrate  # batches of one evaluation
    nodes = sum(math.prod(config.split.groups[:level]) for level in range(len(config.split.groups)))
    edges, ops = len(scored_edges(context.space, config.split, context.space.full_mask())), len(context.space.ops)
    probes = nodes * edges * ops * config.split.batches  # each a gradient of one batch
    of_leaf, of_whole = (_asked(context, budget) for budget in (config.search.budget, leaves * config.search.budget))
    tuning, whole_tuning = (of.tunings * config.selection.tune_epochs * each_leaf for of in (of_leaf, of_whole))
    by_parent = first_generation(config.search) if uses_leaf_bias(config.search, leaves) else 0
    search = (of_leaf.evaluations + shown(context, leaves) + by_parent) * reads
    sample = config.truth.queried if with_table else config.truth.alone
    judged = sample + config.truth.top * with_table + config.fusion
    spare = config.warmup_epochs * each if config.leaf_weights == "new" else 0  # controls have no use for a warm-up

    def followed(epochs: int, networks: int) -> int:
        """Batches of each network that say how it ranks while it trains, if each holds as many cells as the others."""
        every, cells = config.truth.every, min(sample, MOST)
        return -(-epochs // every) * -(-cells // networks) * reads if every else 0

    found = [
        Work("warm_up", 1, config.warmup_epochs * each, followed(config.warmup_epochs, 1)),
        Work("split", edges, probes // edges, 0),
        Work("leaves", leaves, config.leaf_epochs * each_leaf, followed(config.leaf_epochs, leaves)),
        Work("search", leaves, tuning, search),
    ]
    if config.control.unsplit:
        steps = leaves * (config.leaf_epochs * each_leaf + tuning) + probes + spare - whole_tuning
        found.append(Work("unsplit", 1, steps, followed(steps // each_leaf, 1)))
        found.append(Work("unsplit_search", 1, whole_tuning, of_whole.evaluations * reads))
    for index in range(1, config.control.random_splits + 1):
        steps = config.leaf_epochs * each_leaf + (probes + spare) // leaves
        found.append(Work(f"random_split_{index}", leaves, steps, followed(steps // each_leaf, leaves)))
        found.append(Work(f"random_split_{index}_search", leaves, tuning, search))
    alone = config.control.random_architectures
    if alone:
        steps = config.warmup_epochs * each + leaves * (config.leaf_epochs * each_leaf + tuning) + probes
        found.append(Work("random_alone", alone, steps // alone, valid))
    contenders = 1 + config.control.unsplit + config.control.random_splits + (alone > 0)
    trained = contenders + (not with_table) * sample
    found.append(Work("alone", trained, config.alone_epochs * each, 2 * valid))
    cells = (1 + config.control.random_splits) * -(-judged // leaves) + MOST_OF_A_LEAF * with_table
    found.append(Work("judge", leaves, 0, cells * reads))
    return [*found, *([Work("judge_unsplit", 1, 0, judged * reads)] if config.control.unsplit else [])]


def _asked(context: RunContext, budget: int) -> Rehearsal:
    """What evolution or the selector asks for in the whole space; at most, where the budget is too small for that."""
    if context.config.selection.name == "evolution":
        return Rehearsal(budget, 0)
    with suppress(UserError):
        found = rehearse(context, context.space.full_mask(), budget)
        return found._replace(evaluations=found.evaluations + 1)  # and the accuracy of what was taken
    return Rehearsal(budget + 1, len(context.space.edges) - 1)


def forecast(context: RunContext, with_table: bool, seeds: Collection[int] = ()) -> Forecast:
    """Times one network on one device, and reckons that devices work side by side and networks of a device in turn.

    What is timed are uniform paths. Raises UserError, before anything is timed, for a control that cannot be,
    with the random trees of all `seeds`; of none, those of the run's seed.
    """
    controls.validate_controls(context, seeds)
    programs, config = context.programs, context.config

    def sample(key: Any, mask: Any) -> Any:
        return sample_connected(key, context.space, mask)

    step = build_step(programs.network, programs.pipeline.augment, config.optimizer, sample)
    size = config.data.batch
    few = jax.tree.map(lambda leaf: jnp.resize(leaf[: TIMED * size], (TIMED * size, *leaf.shape[1:])), context.train)
    states = new_states(
        jax.random.split(jax.random.key(0), 1),
        context.space.full_mask()[None],
        initial_weights(programs.network, jax.random.key(0)),
        programs.optimizer,
        TIMED,
    )
    state: SubnetState = jax.tree.map(lambda leaf: leaf[0], states)
    began = time.monotonic()
    epoch = jax.jit(build_epoch(step, size)).lower(state, few).compile()
    compiled = time.monotonic() - began
    batch = Images(context.valid.images[:1], context.valid.labels[:1])
    paths = jnp.asarray(context.space.enumerate()[-1:])
    evaluate = (
        jax.jit(build_evaluate(programs.network, programs.pipeline)).lower((state.params, paths), batch).compile()
    )
    per_step = _seconds(lambda: epoch(state, few)) / TIMED
    per_batch = _seconds(lambda: evaluate((state.params, paths), batch))
    work = works(context, with_table)
    devices = parallel.lanes(config.strategy)  # where batches are divided among those that are left over, it is less
    turns = [-(-item.networks // devices) for item in work]
    seconds = [n * (w.steps * per_step + w.batches * per_batch) for n, w in zip(turns, work, strict=True)]
    used: Any = epoch.memory_analysis()
    scratch = used.temp_size_in_bytes * (max(turns) if config.strategy == "vmap" else 1)
    memory = max(turns) * _bytes(states) + _bytes((context.train, context.valid)) + scratch
    return Forecast(work, seconds, compiled, memory)


def _seconds(call: Callable[[], Any]) -> float:
    """The shortest of three calls."""
    times = []
    for _ in range(3):
        began = time.monotonic()
        jax.block_until_ready(call())
        times.append(time.monotonic() - began)
    return min(times)


def _bytes(tree: Any) -> int:
    def size(leaf: Any) -> int:
        data = jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf
        return int(data.nbytes)

    return sum(map(size, jax.tree.leaves(tree)))
