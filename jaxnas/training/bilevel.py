"""One bilevel step of ONE sub-supernet: the search algorithm by a validation batch, then the weights by another."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxnas.config import OptimizerConfig
from jaxnas.data.pipeline import Images, epoch_order
from jaxnas.distributed import parallel
from jaxnas.nets.losses import cross_entropy, percent_correct
from jaxnas.nets.network import Network
from jaxnas.search.base import SearchAlgorithm, SearchState, StepContext
from jaxnas.training.state import SubnetState
from jaxnas.training.step import StepMetrics, build_descent, build_update, keys_of
from jaxnas.types import Array, Choice, Key, Params

BilevelStep = Callable[
    [SubnetState, SearchState, Images, Images], tuple[SubnetState, SearchState, StepMetrics]
]  # (state, search state, training batch, validation batch)


class Searching(NamedTuple):
    """A sub-supernet and what its search algorithm has learnt."""

    subnet: SubnetState
    search: SearchState


def build_bilevel_step(
    network: Network,
    augment: Callable[[Key, Array], Array],
    config: OptimizerConfig,
    algorithm: SearchAlgorithm,
) -> BilevelStep:
    """`step(state, search, train, valid) -> state, search, metrics of the training batch`; one program, jit it.

    The algorithm is updated first, as in the code of DARTS, and the weights under what then runs. Weights never see the
    validation batch's gradient, nor the algorithm the training batch's other than through `StepContext`. The batches
    must be of examples that do not overlap: nothing here can tell. Keys: state.key folded with the step, then split
    by purpose.
    """
    update, descend = build_update(network, config), build_descent(config)

    def step(
        state: SubnetState, search: SearchState, train: Images, valid: Images
    ) -> tuple[SubnetState, SearchState, StepMetrics]:
        _, choice_key, augment_key = keys_of(state)
        update_key, choice_key = jax.random.split(choice_key)
        train_key, valid_key = jax.random.split(augment_key)
        images = parallel.spread_examples(augment(train_key, train.images))
        valid_images = parallel.spread_examples(augment(valid_key, valid.images))
        context = StepContext(
            train_logits=lambda params, choice: network.forward(params, images, choice)[0],
            train_labels=train.labels,
            train_loss=_measured(network, images, train.labels, cross_entropy),
            valid_loss=_measured(network, valid_images, valid.labels, cross_entropy),
            valid_accuracy=_measured(network, valid_images, valid.labels, lambda *of: percent_correct(*of) / 100),
            params=state.params,
            unrolled=lambda gradients: descend(state, gradients)[0],
            progress=jnp.minimum(state.step / state.steps, 1.0),
        )
        if algorithm.update is not None:
            search = algorithm.update(update_key, search, state.mask, context)
        forwards = algorithm.forwards(choice_key, search, state.mask, context)
        new, metrics = update(state, images, train.labels, forwards)
        return new, search, metrics

    return step


def build_search_epoch(
    step: BilevelStep, batch: int
) -> Callable[[Searching, tuple[Images, Images]], tuple[Searching, StepMetrics]]:
    """`epoch(state, (train, valid)) -> state, metrics [S]`: one pass over the training images in random order.

    As many validation batches go with it, in random order too, round and round where there are fewer of them;
    remainders are dropped.
    """

    def epoch(state: Searching, data: tuple[Images, Images]) -> tuple[Searching, StepMetrics]:
        train, valid = data
        train_key, valid_key = jax.random.split(keys_of(state.subnet)[0])
        order = epoch_order(train_key, train.labels.shape[0], batch)
        rounds = -(-len(order) // (valid.labels.shape[0] // batch))
        orders = [epoch_order(k, valid.labels.shape[0], batch) for k in jax.random.split(valid_key, rounds)]
        valid_order = jnp.concatenate(orders)[: len(order)]

        def body(state: Searching, indices: tuple[Array, Array]) -> tuple[Searching, StepMetrics]:
            batches = [jax.tree.map(lambda leaf, i=i: leaf[i], part) for part, i in zip(data, indices, strict=True)]
            subnet, search, metrics = step(state.subnet, state.search, *batches)
            return Searching(subnet, search), metrics

        return lax.scan(body, state, (order, valid_order))

    return epoch


def _measured(
    network: Network, images: Array, labels: Array, measure: Callable[[Array, Array], Array]
) -> Callable[[Params, Choice], Array]:
    return lambda params, choice: measure(network.forward(params, images, choice)[0], labels)
