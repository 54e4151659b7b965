"""Arrays of an .npz file, read without pickle and with every claimed size checked before memory is taken."""

import math
import zipfile

import numpy as np
from numpy.lib import format as npy

from jaxnas.types import UserError, truncated_repr

LARGEST = 2**31  # bytes of one array; some 700,000 images of 32x32x3
READERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def names_of(archive: zipfile.ZipFile) -> set[str]:
    """Names of the arrays in the archive."""
    return {name.removesuffix(".npy") for name in archive.namelist()}


def claimed(
    archive: zipfile.ZipFile, where: str, name: str, kinds: tuple[str, ...]
) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type that the header of an array claims; nothing else of it is unpacked.

    `kinds` are beginnings of numpy's code of the type after the byte order, such as `u1` and `f`. Raises UserError,
    naming `where` and the array, for another type, and unless the claim fits the size of the member and LARGEST.
    """
    member = archive.getinfo(f"{name}.npy")
    place = f"{where}:{name}"
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise UserError(f"{place} is packed in a way that numpy does not write (method {member.compress_type})")
    with archive.open(member) as stream:
        version = npy.read_magic(stream)
        if version not in READERS:
            raise UserError(f"{place} is of version {version}, allowed: {list(READERS)}")
        shape, _, dtype = READERS[version](stream)
        begin = stream.tell()
    if not dtype.str[1:].startswith(kinds):
        raise UserError(f"{place} must be an array of {' or '.join(kinds)}, not of {truncated_repr(str(dtype))}")
    size = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or begin + size != member.file_size or size > LARGEST:
        lies = f"claims {truncated_repr(shape)} in a member of {member.file_size} bytes"
        raise UserError(f"{place} {lies}; the two must agree and be at most {LARGEST} bytes")
    return shape, dtype


def read_array(archive: zipfile.ZipFile, where: str, name: str, kinds: tuple[str, ...]) -> np.ndarray:
    """One array, after `claimed` let it pass. Raises UserError as that does, and almost anything for damage."""
    claimed(archive, where, name, kinds)
    with archive.open(f"{name}.npy") as stream:
        array = npy.read_array(stream, allow_pickle=False)
        stream.read(1)  # the end, where zip verifies its checksum
    return array
