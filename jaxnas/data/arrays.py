"""Image arrays in one .npz file, read without pickle and with every claimed size checked before memory is taken."""

import zipfile
from pathlib import Path

import numpy as np

from jaxnas.data.split import Split
from jaxnas.foreign import npz
from jaxnas.types import UserError, truncated_repr

FILE = "data.npz"
SPELLINGS = (  # part -> names of its images and labels
    {"train": ("train_images", "train_labels"), "test": ("test_images", "test_labels")},
    {"train": ("x_train", "y_train"), "test": ("x_test", "y_test")},
)
NAMES = "names"
IMAGES, INTEGERS, TEXTS = ("u1",), ("i", "u"), ("U",)  # how numpy's code of the type begins, after the byte order


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
    present = npz.names_of(archive)
    spelling = next((s for s in SPELLINGS if present >= {*s["train"], *s["test"]}), None)
    if spelling is None:
        wanted = " or ".join(str([*s["train"], *s["test"]]) for s in SPELLINGS)
        raise UserError(f"{path} must hold {wanted}, and holds {truncated_repr(sorted(present))}")
    shapes = {
        name: npz.claimed(archive, str(path), name, IMAGES)[0] for name in (spelling["train"][0], spelling["test"][0])
    }
    one, other = shapes.values()
    if len(one) not in (3, 4) or one[1:] != other[1:] or 0 in (*one, *other):
        raise UserError(f"{path}: images must be [n, H, W, C] or [n, H, W] of one size, not {truncated_repr(shapes)}")
    images = npz.read_array(archive, str(path), spelling[part][0], IMAGES)
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
    labels = npz.read_array(archive, str(path), name, INTEGERS)
    if labels.shape not in ((n,), (n, 1)):
        raise UserError(f"{path}: {name} must have shape ({n},) or ({n}, 1), not {labels.shape}")
    return labels.reshape(n)


def _names(archive: zipfile.ZipFile, path: Path) -> tuple[str, ...]:
    names = npz.read_array(archive, str(path), NAMES, TEXTS)
    if names.ndim != 1 or not all(str(name).isprintable() for name in names):
        raise UserError(f"{path}: {NAMES} must be a list of printable texts, not {truncated_repr(names.tolist())}")
    return tuple(str(name) for name in names)
