"""One step and one epoch of ONE sub-supernet; pure functions of the state and the data."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxnas.config import OptimizerConfig
from jaxnas.data.pipeline import Images, epoch_order
from jaxnas.distributed import parallel
from jaxnas.nets.losses import cross_entropy, percent_correct
from jaxnas.nets.network import Network
from jaxnas.search.base import Forwards, one
from jaxnas.training.state import SubnetState, build_optimizer, cosine_rate
from jaxnas.types import Array, Choice, Key, Params, Stats

Sample = Callable[[Key, Array], Choice]  # (key, mask [E, O]) -> what runs in one step; the key is consumed
RUNNING_AVERAGE = 0.1  # weight of the newest batch in the statistics of a network trained alone


class StepMetrics(NamedTuple):
    """Training metrics of one step, or stacked [S] for an epoch."""

    loss: Array  # cross-entropy, nats
    accuracy: Array  # percent of the batch


def build_step(
    network: Network,
    augment: Callable[[Key, Array], Array],
    config: OptimizerConfig,
    sample: Sample,
) -> Callable[[SubnetState, Images], tuple[SubnetState, StepMetrics]]:
    """`step(state, batch) -> state, metrics`: draw what runs, one gradient, one update of the weights that ran.

    Operations that did not run keep weight and momentum; `config.decay_all` lets decay and momentum move them, as in
    codes whose optimizers update every weight. Keys: state.key folded with the step, then split by purpose.
    """
    update = build_update(network, config)

    def step(state: SubnetState, batch: Images) -> tuple[SubnetState, StepMetrics]:
        _, choice_key, augment_key = keys_of(state)
        forwards = one(sample(choice_key, state.mask))
        images = parallel.spread_examples(augment(augment_key, batch.images))
        return update(state, images, batch.labels, forwards)

    return step


def build_update(
    network: Network, config: OptimizerConfig
) -> Callable[[SubnetState, Array, Array, Forwards], tuple[SubnetState, StepMetrics]]:
    """`update(state, images [B, H, W, C], labels [B], forwards) -> state, metrics`: the weight step of every search.

    Gradients of S forward passes are summed one after the other. Metrics are means over those of coefficient != 0.
    """
    descend = build_descent(config)

    def loss_fn(params: Params, images: Array, labels: Array, forward: Forwards) -> tuple[Array, tuple[Array, Stats]]:
        logits, stats = network.forward(params, images, forward.choices)
        loss = cross_entropy(logits, labels if forward.targets is None else forward.targets)
        return loss, (percent_correct(logits, labels), stats)

    def weighted(
        params: Params, images: Array, labels: Array, forward: Forwards
    ) -> tuple[Params, tuple[StepMetrics, Stats]]:
        value_and_gradient = jax.value_and_grad(loss_fn, has_aux=True)
        (loss, (accuracy, stats)), gradients = value_and_gradient(params, images, labels, forward)
        return jax.tree.map(lambda g: forward.coefficients * g, gradients), (StepMetrics(loss, accuracy), stats)

    def summed(params: Params, images: Array, labels: Array, forwards: Forwards) -> tuple[Params, StepMetrics]:
        def add(total: Params, forward: Forwards) -> tuple[Params, StepMetrics]:
            gradients, (metrics, _) = weighted(params, images, labels, forward)
            return jax.tree.map(jnp.add, total, gradients), metrics

        total, metrics = lax.scan(add, jax.tree.map(jnp.zeros_like, params), forwards)
        return total, jax.tree.map(lambda leaf: jnp.mean(leaf, where=forwards.coefficients != 0), metrics)

    def update(state: SubnetState, images: Array, labels: Array, forwards: Forwards) -> tuple[SubnetState, StepMetrics]:
        if len(forwards.coefficients) == 1:
            only = jax.tree.map(lambda leaf: leaf[0], forwards)
            gradients, (metrics, stats) = weighted(state.params, images, labels, only)
        else:
            (gradients, metrics), stats = summed(state.params, images, labels, forwards), None
        params, opt = descend(state, gradients)
        if not config.decay_all:
            live = _live(network, params, forwards)
            params, opt = _only_live(live, params, state.params), _only_live(live, opt, state.opt)
        new = state.replace(  # type: ignore[attr-defined]
            step=state.step + 1, params=params, opt=opt, stats=_running(state.stats, stats)
        )
        return new, metrics

    return update


def build_descent(config: OptimizerConfig) -> Callable[[SubnetState, Params], tuple[Params, Any]]:
    """`descend(state, gradients) -> params, state of the optimizer`: one step of the optimizer, differentiable."""
    optimizer = build_optimizer(config)

    def descend(state: SubnetState, gradients: Params) -> tuple[Params, Any]:
        updates, opt = optimizer.update(gradients, state.opt, state.params)
        rate = cosine_rate(config, state.step, state.steps)
        return jax.tree.map(lambda weight, update: weight + rate * update, state.params, updates), opt

    return descend


def build_epoch(
    step: Callable[[SubnetState, Images], tuple[SubnetState, StepMetrics]], batch: int
) -> Callable[[SubnetState, Images], tuple[SubnetState, StepMetrics]]:
    """`epoch(state, data) -> state, metrics [S]`: one pass over `data` [n, ...] in random order, remainder dropped."""

    def epoch(state: SubnetState, data: Images) -> tuple[SubnetState, StepMetrics]:
        order = epoch_order(keys_of(state)[0], data.labels.shape[0], batch)

        def body(state: SubnetState, indices: Array) -> tuple[SubnetState, StepMetrics]:
            return step(state, jax.tree.map(lambda leaf: leaf[indices], data))

        return lax.scan(body, state, order)

    return epoch


def keys_of(state: SubnetState) -> tuple[Key, Key, Key]:
    """Keys of this step by purpose: order of the epoch's examples, what runs, augmentation."""
    order, choice, augment = jax.random.split(jax.random.fold_in(state.key, state.step), 3)
    return order, choice, augment


def _live(network: Network, params: Params, forwards: Forwards) -> Params:
    """Weights that take part in any of S forward passes, as `Network.live` gives them for one."""
    if len(forwards.coefficients) == 1:
        return network.live(params, forwards.choices[0])
    each = jax.vmap(network.live, (None, 0))(params, forwards.choices)
    runs = forwards.coefficients != 0
    return jax.tree.map(lambda leaf: (leaf & runs.reshape(-1, *(1,) * (leaf.ndim - 1))).any(0), each)


def _only_live(live: Params, new: Any, old: Any) -> Any:
    """`new` where a weight took part and `old` elsewhere, in every part of a tree that is congruent to the weights."""
    structure = jax.tree.structure(live)

    def is_weights(node: Any) -> bool:
        return bool(jax.tree.structure(node) == structure)  # type: ignore[operator]

    def pick(new: Any, old: Any) -> Any:
        return jax.tree.map(jnp.where, live, new, old) if is_weights(new) else new

    return jax.tree.map(pick, new, old, is_leaf=is_weights)


def _running(average: Stats | None, batch: Stats | None) -> Stats | None:
    if average is None or batch is None:
        return average
    return jax.tree.map(lambda a, b: (1 - RUNNING_AVERAGE) * a + RUNNING_AVERAGE * b, average, batch)
