"""The formats that true accuracies come in, and reading whichever of them a file is."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from jaxnas.benchmarks.analog import read_analog, recognises_analog
from jaxnas.benchmarks.compact import read_compact, recognises_compact
from jaxnas.benchmarks.csv_table import read_csv, recognises_csv
from jaxnas.benchmarks.found import told
from jaxnas.benchmarks.nas_bench_201 import read_nas_bench_201, recognises_nas_bench_201
from jaxnas.benchmarks.nats import read_nats, recognises_nats
from jaxnas.benchmarks.table import Table
from jaxnas.spaces.base import SearchSpace
from jaxnas.types import UserError, truncated_repr


class Reader(NamedTuple):
    """One format."""

    read: Callable[[SearchSpace, Path], Table]
    """the whole table, or UserError"""
    recognises: Callable[[Path], bool]
    """whether an existing file or folder looks like this format, by what it holds"""
    about: str
    """what is read, for messages"""


READERS: dict[str, Reader] = {
    "compact": Reader(read_compact, recognises_compact, "a table of experiments.import_benchmark"),
    "csv": Reader(read_csv, recognises_csv, "a CSV with a column 'architecture' and one of percent for each data set"),
    "nas-bench-201": Reader(read_nas_bench_201, recognises_nas_bench_201, "NAS-Bench-201's API file (.pth)"),
    "nats-bench": Reader(read_nats, recognises_nats, "NATS-Bench's unpacked folder NATS-tss-v1_0-3ffb9-simple"),
    "analog-nasbench": Reader(read_analog, recognises_analog, "analog-nasbench's data.anb, package folder or wheel"),
}


def read_table(
    space: SearchSpace, path: Path, format: str = "auto", architecture: str | None = None, datasets: Sequence[str] = ()
) -> Table:
    r"""True accuracies of every architecture of a space, from a file or folder of one of the formats of READERS.

    Args:
        space: whose architectures the file has, all of them.
        path: the file or folder.
        format: a name of READERS; `auto`: the format that the file holds.
        architecture: of a CSV, its column of architectures; by default `architecture`, `arch_str` or `arch`.
        datasets: of a CSV, its columns of data sets, each COLUMN or NAME=COLUMN; by default those of known data sets.

    Returns:
        The `Table`: accuracies in percent by data set, whose names are in lower case; float [N], in the order of
        `space.enumerate()`. Its `query` takes op_ids int [A, E]; its `notes` tell which columns were ignored.

    Raises:
        UserError: for an unknown format, and for what is absent or of no known format; naming the place, for what is
            damaged or of another space, a value outside 0 .. 100, fractions in place of percent, and an architecture
            that is given twice or missing.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from jaxnas import SearchSpace, read_table
        >>> space = SearchSpace("edge", ("none", "skip_connect"), ((1, 0),))  # 2 architectures
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "table.csv")
        ...     _ = path.write_text("architecture,digits\n|none~0|,10\n|skip_connect~0|,62.5\n")
        ...     table = read_table(space, path)
        >>> table.query(space.enumerate(), "digits").tolist()
        [10.0, 62.5]
    """
    if format != "auto" and format not in READERS:
        raise UserError(f"there is no format {truncated_repr(format)}; allowed: {['auto', *READERS]}")
    if architecture is not None or datasets:
        if format not in ("auto", "csv"):
            raise UserError(f"columns can be named of a CSV, and {path} is to be read as {format}")
        return read_csv(space, path, architecture, datasets)
    if format == "auto":
        try:
            if not path.exists():
                raise UserError(f"cannot read {path}: there is no such file or folder")
            if not path.is_file() and not path.is_dir():
                raise UserError(f"cannot read {path}: it is neither a file nor a folder")
            format = next((name for name, reader in READERS.items() if reader.recognises(path)), "auto")
            if format == "auto":
                known = "; ".join(f"{name}: {reader.about}" for name, reader in READERS.items())
                raise UserError(f"{path} is damaged or of no known format: it is {told(path)}; expected ({known})")
        except OSError as error:
            raise UserError(f"cannot read {path}: {error.strerror}") from error
    return READERS[format].read(space, path)
