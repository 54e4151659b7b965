"""Files of a tar archive, read without unpacking it to disk; packed or plain, whatever its name says."""

import io
import posixpath
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from jaxnas.foreign.packed import unpack
from jaxnas.types import UserError

MEMBERS = 100  # more are refused


def member_names(archive: Path, most: int) -> list[str]:
    """Normalised names of all members. Raises UserError as `read_members` does."""
    with _members(archive, most) as members:
        return [normalised(member.name) for member, _ in members]


def read_members(archive: Path, most: int, wanted: Callable[[str], str | None]) -> dict[str, bytes]:
    """Name -> bytes of the members that `wanted` gives a name, by their normalised names; no link is followed.

    Of a member that was added twice the last counts, as when it is unpacked. Raises UserError for an archive that is
    damaged, cut short, or unpacks to more than `most` bytes, and for two members that claim one name.
    """
    contents: dict[str, bytes] = {}
    claims: dict[str, str] = {}
    with _members(archive, most) as members:
        for member, tar in members:
            path = normalised(member.name)
            name = wanted(path)
            if name is None:
                continue
            if claims.setdefault(name, path) != path:
                raise UserError(f"{archive} holds {name} twice, as {claims[name]} and as {path}")
            handle = tar.extractfile(member) if member.isfile() and not member.issparse() else None
            if handle is None:
                raise UserError(f"{archive}:{member.name} is not a plain file")
            contents[name] = handle.read()
    return contents


def normalised(name: str) -> str:
    """A path without `.`, `..`, doubled slashes and the slash of an absolute one: nothing is written where it leads."""
    return posixpath.normpath(posixpath.join("/", name.replace("\\", "/"))).lstrip("/")


@contextmanager
def _members(archive: Path, most: int) -> Iterator[Iterator[tuple[tarfile.TarInfo, tarfile.TarFile]]]:
    try:
        with archive.open("rb") as stream:
            whole = unpack(stream, str(archive), most + 1)
        if len(whole) > most:
            raise UserError(f"{archive} unpacks to more than {most} bytes, so it is not the archive of this data set")
        with tarfile.open(fileobj=io.BytesIO(whole), mode="r:") as tar:
            yield _counted(tar, archive)
    except UserError:
        raise
    except Exception as error:  # a damaged archive raises almost anything
        raise UserError(f"cannot read {archive}: damaged, truncated or no tar archive ({error})") from error


def _counted(tar: tarfile.TarFile, archive: Path) -> Iterator[tuple[tarfile.TarInfo, tarfile.TarFile]]:
    for number, member in enumerate(tar):
        if number == MEMBERS or member.size < 0:  # a forged size leads back to where it stood
            raise UserError(f"{archive} is refused: more than {MEMBERS} members, or one of a negative size")
        yield member, tar
