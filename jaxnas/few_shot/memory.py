"""What a run needs at least in memory, reckoned from its settings before an array is made.

Only what is certain is counted, so that nothing is refused that could run: weights and momentum of networks that are
held together, and one batch in the first layer. A dry run says what it really takes.
"""

import math

from jaxnas.data import Dataset
from jaxnas.distributed import parallel
from jaxnas.few_shot.config import FewShotConfig
from jaxnas.spaces import SearchSpace
from jaxnas.spaces.counts import supernet_parameters
from jaxnas.types import UserError

FLOAT = 4  # bytes
MOST_STEPS = 2**31 - 1  # the schedule counts in 32 bits


def check_images_fit(config: FewShotConfig) -> None:
    """Raises UserError, before an image is read, for a batch of them that needs more memory than there is."""
    data = config.data
    if data.name == "folder":
        sizes = {"data.size": data.size, "data.batch": data.batch}
        _check(data.size**2 * (1 if data.grey else 3) * data.batch, sizes, parallel.host_memory())


def check_networks_fit(config: FewShotConfig, space: SearchSpace, dataset: Dataset) -> None:
    """Raises UserError, before a network is built, for more memory or steps than there can be."""
    data, net = config.data, config.net
    height, width, image_channels = dataset.train.images.shape[1:]
    if data.crop > max(height, width):
        raise UserError(f"data.crop must be at most the side of the images, {max(height, width)}; it is {data.crop}")
    there = parallel.memory()
    weights = supernet_parameters(space, net.channels, net.cells, dataset.train.classes, image_channels)
    batch = data.batch * height * width * net.channels
    sizes = {"net.channels": net.channels, "net.cells": net.cells, "data.batch": data.batch}
    _check(FLOAT * (2 * weights + batch), sizes, there)
    leaves, drawn = math.prod(config.split.groups), config.control.random_splits
    held = weights * leaves * (2 + drawn)  # of trees that are done the weights alone
    _check(FLOAT * (held + batch), {**sizes, "leaves": leaves, "control.random_splits": drawn}, there)
    images = config.split.batches * data.batch * height * width * image_channels
    _check(images, {"split.batches": config.split.batches, "data.batch": data.batch}, there)
    steps = len(dataset.train) // data.batch
    for name in ("warmup_epochs", "leaf_epochs", "alone_epochs"):
        epochs = getattr(config, name)
        if epochs * steps > MOST_STEPS:
            raise UserError(f"{name} must be at most {MOST_STEPS // steps}, of {steps} steps each; it is {epochs}")


def _check(needed: int, sizes: dict[str, int], there: int) -> None:
    if needed > there:
        of = ", ".join(f"{name} {value}" for name, value in sizes.items())
        raise UserError(f"{of}: at least {_gib(needed)} GiB of memory are needed, and there are {_gib(there)}")


def _gib(size: int) -> str:
    return f"{size / 2**30:,.1f}"
