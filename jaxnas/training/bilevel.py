"""One bilevel step of ONE sub-supernet: the search algorithm by a validation batch, then the weights by another."""

from collections.abc import Callable

import jax

from jaxnas.config import OptimizerConfig
from jaxnas.data.pipeline import Images
from jaxnas.nets.losses import cross_entropy
from jaxnas.nets.network import Network
from jaxnas.search.base import Problem, SearchAlgorithm, SearchState
from jaxnas.training.state import SubnetState
from jaxnas.training.step import StepMetrics, build_descent, build_update, keys_of
from jaxnas.types import Array, Choice, Key, Params

BilevelStep = Callable[
    [SubnetState, SearchState, Images, Images], tuple[SubnetState, SearchState, StepMetrics]
]  # (state, search state, training batch, validation batch)


def build_bilevel_step(
    network: Network,
    augment: Callable[[Key, Array], Array],
    config: OptimizerConfig,
    algorithm: SearchAlgorithm,
) -> BilevelStep:
    """`step(state, search, train, valid) -> state, search, metrics of the training batch`; one program, jit it.

    The algorithm is updated first, as in the code of DARTS, and the weights under what it then chooses. The batches
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
        images = augment(train_key, train.images)
        problem = Problem(
            train_loss=_loss(network, images, train.labels),
            valid_loss=_loss(network, augment(valid_key, valid.images), valid.labels),
            params=state.params,
            unrolled=lambda gradients: descend(state, gradients)[0],
        )
        search = algorithm.update(update_key, search, state.mask, problem)
        new, metrics = update(state, images, train.labels, algorithm.choose(choice_key, search, state.mask))
        return new, search, metrics

    return step


def _loss(network: Network, images: Array, labels: Array) -> Callable[[Params, Choice], Array]:
    return lambda params, choice: cross_entropy(network.forward(params, images, choice)[0], labels)
