"""Data sets by name. A source reads one part; `load` divides the training part and leaves the test part unread."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxnas.config import DataConfig
from jaxnas.data.cifar import CIFAR10, CIFAR100, read_cifar
from jaxnas.data.imagenet16 import read_imagenet16
from jaxnas.data.split import Split, divide
from jaxnas.types import UserError


class Dataset(NamedTuple):
    """What a run sees. `test` is a function so that reading the test set is one visible call."""

    train: Split
    valid: Split
    test: Callable[[], Split]


def _digits(root: Path, part: str) -> Split:
    """scikit-learn's handwritten digits, 8x8 grey, 1,797 real images: a fixed 1,408 to train on and 389 to test."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = np.rint(bunch.images[..., None] * (255 / 16)).astype(np.uint8)
    whole = Split(images, bunch.target.astype(np.int32), 10)
    return divide(whole, {"train": 1408, "test": 389}, seed=0)[part]


SOURCES: dict[str, Callable[[Path, str], Split]] = {
    "digits": _digits,
    "cifar10": lambda root, part: read_cifar(CIFAR10, root, part),
    "cifar100": lambda root, part: read_cifar(CIFAR100, root, part),
    "imagenet16-120": read_imagenet16,
}


def load(config: DataConfig, seed: int) -> Dataset:
    """Training and validation images, disjoint and fixed by the seed, and a function that reads the test images.

    Raises UserError for an unknown name, absent or damaged files, and sizes that do not fit.
    """
    if config.name not in SOURCES:
        raise UserError(f"unknown data set {config.name!r}; allowed: {sorted(SOURCES)}")
    source = SOURCES[config.name]

    def test() -> Split:
        part = source(config.root, "test")
        if config.test is not None:
            part = divide(part, {"test": config.test}, seed)["test"]
        return part.downsampled(config.downsample)

    parts = divide(source(config.root, "train"), {"train": config.train, "valid": config.valid}, seed)
    return Dataset(parts["train"].downsampled(config.downsample), parts["valid"].downsampled(config.downsample), test)
