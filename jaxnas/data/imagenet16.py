"""ImageNet16-120: the first 120 classes of ImageNet at 16x16, in the downsampled-ImageNet batch files."""

from pathlib import Path

import numpy as np

from jaxnas.data.files import read_bytes
from jaxnas.data.pickled import read_pickled_batch
from jaxnas.data.split import Split
from jaxnas.types import UserError

CLASSES = 120
ALL_CLASSES = 1000  # of ImageNet
PIXELS = 3 * 16 * 16
RECORDS = {"train": 151_700, "test": 6_000}  # images of labels 1 .. 120
FILES = {"train": tuple(f"train_data_batch_{i}" for i in range(1, 11)), "test": ("val_data",)}


def read_imagenet16(root: Path, part: str) -> Split:
    """The `train` or `test` part (the official validation images), [n, 16, 16, 3]; labels 1 .. 120 become 0 .. 119.

    `root` holds, or is, the folder ImageNet16. Raises UserError naming the file that is absent, damaged or hostile, or
    whose labels do not lie in 1 .. 1000.
    """
    folder = _folder(root)
    missing = [name for name in FILES[part] if not (folder / name).exists()]
    if missing:
        raise UserError(f"{folder} lacks {', '.join(missing)} of ImageNet16")
    images, labels = [], []
    for name in FILES[part]:
        path = folder / name
        rows, all_labels = read_pickled_batch(read_bytes(path), str(path), "labels", PIXELS)
        if all_labels.size and not (all_labels.min() >= 1 and all_labels.max() <= ALL_CLASSES):
            raise UserError(
                f"{path}: labels must lie in 1 .. {ALL_CLASSES}, as the official ones do, not "
                f"{all_labels.min()} .. {all_labels.max()}; labels counted from 0 would give {CLASSES} wrong classes"
            )
        wanted = all_labels <= CLASSES
        images.append(rows[wanted])
        labels.append(all_labels[wanted] - 1)
    pixels = np.concatenate(images)
    if len(pixels) != RECORDS[part]:
        raise UserError(f"{folder}: {len(pixels)} {part} images of labels 1 .. {CLASSES}, expected {RECORDS[part]}")
    square = np.ascontiguousarray(pixels.reshape(-1, 3, 16, 16).transpose(0, 2, 3, 1))
    return Split(square, np.concatenate(labels).astype(np.int32), CLASSES)


def imagenet16_files(root: Path) -> list[Path]:
    """The files that are read of both parts. Raises UserError if there is no folder of them."""
    return [_folder(root) / name for name in (*FILES["train"], *FILES["test"])]


def _folder(root: Path) -> Path:
    names = (*FILES["train"], *FILES["test"])
    try:
        folder = next((f for f in (root / "ImageNet16", root) if any((f / name).is_file() for name in names)), None)
    except OSError as error:
        raise UserError(f"cannot read {root}: {error.strerror}") from error
    if folder is None:
        expected = f"expected a folder with {FILES['train'][0]} .. {len(FILES['train'])} and {FILES['test'][0]} there"
        raise UserError(f"no ImageNet16 found at {str(root)!r}: {expected} (option --data.root)")
    return folder
