"""Image files in one folder a class: which there are, which of them test, and what is left out."""

import hashlib
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxnas.config import DataConfig
from jaxnas.data.images import SUFFIXES, is_image, is_unread_picture, read_images
from jaxnas.data.split import Reading, Split
from jaxnas.foreign.litter import is_left_by_system
from jaxnas.types import UserError, listed, shown, truncated_repr

LAYOUTS = ("auto", "parts", "classes")
PARTS = ("train", "test")
CONVERT = "not read here (convert to PNG or JPEG)"
TEST_SHARE = 5  # one image of so many is a test image where there is no folder of them


class Found(NamedTuple):
    """What lies in folders of classes."""

    images: dict[str, list[Path]]  # class -> its image files, both sorted by name
    others: list[Path]  # files of these folders that are no images
    beside: list[Path]  # image files that lie in the folder of none of the classes


def read_folder(config: DataConfig, part: str) -> Reading:
    """The `train` or `test` part of config.root, images [n, size, size, C]; only its own images are decoded.

    By `config.layout` `root` holds either train and test, each with one folder a class (what lies beside the two is
    left alone), or one folder a class; then a fifth of every class, at least one image, is the test part, by a hash of
    the names of its images, so that it is the same for every seed. `auto` takes the first where there are folders train
    and test. Classes are in the order of their names. What a system left among the files is passed over in silence;
    files that are no images, of both parts, are told. Raises UserError for everything else.
    """
    root, layout = config.root, config.layout
    if layout not in LAYOUTS:
        raise UserError(f"data.layout must be one of {list(LAYOUTS)}, not {layout!r}")
    if not root.is_dir():
        raise UserError(f"no folder of images at {str(root)!r}: expected one folder a class (option --data.root)")
    if layout == "parts" or (layout == "auto" and all((root / name).is_dir() for name in PARTS)):
        parts = {name: _found(root / name) for name in PARTS}
        train, test = (set(parts[name].images) for name in PARTS)
        if train != test:
            differing = truncated_repr(sorted(train ^ test))
            raise UserError(
                f"{root}: train and test must hold the same classes, they differ in {differing} (--data.layout classes "
                "if they are classes themselves)"
            )
        files, everything = parts[part].images, list(parts.values())
    else:
        everything = [_found(root)]
        files = {name: _share(paths, part) for name, paths in everything[0].images.items()}
    labels = np.repeat(np.arange(len(files), dtype=np.int32), [len(paths) for paths in files.values()])
    images = read_images([path for paths in files.values() for path in paths], config.size, config.grey)
    return Reading(Split(images, labels, len(files), tuple(files)), _told(root, everything))


def _found(root: Path) -> Found:
    folders, files = _visible(root)
    if len(folders) < 2:
        held = truncated_repr([folder.name for folder in folders])
        hint = " (--data.layout classes if train and test are classes themselves)" if root.name in PARTS else ""
        raise UserError(
            f"{root} must hold one folder for each of at least 2 classes, it holds the folders {held}{hint}"
        )
    images, others = {}, []
    for folder in folders:
        images[folder.name], more = _class(folder)
        others += more
    return Found(images, others, [path for path in files if path.suffix.lower() in SUFFIXES])


def _class(folder: Path) -> tuple[list[Path], list[Path]]:
    """The images of one class, and its files that are none."""
    inner, files = _visible(folder)
    if inner:
        held = truncated_repr([path.name for path in inner])
        hint = " (of --data.layout parts train and test must both be there)" if folder.name in PARTS else ""
        raise UserError(f"{shown(str(folder))} must hold the images of one class, and holds folders: {held}{hint}")
    images = [path for path in files if is_image(path)]
    others = sorted({*files} - {*images})
    if not images:
        raise UserError(
            f"{shown(str(folder))} holds no image of the class {folder.name!r}; allowed is what Pillow reads, such as "
            f".png, and it holds {listed(path.name for path in others) or 'no file'}"
        )
    return images, others


def _visible(folder: Path) -> tuple[list[Path], list[Path]]:
    """Folders and files in a folder that no system left there, sorted by name."""
    try:
        with os.scandir(folder) as entries:
            seen = sorted((e.name, e.is_dir()) for e in entries if not is_left_by_system(e.name))
    except OSError as error:
        raise UserError(f"cannot read the folder {shown(str(folder))}: {error.strerror}") from error
    return [folder / n for n, is_folder in seen if is_folder], [folder / n for n, is_folder in seen if not is_folder]


def _share(paths: list[Path], part: str) -> list[Path]:
    """The training or test images of one class without such folders, in the order of their names."""
    if len(paths) < 2:
        folder = shown(str(paths[0].parent))
        raise UserError(f"{folder} must hold at least 2 images, one to train on and one to test, it holds 1")

    def rank(path: Path) -> bytes:
        return hashlib.sha256(f"{path.parent.name}/{path.name}".encode("utf-8", "surrogateescape")).digest()

    test = set(sorted(paths, key=rank)[: max(1, len(paths) // TEST_SHARE)])
    return [path for path in paths if (path in test) == (part == "test")]


def _told(root: Path, everything: list[Found]) -> tuple[str, ...]:
    """A sentence for each kind of file that was left out."""
    others = [path for found in everything for path in found.others]
    pictures = [path for path in others if is_unread_picture(path)]
    beside = [path for found in everything for path in found.beside]
    kinds = (
        ("file that is no image", "files that are no images", sorted({*others} - {*pictures})),
        (f"picture in a format {CONVERT}", f"pictures in formats {CONVERT}", pictures),
        ("image in the folder of no class", "images in the folder of no class", beside),
    )
    return tuple(
        f"left out of {shown(str(root))}: {len(paths)} {one if len(paths) == 1 else several}, "
        + listed(path.relative_to(root) for path in paths)
        for one, several, paths in kinds
        if paths
    )
