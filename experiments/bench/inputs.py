"""What both sides compute on, as numpy arrays drawn by the setting's seed."""

import numpy as np

from experiments.bench.rows import Setting
from jaxnas.data import Images
from jaxnas.spaces import SPACES, SearchSpace

CLASSES = 10
TRAIN, VALID, PATHS, ARCHITECTURES = range(4)  # what a draw is for


def space(setting: Setting) -> SearchSpace:
    """The search space of a setting."""
    return SPACES[setting.space]


def batches(setting: Setting, purpose: int = TRAIN, number: int | None = None, size: int | None = None) -> Images:
    """Batches that are augmented and normalised already: float32 [S, B, H, W, 3] and labels [S, B]."""
    shape = (number or setting.steps, size or setting.batch)
    rng = np.random.default_rng([setting.seed, purpose])
    images = rng.standard_normal((*shape, setting.image, setting.image, 3), np.float32)
    return Images(images, rng.integers(0, CLASSES, shape, np.int32))


def paths(setting: Setting) -> np.ndarray:
    """A connected path for each step, op_ids [S, E]."""
    every = space(setting).enumerate()
    connected = every[space(setting).connected(every)]
    return np.random.default_rng([setting.seed, PATHS]).choice(connected, setting.steps)


def architectures(setting: Setting) -> np.ndarray:
    """Architectures from the whole space, op_ids [A, E]."""
    every = space(setting).enumerate()
    return np.random.default_rng([setting.seed, ARCHITECTURES]).choice(every, setting.architectures)
