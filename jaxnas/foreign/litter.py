"""What operating systems and browsers leave among files, passed over by every reader of folders and archives."""

import re
from pathlib import PurePath

NAMES = {"thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "@eadir", "$recycle.bin", "system volume information"}
COPY = re.compile(r" ?\(\d+\)(?=(\.[^.()]+)*$)")  # `name (1).ext`, a second download


def is_litter(name: str) -> bool:
    """Whether one part of a path is litter: a hidden file, a folder's own database, the copy of a second download."""
    return name.startswith(".") or name.lower() in NAMES or COPY.search(name) is not None


def in_litter(path: PurePath) -> bool:
    """Whether any part of a path inside an archive or folder is litter; `.` and `..` are none."""
    return any(is_litter(part) for part in path.parts if part not in (".", ".."))
