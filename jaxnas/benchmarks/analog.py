"""AnalogNAS-Bench's plainly trained accuracies of NAS-Bench-201's cells on CIFAR-10 (arXiv 2506.18495).

They are the `baseline_accuracy` of the package analog-nasbench. Its example script (training_script.py in
IBM/analog-nas) trains a cell once, for 200 epochs, and averages 25 passes over randomly cropped and flipped test
images. The package is never imported; its file is read.
"""

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from jaxnas.benchmarks.contents import read_bytes, read_member, unpacked, zip_names
from jaxnas.benchmarks.table import Row, Table, build
from jaxnas.foreign.packed import unpack
from jaxnas.foreign.pickled import load_plain
from jaxnas.spaces.base import SearchSpace
from jaxnas.spaces.nas_bench_201 import NAS_BENCH_201
from jaxnas.types import UserError

MEMBER = "analognasbench/data.anb"
MODULE = "analognasbench.data"
# The package documents neither order. Of all 720 orders of edges this one agrees best with NAS-Bench-201's own
# accuracies (Spearman .991, the next .969), and of the 120 orders of operations this one (the next .783).
EDGES = ((1, 0), (2, 0), (3, 0), (2, 1), (3, 1), (3, 2))
OPS = ("skip_connect", "none", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3")
PLACES = tuple(EDGES.index(edge) for edge in NAS_BENCH_201.edges)
IDS = tuple(NAS_BENCH_201.ops.index(op) for op in OPS)


def read_analog(space: SearchSpace, path: Path) -> Table:
    """The table of `data.anb`, of the folder of the installed package, or of its wheel.

    Raises UserError for another space, and for a file that is missing, damaged, incomplete or of another form.
    """
    if space != NAS_BENCH_201:
        raise UserError(f"{path} holds cells of {NAS_BENCH_201.name}, not of {space.name}")
    content = _content(path)
    found = load_plain(io.BytesIO(content), str(path), [(MODULE, "Architecture"), (MODULE, "DriftMeasurement")])
    if not isinstance(found, dict):
        raise UserError(f"{path} holds a {type(found).__name__}, expected a dict of architectures")
    source = f"{path.absolute().name}: AnalogNAS-Bench, baseline accuracy, CIFAR-10 test images, trained once a cell"
    return build(space, str(path), source, _rows(path, found), hashlib.sha256(content).hexdigest())


def recognises_analog(path: Path) -> bool:
    """Whether it is the data file, a folder with it, or a zip file with it."""
    if path.is_dir():
        return _file_in(path) is not None
    if MEMBER in zip_names(path):
        return True
    try:
        with open(path, "rb") as handle:
            head = unpack(handle, str(path), 256)
    except UserError:
        return False
    return head.startswith(b"\x80") and MODULE.encode() in head


def _content(path: Path) -> bytes:
    if path.is_dir():
        file = _file_in(path)
        if file is None:
            raise UserError(f"{path} has no data.anb")
        path = file
    return read_member(path, MEMBER) if MEMBER in zip_names(path) else unpacked(read_bytes(path), str(path))


def _file_in(folder: Path) -> Path | None:
    return next((file for file in (folder / "data.anb", folder / MEMBER) if file.is_file()), None)


def _rows(path: Path, found: dict[Any, Any]) -> Iterator[Row]:
    for number, (key, record) in enumerate(found.items()):
        place = f"{path} entry {number}"
        whole = isinstance(key, tuple) and len(key) == len(EDGES)
        if not whole or not all(type(op) is int and 0 <= op < len(OPS) for op in key):
            raise UserError(f"{place}: an architecture is {len(EDGES)} operations from 0 to {len(OPS) - 1}")
        fields = vars(record) if type(record) is SimpleNamespace else {}
        if fields.get("architecture") != key:
            raise UserError(f"{place}: the results of {key} are not filed under it")
        yield Row(place, tuple(IDS[key[p]] for p in PLACES), {"cifar10": fields.get("baseline_accuracy")})
