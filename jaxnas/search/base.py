"""What a search algorithm is, and what it is told of one step of one sub-supernet."""

from collections.abc import Callable
from typing import Any, NamedTuple

from jaxnas.types import Array, Choice, Key, Params

SearchState = Any  # a pytree: what the algorithm learns, such as alpha and the moments of its optimizer


class Problem(NamedTuple):
    """One step of ONE sub-supernet as an algorithm sees it; the two batches are in the closures."""

    train_loss: Callable[[Params, Choice], Array]
    """(params, choice) -> [], on the training batch"""
    valid_loss: Callable[[Params, Choice], Array]
    """(params, choice) -> [], on the validation batch"""
    params: Params
    unrolled: Callable[[Params], Params]
    """gradients of the training loss -> the weights after the step their own optimizer would take; differentiable"""


class SearchAlgorithm(NamedTuple):
    """How architectures are weighed while the weights are trained; pure functions. mask [E, O]."""

    init: Callable[[Key, Array], SearchState]
    """(key, mask) -> state; the key is consumed"""
    choose: Callable[[Key, SearchState, Array], Choice]
    """(key, state, mask) -> what runs in the next weight step; the key is consumed"""
    update: Callable[[Key, SearchState, Array, Problem], SearchState]
    """(key, state, mask, problem) -> state; the key is consumed"""
    probabilities: Callable[[SearchState, Array], Array]
    """(state, mask) -> [E, O], rows sum to 1, closed operations exactly 0"""
