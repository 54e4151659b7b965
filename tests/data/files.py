"""Small files in the official formats, written without the readers: CIFAR, IDX, image arrays, pickles, payloads."""

import gzip
import io
import os
import pickle
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from jaxnas.data.cifar import CIFAR10, CIFAR100, Cifar, read_cifar
from jaxnas.data.idx import MNIST
from jaxnas.types import UserError

SMALL10 = replace(CIFAR10, records={"train": 10, "test": 4})
SMALL100 = replace(CIFAR100, records={"train": 10, "test": 4})
SMALL_MNIST = replace(MNIST, records={"train": 12, "test": 5})


class Official(NamedTuple):
    """Names and encoding of one official distribution."""

    data: Cifar
    folder: str
    archive: str
    train: list[str]
    test: str
    encode: Callable[[np.ndarray, np.ndarray], bytes]


def pickled10(rows: np.ndarray, labels: np.ndarray) -> bytes:
    return pickle.dumps({b"data": rows, b"labels": labels.tolist(), b"batch_label": b"a batch"}, protocol=2)


def pickled100(rows: np.ndarray, labels: np.ndarray) -> bytes:
    coarse = (labels // 5).tolist()
    return pickle.dumps({b"coarse_labels": coarse, b"fine_labels": labels.tolist(), b"data": rows}, protocol=2)


def binary10(rows: np.ndarray, labels: np.ndarray) -> bytes:
    return b"".join(bytes([label, *row]) for label, row in zip(labels.tolist(), rows.tolist(), strict=True))


def binary100(rows: np.ndarray, labels: np.ndarray) -> bytes:
    records = zip(labels.tolist(), rows.tolist(), strict=True)
    return b"".join(bytes([label // 5, label, *row]) for label, row in records)


FIVE = ["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5"]
PYTHON10 = Official(SMALL10, "cifar-10-batches-py", "cifar-10-python.tar.gz", FIVE, "test_batch", pickled10)
BINARY10 = Official(
    SMALL10, "cifar-10-batches-bin", "cifar-10-binary.tar.gz", [f"{b}.bin" for b in FIVE], "test_batch.bin", binary10
)
PYTHON100 = Official(SMALL100, "cifar-100-python", "cifar-100-python.tar.gz", ["train"], "test", pickled100)
BINARY100 = Official(SMALL100, "cifar-100-binary", "cifar-100-binary.tar.gz", ["train.bin"], "test.bin", binary100)
every_layout = pytest.mark.parametrize(
    "official",
    [PYTHON10, BINARY10, PYTHON100, BINARY100],
    ids=["cifar10-python", "cifar10-binary", "cifar100-python", "cifar100-binary"],
)


def examples(part: str, data: Cifar) -> tuple[np.ndarray, np.ndarray]:
    """Channel-major rows uint8 [n, 3072] and labels [n] that reach the last class."""
    rng = np.random.default_rng(len(part))
    n, last = data.records[part], len(data.names) - 1
    return rng.integers(0, 256, (n, 3072), np.uint8), np.append(rng.integers(0, last, n - 1), last)


def contents(official: Official) -> dict[str, bytes]:
    rows, labels = examples("train", official.data)
    each = len(rows) // len(official.train)
    parts = {name: slice(i * each, (i + 1) * each) for i, name in enumerate(official.train)}
    files = {name: official.encode(rows[part], labels[part]) for name, part in parts.items()}
    return files | {official.test: official.encode(*examples("test", official.data))}


def write_folder(official: Official, root: Path, **changed: bytes | None) -> Path:
    """The official folder below `root`, with some files replaced, or left out (None)."""
    folder = root / official.folder
    folder.mkdir(parents=True)
    for name, content in (contents(official) | changed).items():
        if content is not None:
            (folder / name).write_bytes(content)
    return folder


def write_archive(official: Official, root: Path, **changed: bytes | None) -> Path:
    """The official archive below `root`, with some members replaced, or left out (None)."""
    path = root / official.archive
    with tarfile.open(path, "w:gz", compresslevel=1) as tar:
        for name, content in (contents(official) | changed).items():
            if content is not None:
                member = tarfile.TarInfo(f"{official.folder}/{name}")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return path


def python2_pickle(rows: np.ndarray, labels: np.ndarray) -> bytes:
    """A batch opcode by opcode as Python 2 wrote it: byte strings, and arrays of numpy.core.multiarray."""

    def string(value: bytes) -> bytes:
        return b"T" + len(value).to_bytes(4, "little") + value

    def number(value: int) -> bytes:
        return b"J" + value.to_bytes(4, "little", signed=True)

    def several(*values: bytes) -> bytes:
        return b"(" + b"".join(values) + b"t"

    dtype = b"cnumpy\ndtype\n" + several(string(b"u1"), number(0), number(1)) + b"R"
    dtype += several(number(3), string(b"|"), b"NNN", number(-1), number(-1), number(0)) + b"b"
    array = b"cnumpy.core.multiarray\n_reconstruct\n"
    array += several(b"cnumpy\nndarray\n", several(number(0)), string(b"b")) + b"R"
    shape = several(*(number(side) for side in rows.shape))
    array += several(number(1), shape, dtype, b"\x89", string(rows.tobytes())) + b"b"
    listed = b"(" + b"".join(number(label) for label in labels.tolist()) + b"l"
    return b"\x80\x02(" + string(b"data") + array + string(b"labels") + listed + b"d."


def with_protocol(protocol: int, key: Callable[[str], Any] = str) -> Callable[[np.ndarray, np.ndarray], bytes]:
    return lambda rows, labels: pickle.dumps({key("data"): rows, key("labels"): labels.tolist()}, protocol)


class Call:
    """Pickles as a call of `function`."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


def payloads(marker: Path) -> Iterator[Call]:
    yield Call(os.system, f"touch '{marker}'")
    yield Call(eval, f"open({str(marker)!r}, 'w').close()")
    yield Call(Path(marker).write_text, "")


PLACES: dict[str, Callable[[Call], Any]] = {
    "whole file": lambda call: call,
    "entry": lambda call: {"data": np.zeros((4, 3072), np.uint8), "labels": [0] * 4, "more": call},
    "label": lambda call: {"data": np.zeros((4, 3072), np.uint8), "labels": [0, 0, 0, call]},
    "key": lambda call: {call: 0},
    "array element": lambda call: {"data": np.array([call], object), "labels": [0]},
    "nested": lambda call: {"data": [({"deep": [(call,)]},)], "labels": [0]},
}


def idx_bytes(values: np.ndarray) -> bytes:
    """An IDX file of unsigned bytes: 0 0 8 and the number of dimensions, their sizes big-endian, the values."""
    sizes = b"".join(size.to_bytes(4, "big") for size in values.shape)
    return bytes([0, 0, 8, values.ndim]) + sizes + values.tobytes()


def idx_examples(part: str) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 [n, 28, 28] and labels uint8 [n] of SMALL_MNIST; the last label is 9."""
    rng = np.random.default_rng(len(part))
    n = SMALL_MNIST.records[part]
    return rng.integers(0, 256, (n, 28, 28), np.uint8), np.append(rng.integers(0, 9, n - 1), 9).astype(np.uint8)


def write_idx(folder: Path, packed: bool = True) -> Path:
    """The four files of SMALL_MNIST in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for part, stem in (("train", "train"), ("test", "t10k")):
        images, labels = idx_examples(part)
        for name, values in ((f"{stem}-images-idx3-ubyte", images), (f"{stem}-labels-idx1-ubyte", labels)):
            content = idx_bytes(values)
            path = folder / (f"{name}.gz" if packed else name)
            path.write_bytes(gzip.compress(content, 1, mtime=0) if packed else content)
    return folder


def image_arrays(channels: int | None = 3, spelling: str = "train_images") -> dict[str, np.ndarray]:
    """The four arrays of an .npz: 9 training and 5 test images of 8x12, three classes."""
    rng = np.random.default_rng(0)
    sides = (8, 12) if channels is None else (8, 12, channels)
    names = {
        "train_images": ("train_images", "train_labels", "test_images", "test_labels"),
        "x_train": ("x_train", "y_train", "x_test", "y_test"),
    }[spelling]
    train, test = (rng.integers(0, 256, (n, *sides), np.uint8) for n in (9, 5))
    return dict(zip(names, (train, np.arange(9) % 3, test, np.array([2, 1, 0, 1, 2])), strict=True))


def write_images(root: Path, counts: dict[str, int]) -> Path:
    """PNG files of 12x12 below `root`: class folder (it may hold a slash) -> number of images, all different."""
    from PIL import Image

    rng = np.random.default_rng(0)
    for folder, count in counts.items():
        (root / folder).mkdir(parents=True)
        for i in range(count):
            Image.fromarray(rng.integers(0, 256, (12, 12, 3), np.uint8)).save(root / folder / f"{i:02}.png")
    return root


def write_imagenet16(root: Path) -> Path:
    """The folder ImageNet16 with five images a file, of which three are of the first 120 classes."""
    folder = root / "ImageNet16"
    folder.mkdir()
    for name in (*(f"train_data_batch_{i}" for i in range(1, 11)), "val_data"):
        rows = np.random.default_rng(len(name) + ord(name[-1])).integers(0, 256, (5, 768), np.uint8)
        batch = {"data": rows, "labels": [1, 120, 121, 1000, 57], "mean": np.zeros(768)}
        (folder / name).write_bytes(pickle.dumps(batch, 2))
    return folder


def refusal(data: Cifar, root: Path, part: str) -> str:
    """What reading a damaged archive says."""
    with pytest.raises(UserError) as caught:
        read_cifar(data, root, part)
    return str(caught.value)
