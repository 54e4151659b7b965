"""What training costs in a study, in images and in counted multiply-adds, and how long at equal cost."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.arithmetic import Cost, Odds, counter
from jaxnas.few_shot.run_context import RunContext, steps_per_epoch
from jaxnas.search import ALGORITHMS
from jaxnas.studies.search.cells import ARITHMETIC, EPOCHS, IMAGES, Scope
from jaxnas.studies.search.config import StudyConfig
from jaxnas.training import build_bilevel_step, build_step, new_state
from jaxnas.types import Array, Key


class Costs(NamedTuple):
    """What one epoch costs, multiply-adds by the sub-space it is trained on."""

    images: dict[str, int]  # algorithm -> training and validation images, forward and backward
    products: dict[tuple[str, str], float]  # (algorithm, name of a scope) -> multiply-adds
    alone_images: int
    alone_products: np.ndarray  # [O], of an architecture trained alone that has one operation on every edge

    def alone(self, op_ids: np.ndarray) -> float:
        """Multiply-adds of an epoch of all architectures [A, E] together, each trained alone."""
        return float(self.alone_products[op_ids].mean(1).sum())


def costs_of(context: RunContext, config: StudyConfig, scopes: list[Scope]) -> Costs:
    """Counted over the programs of this machine; traces a step of each algorithm.

    A path counts as the mean over the connected architectures of its scope, which is exact where each is as likely.
    Algorithms that learn which are better come to cost less or more than that. A branch in which an algorithm does
    something else for a part of its training counts as the mean of both.
    """
    steps, batch = steps_per_epoch(context), config.data.batch
    shares = {scope.name: _shares(context, scope) for scope in scopes}
    images, products = {}, {}
    for name in config.algorithms:
        images[name] = ALGORITHMS[name](context.space).passes * steps * batch
        counted = _counter(context, name)
        for scope_name, of_scope in shares.items():
            products[name, scope_name] = float(steps * counted(partial(_odds, of_scope)).products)
    counted, ops = _counter(context, None), np.eye(len(context.space.ops))
    alone = steps * np.array([float(counted(partial(_odds, only)).products) for only in ops])
    return Costs(images, products, steps * batch, alone)


def epochs_of(config: StudyConfig, costs: Costs, equal: str) -> dict[str, int]:
    """Epochs of each algorithm in one comparison: `config.epochs` for the one that costs least, of the others as many
    as cost as much, rounded, at least 1; with several scopes, by their mean."""
    if equal == EPOCHS:
        return dict.fromkeys(config.algorithms, config.epochs)
    scopes = {scope for _, scope in costs.products}
    each: dict[str, float] = {
        name: costs.images[name] if equal == IMAGES else sum(costs.products[name, scope] for scope in scopes)
        for name in config.algorithms
    }
    return {name: max(1, round(config.epochs * min(each.values()) / cost)) for name, cost in each.items()}


def random_epochs(config: StudyConfig, costs: Costs, equal: str, algorithm: str, scope: str, drawn: np.ndarray) -> int:
    """Epochs of each of the architectures [A, E] of a random search that costs as much as the supernet of `algorithm`
    does in this comparison: as many multiply-adds where these are held equal, else as many images; at least 1."""
    epochs = epochs_of(config, costs, equal)[algorithm]
    if equal == ARITHMETIC:
        return max(1, round(epochs * costs.products[algorithm, scope] / costs.alone(drawn)))
    return max(1, round(epochs * costs.images[algorithm] / (costs.alone_images * len(drawn))))


def _shares(context: RunContext, scope: Scope) -> np.ndarray:
    """How often each operation is on an edge, over the connected architectures of a scope; [O], they sum to 1."""
    op_ids = context.space.enumerate_connected(scope.mask)
    return np.bincount(op_ids.ravel(), minlength=len(context.space.ops)) / op_ids.size


def _odds(shares: np.ndarray, branches: int) -> np.ndarray:
    return shares if branches == len(shares) else np.full(branches, 1 / branches)


def _counter(context: RunContext, name: str | None) -> Callable[[Odds], Cost]:
    """Counts a training step of an algorithm's supernet or, for None, of an architecture trained alone."""
    programs, config, mask = context.programs, context.config, jnp.asarray(context.space.full_mask())
    batch = jax.tree.map(lambda x: jax.ShapeDtypeStruct((config.data.batch, *x.shape[1:]), x.dtype), context.train)
    if name is None:

        def only(key: Key, mask: Array) -> Array:
            del key  # one architecture is open
            return mask.argmax(-1).astype(jnp.int32)

        network = programs.alone
        step: Any = build_step(network, programs.pipeline.augment, config.optimizer, only)
        stats, batches = network.init_stats(), [batch]
    else:
        algorithm = ALGORITHMS[name](context.space)
        network = programs.supernet(algorithm.partial)
        step = build_bilevel_step(network, programs.pipeline.augment, config.optimizer, algorithm)
        stats, batches = None, [batch, batch]

    def states(key: Key, mask: Array) -> tuple[Any, ...]:
        params = network.init(key)
        state = new_state(key, mask, params, programs.optimizer, 1, *([] if stats is None else [stats]))
        return (state,) if name is None else (state, algorithm.init(key, mask, params))

    return counter(step, *jax.eval_shape(states, jax.random.key(0), mask), *batches)
