"""Every reader on files that were cut short or have bytes overwritten: one UserError, or everything."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from jaxnas.config import DataConfig
from jaxnas.data import Split, imagenet16
from jaxnas.data.arrays import read_arrays
from jaxnas.data.cifar import read_cifar
from jaxnas.data.folder import read_folder
from jaxnas.data.idx import read_idx
from jaxnas.data.imagenet16 import read_imagenet16
from jaxnas.types import UserError
from tests.data.files import (
    BINARY10,
    BINARY100,
    PYTHON10,
    PYTHON100,
    SMALL_MNIST,
    Official,
    image_arrays,
    python2_pickle,
    write_archive,
    write_folder,
    write_idx,
    write_imagenet16,
    write_images,
)


class Case(NamedTuple):
    """A reader of the test part, and a data set below a folder of which one file is damaged."""

    write: Callable[[Path], Path]
    """(root) -> the file"""
    read: Callable[[Path], Split]
    closed: bool = True
    """no byte can be missing from its end without a trace"""


def cifar(official: Official, packed: bool) -> Case:
    def write(root: Path) -> Path:
        return write_archive(official, root) if packed else write_folder(official, root) / official.test

    return Case(write, lambda root: read_cifar(official.data, root, "test"))


def idx(packed: bool, name: str) -> Case:
    return Case(
        lambda root: write_idx(root, packed) / f"t10k-{name}-ubyte{'.gz' if packed else ''}",
        lambda root: read_idx(SMALL_MNIST, root, "test"),
    )


def arrays(save: Callable[..., None]) -> Case:
    def write(root: Path) -> Path:
        save(root / "data.npz", **image_arrays(), names=np.array(["a", "b", "c"]))
        return root / "data.npz"

    return Case(write, lambda root: read_arrays(root, "test").split)


def image(suffix: str, **options: object) -> Case:
    def write(root: Path) -> Path:
        if Image.registered_extensions().get(f".{suffix}") not in Image.SAVE:
            pytest.skip(f"this Pillow writes no .{suffix}")
        write_images(root, {"train/a": 1, "train/b": 1, "test/a": 1, "test/b": 0})
        pixels = np.random.default_rng(3).integers(0, 256, (24, 20, 3), np.uint8)
        Image.fromarray(pixels).save(root / "test" / "b" / f"x.{suffix}", **options)
        return root / "test" / "b" / f"x.{suffix}"

    def read(root: Path) -> Split:
        return read_folder(DataConfig(name="folder", root=root, size=16), "test").split

    # after the last pixel there are checksums (PNG), marks or names, without which the image is still whole
    return Case(write, read, closed=suffix not in ("png", "gif", "qoi", "tga"))


CASES = {
    "cifar10-python": cifar(PYTHON10, packed=False),
    "cifar10-python2": cifar(PYTHON10._replace(encode=python2_pickle), packed=False),
    "cifar10-binary": cifar(BINARY10, packed=False),
    "cifar100-python": cifar(PYTHON100, packed=False),
    "cifar100-binary": cifar(BINARY100, packed=False),
    "cifar10-python.tar.gz": cifar(PYTHON10, packed=True),
    "cifar100-binary.tar.gz": cifar(BINARY100, packed=True),
    "imagenet16-120": Case(lambda root: write_imagenet16(root) / "val_data", partial(read_imagenet16, part="test")),
    "idx images": idx(False, "images-idx3"),
    "idx labels": idx(False, "labels-idx1"),
    "idx images.gz": idx(True, "images-idx3"),
    "idx labels.gz": idx(True, "labels-idx1"),
    "npz": arrays(np.savez),
    "npz compressed": arrays(np.savez_compressed),
    "png": image("png"),
    "jpg": image("jpg"),
    "jpg progressive": image("jpg", progressive=True),
    "bmp": image("bmp"),
    "gif": image("gif"),
    "webp": image("webp", lossless=True),
    "tif": image("tif"),
    "ppm": image("ppm"),
    "qoi": image("qoi"),
    "jp2": image("jp2"),
    "avif": image("avif"),
    "tga": image("tga"),
    "sgi": image("sgi"),
    "pcx": image("pcx"),
    "tif packed": image("tif", compression="tiff_deflate"),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Case:
    monkeypatch.setattr(imagenet16, "RECORDS", {"train": 30, "test": 3})
    return CASES[request.param]


def test_a_file_cut_short_anywhere_is_refused(case: Case, tmp_path: Path) -> None:
    path = case.write(tmp_path)
    whole, expected = path.read_bytes(), case.read(tmp_path)
    n = len(whole)
    for length in sorted({*range(24), *range(n // 5, n, n // 5), *range(n - 24, n)} & set(range(n))):
        path.write_bytes(whole[:length])
        if not case.closed and length >= n - 24:
            _same_or_refused(case, tmp_path, expected)
        else:
            with pytest.raises(UserError, match=path.name):
                case.read(tmp_path)


def _same_or_refused(case: Case, root: Path, expected: Split) -> None:
    try:
        split = case.read(root)
    except UserError:
        return
    np.testing.assert_array_equal(split.images, expected.images)
    np.testing.assert_array_equal(split.labels, expected.labels)


@pytest.mark.parametrize("flip", [0x01, 0x80, 0xFF])
def test_a_file_with_a_flipped_byte_is_refused_or_gives_all_its_images(flip: int, case: Case, tmp_path: Path) -> None:
    path = case.write(tmp_path)
    whole, expected = path.read_bytes(), case.read(tmp_path)
    n = len(whole)
    refused = 0
    for position in sorted({*range(min(n, 48)), *range(0, n, max(1, n // 40)), *range(max(0, n - 48), n)}):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ flip]) + whole[position + 1 :])
        try:
            split = case.read(tmp_path)
        except UserError as error:
            refused += 1
            assert len(str(error)) < 1500
            continue
        assert split.images.shape == expected.images.shape
        assert split.classes == expected.classes
        assert split.names in (expected.names, ())  # an .npz may have names, and loses them with their entry
    assert refused or path.suffix == ".bin"  # a record is pixels and a label, without a mark


@pytest.mark.parametrize("content", [b"", b"\0" * 5000, b"\xff" * 5000, b"<html>404</html>", b"\x1f\x8b\x08", b"."])
def test_a_file_of_something_else_is_refused(content: bytes, case: Case, tmp_path: Path) -> None:
    path = case.write(tmp_path)
    path.write_bytes(content)
    with pytest.raises(UserError, match=path.name):
        case.read(tmp_path)
