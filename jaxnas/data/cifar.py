"""CIFAR-10 and CIFAR-100 in their official layouts: python or binary version, a folder or its tar.gz."""

import tarfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jaxnas.data.pickled import read_pickled_batch
from jaxnas.data.split import Split
from jaxnas.types import UserError

PIXELS = 3 * 32 * 32


@dataclass(frozen=True)
class Layout:
    """One official distribution of a data set."""

    folder: str
    archive: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    label: str | int  # key of a pickled batch, or position of the label byte of a binary record
    label_bytes: int  # of a binary record


@dataclass(frozen=True)
class Cifar:
    """A CIFAR data set: its classes, sizes and layouts."""

    name: str
    classes: int
    records: dict[str, int]  # part -> number of images
    layouts: tuple[Layout, ...]


_BATCHES = tuple(f"data_batch_{i}" for i in range(1, 6))
CIFAR10 = Cifar(
    name="cifar10",
    classes=10,
    records={"train": 50_000, "test": 10_000},
    layouts=(
        Layout("cifar-10-batches-py", "cifar-10-python.tar.gz", _BATCHES, ("test_batch",), "labels", 0),
        Layout(
            "cifar-10-batches-bin",
            "cifar-10-binary.tar.gz",
            tuple(f"{b}.bin" for b in _BATCHES),
            ("test_batch.bin",),
            0,
            1,
        ),
    ),
)
CIFAR100 = Cifar(
    name="cifar100",
    classes=100,
    records={"train": 50_000, "test": 10_000},
    layouts=(
        Layout("cifar-100-python", "cifar-100-python.tar.gz", ("train",), ("test",), "fine_labels", 0),
        Layout("cifar-100-binary", "cifar-100-binary.tar.gz", ("train.bin",), ("test.bin",), 1, 2),
    ),
)


def read_cifar(data: Cifar, root: Path, part: str) -> Split:
    """The `train` or `test` part, images [n, 32, 32, 3]. `root` holds, or is, the folder or archive.

    Raises UserError naming the file that is absent, truncated, mis-sized or hostile.
    """
    layout, read = _find(data, Path(root))
    names = layout.train if part == "train" else layout.test
    each = data.records[part] // len(names)
    batches = []
    for name in names:
        content, where = read(name)
        decode = _binary_batch if isinstance(layout.label, int) else _pickled_batch
        rows, labels = decode(content, where, layout, each)
        if labels.size and not (labels.min() >= 0 and labels.max() < data.classes):
            raise UserError(
                f"{where}: labels must lie in 0 .. {data.classes - 1}, not {labels.min()} .. {labels.max()}"
            )
        batches.append((rows, labels))
    pixels = np.concatenate([rows for rows, _ in batches])
    labels = np.concatenate([labels for _, labels in batches])
    images = np.ascontiguousarray(pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
    return Split(images, labels.astype(np.int32), data.classes)


def _find(data: Cifar, root: Path) -> tuple[Layout, Callable[[str], tuple[bytes, str]]]:
    for layout in data.layouts:
        for folder in (root / layout.folder, root):
            if any((folder / name).is_file() for name in (*layout.train, *layout.test)):
                return layout, lambda name, folder=folder: _from_folder(folder / name)
        for archive in (root / layout.archive, root):
            if archive.is_file() and archive.name == layout.archive:
                return layout, lambda name, a=archive, f=layout.folder: _from_archive(a, f"{f}/{name}")
    wanted = [name for layout in data.layouts for name in (layout.folder, layout.archive)]
    raise UserError(f"no {data.name} found at {str(root)!r}: expected one of {wanted} there (option --data.root)")


def _from_folder(path: Path) -> tuple[bytes, str]:
    try:
        return path.read_bytes(), str(path)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error


def _from_archive(archive: Path, member: str) -> tuple[bytes, str]:
    where = f"{archive}:{member}"
    try:
        with tarfile.open(archive, "r:gz") as tar:
            handle = tar.extractfile(member)  # only this member's bytes; nothing is written to disk
            if handle is None:
                raise UserError(f"{where} is not a plain file")
            return handle.read(), where
    except KeyError as error:
        raise UserError(f"{where} is missing from the archive") from error
    except (tarfile.TarError, zlib.error, RecursionError, OSError, EOFError) as error:
        raise UserError(f"cannot read {where}: damaged or truncated archive ({error})") from error


def _binary_batch(content: bytes, where: str, layout: Layout, records: int) -> tuple[np.ndarray, np.ndarray]:
    size = layout.label_bytes + PIXELS
    if len(content) != records * size:
        raise UserError(f"{where} has {len(content)} bytes, expected {records * size}: {records} records of {size}")
    rows = np.frombuffer(content, np.uint8).reshape(records, size)
    assert isinstance(layout.label, int)
    return rows[:, layout.label_bytes :], rows[:, layout.label]


def _pickled_batch(content: bytes, where: str, layout: Layout, records: int) -> tuple[np.ndarray, np.ndarray]:
    assert isinstance(layout.label, str)
    pixels, labels = read_pickled_batch(content, where, layout.label, PIXELS)
    if len(labels) != records:
        raise UserError(f"{where} holds {len(labels)} images, expected {records}")
    return pixels, labels
