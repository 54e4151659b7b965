"""Image files in one folder a class: which there are, which of them test, and their pixels.

An image is turned upright (EXIF), laid on white where it is transparent, cut to its central square and resized to
`size` x `size` with Pillow's Lanczos filter, which averages where it shrinks. Of an animation the first frame counts.
"""

import hashlib
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jaxnas.config import DataConfig
from jaxnas.data.split import Split
from jaxnas.types import UserError, truncated_repr

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF")  # Pillow opens nothing else, whatever a file is called
MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")  # at most 8 bits a channel
TEST_SHARE = 5  # one image of so many is a test image where there is no folder of them


def read_folder(config: DataConfig, part: str) -> Split:
    """The `train` or `test` part of config.root, images [n, size, size, C]; only its own files are opened.

    `root` holds either train and test, each with one folder a class (what lies beside the two is left alone), or one
    folder a class; then a fifth of every class, at least one image, is the test part, by a hash of the file names,
    so that it is the same for every seed. Classes are in the order of their names. Hidden files and files that are
    no images by their name are passed over. Raises UserError for everything else.
    """
    root = config.root
    if not root.is_dir():
        raise UserError(f"no folder of images at {str(root)!r}: expected one folder a class (option --data.root)")
    if (root / "train").is_dir() and (root / "test").is_dir():
        parts = {name: _classes(root / name) for name in ("train", "test")}
        if parts["train"].keys() != parts["test"].keys():
            differing = sorted(parts["train"].keys() ^ parts["test"].keys())
            raise UserError(
                f"{root}: train and test must hold the same classes, they differ in {truncated_repr(differing)}"
            )
        files = parts[part]
    else:
        files = {name: _share(paths, part) for name, paths in _classes(root).items()}
    labels = np.repeat(np.arange(len(files), dtype=np.int32), [len(paths) for paths in files.values()])
    images = read_images([path for paths in files.values() for path in paths], config.size, config.grey)
    return Split(images, labels, len(files), tuple(files))


def read_images(paths: Sequence[Path], size: int, grey: bool) -> np.ndarray:
    """Pixels uint8 [n, size, size, C] of image files, C 1 if `grey` and else 3.

    Raises UserError naming the file that is broken, no image, too large or of more than 8 bits a channel.
    """
    if size < 4 or size % 4:
        raise UserError(f"data.size must be a multiple of 4, the network halves the sides twice; it is {size}")
    pixels = np.empty((len(paths), size, size, 1 if grey else 3), np.uint8)
    for i, path in enumerate(paths):
        pixels[i] = _decoded(path, size, grey)
    return pixels


def _classes(root: Path) -> dict[str, list[Path]]:
    """Class -> its image files, both sorted by name."""
    folders = [path for path in _visible(root) if path.is_dir()]
    if len(folders) < 2:
        found = truncated_repr([folder.name for folder in folders])
        raise UserError(f"{root} must hold one folder for each of at least 2 classes, it holds the folders {found}")
    return {folder.name: _images_of(folder) for folder in folders}


def _images_of(folder: Path) -> list[Path]:
    if not folder.name.isprintable():
        raise UserError(f"the name of a class must be printable, and {truncated_repr(str(folder))} is not")
    seen = _visible(folder)
    inner = [path.name for path in seen if path.is_dir()]
    if inner:
        hint = " (folders train and test must both be there)" if folder.name in ("train", "test") else ""
        raise UserError(f"{folder} must hold the images of one class, and holds folders: {truncated_repr(inner)}{hint}")
    images = [path for path in seen if path.suffix.lower() in SUFFIXES]
    if not images:
        raise UserError(f"{folder} holds no image of the class {folder.name!r}; allowed: {', '.join(SUFFIXES)}")
    return images


def _visible(folder: Path) -> list[Path]:
    """What lies in a folder and is not hidden, sorted by name."""
    try:
        return sorted((path for path in folder.iterdir() if not path.name.startswith(".")), key=lambda path: path.name)
    except OSError as error:
        raise UserError(f"cannot read the folder {folder}: {error.strerror}") from error


def _share(paths: list[Path], part: str) -> list[Path]:
    """The training or test images of one class without such folders, in the order of their names."""
    if len(paths) < 2:
        raise UserError(f"{paths[0].parent} must hold at least 2 images, one to train on and one to test, it holds 1")

    def rank(path: Path) -> bytes:
        return hashlib.sha256(f"{path.parent.name}/{path.name}".encode("utf-8", "surrogateescape")).digest()

    test = set(sorted(paths, key=rank)[: max(1, len(paths) // TEST_SHARE)])
    return [path for path in paths if (path in test) == (part == "test")]


def _decoded(path: Path, size: int, grey: bool) -> np.ndarray:
    """Pixels uint8 [size, size, C] of one image."""
    from PIL import Image, ImageOps

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd metadata; pixels that are missing are errors
            warnings.simplefilter("error", Image.DecompressionBombWarning)  # Pillow's bound, before any pixel is read
            with Image.open(path, formats=FORMATS) as image:
                if image.mode not in MODES:
                    raise UserError(f"{path} is of mode {image.mode}; convert it to 8 bits a channel, grey or colour")
                upright = ImageOps.exif_transpose(image)
            if upright.has_transparency_data:
                layer = upright.convert("RGBA")
                upright = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
            plain = upright.convert("L" if grey else "RGB")
            square = ImageOps.fit(plain, (size, size), method=Image.Resampling.LANCZOS)
            return np.asarray(square).reshape(size, size, -1)
    except UserError:
        raise
    except Exception as error:  # a damaged image raises almost anything
        reason = f"{type(error).__name__}: {truncated_repr(str(error))}"
        raise UserError(f"cannot read the image {path}: damaged, too large or no image ({reason})") from error
