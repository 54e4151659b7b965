"""Axis letters and array aliases used by every module.

K leaves (sub-supernets), E edges, O operations, N cells of a stage, B examples, R repeats (batches),
A architectures, S steps, H W C height, width and channels of an image.
"""

from typing import Any

import jax
import numpy as np

Array = Any  # jax or numpy array; shape and dtype are in the comment or docstring where it is used
Key = jax.Array  # typed key, shape [] unless stated
Params = Any  # pytree of float arrays
Stats = Any  # pytree of (mean, variance) pairs, one per normalisation layer
Choice = Array  # what runs: op_weights, float [E, O] (mixed form), or op_ids, int [E] (path form)
Mask = np.ndarray  # bool [E, O]; True = the operation is open on that edge


class UserError(ValueError):
    """Bad input, told in one sentence: what was given and what is allowed."""


def brief(value: object, most: int = 120) -> str:
    """The repr of something foreign for an error message, cut in the middle when it is long."""
    text = repr(value)
    return text if len(text) <= most else f"{text[: most // 2]} ... {text[-most // 4 :]}"
