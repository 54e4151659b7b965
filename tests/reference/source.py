"""What the code says of itself: fields, signatures, docstrings and comments, and how they are written as Markdown."""

import ast
import dataclasses
import inspect
import re
import sys
import typing
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parent.parent.parent


class Field(NamedTuple):
    """A field of a dataclass or NamedTuple, as its source says it."""

    name: str
    kind: str
    default: str
    about: str
    config: type | None = None  # of a field that is a group of settings: their dataclass
    flat: bool = False  # whether the flags of such a group lack its name


@cache
def source_of(module: str) -> tuple[ast.Module, list[str]]:
    text = inspect.getsource(sys.modules[module])
    return ast.parse(text), text.splitlines()


def definition(thing: Any) -> Any:
    """The top-level class or function in its source."""
    tree, _ = source_of(thing.__module__)
    kinds = (ast.ClassDef, ast.FunctionDef)
    return next(node for node in tree.body if isinstance(node, kinds) and node.name == thing.__name__)


def fields_of(kind: type) -> list[Field]:
    """Fields with the text that stands below each, or the comment beside it."""
    lines, body = source_of(kind.__module__)[1], definition(kind).body
    hints = typing.get_type_hints(kind, include_extras=True)
    found = []
    for node, after in zip(body, [*body[1:], None], strict=True):
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
            continue
        below = after.value if isinstance(after, ast.Expr) else None
        text = below.value if isinstance(below, ast.Constant) and isinstance(below.value, str) else ""
        comment = lines[node.end_lineno - 1][node.end_col_offset :].partition("#")[2]
        default = "required" if node.value is None else shown(getattr(kind, node.target.id, None))
        hint, extras = hints[node.target.id], ()
        if typing.get_origin(hint) is typing.Annotated:
            hint, *extras = typing.get_args(hint)
        group = hint if dataclasses.is_dataclass(hint) else None
        flat = any(getattr(extra, "name", None) == "" for extra in extras)
        name, about = node.target.id, joined(text or comment)
        found.append(Field(name, ast.unparse(_bare(node.annotation)), default, about, group, flat))
    return found


def _bare(annotation: ast.expr) -> ast.expr:
    """An annotation without `Annotated[...]` and `tyro.conf.Positional[...]`."""
    if isinstance(annotation, ast.Subscript):
        name = ast.unparse(annotation.value)
        if name == "Annotated" and isinstance(annotation.slice, ast.Tuple):
            return annotation.slice.elts[0]
        if name.endswith("Positional"):
            return annotation.slice
    return annotation


def signature(name: str, node: ast.FunctionDef, method: bool = False) -> str:
    arguments = ast.unparse(node.args)
    if method:
        arguments = arguments.removeprefix("self").removeprefix(", ")
    end = "" if node.returns is None else f" -> {ast.unparse(node.returns)}"
    return f"{name}({arguments}){end}"


def comments_of(module: str, name: str) -> dict[str, str]:
    """Key -> the comment above it, of the dict literal `name` of a module."""
    tree, lines = source_of(module)
    found = {}
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        names = [target.id for target in targets if isinstance(target, ast.Name)]
        for key in getattr(getattr(node, "value", None), "keys", []) if name in names else []:
            above, line = [], key.lineno - 2
            while lines[line].strip().startswith("#"):
                above.insert(0, lines[line].strip().lstrip("# "))
                line -= 1
            found[key.value] = " ".join(above)
    return found


def joined(text: str) -> str:
    return " ".join(text.split())


def first(text: str | None) -> str:
    """The first paragraph of a docstring as one line."""
    return joined(inspect.cleandoc(text or "").partition("\n\n")[0])


def shown(value: Any) -> str:
    """A default as it is written on the command line."""
    if isinstance(value, tuple):
        return " ".join(map(shown, value)) or "none"
    return f"`{value}`"


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def linked(text: str) -> str:
    """Pages of docs/ that a text names, as links."""
    return re.sub(r"\bdocs/([\w-]+)\.md\b", r"[\1](\1.md)", text)


def place(module: str) -> str:
    """A link to the file of a module."""
    path = Path(inspect.getfile(import_module(module))).relative_to(ROOT)
    return f"[{path}](../{path})"


def anchor(kind: type) -> str:
    return f"[{kind.__name__}](#{kind.__name__.lower()})"
