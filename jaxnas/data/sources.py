"""Data sets by name. A source reads one part; `load` divides the training part and leaves the test part unread."""

from collections.abc import Callable
from functools import cache
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
from jaxnas.data.split import Reading, Split, divide, fingerprints
from jaxnas.types import UserError, listed, shown

DISTORTION = 0xD157  # with the name of the part the seed of its distortions: every seed of a run sees the same images
KINDS = {"train": "training", "valid": "validation"}


class Dataset(NamedTuple):
    """What a run sees. `test` is a function so that reading the test set is one visible call."""

    train: Split
    valid: Split
    test: Callable[[], Split]
    colours: Colours
    """of the whole training part, whatever the seed"""
    classes: tuple[str, ...]
    """names of the classes as they can be shown, or "0", "1", ... where they are unknown"""
    warnings: tuple[str, ...]
    """a sentence for each thing that is not as a user would expect: files, of either part, that are not as their
    distributor published them or are left out, labels that are renumbered, classes that training or validation images
    lack, and images that are in both of these parts"""
    leaks: Callable[[], tuple[str, ...]] = tuple
    """reads the test images -> a sentence for each part that has some of them too"""


def _digits(config: DataConfig, part: str) -> Reading:
    """scikit-learn's handwritten digits, 8x8 grey, 1,797 real images: a fixed 1,408 to train on and 389 to test."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = np.rint(bunch.images[..., None] * (255 / 16)).astype(np.uint8)
    whole = Split(images, bunch.target.astype(np.int32), 10, names.DIGITS)
    return Reading(divide(whole, {"train": 1408, "test": 389}, seed=0)[part])


# Name -> what reads the part `train` or `test`.
SOURCES: dict[str, Callable[[DataConfig, str], Reading]] = {
    "digits": _digits,
    "cifar10": lambda config, part: Reading(read_cifar(CIFAR10, config.root, part)),
    "cifar100": lambda config, part: Reading(read_cifar(CIFAR100, config.root, part)),
    "imagenet16-120": lambda config, part: Reading(read_imagenet16(config.root, part)),
    "mnist": lambda config, part: Reading(read_idx(MNIST, config.root, part)),
    "fashion-mnist": lambda config, part: Reading(read_idx(FASHION_MNIST, config.root, part)),
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
    files = OFFICIAL_FILES[config.name](config.root) if config.name in OFFICIAL_FILES else []
    unofficial = mismatches(config.name, files)
    if strict and unofficial:
        raise UserError(unofficial[0])
    read, told = SOURCES[config.name](config, "train")
    whole = distort(read, config.distort, [DISTORTION, *b"train"]).downsampled(config.downsample)
    sizes = _sizes(config, len(whole))
    parts = divide(whole, sizes, seed)
    as_read = parts if whole is read else divide(read, sizes, seed)  # distortions would hide that images are the same
    known = {name: fingerprints(part.images) for name, part in as_read.items()}
    names = whole.names or tuple(str(i) for i in range(whole.classes))
    lacking = [_lacking(names, part, KINDS[name]) for name, part in parts.items()]
    leak = _leak(known["valid"], KINDS["valid"], known["train"], KINDS["train"])
    warnings = (*unofficial, *told, *(sentence for sentence in (*lacking, leak) if sentence))

    @cache
    def read_test() -> Split:
        return SOURCES[config.name](config, "test").split

    def drawn(part: Split) -> Split:
        return part if config.test is None else divide(part, {"test": config.test}, seed)["test"]

    def test() -> Split:
        return drawn(distort(read_test(), config.distort, [DISTORTION, *b"test"])).downsampled(config.downsample)

    def leaks() -> tuple[str, ...]:
        tested = fingerprints(drawn(read_test()).images)
        found = [_leak(tested, "test", of, KINDS[name]) for name, of in known.items()]
        return tuple(sentence for sentence in found if sentence)

    classes = tuple(shown(name) for name in names)
    return Dataset(parts["train"], parts["valid"], test, colours_of(whole), classes, warnings, leaks)


def _lacking(names: tuple[str, ...], part: Split, kind: str) -> str:
    """A sentence on the classes of which the part has no image, or nothing."""
    missing = np.setdiff1d(np.arange(part.classes), part.labels)
    which = listed(names[label] for label in missing)
    return f"no {kind} image of {len(missing)} of {part.classes} classes: {which}" if len(missing) else ""


def _leak(part: list[bytes], kind: str, others: list[bytes], of: str) -> str:
    """A sentence on the images of a part that are also among the others, by their fingerprints, or nothing."""
    known = set(others)
    found = sum(image in known for image in part)
    same = "1 image is" if found == 1 else f"{found} images are"
    return f"of the {kind} part {same} also in the {of} part, pixel by pixel" if found else ""


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
