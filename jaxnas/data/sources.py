"""Data sets by name. A source reads one part; `load` divides the training part and leaves the test part unread."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxnas.config import DataConfig
from jaxnas.data import names
from jaxnas.data.arrays import read_arrays
from jaxnas.data.checksums import mismatches
from jaxnas.data.cifar import CIFAR10, CIFAR100, cifar_files, read_cifar
from jaxnas.data.distort import distort
from jaxnas.data.folder import read_folder
from jaxnas.data.idx import FASHION_MNIST, MNIST, idx_files, read_idx
from jaxnas.data.imagenet16 import imagenet16_files, read_imagenet16
from jaxnas.data.pipeline import Colours, colours_of
from jaxnas.data.split import Split, divide
from jaxnas.types import UserError


class Dataset(NamedTuple):
    """What a run sees. `test` is a function so that reading the test set is one visible call."""

    train: Split
    valid: Split
    test: Callable[[], Split]
    colours: Colours
    """of the whole training part, whatever the seed"""
    classes: tuple[str, ...]
    """names of the classes, or "0", "1", ... where they are unknown"""
    warnings: tuple[str, ...]
    """a sentence for each file, of either part, that is not as its distributor published it"""


def _digits(config: DataConfig, part: str) -> Split:
    """scikit-learn's handwritten digits, 8x8 grey, 1,797 real images: a fixed 1,408 to train on and 389 to test."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = np.rint(bunch.images[..., None] * (255 / 16)).astype(np.uint8)
    whole = Split(images, bunch.target.astype(np.int32), 10, names.DIGITS)
    return divide(whole, {"train": 1408, "test": 389}, seed=0)[part]


SOURCES: dict[str, Callable[[DataConfig, str], Split]] = {
    "digits": _digits,
    "cifar10": lambda config, part: read_cifar(CIFAR10, config.root, part),
    "cifar100": lambda config, part: read_cifar(CIFAR100, config.root, part),
    "imagenet16-120": lambda config, part: read_imagenet16(config.root, part),
    "mnist": lambda config, part: read_idx(MNIST, config.root, part),
    "fashion-mnist": lambda config, part: read_idx(FASHION_MNIST, config.root, part),
    "folder": read_folder,
    "npz": lambda config, part: read_arrays(config.root, part),
}
# Root -> the files that a source reads of both parts, where their distributor says what they are.
OFFICIAL_FILES: dict[str, Callable[[Path], list[Path]]] = {
    "cifar10": lambda root: cifar_files(CIFAR10, root),
    "cifar100": lambda root: cifar_files(CIFAR100, root),
    "imagenet16-120": imagenet16_files,
    "mnist": lambda root: idx_files(MNIST, root),
    "fashion-mnist": lambda root: idx_files(FASHION_MNIST, root),
}


def load(config: DataConfig, seed: int, strict: bool = False) -> Dataset:
    """Training and validation images, disjoint and fixed by the seed, and a function that reads the test images.

    Raises UserError for an unknown name, absent or damaged files, and sizes that do not fit; if `strict` also for a
    file that is not as its distributor published it.
    """
    if config.name not in SOURCES:
        raise UserError(f"unknown data set {config.name!r}; allowed: {sorted(SOURCES)}")
    source = partial(_distorted, SOURCES[config.name])
    files = OFFICIAL_FILES[config.name](config.root) if config.name in OFFICIAL_FILES else []
    warnings = mismatches(config.name, files)
    if strict and warnings:
        raise UserError(warnings[0])

    def test() -> Split:
        part = source(config, "test")
        if config.test is not None:
            part = divide(part, {"test": config.test}, seed)["test"]
        return part.downsampled(config.downsample)

    whole = source(config, "train").downsampled(config.downsample)
    parts = divide(whole, _sizes(config, len(whole)), seed)
    classes = whole.names or tuple(str(i) for i in range(whole.classes))
    return Dataset(parts["train"], parts["valid"], test, colours_of(whole), classes, warnings)


def _distorted(source: Callable[[DataConfig, str], Split], config: DataConfig, part: str) -> Split:
    """The part of a source, distorted by a constant of the part: every seed sees the same images."""
    return distort(source(config, part), config.distort, [0xD157, *part.encode()])


def _sizes(config: DataConfig, n: int) -> dict[str, int]:
    """How many of the n images of the training part train and validate; None: what is left, a quarter to validate."""
    train, valid = config.train, config.valid
    if valid is None:
        valid = n // 4 if train is None else n - train
    if train is None:
        train = n - valid
    if min(train, valid) < 1:
        given = f"data.train {config.train} and data.valid {config.valid}"
        raise UserError(f"{given} leave {train} of {n} images to train on and {valid} to validate; each needs one")
    return {"train": train, "valid": valid}
