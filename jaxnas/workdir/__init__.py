"""The directory of a run: whole files only, stages that go on after a kill, and what the run was made with."""

from jaxnas.workdir.files import (
    append_rows,
    changes,
    flat,
    open_workdir,
    read_json,
    read_jsonl,
    refuse_change,
    write_arrays,
    write_csv,
    write_json,
    write_whole,
)
from jaxnas.workdir.journal import Journal, open_journal
from jaxnas.workdir.lock import locked, told_in_one_line
from jaxnas.workdir.progress import Progress, progress
from jaxnas.workdir.stages import open_stage, read_stages

__all__ = [
    "Journal",
    "Progress",
    "append_rows",
    "changes",
    "flat",
    "locked",
    "open_journal",
    "open_stage",
    "open_workdir",
    "progress",
    "read_json",
    "read_jsonl",
    "read_stages",
    "refuse_change",
    "told_in_one_line",
    "write_arrays",
    "write_csv",
    "write_json",
    "write_whole",
]
