"""Image arrays in one .npz file, read without pickle and with every claimed size checked before memory is taken."""

import math
import zipfile
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from jaxnas.data.split import Split
from jaxnas.types import UserError, truncated_repr

FILE = "data.npz"
SPELLINGS = (  # part -> names of its images and labels
    {"train": ("train_images", "train_labels"), "test": ("test_images", "test_labels")},
    {"train": ("x_train", "y_train"), "test": ("x_test", "y_test")},
)
NAMES = "names"
IMAGES, INTEGERS, TEXTS = ("u1",), ("i", "u"), ("U",)  # how numpy's code of the type begins, after the byte order
LARGEST = 2**31  # bytes of one array; some 700,000 images of 32x32x3


def read_arrays(root: Path, part: str) -> Split:
    """The `train` or `test` part of `root`, a file .npz or a folder that holds data.npz.

    It holds train_images, train_labels, test_images, test_labels, or x_train, y_train, x_test, y_test: images uint8
    [n, H, W, C] or [n, H, W], labels integers [n] or [n, 1], and perhaps `names`, the names of the classes. Without
    names there are as many classes as the training labels say. Raises UserError for anything else.
    """
    path = root if root.suffix == ".npz" else root / FILE
    if not path.is_file():
        raise UserError(f"no arrays found at {str(path)!r}: expected a file .npz or a folder with {FILE} (--data.root)")
    try:
        with zipfile.ZipFile(path) as archive:
            return _read(archive, path, part)
    except UserError:
        raise
    except Exception as error:  # a damaged archive raises almost anything
        reason = f"{type(error).__name__}: {truncated_repr(str(error))}"
        raise UserError(f"cannot read {path}: damaged or truncated ({reason})") from error


def _read(archive: zipfile.ZipFile, path: Path, part: str) -> Split:
    present = {name.removesuffix(".npy") for name in archive.namelist()}
    spelling = next((s for s in SPELLINGS if present >= {*s["train"], *s["test"]}), None)
    if spelling is None:
        wanted = " or ".join(str([*s["train"], *s["test"]]) for s in SPELLINGS)
        raise UserError(f"{path} must hold {wanted}, and holds {truncated_repr(sorted(present))}")
    shapes = {name: _claimed(archive, path, name, IMAGES) for name in (spelling["train"][0], spelling["test"][0])}
    one, other = shapes.values()
    if len(one) not in (3, 4) or one[1:] != other[1:] or 0 in (*one, *other):
        raise UserError(f"{path}: images must be [n, H, W, C] or [n, H, W] of one size, not {truncated_repr(shapes)}")
    images = _array(archive, path, spelling[part][0], IMAGES)
    train_labels = _labels(archive, path, spelling["train"][1], one[0])
    names = _names(archive, path) if NAMES in present else ()
    classes = len(names) or int(train_labels.max()) + 1
    if not 2 <= classes <= one[0]:
        raise UserError(f"{path}: there must be 2 .. {one[0]} classes (as many as training images), not {classes}")
    labels = train_labels if part == "train" else _labels(archive, path, spelling[part][1], other[0])
    if labels.min() < 0 or labels.max() >= classes:
        found = f"{labels.min()} .. {labels.max()}"
        raise UserError(f"{path}: {part} labels must lie in 0 .. {classes - 1}, but range over {found}")
    return Split(images.reshape(*shapes[spelling[part][0]][:3], -1), labels.astype(np.int32), classes, names)


def _labels(archive: zipfile.ZipFile, path: Path, name: str, n: int) -> np.ndarray:
    labels = _array(archive, path, name, INTEGERS)
    if labels.shape not in ((n,), (n, 1)):
        raise UserError(f"{path}: {name} must have shape ({n},) or ({n}, 1), not {labels.shape}")
    return labels.reshape(n)


def _names(archive: zipfile.ZipFile, path: Path) -> tuple[str, ...]:
    names = _array(archive, path, NAMES, TEXTS)
    if names.ndim != 1 or not all(str(name).isprintable() for name in names):
        raise UserError(f"{path}: {NAMES} must be a list of printable texts, not {truncated_repr(names.tolist())}")
    return tuple(str(name) for name in names)


def _claimed(archive: zipfile.ZipFile, path: Path, name: str, kinds: tuple[str, ...]) -> tuple[int, ...]:
    """The shape in the header of an array. Raises UserError unless its type and its size in bytes are as they must."""
    where, member = f"{path}:{name}", archive.getinfo(f"{name}.npy")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise UserError(f"{where} is packed in a way that numpy does not write (method {member.compress_type})")
    with archive.open(member) as stream:
        readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
        version = npy.read_magic(stream)
        if version not in readers:
            raise UserError(f"{where} is of version {version}, allowed: {list(readers)}")
        shape, _, dtype = readers[version](stream)
        begin = stream.tell()
    if not dtype.str[1:].startswith(kinds):
        raise UserError(f"{where} must be an array of {' or '.join(kinds)}, not of {truncated_repr(str(dtype))}")
    size = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or begin + size != member.file_size or size > LARGEST:
        lies = f"claims {truncated_repr(shape)} in a member of {member.file_size} bytes"
        raise UserError(f"{where} {lies}; the two must agree and be at most {LARGEST} bytes")
    return shape


def _array(archive: zipfile.ZipFile, path: Path, name: str, kinds: tuple[str, ...]) -> np.ndarray:
    _claimed(archive, path, name, kinds)
    with archive.open(f"{name}.npy") as stream:
        array = npy.read_array(stream, allow_pickle=False)
        stream.read(1)  # the end, where zip verifies its checksum
    return array
