"""NAS-Bench-201's API file, `NAS-Bench-201-v1_1-096897.pth` (Dong & Yang, ICLR 2020).

The file is read here, since the package's own loader would run whatever a file says; the queries are answered by the
package `nas-bench-201`, which needs torch.
"""

import hashlib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jaxnas.benchmarks.contents import zip_names
from jaxnas.benchmarks.nats import EPOCHS, SPLITS, TRAINING
from jaxnas.benchmarks.table import Row, Table, build, decode
from jaxnas.foreign.pickled import load_plain
from jaxnas.spaces.base import SearchSpace
from jaxnas.types import UserError

# torch.save wrote several pickles one after the other until torch 1.6; the first is this number.
OLD_FORM = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."


def read_nas_bench_201(space: SearchSpace, path: Path) -> Table:
    """The table of the API file, which is held in memory as a whole: about five times its size.

    Raises UserError without torch, and for a file that is missing, damaged, incomplete or of another form.
    """
    results = _package()
    try:
        with open(path, "rb") as handle:
            digest = hashlib.file_digest(handle, "sha256").hexdigest()
        found = _load(path)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    strings, infos = (found.get("meta_archs"), found.get("arch2infos")) if isinstance(found, dict) else (None, None)
    if not isinstance(strings, list) or not isinstance(infos, dict):
        raise UserError(f"{path} has no 'meta_archs' and 'arch2infos' as NAS-Bench-201's API file has")
    stray = len(set(infos) - set(range(len(strings))))
    if stray:
        raise UserError(f"{path} has results of {stray} architectures beyond its {len(strings)}")
    rows = (row for index, info in infos.items() for row in _rows(space, path, index, strings[index], info, results))
    return build(space, str(path), f"{path.name}: NAS-Bench-201, {TRAINING}", rows, digest)


def recognises_nas_bench_201(path: Path) -> bool:
    """Whether it is a file of torch.save, of the old or the new form."""
    if not path.is_file():
        return False
    with open(path, "rb") as handle:
        return handle.read(len(OLD_FORM)) == OLD_FORM or _pickle_in(zip_names(path)) is not None


def _package() -> Any:
    try:
        from nas_201_api import ArchResults
    except ImportError as error:
        raise UserError(
            f"NAS-Bench-201's API file needs the packages nas-bench-201 and torch ({error}): pip install torch==2.13.0"
        ) from error
    return ArchResults


def _pickle_in(names: list[str]) -> str | None:
    return next((name for name in names if name.count("/") == 1 and name.endswith("/data.pkl")), None)


def _load(path: Path) -> Any:
    name = _pickle_in(zip_names(path))
    if name is None:
        with open(path, "rb") as handle:
            if handle.read(len(OLD_FORM)) != OLD_FORM:
                raise UserError(f"{path} is damaged, or no file of torch.save")
            for _ in ("protocol", "sizes of the system"):
                load_plain(handle, str(path))
            return load_plain(handle, str(path))
    try:
        with zipfile.ZipFile(path) as archive, archive.open(name) as stream:
            if archive.getinfo(name).compress_type != zipfile.ZIP_STORED:
                raise UserError(f"{path} is compressed, which torch.save never does")
            found = load_plain(stream, str(path))
            while stream.read(1 << 20):  # the checksum is compared at the end
                pass
            return found
    except (zipfile.BadZipFile, EOFError, RuntimeError) as error:
        raise UserError(f"{path} is damaged or truncated ({type(error).__name__})") from error


def _rows(space: SearchSpace, path: Path, index: int, string: Any, info: Any, results: Any) -> Iterator[Row]:
    """One row, or none if the architecture has no trial on a data set."""
    place = f"{path} architecture {index}"
    op_ids = decode(space, string, place)
    state = info.get("full") if isinstance(info, dict) else None
    if not isinstance(state, dict) or state.get("arch_str") != string:  # a text here would be a file to load
        raise UserError(f"{place}: there are no results of {EPOCHS} epochs of this architecture")
    try:
        trials = results.create_from_state_dict(state)
        means = {dataset: _mean(trials, dataset, split) for dataset, split in SPLITS.items()}
    except Exception as error:  # the package checks nothing
        raise UserError(f"{place}: the results are not in NAS-Bench-201's form ({type(error).__name__})") from error
    if None not in means.values():
        yield Row(place, op_ids, means)


def _mean(trials: Any, dataset: str, split: str) -> float | None:
    if not trials.dataset_seed.get(dataset):
        return None
    if trials.get_total_epoch(dataset) != EPOCHS:
        raise ValueError(f"not {EPOCHS} epochs")
    # The package's default is a random trial; this is the mean over all of them.
    return trials.get_metrics(dataset, split, is_random=False)["accuracy"]
