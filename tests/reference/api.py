"""docs/api.md: the public names of the package, and the registries."""

import ast
import inspect
import sys
from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import Any

import jaxnas
from jaxnas.few_shot.presets import PRESETS
from tests.reference.docstrings import docstring, markdown, text_below
from tests.reference.source import comments_of, definition, fields_of, first, place, signature, source_of, table

# Registries beside those among the public names: where they lie, and what names one of theirs.
REGISTRIES = {
    "ALGORITHMS": ("jaxnas.search", "`--search.algorithm`, `--algorithm`, `--algorithms`"),
    "BACKGROUNDS": ("jaxnas.metrics.probes", "`--split.background`"),
    "EDGE_RULES": ("jaxnas.splitting", "`--split.edges`"),
    "ESTIMATES": ("jaxnas.selection", "`--search.leaf`"),
    "METRICS": ("jaxnas.metrics", "`--split.metric`, `--metrics`, `--selection.score`, `--score`"),
    "OBJECTIVES": ("jaxnas.splitting", "`--split.objective`"),
    "READERS": ("jaxnas.benchmarks", "`--format` of `import-benchmark`; of other commands the file itself tells"),
    "RULES": ("jaxnas.selection", "`--rules` of `select-supernets`"),
    "SELECTORS": ("jaxnas.selection", "`--selection.name`, `--selection`, `--selectors`"),
    "SOURCES": ("jaxnas.data.sources", "`--data.name`"),
    "SPACES": ("jaxnas.spaces", "`--net.space`"),
    "SPLIT_PRESETS": ("jaxnas.splitting", "no flag: settings of the literature, as a `SplitConfig`"),
    "TIES": ("jaxnas.splitting", "`--split.ties`"),
}


def api_page() -> str:
    parts: dict[str, list[str]] = {"Functions": [], "Types": [], "Values": [], "Modules": []}
    for name in sorted(jaxnas.__all__, key=str.lower):
        thing = getattr(jaxnas, name)
        if isinstance(thing, ModuleType):
            parts["Modules"].append(module_part(name, thing))
        elif isinstance(thing, type):
            parts["Types"].append(class_part(name, thing))
        elif inspect.isfunction(thing):
            parts["Functions"].append(function_part(name, thing))
        elif name not in REGISTRIES:
            parts["Values"].append(value_part(name))
    registries = [registry_part(name, *where) for name, where in REGISTRIES.items()]
    sections = [f"## {head}\n\n" + "\n\n".join(entries) for head, entries in parts.items()]
    return "\n\n".join([API_HEAD, *sections, REGISTRIES_HEAD, *registries]) + "\n"


API_HEAD = """# The library

<!-- Made from the code by `python -m tests.reference`: change the docstrings there, not this page. -->

What `import jaxnas` gives. Each name is imported when it is first asked for; `import jaxnas` alone imports no jax.
Shapes are in axis letters: K leaves, E edges, O operations, N cells of a stage, B examples, R repeats (batches),
A architectures, S steps, H W C height, width and channels of an image. Bad input raises `UserError`."""

REGISTRIES_HEAD = """## Registries

Plain dictionaries, mostly from a name to a function: one line registers a new entry, as [extending](extending.md) says.
"Settings" are arguments of that function with their defaults; a partial of it with others is a new entry."""


def function_part(name: str, thing: Callable[..., Any]) -> str:
    code = f"```python\n{signature(name, definition(thing))}\n```"
    return f"### {name}\n\n{code}\n\n{markdown(docstring(name))}\n\nIn {place(thing.__module__)}."


def class_part(name: str, thing: type) -> str:
    parts = [f"### {name}", markdown(docstring(name))]
    fields = [field for field in fields_of(thing) if not field.name.startswith("_")]
    if fields:
        rows = [(f"`{field.name}`", f"`{field.kind}`", field.about) for field in fields]
        parts.append(table(("field", "type", "what"), rows))
    rows = []
    for node in definition(thing).body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            prop = any(isinstance(of, ast.Name) and of.id == "property" for of in node.decorator_list)
            shape = node.name if prop else signature(node.name, node, method=True)
            rows.append((f"`{shape}`", first(ast.get_docstring(node))))
    if rows:
        parts.append(table(("method", "what"), rows))
    return "\n\n".join([*parts, f"In {place(thing.__module__)}."])


def module_part(name: str, thing: ModuleType) -> str:
    """What the docstring says, a row for each public function, and in full what is longer than a row."""
    parts = [f"### {name}", markdown(docstring(name)), f"In {place(thing.__name__)}."]
    nodes = [node for node in source_of(thing.__name__)[0].body if isinstance(node, ast.FunctionDef)]
    public = [(node, ast.get_docstring(node) or "") for node in nodes if not node.name.startswith("_")]
    rows = [(f"`{signature(node.name, node)}`", first(text)) for node, text in public]
    longer = [f"#### {name}.{node.name}\n\n{text}" for node, text in public if "\n\n" in text]
    return "\n\n".join([*parts, table(("function", "what"), rows), *longer])


def value_part(name: str) -> str:
    parts = [f"### {name}", markdown(docstring(name))]
    if name == "PRESETS":
        names = ", ".join(f"`{key}`" for key in PRESETS)
        parts.append(f"They are {names}. What each is, [few-shot](cli.md#few-shot) says.")
    return "\n\n".join(parts)


def registry_part(name: str, module: str, named_by: str) -> str:
    registry = getattr(import_module(module), name)
    own = {"SPACES": space_row, "READERS": reader_row, "SPLIT_PRESETS": split_row, "SOURCES": source_row}
    if name in own:
        rows = [(f"`{key}`", own[name](key, value)) for key, value in registry.items()]
        text = table(("name", "what"), rows)
    else:
        rows = [(f"`{key}`", entry_doc(value), settings_of(value)) for key, value in registry.items()]
        empty = not any(row[2] for row in rows)
        text = table(("name", "what", "settings")[: 3 - empty], [row[: 3 - empty] for row in rows])
    about = markdown(text_below(module, name))
    return "\n\n".join(filter(None, [f"### {name}", about, f"In {place(module)}. Named by {named_by}.", text]))


def entry_doc(entry: Any) -> str:
    """What an entry's docstring says first; of a function made by another one, what that one's says."""
    made = entry.func if isinstance(entry, partial) else entry
    if not made.__doc__:
        outer = made.__qualname__.partition(".<locals>")[0]
        made = getattr(sys.modules[made.__module__], outer)
    return first(made.__doc__)


def settings_of(entry: Any) -> str:
    """Keyword settings with their defaults; `partial` entries with those they fix."""
    found: Mapping[str, inspect.Parameter] = inspect.signature(entry).parameters
    plain = [p for p in found.values() if p.default is not p.empty and isinstance(p.default, str | int | float)]
    return ", ".join(f"`{p.name}={p.default!r}`" for p in plain)


def space_row(key: str, space: Any) -> str:
    edges, ops = space.shape
    return f"{edges} edges, operations {', '.join(f'`{op}`' for op in space.ops)} ({ops}); {space.size:,} architectures"


def reader_row(key: str, reader: Any) -> str:
    return reader.about


def split_row(key: str, settings: Any) -> str:
    return comments_of("jaxnas.splitting.settings", "SPLIT_PRESETS")[key]


def source_row(key: str, source: Any) -> str:
    return first(source.__doc__) if source.__doc__ else "see [data](data.md)"
