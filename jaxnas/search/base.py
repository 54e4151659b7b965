"""What a search algorithm is, and what it is told of one step of one sub-supernet."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxnas.types import Array, Choice, Key, Params

SearchState = Any  # a pytree: what the algorithm learns, such as alpha and the moments of its optimizer
Schedule = Callable[[Array], Array]  # share of the training that is done, [] in 0 .. 1 -> a rate or a temperature []


class StepContext(NamedTuple):
    """One step of ONE sub-supernet as an algorithm sees it; the two batches, disjoint, are in the closures.

    `choice` is op_weights float [E, O] or op_ids int [E].
    """

    train_loss: Callable[[Params, Choice], Array]
    """(params, choice) -> [], on the training batch"""
    train_logits: Callable[[Params, Choice], Array]
    """(params, choice) -> [B, classes], on the training batch"""
    train_labels: Array
    """int [B]"""
    valid_loss: Callable[[Params, Choice], Array]
    """(params, choice) -> [], on the validation batch"""
    valid_accuracy: Callable[[Params, Choice], Array]
    """(params, choice) -> [] in 0 .. 1, on the validation batch"""
    params: Params
    unrolled: Callable[[Params], Params]
    """gradients of the training loss -> the weights after the step their own optimizer would take; differentiable"""
    progress: Array
    """float [] in 0 .. 1, share of the training that is done"""


class Forwards(NamedTuple):
    """What runs in one weight step: its loss is the sum over S of coefficient times loss."""

    choices: Choice  # float [S, E, O] or int [S, E]
    coefficients: Array  # float [S]
    targets: Array | None = None  # float [S, B, classes], soft labels of the batch; None: its own labels


class SearchAlgorithm(NamedTuple):
    """How architectures are weighed while the weights are trained; pure functions. mask [E, O]."""

    init: Callable[[Key, Array, Params], SearchState]
    """(key, mask, weights that the training starts from) -> state; the key is consumed"""
    forwards: Callable[[Key, SearchState, Array, StepContext], Forwards]
    """(key, state, mask, context) -> what runs in the next weight step; the key is consumed"""
    update: Callable[[Key, SearchState, Array, StepContext], SearchState] | None
    """(key, state, mask, context) -> state, before the weight step; the key is consumed. None: nothing is learnt"""
    probabilities: Callable[[SearchState, Array], Array]
    """(state, mask) -> [E, O], rows sum to 1, closed operations exactly 0"""
    passes: int = 2
    """batches that one step sends forward and, mostly, backward through the network; 2: one validates, one trains"""
    partial: int = 1
    """operations of the supernet that is trained see 1/partial of its channels"""
    sample: Callable[[Key, SearchState, Array], Array] | None = None
    """(key, state, mask) -> op_ids int [E], a draw from the algorithm's own distribution, inside the mask, connected or
    not; the key is consumed. None: each edge by its row of `probabilities`, whatever the others hold"""


def sample_path(algorithm: SearchAlgorithm, key: Key, state: SearchState, mask: Array) -> Array:
    """A draw from what the algorithm learnt, as `SearchAlgorithm.sample` says -> op_ids int32 [E]."""
    if algorithm.sample is not None:
        return algorithm.sample(key, state, mask)
    return jax.random.categorical(key, jnp.log(algorithm.probabilities(state, mask))).astype(jnp.int32)


def one(choice: Choice) -> Forwards:
    """A weight step of one forward pass."""
    return Forwards(choice[None], jnp.ones(1))


def mean_of(choices: Choice) -> Forwards:
    """A weight step on the mean loss of S forward passes."""
    return Forwards(choices, jnp.full(len(choices), 1 / len(choices)))
