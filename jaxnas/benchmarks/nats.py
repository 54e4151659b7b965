"""NATS-Bench's topology results: the unpacked folder `NATS-tss-v1_0-3ffb9-simple` (Dong et al., TPAMI 2021).

`meta.pickle.pbz2` numbers the cells and `NNNNNN.pickle.pbz2` holds all trials of one of them; the form is that of
`ArchResults.state_dict` in the package nats_bench.
"""

import hashlib
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from jaxnas.benchmarks.contents import read_bytes, unpacked
from jaxnas.benchmarks.table import Row, Table, build, decode
from jaxnas.foreign.litter import is_litter
from jaxnas.foreign.pickled import load_plain
from jaxnas.spaces.base import SearchSpace
from jaxnas.types import UserError

META = "meta.pickle.pbz2"
EPOCHS = 200
SPLITS = {"cifar10": "ori-test", "cifar100": "x-test", "ImageNet16-120": "x-test"}  # the test images of each data set
TRAINING = "200 epochs, mean over seeds, test accuracy (cifar10 ori-test, cifar100 and ImageNet16-120 x-test)"


def read_nats(space: SearchSpace, path: Path) -> Table:
    """The table of the unpacked folder; `path` is the folder or its meta file.

    Its sha256 is that of what `sha256sum *` prints in the folder, of the files that are read.
    Raises UserError naming the file if one is damaged, of another form or not numbered by the meta file, and with the
    count if architectures are missing.
    """
    path = path.parent if _is_meta(path) else path
    digests: dict[str, str] = {}
    meta = _load(path / META, digests)
    strings = meta.get("meta_archs") if isinstance(meta, dict) else None
    if not isinstance(strings, list):
        raise UserError(f"{path / META} has no list 'meta_archs' of architectures")
    names = {f"{index:06d}.pickle.pbz2": index for index in range(len(strings))}
    files = {file.name for file in path.glob("*.pbz2") if not is_litter(file.name)}
    stray = sorted(files - set(names) - {META})
    if stray:
        raise UserError(f"{path} has {stray[0]}, which is none of the {len(names)} architectures of its {META}")
    rows = (row for name, index in names.items() for row in _rows(space, path / name, strings[index], digests))
    table = build(space, str(path), f"{path.absolute().name}: NATS-Bench topology, {TRAINING}", rows, "")
    listing = "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items()))
    return replace(table, sha256=hashlib.sha256(listing.encode()).hexdigest())


def recognises_nats(path: Path) -> bool:
    """Whether it is a folder with the meta file, or that file."""
    return _is_meta(path) or (path / META).is_file()


def _is_meta(path: Path) -> bool:
    return path.name == META and path.is_file()


def _load(path: Path, digests: dict[str, str]) -> Any:
    packed = read_bytes(path)
    digests[path.name] = hashlib.sha256(packed).hexdigest()
    return load_plain(io.BytesIO(unpacked(packed, str(path))), str(path))


def _rows(space: SearchSpace, path: Path, string: Any, digests: dict[str, str]) -> Iterator[Row]:
    """One row, or none if the file or its trials on a data set are missing."""
    if not path.is_file():
        return
    op_ids = decode(space, string, f"{path.parent / META} entry {int(path.name[:6])}")
    try:
        state = _load(path, digests)[str(EPOCHS)]
        if state["arch_str"] != string:
            raise UserError(f"{path} holds the results of another architecture than its number in {META} says")
        means = {dataset: _mean(state, dataset, split) for dataset, split in SPLITS.items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} holds no results of {EPOCHS} epochs in NATS-Bench's form") from error
    if None not in means.values():
        yield Row(str(path), op_ids, means)


def _mean(state: Any, dataset: str, split: str) -> float | None:
    seeds = state["dataset_seed"].get(dataset)
    trials = [state["all_results"][dataset, seed] for seed in seeds or ()]
    if any(trial["epochs"] != EPOCHS for trial in trials):
        raise KeyError(EPOCHS)
    values = [trial["eval_acc1es"][f"{split}@{EPOCHS - 1}"] for trial in trials]
    return sum(values) / len(values) if values else None
