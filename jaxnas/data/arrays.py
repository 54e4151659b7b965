"""Image arrays in one .npz file, read without pickle and with every claimed size checked before memory is taken."""

import zipfile
from pathlib import Path

import numpy as np

from jaxnas.data.split import Reading, Split
from jaxnas.foreign import npz
from jaxnas.types import UserError, listed, shown, truncated_repr

FILE = "data.npz"
SPELLINGS = (  # part -> names of its images and labels
    {"train": ("train_images", "train_labels"), "test": ("test_images", "test_labels")},
    {"train": ("x_train", "y_train"), "test": ("x_test", "y_test")},
)
NAMES = "names"
MOST_CHANNELS = 16  # more are sides of images in another place
IMAGES, INTEGERS, TEXTS = ("u1",), ("i", "u"), ("U",)  # how numpy's code of the type begins, after the byte order


def read_arrays(root: Path, part: str) -> Reading:
    """The `train` or `test` part of `root`, a file .npz or a folder that holds data.npz.

    It holds train_images, train_labels, test_images, test_labels, or x_train, y_train, x_test, y_test: images uint8
    [n, H, W, C] or [n, H, W], labels integers [n] or [n, 1], and perhaps `names`, the names of the classes 0, 1, 2 and
    so on. Without names the labels that training images have are the classes, in ascending order, whatever their
    numbers are. Raises UserError for anything else.
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


def _read(archive: zipfile.ZipFile, path: Path, part: str) -> Reading:
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
    _check_axes(path, one)
    images = npz.read_array(archive, str(path), spelling[part][0], IMAGES)
    train_labels = _labels(archive, path, spelling["train"][1], one[0])
    names = _names(archive, path) if NAMES in present else None
    values = np.unique(train_labels) if names is None else np.arange(len(names))
    if not 2 <= len(values) <= one[0]:
        raise UserError(f"{path}: there must be 2 .. {one[0]} classes (as many as training images), not {len(values)}")
    labels = train_labels if part == "train" else _labels(archive, path, spelling[part][1], other[0])
    last = len(values) - 1
    renumbered = not np.array_equal(values, np.arange(len(values)))
    allowed = listed(values) if renumbered else f"0 .. {last}"
    unknown = np.setdiff1d(labels, values)
    if len(unknown):
        why = "that training images have" if names is None else f"one for each of the {NAMES}"
        raise UserError(f"{path}: {part} labels must be {allowed}, {why}, and some are {listed(unknown)}")
    told = (f"labels {allowed} of {shown(str(path))} are the classes 0 .. {last}, in this order",) if renumbered else ()
    classes = tuple(map(str, values.tolist())) if renumbered else names or ()
    numbers = np.searchsorted(values, labels).astype(np.int32)
    return Reading(Split(images.reshape(*images.shape[:3], -1), numbers, len(values), classes), told)


def _check_axes(path: Path, shape: tuple[int, ...]) -> None:
    """Raises UserError for images [n, C, H, W], and for more channels than images have."""
    given = f"{path}: images of shape {shape}"
    if len(shape) == 4 and shape[1] in (1, 3, 4) and min(shape[2:]) > shape[1]:
        raise UserError(f"{given} have the channels first; [n, H, W, C] is read: images.transpose(0, 2, 3, 1)")
    if len(shape) == 4 and shape[3] > MOST_CHANNELS:
        raise UserError(f"{given} have {shape[3]} channels; [n, H, W, C] is read with C at most {MOST_CHANNELS}")


def _labels(archive: zipfile.ZipFile, path: Path, name: str, n: int) -> np.ndarray:
    labels = npz.read_array(archive, str(path), name, INTEGERS)
    if labels.shape not in ((n,), (n, 1)):
        raise UserError(f"{path}: {name} must have shape ({n},) or ({n}, 1), not {labels.shape}")
    if labels.min() < 0 or labels.max() > np.iinfo(np.int64).max:
        found = f"{labels.min()} .. {labels.max()}"
        raise UserError(f"{path}: {name} must be 0 or more and fit into 64 bits, but range over {found}")
    return labels.reshape(n).astype(np.int64)


def _names(archive: zipfile.ZipFile, path: Path) -> tuple[str, ...]:
    names = npz.read_array(archive, str(path), NAMES, TEXTS)
    if names.ndim != 1:
        raise UserError(f"{path}: {NAMES} must be a list of texts, not {truncated_repr(names.tolist())}")
    return tuple(str(name) for name in names)
