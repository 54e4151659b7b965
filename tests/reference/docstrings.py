"""Docstrings of public names: where each stands, its sections, and how they are written as Markdown."""

import ast
import inspect
import re
import textwrap
from types import ModuleType
from typing import Any

import jaxnas
from tests.reference.source import joined, source_of

SECTIONS = ("Args", "Returns", "Raises", "Source", "Example")


def docstring(name: str) -> str:
    """The docstring of a public name: its own, or, of a dictionary or a space, the text below its assignment."""
    thing = getattr(jaxnas, name)
    if isinstance(thing, type | ModuleType) or inspect.isfunction(thing):
        return inspect.getdoc(thing) or ""
    return text_below(f"jaxnas.{jaxnas._PLACES[name]}", name)


def text_below(module: str, name: str) -> str:
    """The text below the assignment of a name, in the module itself or in that which it is imported from."""
    body = source_of(module)[0].body
    for node, after in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, ast.ImportFrom) and node.module and name in [alias.name for alias in node.names]:
            return text_below(node.module, name)
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if name in [target.id for target in targets if isinstance(target, ast.Name)]:
            text: Any = getattr(getattr(after, "value", None), "value", None)
            return inspect.cleandoc(text) if isinstance(text, str) and isinstance(after, ast.Expr) else ""
    return ""


def sections(text: str) -> tuple[str, dict[str, str]]:
    """What stands before the sections of a docstring, and the text of each section."""
    lead, *rest = re.split(rf"^({'|'.join(SECTIONS)}):\n", text, flags=re.MULTILINE)
    bodies = (textwrap.dedent(body).strip() for body in rest[1::2])
    return lead.strip(), dict(zip(rest[::2], bodies, strict=True))


def entries(body: str) -> dict[str, str]:
    """The entries of a section `Args` or `Raises`: name -> what of it."""
    return {name: joined(text) for name, text in re.findall(r"^(\w+): (.*(?:\n +.*)*)", body, re.MULTILINE)}


def markdown(text: str) -> str:
    """A docstring with lists of arguments and errors, and its example as code."""
    lead, found = sections(text)
    parts = [lead]
    for head, body in found.items():
        if head == "Example":
            code = re.sub(r" +# doctest: .*$", "", body, flags=re.MULTILINE)
            parts.append(f"```pycon\n{code}\n```")
        elif head in ("Args", "Raises"):
            rows = [f"- `{name}`: {about}" for name, about in entries(body).items()]
            parts.append("\n".join([f"**{head}**", "", *rows]))
        else:
            parts.append(f"**{head}.** {body}")
    return "\n\n".join(parts)
