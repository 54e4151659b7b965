"""The library's steps as programs of several steps each, built of its public functions only."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from experiments.bench.inputs import CLASSES, VALID, batches, paths, space
from experiments.bench.rows import Setting
from experiments.bench.timing import Call
from jaxnas.config import OptimizerConfig
from jaxnas.nets import Network, build_network
from jaxnas.search.darts import darts
from jaxnas.search.sampling import even
from jaxnas.training import SubnetState, build_optimizer, build_step, initial_weights, new_state
from jaxnas.training.bilevel import build_bilevel_step
from jaxnas.types import Array, Key, Params

SCHEDULE = 100_000  # steps; the rate hardly changes while a benchmark runs


class Program(NamedTuple):
    """S steps of one sub-supernet."""

    run: Callable[[Any, Any], tuple[Any, Any]]  # (carry, items) -> carry, metrics [S]
    start: Callable[[], Any]  # the first carry
    items: Any  # data, leaves [S, ...]


def build(setting: Setting) -> Network:
    """The supernet."""
    image = (setting.image, setting.image, 3)
    return build_network(
        space(setting), channels=setting.channels, cells=setting.cells, classes=CLASSES, image_shape=image
    )


def weights(setting: Setting) -> Params:
    """Its first weights, the peer's too."""
    return initial_weights(build(setting), jax.random.key(setting.seed))


def unchanged(key: Key, images: Array) -> Array:
    """The augmentation of images that are augmented already."""
    del key
    return images


def mixed(setting: Setting) -> Program:
    """Steps of all operations by equal weights."""

    def uniform(key: Key, mask: Array) -> Array:
        del key
        return even(mask)  # from data: the compiler must not know that no weight is 0

    step = build_step(build(setting), unchanged, OptimizerConfig(), uniform)
    return Program(lambda state, items: lax.scan(step, state, items), lambda: _start(setting), _to_jax(setting))


def path(setting: Setting) -> Program:
    """Steps of one path each; what runs is data, as in a search."""
    return _on_paths(setting, paths(setting))


def switched(setting: Setting) -> Program:
    """Steps of one and the same path, which is data."""
    return _on_paths(setting, paths(setting)[:1].repeat(setting.steps, 0))


def fixed(setting: Setting) -> Program:
    """Steps of that path, known to the compiler, which leaves nothing to choose."""
    only = jnp.asarray(paths(setting)[0])
    step = build_step(build(setting), unchanged, OptimizerConfig(), lambda key, mask: only)
    return Program(lambda state, items: lax.scan(step, state, items), lambda: _start(setting), _to_jax(setting))


def _on_paths(setting: Setting, op_ids: np.ndarray) -> Program:
    def only(key: Key, mask: Array) -> Array:
        del key  # one architecture is open
        return mask.argmax(-1).astype(jnp.int32)

    step = build_step(build(setting), unchanged, OptimizerConfig(), only)

    def one(state: SubnetState, item: Any) -> Any:
        batch, mask = item
        return step(state.replace(mask=mask), batch)  # type: ignore[attr-defined]

    masks = jnp.asarray(op_ids[..., None] == range(len(space(setting).ops)))  # [S, E, O]
    items = (_to_jax(setting), masks)
    return Program(lambda state, items: lax.scan(one, state, items), lambda: _start(setting), items)


def bilevel(setting: Setting, order: Literal["first", "second"]) -> Program:
    """Steps of DARTS: alpha by one batch, weights by another."""
    algorithm = darts(space(setting), order=order)
    step = build_bilevel_step(build(setting), unchanged, OptimizerConfig(), algorithm)

    def one(carry: Any, item: Any) -> Any:
        *carry, metrics = step(*carry, *item)
        return tuple(carry), metrics

    def start() -> Any:
        state, mask = _start(setting), jnp.asarray(space(setting).full_mask())
        return state, algorithm.init(jax.random.key(setting.seed + 1), mask, state.params)

    items = (_to_jax(setting), _to_jax(setting, VALID))
    return Program(lambda carry, items: lax.scan(one, carry, items), start, items)


def repeated(run: Callable[[Any, Any], tuple[Any, Any]], carry: Any, items: Any) -> Call:
    """A call that goes on from where the last one ended, and waits."""

    def call() -> None:
        nonlocal carry
        carry, metrics = run(carry, items)
        jax.block_until_ready((carry, metrics))

    return call


def timed(program: Program) -> Call:
    """A call of the compiled steps, which update the state in place."""
    return repeated(jax.jit(program.run, donate_argnums=0), program.start(), program.items)


def _start(setting: Setting) -> SubnetState:
    key, optimizer = jax.random.key(setting.seed), build_optimizer(OptimizerConfig())
    return new_state(key, space(setting).full_mask(), weights(setting), optimizer, SCHEDULE)


def _to_jax(setting: Setting, purpose: int = 0) -> Any:
    return jax.tree.map(jnp.asarray, batches(setting, purpose))
