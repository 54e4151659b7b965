"""Training of ONE sub-supernet: state, step, epoch, loop."""

from jaxnas.training.bilevel import Searching, build_bilevel_step, build_search_epoch
from jaxnas.training.evaluate import Validation, build_evaluate, build_validate
from jaxnas.training.loop import NonFiniteLoss, train
from jaxnas.training.state import SubnetState, build_optimizer, initial_weights, new_state, new_states
from jaxnas.training.step import build_epoch, build_step

__all__ = [
    "NonFiniteLoss",
    "Searching",
    "SubnetState",
    "Validation",
    "build_bilevel_step",
    "build_epoch",
    "build_evaluate",
    "build_optimizer",
    "build_search_epoch",
    "build_step",
    "build_validate",
    "initial_weights",
    "new_state",
    "new_states",
    "train",
]
