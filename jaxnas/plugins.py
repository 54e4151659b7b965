"""Modules from outside, which register metrics, backgrounds, algorithms, selectors and rules when they are imported."""

import json
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module, metadata
from pathlib import Path
from typing import Any, NamedTuple

from jaxnas.types import UserError

GROUP = "jaxnas.plugins"  # of entry points whose value is a module
FLAG = "--import"
ABOUT = f"{FLAG} MODULE adds what a module of your own registers"
REGISTRIES = {
    "METRICS": "jaxnas.metrics",
    "BACKGROUNDS": "jaxnas.metrics",
    "ALGORITHMS": "jaxnas.search",
    "SELECTORS": "jaxnas.selection",
    "OBJECTIVES": "jaxnas.splitting",
    "EDGE_RULES": "jaxnas.splitting",
    "LOOKS": "jaxnas.splitting.edges",
    "TIES": "jaxnas.splitting",
    "ESTIMATES": "jaxnas.selection",
    "RULES": "jaxnas.selection",
}
"""registry -> where it lies"""
Registries = dict[str, dict[str, Callable[..., Any]]]


class Plugin(NamedTuple):
    """A module that was imported to register something."""

    module: str
    names: dict[str, list[str]]
    """registry -> what it registered there"""


_LOADED: list[Plugin] = []


def loaded() -> tuple[Plugin, ...]:
    """The plugins of this process, in the order in which they were loaded."""
    return tuple(_LOADED)


def split_imports(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """(modules that `--import MODULE` and `--import=MODULE` name, the other arguments)."""
    modules, rest, left = [], [], iter(arguments)
    for text in left:
        if text == FLAG:
            modules.append(next(left, ""))
        elif text.startswith(f"{FLAG}="):
            modules.append(text.removeprefix(f"{FLAG}="))
        else:
            rest.append(text)
    return modules, rest


def load_plugins(modules: Sequence[str] = (), installed: bool = True) -> None:
    """Imports the modules of installed entry points (unless `installed` is False), then `modules`, each once.

    `modules` are found as `python -m` finds them, from the current directory on. Raises UserError for a module that is
    not there or raises, that replaces a name of the library or of another plugin, or that registers what cannot be a
    name or a function; the registries are then as before it.
    """
    for module in modules:
        if module.endswith(".py") or not all(part.isidentifier() for part in module.split(".")):
            raise UserError(f"{FLAG} takes the name of a module, such as my_metrics or package.metrics, not {module!r}")
    entries = sorted(metadata.entry_points(group=GROUP)) if installed else []
    origins = {entry.module: f"the installed plugin {entry.module}" for entry in entries}
    origins |= {module: f"{FLAG} {module}" for module in modules if module not in origins}
    if modules and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    known = {plugin.module for plugin in _LOADED}
    for module, origin in origins.items():
        if module not in known:
            _LOADED.append(_load(module, origin))


def advice(sentence: str, arguments: Sequence[str]) -> str:
    """What to add to an error that names what a plugin registers which this command lacks; else nothing.

    Plugins are those of the runs that the arguments name: a work directory, a folder of such, or a config.json.
    """
    known = {plugin.module for plugin in _LOADED}
    for path in _environments(arguments):
        lacking = [
            module
            for module, names in _recorded(path).items()
            if module not in known and any(re.search(rf"\b{re.escape(name)}\b", sentence) for name in names)
        ]
        if lacking:
            return f"; the run in {path.parent} was started with {' '.join(f'{FLAG} {module}' for module in lacking)}"
    return ""


def _load(module: str, origin: str) -> Plugin:
    live = _registries()
    before = {name: dict(entries) for name, entries in live.items()}
    try:
        _import(module, origin)
        _check(live, before, origin)
    except UserError:
        for name, entries in live.items():
            entries.clear()
            entries.update(before[name])
        sys.modules.pop(module, None)  # or it would count as imported, and register nothing
        raise
    new = {name: [key for key in entries if key not in before[name]] for name, entries in live.items()}
    return Plugin(module, {name: keys for name, keys in new.items() if keys})


def _import(module: str, origin: str) -> None:
    try:
        import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise UserError(_failure(error, origin)) from error
        raise UserError(f"{origin}: there is no module {error.name}, neither here nor installed") from error
    except (Exception, SystemExit) as error:
        raise UserError(_failure(error, origin)) from error


def _failure(error: BaseException, origin: str) -> str:
    where = traceback.extract_tb(error.__traceback__)[-1]
    place = (error.filename, error.lineno) if isinstance(error, SyntaxError) else (where.filename, where.lineno)
    return f"{origin} fails: {type(error).__name__}: {' '.join(str(error).split())} ({place[0]}, line {place[1]})"


def _check(live: Registries, before: Registries, origin: str) -> None:
    """Raises UserError for a name that was replaced, and for a new one that is none or stands for no function."""
    for registry, entries in live.items():
        for name, value in before[registry].items():
            if entries.get(name) is not value:
                owners = [plugin.module for plugin in _LOADED if name in plugin.names.get(registry, ())]
                raise UserError(
                    f"{origin} replaces {registry}[{name!r}] of {(*owners, 'jaxnas')[0]}; it must take another name"
                )
        for name in entries.keys() - before[registry].keys():
            if not isinstance(name, str) or not name.isidentifier() or not callable(entries[name]):
                raise UserError(
                    f"{origin} registers {registry}[{name!r}], which must be a name of letters, digits and _ and a "
                    f"function; it is {type(entries[name]).__name__}"
                )


def _registries() -> Registries:
    return {name: getattr(import_module(place), name) for name, place in REGISTRIES.items()}


def _environments(arguments: Sequence[str]) -> Iterator[Path]:
    for text in arguments:
        given = text.partition("=")[2] if text.startswith("--") else text
        if os.path.isdir(given):
            yield Path(given, "environment.json")
            yield from sorted(Path(given).glob("*/environment.json"))  # seeds, points, shards
        elif os.path.isfile(given):
            yield Path(given).with_name("environment.json")


def _recorded(path: Path) -> dict[str, list[str]]:
    """The plugins of all starts of a run, each with the names that it registered; none where that cannot be read."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        starts = [record["started"], *record["resumed"]]
        found = [plugin for start in starts for plugin in start.get("plugins", {}).items()]
        return {module: [name for of in names.values() for name in of] for module, names in found}
    except (OSError, ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return {}  # a command that needs the file tells what is wrong with it
