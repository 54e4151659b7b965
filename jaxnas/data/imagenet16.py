"""ImageNet16-120: the first 120 classes of ImageNet at 16x16, in the downsampled-ImageNet batch files."""

from pathlib import Path

import numpy as np

from jaxnas.data.files import read_bytes
from jaxnas.data.pickled import read_pickled_batch
from jaxnas.data.split import Split
from jaxnas.types import UserError

CLASSES = 120
PIXELS = 3 * 16 * 16
RECORDS = {"train": 151_700, "test": 6_000}  # images of labels 1 .. 120
FILES = {"train": tuple(f"train_data_batch_{i}" for i in range(1, 11)), "test": ("val_data",)}


def read_imagenet16(root: Path, part: str) -> Split:
    """The `train` or `test` part (the official validation images), [n, 16, 16, 3]; labels 1 .. 120 become 0 .. 119.

    `root` holds, or is, the folder ImageNet16. Raises UserError naming the file that is absent, damaged or hostile.
    """
    folder = _folder(root)
    images, labels = [], []
    for name in FILES[part]:
        path = folder / name
        rows, all_labels = read_pickled_batch(read_bytes(path), str(path), "labels", PIXELS)
        wanted = (all_labels >= 1) & (all_labels <= CLASSES)
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
    folder = next((f for f in (root / "ImageNet16", root) if (f / FILES["test"][0]).is_file()), None)
    if folder is None:
        raise UserError(f"no ImageNet16 found at {str(root)!r}: expected {FILES['test'][0]} there (option --data.root)")
    return folder
