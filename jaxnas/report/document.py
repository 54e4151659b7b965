"""A whole page: one HTML document that holds everything it shows, as a whole file."""

import os
from pathlib import Path

from jaxnas.report.markup import Html, join, tag
from jaxnas.report.style import STYLE
from jaxnas.types import UserError


def document(title: str, parts: list[Html]) -> Html:
    """The document of some sections."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", title),
        tag("style", Html(STYLE)),
    )
    body = tag("body", tag("main", tag("h1", title), *parts))
    return join(Html("<!DOCTYPE html>\n"), tag("html", head, body, lang="en"), Html("\n"))


def write_page(path: Path, page: Html) -> Path:
    """Written aside and renamed: a page is whole or absent. A lone surrogate, which JSON allows, is no UTF-8."""
    aside = path.with_suffix(".html.part")
    try:
        aside.write_bytes(page.text.encode("utf-8", "xmlcharrefreplace"))
        os.replace(aside, path)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from error
    return path
