"""The state of one sub-supernet in training; K of them are the same pytree with a leading axis."""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import struct

from jaxnas.config import OptimizerConfig
from jaxnas.nets.network import Network
from jaxnas.types import Array, Key, Mask, Params, Stats


@struct.dataclass
class SubnetState:
    """Everything that changes, and the mask; no functions inside."""

    step: Array  # int32 []
    steps: Array  # int32 []; length of the learning-rate schedule
    key: Key  # never consumed: every use folds in the step
    mask: Array  # bool [E, O]
    params: Params
    opt: Any  # state of the optimizer
    stats: (
        Stats | None
    )  # running averages of a network trained alone; None in a search: over random paths they mean nothing


def build_optimizer(config: OptimizerConfig) -> optax.GradientTransformation:
    """SGD of rate 1 as the NAS-Bench-201 searches use it: clip, add decay, Nesterov momentum.

    The rate is multiplied in by the step (`cosine_rate`): its schedule is data, so that phases share one program.
    """
    return optax.chain(
        optax.clip_by_global_norm(config.clip),
        optax.add_decayed_weights(config.weight_decay),
        optax.sgd(1.0, momentum=config.momentum, nesterov=True),
    )


def cosine_rate(config: OptimizerConfig, step: Array, steps: Array) -> Array:
    """Learning rate of a step: half a cosine from `rate` at step 0 to `final_rate` at `steps`."""
    progress = jnp.minimum(step / steps, 1.0)
    return config.final_rate + 0.5 * (config.rate - config.final_rate) * (1 + jnp.cos(jnp.pi * progress))


def new_state(
    key: Key,
    mask: Mask,
    params: Params,
    optimizer: optax.GradientTransformation,
    steps: int,
    stats: Stats | None = None,
) -> SubnetState:
    """State of a sub-supernet at step 0 of `steps`; optimizer and schedule start anew. The key is kept in the state."""
    return SubnetState(
        step=jnp.zeros((), jnp.int32),
        steps=jnp.asarray(steps, jnp.int32),
        key=key,
        mask=jnp.asarray(mask),
        params=params,
        opt=optimizer.init(params),
        stats=stats,
    )


def new_states(
    keys: Key, masks: Array, params: Params, optimizer: optax.GradientTransformation, steps: int
) -> SubnetState:
    """States of K sub-supernets that start from the same weights. keys [K], masks [K, E, O] -> leaves [K, ...]."""
    # One program: leaf by leaf, each shape would be a compilation of its own.
    build = jax.jit(jax.vmap(lambda key, mask, params: new_state(key, mask, params, optimizer, steps), (0, 0, None)))
    return build(keys, jnp.asarray(masks), params)


def initial_weights(network: Network, key: Key) -> Params:
    """Weights drawn by one compiled program; the key is consumed."""
    return jax.jit(network.init)(key)
