"""docs/cli.md: every command with its run book, flags and presets, and every group of settings."""

import inspect
import typing
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType
from typing import Any

from jaxnas.cli import COMMANDS
from tests.reference.source import Field, anchor, comments_of, fields_of, first, linked, place, table

CLONE_ONLY = {"benchmark": "experiments.bench.command", "scaling": "experiments.bench.scaling"}
TABLES_OF_PRESETS = ("PRESETS", "STUDIES", "SPLITS", "SETTINGS")  # what modules of commands call their presets
WRITTEN = {"SETTINGS": "experiments.bench.rows"}  # where those lie that a command's module imports


def flag(name: str) -> str:
    return f"`--{name.replace('_', '-')}`"


def flags(kind: type, prefix: str = "") -> Iterator[str]:
    """Every flag of a command's or config's dataclass, as the command line writes it."""
    for field in fields_of(kind):
        own = f"{prefix}{field.name}".replace("_", "-")
        if field.config is not None:
            yield from flags(field.config, prefix if field.flat else f"{own}.")
        elif not positional(kind, field):
            yield f"--{own}"


def positional(kind: type, field: Field) -> bool:
    hint = typing.get_type_hints(kind, include_extras=True)[field.name]
    return typing.get_origin(hint) is typing.Annotated and "Positional" in repr(typing.get_args(hint)[1:])


def rows_of(kind: type, prefix: str = "") -> list[tuple[str, ...]]:
    """The rows of a table of flags; groups of settings are links, but for those that have no section of their own."""
    rows = []
    for field in fields_of(kind):
        about = field.about or (first(field.config.__doc__) if field.config else "")
        if field.config is not None and in_line(field):
            rows += rows_of(field.config, prefix)
        elif field.config is not None:
            name = "..." if field.flat else flag(f"{prefix}{field.name}.*")
            rows.append((name, anchor(field.config), "", about))
        elif positional(kind, field):
            rows.append((f"`{field.name.upper()}`", f"`{field.kind}`", field.default, about))
        else:
            rows.append((flag(prefix + field.name), f"`{field.kind}`", field.default, about))
    return rows


def in_line(field: Field) -> bool:
    """Whether a group of settings stands in the table of what it is part of: it has no name of its own there, and holds
    no groups."""
    return field.config is not None and field.flat and not any(of.config for of in fields_of(field.config))


def groups(kind: type, prefix: str = "") -> Iterator[tuple[type, str]]:
    """The groups of settings below a dataclass and the start of their flags, each before what it is made of."""
    for field in fields_of(kind):
        if field.config is not None and not in_line(field):
            start = prefix if field.flat else f"{prefix}{field.name}."
            yield field.config, start
            yield from groups(field.config, start)


def presets_of(module: ModuleType) -> tuple[str, dict[str, Any]] | None:
    """The name and the presets of a command's module: those of the settings that its flags are."""
    settings = {field.config for field in fields_of(module.Command) if field.flat}
    tables = [(name, getattr(module, name)) for name in TABLES_OF_PRESETS if hasattr(module, name)]
    return next(((name, of) for name, of in tables if {type(preset) for preset in of.values()} <= settings), None)


def about_presets(module: ModuleType, name: str) -> dict[str, str]:
    """Preset -> what the command says of it; without that the comment above its settings."""
    return getattr(module, "ABOUT", None) or comments_of(WRITTEN.get(name, module.__name__), name)


def command_part(name: str, module: ModuleType, run_as: str) -> str:
    parts = [f"## {name}", run_as, linked(inspect.cleandoc(module.__doc__ or ""))]
    presets = presets_of(module)
    if presets is not None:
        told = about_presets(module, presets[0])
        rows = [(f"`{key}`", told.get(key, "")) for key in presets[1]]
        parts.append(table(("preset", "what it runs, needs, takes and gives"), rows))
    parts.append(table(("flag", "type", "default", "what"), rows_of(module.Command)))
    return "\n\n".join(parts)


def command_modules() -> dict[str, ModuleType]:
    """Command -> the module of its docstring, flags and presets; those of `jaxnas` first."""
    found = {name: import_module(f"jaxnas.{entry.module}") for name, entry in COMMANDS.items()}
    return found | {name: import_module(module) for name, module in CLONE_ONLY.items()}


def cli_page() -> str:
    modules = command_modules()
    lines = {name: entry.line for name, entry in COMMANDS.items()}
    lines |= {name: first(modules[name].__doc__).rstrip(".") for name in CLONE_ONLY}
    index = table(("command", "what it does"), [(f"[{name}](#{name})", line) for name, line in lines.items()])
    parts = [CLI_HEAD, index]
    for name, module in modules.items():
        clone = f"`python -m experiments.{name.replace('-', '_')}`"
        run_as = f"{clone}, from a clone only." if name in CLONE_ONLY else f"`jaxnas {name}`, or {clone}."
        parts.append(command_part(name, module, run_as))
    parts.append(SETTINGS_HEAD)
    found = dict.fromkeys(group for module in modules.values() for group in groups(module.Command))
    for kind, start in found:
        flags = f"`--{start}*`: " if start else ""
        parts.append(f"### {kind.__name__}\n\n{flags}{first(kind.__doc__)} In {place(kind.__module__)}.")
        parts.append(table(("flag", "type", "default", "what"), rows_of(kind, start)))
    return "\n\n".join(parts) + "\n"


CLI_HEAD = """# Commands

<!-- Made from the code by `python -m tests.reference`: change the docstrings there, not this page. -->

After `pip install .` in a clone a command is `jaxnas NAME`. Without an installation it is
`python -m experiments.NAME`, with `_` in place of `-`. Both take the same arguments; `--help` lists them, and `jaxnas`
alone lists the commands.

- **Presets.** Where a command has presets, its first argument names one. Each setting can be overridden by its flag:
  `--data.batch 32 --split.groups 2 3`. A setting that is true or false has two flags, `--data.flip` and
  `--data.no-flip`. `few-shot` also takes the `config.json` of a former run in place of a preset.
- **Plugins.** `--import MODULE`, with any command of `jaxnas` and as often as there are modules, adds what
  [a module of your own](extending.md#plugins) registers. [benchmark](#benchmark) and [scaling](#scaling) lack it.
- **Exit codes.** 0; 2 for bad input, with one line that says what was given and what is allowed; 3 where training
  diverged; 4 where another process of the run ended; 130 when stopped at the keyboard.
- **Files.** [Reading a run](reading-a-run.md) defines every file and column, [data](data.md) and
  [benchmarks](benchmarks.md) say what can be given as DATA and TABLE, and [findings](findings.md) what was found.
- **Times** are those of 2 cores of an Intel Xeon without a GPU, in part with other work on the machine."""

SETTINGS_HEAD = """## Settings

One table for each group of settings. Defaults are those of the group; presets override some of them, and `--help` after
a preset shows what holds there."""
