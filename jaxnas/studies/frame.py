"""What the commands of studies have in common: a device for each core, and progress on the terminal."""

from collections.abc import Callable
from typing import TypeVar

from rich.console import Console

from jaxnas.distributed.parallel import use_every_core
from jaxnas.workdir import Progress, progress

Command = TypeVar("Command")
Found = TypeVar("Found")


def run_shown(run: Callable[[Command, Progress], Found], command: Command, console: Console) -> Found:
    """What `run` returns; its progress is shown on the console. Raises what `run` raises."""
    use_every_core()
    with progress(console) as show:
        return run(command, show)
