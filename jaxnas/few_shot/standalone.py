"""Architectures trained alone from new weights, any number of them by one program, and the accuracies they reach."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.data import Images
from jaxnas.few_shot.run_context import RunContext, purpose_key, steps_per_epoch
from jaxnas.training import SubnetState, new_state, train
from jaxnas.types import Array, Key, Stage


def train_standalone(context: RunContext, op_ids: np.ndarray, epochs: int, purpose: int, stage: Stage) -> SubnetState:
    """Networks of A architectures with running statistics; op_ids [A, E] -> states with leaves [A, ...].

    All start from the same weights' key and see the images in the same order, so that what an architecture reaches
    depends on itself, the seed and the purpose, and not on which others are trained beside it. One that diverges does
    not stop the others, and has the accuracy that it has.
    """
    programs = context.programs
    masks = jnp.asarray(np.eye(len(context.space.ops), dtype=bool)[op_ids])
    steps = epochs * steps_per_epoch(context)

    def start(mask: Array, weights_key: Key, key: Key) -> SubnetState:
        weights, stats = programs.alone.init(weights_key), programs.alone.init_stats()
        return new_state(key, mask, weights, programs.optimizer, steps, stats)

    keys = [purpose_key(context, purpose, index) for index in (0, 1)]
    states = jax.jit(jax.vmap(start, (0, None, None)))(masks, *keys)
    return train(states, context.train, programs.alone_epoch, epochs, stage, independent=True)


def standalone_accuracy(context: RunContext, states: SubnetState, op_ids: np.ndarray, batches: Images) -> np.ndarray:
    """Accuracies [A], percent, of networks trained alone, by their running statistics. op_ids [A, E]."""
    networks = (states.params, jnp.asarray(op_ids)[:, None], states.stats)
    return np.asarray(context.programs.evaluate_alone(networks, batches), float)[:, 0]
