"""What tests of selectors draw and list beside the planted sub-supernets of `jaxnas.testing`."""

import numpy as np

from jaxnas.spaces import SearchSpace
from jaxnas.types import Mask


def dirichlet(mask: Mask, seed: int) -> np.ndarray:
    drawn = np.where(mask, np.random.default_rng(seed).random(mask.shape) + 0.01, 0.0)
    return drawn / drawn.sum(1, keepdims=True)


def uniform(mask: Mask) -> np.ndarray:
    return mask / mask.sum(1, keepdims=True)


def connected(space: SearchSpace, mask: Mask) -> np.ndarray:
    inside = space.enumerate(mask)
    return inside[space.connected(inside)]
