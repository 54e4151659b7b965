"""Initial weights of a network, in one random draw.

A draw for each weight costs XLA most of a second to compile (20 s for a small supernet), so all weights are cut from
one. The distribution is PyTorch's default, which the reference networks use: convolutions and the classifier uniform
on +-1/sqrt(fan in), norms with scale 1 and bias 0.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp

from jaxnas.types import Array, Key, Params


def draw_weights(key: Key, shapes: Params) -> Params:
    """Weights for a tree of shapes as of `jax.eval_shape(module.init, ...)`; the key is consumed."""
    sizes = [math.prod(leaf.shape) for leaf in jax.tree.leaves(shapes)]
    drawn = jax.random.uniform(key, (sum(sizes),), jnp.float32, -1, 1)
    starts = iter([sum(sizes[:i]) for i in range(len(sizes))])

    def weight(path: Any, leaf: Any) -> Array:
        start = next(starts)
        module, name = path[0].key, path[-1].key
        if name.endswith("scale"):
            return jnp.ones(leaf.shape)
        if name.endswith("bias") and module != "classifier":
            return jnp.zeros(leaf.shape)
        fan_in = shapes["classifier"]["kernel"].shape[0] if module == "classifier" else _fan_in(leaf.shape)
        return drawn[start : start + math.prod(leaf.shape)].reshape(leaf.shape) * fan_in**-0.5

    return jax.tree_util.tree_map_with_path(weight, shapes)


def _fan_in(shape: tuple[int, ...]) -> int:
    return math.prod(shape[-4:-1])  # kernels [..., k, k, C, D]
