"""Classes of images, by the network that a finished run chose.

    python -m experiments.predict out/digits scans/ one.png
    python -m experiments.predict out/cifar10-small images.npy --top 3 --csv classes.csv

IMAGES are image files, folders of them (searched whole), or arrays: uint8 [n, H, W, C], or [n, H, W] of one channel,
as .npy or alone in an .npz. An image file of any size is cut to its central square and resized to what the network's
data set has, in colour or grey as that has; nothing else is changed. MNIST and the digits are light on dark: so must
be what is to be read. Arrays must have the size of the data set.

What cannot be read is named on stderr after the classes of the others, and the exit code is then 2.

Prints the best class of every image, or its `--top` N, with a probability: a table on a terminal, lines with tabs
elsewhere. The probability is the network's own (softmax); it is not calibrated.
"""

import csv
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table
from rich.text import Text

import jaxnas
from jaxnas.console import cli_main, print_error
from jaxnas.data import read_images
from jaxnas.data.images import SUFFIXES, is_image
from jaxnas.foreign import npz
from jaxnas.foreign.litter import is_left_by_system
from jaxnas.predictor import delivered_shape
from jaxnas.types import UserError, shown, truncated_repr
from jaxnas.workdir import write_csv

COLUMNS = ("file", "class", "probability")
ARRAYS = (".npy", ".npz")
ANY = ("",)  # type of an array, which is compared with the network's after it is read


@dataclass(frozen=True)
class Command:
    """Classify images with the network of a finished run."""

    workdir: tyro.conf.Positional[Path]
    """work directory of one seed, or its network.npz"""
    images: tyro.conf.Positional[tuple[Path, ...]]
    """image files, folders of them, or arrays in .npy or .npz"""
    top: int = 1
    """classes of each image, the most probable first"""
    csv: Path | None = None
    """also write the rows to this file"""


Pixels = tuple[list[str], np.ndarray]  # names [n], and uint8 [n, H, W, C]


def rows(command: Command) -> tuple[list[dict[str, Any]], list[str]]:
    """One row for each image and rank, and a sentence for each input that cannot be taken.

    Raises UserError for no network, for `top`, and where there is nothing to read.
    """
    predictor = jaxnas.load(command.workdir)
    classes, shape = predictor.description.classes, delivered_shape(predictor.description)
    if not 1 <= command.top <= len(classes):
        raise UserError(f"--top must be 1 to {len(classes)}, the number of classes; it is {command.top}")
    found = [part for path in command.images for part in read(path, shape)]
    refused = [part for part in found if isinstance(part, str)]
    taken = [part for part in found if not isinstance(part, str)]
    names = [name for part, _ in taken for name in part]
    if not names and not refused:
        raise UserError("name at least one image, folder of images or array of them")
    if not names:
        return [], refused
    scores = predictor.predict(np.concatenate([pixels for _, pixels in taken])).probabilities
    best = np.argsort(-scores, axis=1, kind="stable")[:, : command.top]
    return [
        dict(zip(COLUMNS, (name, classes[label], round(float(scores[i, label]), 4)), strict=True))
        for i, name in enumerate(names)
        for label in best[i]
    ], refused


def read(path: Path, shape: tuple[int, int, int]) -> list[Pixels | str]:
    """What a file, folder or array holds, a part for each file; of what cannot be taken, a sentence that says why."""
    height, width, channels = shape
    try:
        if path.suffix.lower() in ARRAYS and not path.is_dir():
            pixels = _array(_no_device(path), shape)
            return [([f"{shown(str(path))}:{i}" for i in range(len(pixels))], pixels)]
        files = _folder(path) if path.is_dir() else [_no_device(path)]
        if height != width or channels not in (1, 3):
            raise UserError(
                f"the network takes images of {height}x{width}x{channels}, and image files are read as squares of 1 or "
                f"3 channels; give them as an array, .npy or .npz, not as {shown(str(path))}"
            )
    except OSError as error:
        return [f"cannot read {shown(str(path))}: {error.strerror}"]
    except UserError as error:
        return [str(error)]
    return [_image(file, height, channels == 1) for file in files]


def _image(file: Path, size: int, grey: bool) -> Pixels | str:
    try:
        return [shown(str(file))], read_images([file], size, grey)
    except UserError as error:
        return str(error)


def _no_device(path: Path) -> Path:
    """The path itself. Raises UserError for a pipe or a device, which could be read for ever."""
    if path.exists() and not path.is_file():
        raise UserError(f"cannot read {shown(str(path))}: it is a pipe or a device, and no file")
    return path


def _folder(path: Path) -> list[Path]:
    inside = [(file, file.relative_to(path).parts) for file in sorted(path.rglob("*"))]
    files = [
        file for file, parts in inside if not any(map(is_left_by_system, parts)) and file.is_file() and is_image(file)
    ]
    if not files:
        raise UserError(f"{path} holds no image; allowed: {', '.join(SUFFIXES)}")
    return files


def _array(path: Path, shape: tuple[int, int, int]) -> np.ndarray:
    """Pixels uint8 [n, H, W, C] of a file of exactly one array."""
    try:
        content = _of_archive(path) if zipfile.is_zipfile(path) else _of_file(path)
    except UserError:
        raise
    except Exception as error:  # a damaged archive raises almost anything
        reason = f"{type(error).__name__}: {truncated_repr(str(error))}"
        raise UserError(f"cannot read the array {path}: absent, damaged or no plain array ({reason})") from error
    pixels = content[..., None] if content.ndim == 3 and shape[2] == 1 else content
    if pixels.dtype != np.uint8 or pixels.shape[1:] != shape:
        wanted = f"uint8 [n, {shape[0]}, {shape[1]}, {shape[2]}]"
        raise UserError(f"{path} must hold images {wanted}, not {truncated_repr(f'{content.dtype} {content.shape}')}")
    return pixels


def _of_file(path: Path) -> np.ndarray:
    with open(path, "rb") as handle:  # numpy would leave open what only begins as an archive
        return np.asarray(np.load(handle, allow_pickle=False))


def _of_archive(path: Path) -> np.ndarray:
    with zipfile.ZipFile(path) as archive:
        names = sorted(npz.names_of(archive))
        if len(names) != 1:
            raise UserError(f"{path} must hold one array, of images, and holds {truncated_repr(names)}")
        return npz.read_array(archive, str(path), names[0], ANY)


@cli_main()
def main(arguments: Sequence[str], prog: str = "jaxnas predict") -> None:
    """Prints the rows and writes the CSV, then names what could not be taken. 0, or 2 for bad input."""
    command, console = tyro.cli(Command, prog=prog, args=arguments), Console()
    found, refused = rows(command)
    if command.csv is not None and found:
        write_csv(command.csv, found)
    if found and console.is_terminal:
        table = Table(*COLUMNS)
        for row in found:
            table.add_row(*(Text(str(row[name])) for name in COLUMNS))
        console.print(table)
    elif found:
        csv.writer(sys.stdout, delimiter="\t", lineterminator="\n").writerows([COLUMNS, *(r.values() for r in found)])
    for sentence in refused[:-1]:
        print_error(sentence)
    if refused:
        raise UserError(refused[-1])
