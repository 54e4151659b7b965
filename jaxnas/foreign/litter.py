"""What operating systems and browsers leave among files, passed over by every reader of folders and archives."""

import re
from pathlib import PurePath

NAMES = {"thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "@eadir", "$recycle.bin", "system volume information"}
COPY = re.compile(r" ?\(\d+\)(?=(\.[^.()]+)*$)")  # `name (1).ext`, a second download


def is_left_by_system(name: str) -> bool:
    """Whether one part of a path is a hidden file or a folder's own database.

    Readers of files that users named stop here: of images, `name (1).png` is as often the first of a series as a copy.
    """
    return name.startswith(".") or name.lower() in NAMES


def is_litter(name: str) -> bool:
    """Whether one part of a path is left by a system, or is the copy of a second download."""
    return is_left_by_system(name) or COPY.search(name) is not None


def in_litter(path: PurePath) -> bool:
    """Whether any part of a path inside an archive or folder is litter; `.` and `..` are none."""
    return any(is_litter(part) for part in path.parts if part not in (".", ".."))
