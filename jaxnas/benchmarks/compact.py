"""The compact table: everything a run needs of a benchmark in one small .npz that holds nothing but arrays."""

import io
import os
import re
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from jaxnas.benchmarks.contents import LIMIT, read_bytes, zip_names
from jaxnas.benchmarks.table import Table, check_percent
from jaxnas.foreign import npz
from jaxnas.spaces.base import SearchSpace
from jaxnas.types import UserError, truncated_repr

FORM = "jaxnas accuracies 1"
KINDS = ("U", "i", "f")  # texts, edges and accuracies
FIELDS = ("form", "space", "ops", "edges", "source", "sha256", "datasets", "accuracies")


def write_compact(table: Table, path: Path) -> None:
    """Writes a table aside and renames it; the same table gives the same bytes.

    Raises UserError if there is another file already, or if it cannot be written.
    """
    names = sorted(table.accuracies)
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        form=np.array(FORM),
        space=np.array(table.space.name),
        ops=np.array(table.space.ops),
        edges=np.array(table.space.edges),
        source=np.array(table.source),
        sha256=np.array(table.sha256),
        datasets=np.array(names),
        accuracies=np.stack([table.accuracies[name] for name in names]),  # [D, N]
    )
    try:
        if path.exists() and (not path.is_file() or path.read_bytes() != buffer.getvalue()):
            raise UserError(f"{path} exists and is not this table; remove it or name another file")
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as aside:
            aside.write(buffer.getvalue())
        os.chmod(aside.name, 0o644)
        os.replace(aside.name, path)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from error


def read_compact(space: SearchSpace, path: Path) -> Table:
    """The table of a compact file; its source is that of the file it was made from.

    Raises UserError if it is missing, damaged, of another form or space, or holds fractions or anything else that is no
    percentage.
    """
    fields = _fields(path)
    of = {"space": space.name, "ops": list(space.ops), "edges": [list(edge) for edge in space.edges]}
    for name, wanted in of.items():
        if fields[name].tolist() != wanted:
            raise UserError(
                f"{path} has {name} {truncated_repr(fields[name].tolist())}, {space.name} has {truncated_repr(wanted)}"
            )
    names, values = fields["datasets"].tolist(), fields["accuracies"]
    if not isinstance(names, list) or not names or not all(isinstance(n, str) for n in names):
        raise UserError(f"{path} names no data sets")
    if len(set(names)) < len(names) or values.shape != (len(names), space.size) or values.dtype != np.float64:
        wanted_shape = (len(names), space.size)
        raise UserError(f"{path} needs accuracies float64 {wanted_shape}, it has {values.dtype} {values.shape}")
    wrong = np.argwhere(~((values >= 0) & (values <= 100)))
    if len(wrong):
        dataset, index = wrong[0]
        value = float(values[dataset, index])
        raise UserError(
            f"{path}: {truncated_repr(names[dataset])} of architecture {index} is no percentage, but {value}"
        )
    accuracies = dict(zip(names, values, strict=True))
    check_percent(str(path), accuracies)
    source, sha256 = fields["source"].tolist(), fields["sha256"].tolist()
    if not isinstance(source, str) or not isinstance(sha256, str) or not re.fullmatch("([0-9a-f]{64})?", sha256):
        raise UserError(f"{path} does not tell its source and the sha256 of it")
    return Table(space, source, accuracies, sha256)


def recognises_compact(path: Path) -> bool:
    """Whether it is an .npz with the fields of a compact table."""
    return {f"{field}.npy" for field in FIELDS} <= set(zip_names(path))


def _fields(path: Path) -> dict[str, np.ndarray]:
    content = read_bytes(path)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            size = sum(info.file_size for info in archive.infolist())
            if size > LIMIT:
                raise UserError(f"{path} unpacks to {size >> 20} MiB, larger than any table")
            fields = {name: npz.read_array(archive, str(path), name, KINDS) for name in FIELDS}
    except UserError:
        raise
    except Exception as error:  # a damaged archive raises almost anything
        raise UserError(f"{path} is damaged, or no compact table ({type(error).__name__})") from error
    if fields["form"].tolist() != FORM:
        raise UserError(f"{path} has form {truncated_repr(fields['form'].tolist())}, this version reads {FORM!r}")
    return fields
