"""The directory of a run: whole files only, and what the run was made with."""

from jaxnas.workdir.files import append_rows, open_workdir, write_csv, write_json
from jaxnas.workdir.progress import Progress, progress

__all__ = ["Progress", "append_rows", "open_workdir", "progress", "write_csv", "write_json"]
