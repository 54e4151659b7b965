"""CIFAR-10 and CIFAR-100 in their official layouts: python or binary version, a folder or its archive."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jaxnas.data import names
from jaxnas.data.archive import member_names, read_members
from jaxnas.data.files import read_bytes
from jaxnas.data.pickled import read_pickled_batch
from jaxnas.data.split import Split
from jaxnas.types import UserError, truncated_repr

PIXELS = 3 * 32 * 32
# What an archive may unpack to: some 100 bytes beside the pixels of an image (its labels, its file name) and the
# archive's own blocks. Ten times that is refused unread.
EXTRA_BYTES, EXTRA_BLOCKS = 1024, 2**20
# Ends of the names of archives, the official one first; by what they are packed their first bytes say.
ENDS = (".tar.gz", ".tgz", ".tar", ".tar.bz2", ".tar.xz")


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
    contents = _unpacked(data, layout, found, wanted) if found.is_file() else _files(layout, found, wanted)
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
    """The layout that is there, and its folder or archive: the first whole folder or archive, or else part of one."""
    try:
        return _found(data, root)
    except OSError as error:
        raise UserError(f"cannot read {root}: {error.strerror}") from error


def _found(data: Cifar, root: Path) -> tuple[Layout, Path]:
    if root.is_file():
        return _archived_layout(data, root), root
    folders = [(layout, folder) for layout in data.layouts for folder in (root / layout.folder, root)]
    begun = [(layout, folder) for layout, folder in folders if any(_sizes(layout, folder).values())]
    there = {path.name.lower(): path for path in root.iterdir() if path.is_file()} if root.is_dir() else {}
    for layout in data.layouts:
        whole = [folder for of, folder in begun if of is layout and _is_whole(data, layout, folder)]
        names = [layout.archive.removesuffix(ENDS[0]) + end for end in ENDS]
        if found := [*whole, *(there[name] for name in names if name in there)]:
            return layout, found[0]
    if begun:
        return begun[0]
    wanted = [name for layout in data.layouts for name in (layout.folder, layout.archive)]
    raise UserError(f"no {data.name} found at {str(root)!r}: expected one of {wanted} there (option --data.root)")


def _sizes(layout: Layout, folder: Path) -> dict[str, int]:
    """Name -> bytes of each file of both parts; 0 for one that is not there."""
    paths = {name: folder / name for name in (*layout.train, *layout.test)}
    return {name: path.stat().st_size if path.is_file() else 0 for name, path in paths.items()}


def _is_whole(data: Cifar, layout: Layout, folder: Path) -> bool:
    """Whether every file has the bytes of its images at least: unpacking may have been stopped in one."""
    sizes = _sizes(layout, folder)
    parts = ((layout.train, data.records["train"]), (layout.test, data.records["test"]))
    return all(sizes[name] >= n // len(names) * (layout.label_bytes + PIXELS) for names, n in parts for name in names)


def _files(layout: Layout, folder: Path, wanted: tuple[str, ...]) -> dict[str, bytes]:
    """Where each wanted file lies -> its bytes. Raises UserError naming all that are missing."""
    missing = [name for name in wanted if not (folder / name).exists()]
    if missing:
        raise UserError(f"{folder} lacks {', '.join(missing)}, and {layout.archive} is not beside it")
    return {str(folder / name): read_bytes(folder / name) for name in wanted}


def _most(data: Cifar) -> int:
    return sum(data.records.values()) * (PIXELS + EXTRA_BYTES) + EXTRA_BLOCKS


def _of(layout: Layout) -> Callable[[str], str | None]:
    """Path in an archive -> the file of the layout that it is: in the folder's name, wherever that lies, or in none."""
    names = {name: [[layout.folder, name], [name]] for name in (*layout.train, *layout.test)}
    return lambda path: next((name for name, ends in names.items() if path.split("/")[-2:] in ends), None)


def _archived_layout(data: Cifar, archive: Path) -> Layout:
    """The layout of an archive: what its name says, or else what it holds."""
    for layout in data.layouts:
        if archive.name.lower().startswith(layout.archive.removesuffix(ENDS[0]) + "."):
            return layout
    paths = member_names(archive, _most(data))
    for layout in data.layouts:
        if any(map(_of(layout), paths)):
            return layout
    raise UserError(f"{archive} holds no file of {data.name}, but {truncated_repr(paths)}")


def _unpacked(data: Cifar, layout: Layout, archive: Path, wanted: tuple[str, ...]) -> dict[str, bytes]:
    """Where each wanted member lies -> its bytes. Raises UserError naming those that are missing."""
    name_of = _of(layout)
    contents = read_members(archive, _most(data), lambda path: name if (name := name_of(path)) in wanted else None)
    missing = [name for name in wanted if name not in contents]
    if missing:
        raise UserError(f"{archive} lacks {', '.join(missing)} of the folder {layout.folder}")
    return {f"{archive}:{layout.folder}/{name}": contents[name] for name in wanted}


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
