"""CIFAR-10 and CIFAR-100 in their official layouts: python or binary version, a folder or its tar.gz."""

import gzip
import io
import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jaxnas.data import names
from jaxnas.data.files import read_bytes
from jaxnas.data.pickled import read_pickled_batch
from jaxnas.data.split import Split
from jaxnas.types import UserError

PIXELS = 3 * 32 * 32
# What an archive may unpack to: some 100 bytes beside the pixels of an image (its labels, its file name) and the
# archive's own blocks. Ten times that is refused unread.
EXTRA_BYTES, EXTRA_BLOCKS, MEMBERS = 1024, 2**20, 100


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
    names: tuple[str, ...]  # of its classes
    records: dict[str, int]  # part -> number of images
    layouts: tuple[Layout, ...]


_BATCHES = tuple(f"data_batch_{i}" for i in range(1, 6))
_BINARY_BATCHES = tuple(f"{name}.bin" for name in _BATCHES)
CIFAR10 = Cifar(
    name="cifar10",
    names=names.CIFAR10,
    records={"train": 50_000, "test": 10_000},
    layouts=(
        Layout("cifar-10-batches-py", "cifar-10-python.tar.gz", _BATCHES, ("test_batch",), "labels", 0),
        Layout("cifar-10-batches-bin", "cifar-10-binary.tar.gz", _BINARY_BATCHES, ("test_batch.bin",), 0, 1),
    ),
)
CIFAR100 = Cifar(
    name="cifar100",
    names=names.CIFAR100,
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
    layout, found = _find(data, root)
    wanted = layout.train if part == "train" else layout.test
    each = data.records[part] // len(wanted)
    if found.is_file():
        contents = _unpacked(data, layout, found, wanted)
    else:
        contents = {str(found / name): read_bytes(found / name) for name in wanted}
    decode = _binary_batch if isinstance(layout.label, int) else _pickled_batch
    batches = []
    for where, content in contents.items():
        rows, labels = decode(content, where, layout, each)
        if labels.size and not (labels.min() >= 0 and labels.max() < len(data.names)):
            allowed = f"0 .. {len(data.names) - 1}"
            raise UserError(f"{where}: labels must lie in {allowed}, not {labels.min()} .. {labels.max()}")
        batches.append((rows, labels))
    pixels = np.concatenate([rows for rows, _ in batches])
    labels = np.concatenate([labels for _, labels in batches])
    images = np.ascontiguousarray(pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
    return Split(images, labels.astype(np.int32), len(data.names), data.names)


def cifar_files(data: Cifar, root: Path) -> list[Path]:
    """The files that are read of both parts: the archive, or the batches of the folder. Raises UserError for none."""
    layout, found = _find(data, root)
    return [found] if found.is_file() else [found / name for name in (*layout.train, *layout.test)]


def _find(data: Cifar, root: Path) -> tuple[Layout, Path]:
    """The first layout that is there, and its folder or archive."""
    for layout in data.layouts:
        for folder in (root / layout.folder, root):
            if any((folder / name).is_file() for name in (*layout.train, *layout.test)):
                return layout, folder
        for archive in (root / layout.archive, root):
            if archive.is_file() and archive.name == layout.archive:
                return layout, archive
    wanted = [name for layout in data.layouts for name in (layout.folder, layout.archive)]
    raise UserError(f"no {data.name} found at {str(root)!r}: expected one of {wanted} there (option --data.root)")


def _unpacked(data: Cifar, layout: Layout, archive: Path, wanted: tuple[str, ...]) -> dict[str, bytes]:
    """Where a member lies -> its bytes. The stream is read once and to its end, where gzip verifies its checksum."""
    most = sum(data.records.values()) * (PIXELS + EXTRA_BYTES) + EXTRA_BLOCKS
    try:
        with gzip.open(archive) as stream:
            whole = stream.read(most + 1)
        if len(whole) > most:
            raise UserError(f"{archive} unpacks to more than {most} bytes, so it is no {data.name}")
        with tarfile.open(fileobj=io.BytesIO(whole), mode="r:") as tar:
            contents = _members(tar, archive, {f"{layout.folder}/{name}" for name in wanted})
    except UserError:
        raise
    except Exception as error:  # a damaged archive raises almost anything
        raise UserError(f"cannot read {archive}: damaged or truncated archive ({error})") from error
    places = [f"{archive}:{layout.folder}/{name}" for name in wanted]
    missing = [where for where in places if where not in contents]
    if missing:
        raise UserError(f"{missing[0]} is missing from the archive")
    return {where: contents[where] for where in places}


def _members(tar: tarfile.TarFile, archive: Path, wanted: set[str]) -> dict[str, bytes]:
    """The bytes of the wanted members; nothing is written to disk and no link is followed."""
    contents = {}
    for number, member in enumerate(tar):
        where = f"{archive}:{member.name}"
        if number == MEMBERS or member.size < 0:  # a forged size leads back to where it stood
            raise UserError(f"{archive} is refused: more than {MEMBERS} members, or one of a negative size")
        if member.name in wanted:
            handle = tar.extractfile(member) if member.isfile() and not member.issparse() else None
            if handle is None:
                raise UserError(f"{where} is not a plain file")
            contents[where] = handle.read()
    return contents


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
