"""What a run will do and take, before it is started: steps are counted, one step and one evaluation are timed here."""

import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxnas import parallel
from jaxnas.data import Images
from jaxnas.methods.few_shot import compared, first_generation
from jaxnas.methods.follow import MOST
from jaxnas.methods.problem import Problem, steps_per_epoch
from jaxnas.methods.sample import MOST_OF_A_LEAF
from jaxnas.search import sample_connected
from jaxnas.splitting import scored_edges
from jaxnas.training import build_epoch, build_evaluate, build_step, initial_weights, new_states
from jaxnas.training.state import SubnetState

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


def works(problem: Problem, with_table: bool) -> list[Work]:
    """The stages in order. A scored operation counts as a step; which will be open and when a split is settled are not
    known yet, so scoring is at most this."""
    config, each = problem.config, steps_per_epoch(problem)
    leaves, valid = math.prod(config.split.groups), problem.valid.labels.shape[0]
    nodes = sum(math.prod(config.split.groups[:level]) for level in range(len(config.split.groups)))
    edges, ops = len(scored_edges(problem.space, config.split, problem.space.full_mask())), len(problem.space.ops)
    probes = nodes * edges * ops * config.split.batches  # each a gradient of one batch
    budget = config.search.budget * valid
    first = first_generation(config.search) * valid if compared(config.search, leaves) else 0  # by the parent
    sample = config.truth.queried if with_table else config.truth.alone
    judged = sample + config.truth.top * with_table + config.fusion

    def followed(epochs: int, networks: int) -> int:
        """Batches of each network that say how it ranks while it trains, if each holds as many cells as the others."""
        every, cells = config.truth.every, min(sample, MOST)
        return -(-epochs // every) * -(-cells // networks) * valid if every else 0

    found = [
        Work("warm_up", 1, config.warmup_epochs * each, followed(config.warmup_epochs, 1)),
        Work("split", edges, probes // edges, 0),
        Work("leaves", leaves, config.leaf_epochs * each, followed(config.leaf_epochs, leaves)),
        Work("search", leaves, 0, budget + first),
    ]
    if config.control.unsplit:
        steps = leaves * config.leaf_epochs * each + probes
        found.append(Work("unsplit", 1, steps, followed(steps // each, 1)))
        found.append(Work("unsplit_search", 1, 0, leaves * budget))
    for index in range(1, config.control.random_splits + 1):
        steps = config.leaf_epochs * each + probes // leaves
        found.append(Work(f"random_split_{index}", leaves, steps, followed(steps // each, leaves)))
        found.append(Work(f"random_split_{index}_search", leaves, 0, budget + first))
    alone = config.control.random_architectures
    if alone:
        steps = (config.warmup_epochs + leaves * config.leaf_epochs) * each + probes
        found.append(Work("random_alone", alone, steps // alone, valid))
    contenders = 1 + config.control.unsplit + config.control.random_splits + (alone > 0)
    trained = contenders + (not with_table) * sample
    found.append(Work("alone", trained, config.alone_epochs * each, 2 * valid))
    of_leaf = (1 + config.control.random_splits) * -(-judged // leaves) + MOST_OF_A_LEAF * with_table
    found.append(Work("judge", leaves, 0, of_leaf * valid))
    return [*found, *([Work("judge_unsplit", 1, 0, judged * valid)] if config.control.unsplit else [])]


def forecast(problem: Problem, with_table: bool) -> Forecast:
    """Times one network on one device, and reckons that devices work side by side and networks of a device in turn."""
    programs, config = problem.programs, problem.config

    def sample(key: Any, mask: Any) -> Any:
        return sample_connected(key, problem.space, mask)

    step = build_step(programs.network, programs.pipeline.augment, config.optimizer, sample)
    size = config.data.batch
    few = jax.tree.map(lambda leaf: jnp.resize(leaf[: TIMED * size], (TIMED * size, *leaf.shape[1:])), problem.train)
    states = new_states(
        jax.random.split(jax.random.key(0), 1),
        problem.space.full_mask()[None],
        initial_weights(programs.network, jax.random.key(0)),
        programs.optimizer,
        TIMED,
    )
    state: SubnetState = jax.tree.map(lambda leaf: leaf[0], states)
    began = time.monotonic()
    epoch = jax.jit(build_epoch(step, size)).lower(state, few).compile()
    compiled = time.monotonic() - began
    batch = Images(problem.valid.images[:1], problem.valid.labels[:1])
    paths = jnp.asarray(problem.space.enumerate()[-1:])
    evaluate = (
        jax.jit(build_evaluate(programs.network, programs.pipeline)).lower((state.params, paths), batch).compile()
    )
    per_step = _seconds(lambda: epoch(state, few)) / TIMED
    per_batch = _seconds(lambda: evaluate((state.params, paths), batch))
    work = works(problem, with_table)
    devices = parallel.lanes(config.strategy)  # where batches are divided among those that are left over, it is less
    turns = [-(-item.networks // devices) for item in work]
    seconds = [n * (w.steps * per_step + w.batches * per_batch) for n, w in zip(turns, work, strict=True)]
    used: Any = epoch.memory_analysis()
    scratch = used.temp_size_in_bytes * (max(turns) if config.strategy == "vmap" else 1)
    memory = max(turns) * _bytes(states) + _bytes((problem.train, problem.valid)) + scratch
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
