"""MNIST and Fashion-MNIST in their official IDX files, gzipped or not (format: the foot of the MNIST page)."""

import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from jaxnas.data import names
from jaxnas.data.split import Split
from jaxnas.foreign.packed import unpack
from jaxnas.types import UserError

FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
SIDE = 28
UNSIGNED_BYTES = 8  # the type of every official file


@dataclass(frozen=True)
class Idx:
    """A data set of four IDX files."""

    name: str
    folder: str  # the other name of the folder that may hold them
    names: tuple[str, ...]  # of its classes
    records: dict[str, int] = field(default_factory=lambda: {"train": 60_000, "test": 10_000})


MNIST = Idx("mnist", "MNIST", names.DIGITS)
FASHION_MNIST = Idx("fashion-mnist", "FashionMNIST", names.FASHION)


def read_idx(data: Idx, root: Path, part: str) -> Split:
    """The `train` or `test` part, images [n, 28, 28, 1].

    Files lie in `root`, or in its folder mnist or MNIST/raw (fashion-mnist or FashionMNIST/raw). Of a file and its
    .gz the .gz is read: it carries a checksum. Whether a file is packed its first bytes say, not its name. Raises
    UserError naming the file that is absent, damaged or another.
    """
    folder, n = _folder(data, root), data.records[part]
    image_file, label_file = (_present(folder, name) for name in FILES[part])
    images = _bytes_of(image_file, (n, SIDE, SIDE))
    labels = _bytes_of(label_file, (n,))
    if labels.max() >= len(data.names):
        raise UserError(f"{label_file}: labels must lie in 0 .. {len(data.names) - 1}, not up to {labels.max()}")
    return Split(images[..., None], labels.astype(np.int32), len(data.names), data.names)


def idx_files(data: Idx, root: Path) -> list[Path]:
    """The files that are read of both parts. Raises UserError for an absent one."""
    folder = _folder(data, root)
    return [_present(folder, name) for name in (*FILES["train"], *FILES["test"])]


def _folder(data: Idx, root: Path) -> Path:
    folders = [root / data.name, root / data.folder / "raw", root]  # the two data sets name their files alike
    every = FILES["train"] + FILES["test"]
    try:
        for folder in folders:
            if any(path.is_file() for name in every for path in _spellings(folder, name)):
                return folder
    except OSError as error:
        raise UserError(f"cannot read {root}: {error.strerror}") from error
    wanted = [f"{name}.gz" for name in every]
    if root.is_file():
        raise UserError(f"{root} is a file; --data.root names the folder that holds {wanted}")
    places = ", ".join(str(folder) for folder in folders)
    raise UserError(f"no {data.name} found: expected {wanted}, gzipped or not, in one of {places} (option --data.root)")


def _spellings(folder: Path, name: str) -> list[Path]:
    """A file as it is published, unpacked, and with the dot in its name that other copies have."""
    stem, dimensions, kind = name.rsplit("-", 2)
    return [folder / f"{spelt}{end}" for spelt in (name, f"{stem}.{dimensions}-{kind}") for end in (".gz", "")]


def _present(folder: Path, name: str) -> Path:
    for path in _spellings(folder, name):
        if path.is_file():
            return path
    raise UserError(f"{folder / name} is missing, and so is {name}.gz (option --data.root)")


def _bytes_of(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """The array uint8 of a file that must hold `shape`: nothing larger is unpacked, whatever the file claims."""
    header = bytes([0, 0, UNSIGNED_BYTES, len(shape)]) + np.array(shape, ">u4").tobytes()
    size = len(header) + math.prod(shape)
    try:
        with path.open("rb") as stream:
            content = unpack(stream, str(path), size + 1)  # one more: its end is reached
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    if content[: len(header)] != header:
        found = content[: len(header)].hex(" ", -4) or "nothing"
        raise UserError(f"{path} must begin with {header.hex(' ', -4)} (bytes of shape {shape}), not with {found}")
    if len(content) != size:
        raise UserError(f"{path} must hold {size} bytes, and holds {'more' if len(content) > size else len(content)}")
    return np.frombuffer(content, np.uint8, offset=len(header)).reshape(shape)
