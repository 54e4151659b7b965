"""What the official files are, as their own distributors say: sizes and md5 sums, and the check of files on disk.

Only first-hand numbers stand here. Where a distributor gives none (single CIFAR batches, files that were unpacked)
a file is not checked; its shape and labels always are, by the reader.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from jaxnas.types import UserError


class Official(NamedTuple):
    """A file as it was published."""

    md5: str | None = None
    size: int | None = None  # bytes


KNOWN: dict[str, dict[str, Official]] = {
    # The table of versions at www.cs.toronto.edu/~kriz/cifar.html (both data sets).
    "cifar10": {
        "cifar-10-python.tar.gz": Official(md5="c58f30108f718f92721af3b95e74349a"),
        "cifar-10-binary.tar.gz": Official(md5="c32a1d4ab5d03f1284b67883e8d87530"),
    },
    "cifar100": {
        "cifar-100-python.tar.gz": Official(md5="eb9058c3a382ffc7106e4002c42a8d85"),
        "cifar-100-binary.tar.gz": Official(md5="03b5dce01913d631647c71ecec9e9cb8"),
    },
    # lib/datasets/DownsampledImageNet.py at github.com/D-X-Y/AutoDL-Projects, by the author of NAS-Bench-201.
    "imagenet16-120": {
        "train_data_batch_1": Official(md5="27846dcaa50de8e21a7d1a35f30f0e91"),
        "train_data_batch_2": Official(md5="c7254a054e0e795c69120a5727050e3f"),
        "train_data_batch_3": Official(md5="4333d3df2e5ffb114b05d2ffc19b1e87"),
        "train_data_batch_4": Official(md5="1620cdf193304f4a92677b695d70d10f"),
        "train_data_batch_5": Official(md5="348b3c2fdbb3940c4e9e834affd3b18d"),
        "train_data_batch_6": Official(md5="6e765307c242a1b3d7d5ef9139b48945"),
        "train_data_batch_7": Official(md5="564926d8cbf8fc4818ba23d2faac7564"),
        "train_data_batch_8": Official(md5="f4755871f718ccb653440b9dd0ebac66"),
        "train_data_batch_9": Official(md5="bb6dd660c38c58552125b1a92f86b5d4"),
        "train_data_batch_10": Official(md5="8f03f34ac4b42271a294f91bf480f29b"),
        "val_data": Official(md5="3410e3017fdaefba8d5073aaa65e4bd6"),
    },
    # The list of the four files at yann.lecun.com/exdb/mnist, which gives sizes and no sums.
    "mnist": {
        "train-images-idx3-ubyte.gz": Official(size=9_912_422),
        "train-labels-idx1-ubyte.gz": Official(size=28_881),
        "t10k-images-idx3-ubyte.gz": Official(size=1_648_877),
        "t10k-labels-idx1-ubyte.gz": Official(size=4_542),
    },
    # The table in the README of github.com/zalandoresearch/fashion-mnist.
    "fashion-mnist": {
        "train-images-idx3-ubyte.gz": Official(md5="8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
        "train-labels-idx1-ubyte.gz": Official(md5="25c81989df183df01b3e8a0aad5dffbe"),
        "t10k-images-idx3-ubyte.gz": Official(md5="bef4ecab320f06d8554ea6380940ec79"),
        "t10k-labels-idx1-ubyte.gz": Official(md5="bb300cfdad3c16e7a12a480ee83cd310"),
    },
}


def mismatches(name: str, paths: Iterable[Path]) -> tuple[str, ...]:
    """One sentence for each file of the data set that is known and is not as published. Raises UserError.

    Files are hashed and not decoded, so those of the test part are no secret that is told.
    """
    known = KNOWN.get(name, {})
    told = (_difference(path, known[path.name]) for path in paths if path.name in known)
    return tuple(sentence for sentence in told if sentence is not None)


def _difference(path: Path, official: Official) -> str | None:
    try:
        with path.open("rb") as stream:
            found = Official(hashlib.file_digest(stream, "md5").hexdigest(), path.stat().st_size)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    for what, expected, value in zip(("md5 sum", "size in bytes"), official, found, strict=True):
        if expected is not None and expected != value:
            return f"{path} is not the official file: its {what} is {value}, published is {expected}"
    return None
