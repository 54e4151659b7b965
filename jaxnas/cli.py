"""The command `jaxnas`, also `python -m jaxnas`: names the commands, loads plugins and runs one command."""

import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import NamedTuple

from rich import box
from rich.console import Console
from rich.table import Table

from jaxnas.console import print_error, print_line
from jaxnas.plugins import ABOUT, load_plugins, split_imports
from jaxnas.types import UserError


class Entry(NamedTuple):
    """Where the `main` of a command lies, and a line of what it does."""

    module: str
    line: str


COMMANDS: dict[str, Entry] = {
    "few-shot": Entry("few_shot.command", "few-shot NAS end to end, judged beside its controls"),
    "report": Entry("commands.report", "render the page of a run again, from its files"),
    "compare": Entry("commands.compare", "several runs in one table, paired by seed"),
    "predict": Entry("commands.predict", "classes of images, by the network that a run chose"),
    "import-benchmark": Entry("commands.import_benchmark", "true accuracies of any known format, as one small table"),
    "search": Entry("studies.search.single", "one search: one algorithm, one selector"),
    "selection-study": Entry("studies.search.command", "all pairs of search algorithms and selectors, over seeds"),
    "ablate-splits": Entry("studies.split_ablation.command", "splits x algorithms x seeds, beside their controls"),
    "ablate-metrics": Entry("studies.metric_ablation.command", "what every metric says of every edge"),
    "analyse-splits": Entry("studies.split_quality.command", "what splits are worth by true accuracies"),
    "select-supernets": Entry("studies.leaf_selection.command", "which rule picks the right sub-supernet"),
    "correlate-metrics": Entry("studies.correlation.command", "how well metrics rank untrained networks"),
    "drift": Entry("studies.drift.command", "what a search favours as it goes on"),
    "ceilings": Entry("studies.ceilings.command", "how far rankings agree at best in a setting"),
    "regime": Entry("studies.regime.command", "in which setting supernets rank at all"),
    "tensorboard": Entry("commands.tensorboard", "learning curves of a run as TensorBoard events"),
}
PASSED_OVER = {
    "JAX_ENABLE_X64": "networks compute in 32 bits",
    "JAX_DISABLE_JIT": "a run is compiled, or it would not end",
}
"""variables of the environment that would make other runs of the same commands, and why they do not"""
FILES_ALONE = {"report", "compare", "predict", "import-benchmark", "analyse-splits", "tensorboard"}
"""commands that read no registry: installed plugins are not loaded for them"""


def run(name: str, arguments: Sequence[str], prog: str | None = None, modules: Sequence[str] = ()) -> int:
    """The exit code of a command of `COMMANDS`, once plugins are loaded: `modules`, those of `--import`, and installed.

    `prog` is what its usage calls it. 2 for a plugin that cannot be loaded.
    """
    named, rest = split_imports(arguments)
    for variable, why in PASSED_OVER.items():
        if os.environ.pop(variable, "").lower() not in ("", "0", "false", "no", "off", "n", "f"):
            print_line(f"warning: {variable} is passed over: {why}", "yellow")
    try:
        load_plugins([*modules, *named], installed=name not in FILES_ALONE)
    except UserError as error:
        print_error(str(error))
        return 2
    main: Callable[..., int] = import_module(f"jaxnas.{COMMANDS[name].module}").main
    return main(rest, prog=prog or f"jaxnas {name}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command that the first argument beside `--import` names; without one it lists them. 2 for no name."""
    modules, given = split_imports(sys.argv[1:] if arguments is None else arguments)
    if not given or given[0] in ("-h", "--help"):
        Console().print(overview())
        return 0
    if given[0] == "--version":
        import jaxnas

        print(jaxnas.__version__)
        return 0
    if given[0] not in COMMANDS:
        print_error(f"there is no command {given[0]!r}; allowed: {', '.join(COMMANDS)}")
        return 2
    return run(given[0], given[1:], modules=modules)


def overview() -> Table:
    """All commands with a line each."""
    table = Table("command", "what it does", box=box.SIMPLE, title="jaxnas COMMAND --help says more", caption=ABOUT)
    for name, entry in COMMANDS.items():
        table.add_row(name, entry.line)
    return table
