"""HTML and SVG text from Python values: foreign text is escaped by construction."""

import html
from dataclasses import dataclass

VOID = frozenset({"meta", "wbr"})  # elements without an end tag


@dataclass(frozen=True)
class Html:
    """Text that is markup already; every `str` beside it is escaped."""

    text: str


def tag(name: str, /, *children: str | Html, **attributes: object) -> Html:
    """One element. Attribute names: `_` becomes `-`, one at the end is dropped (`class_`); None leaves one out."""
    shown = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(_plain(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    end = "" if name in VOID else f"</{name}>"
    return Html(f"<{name}{shown}>{join(*children).text}{end}")


def join(*parts: str | Html) -> Html:
    """Parts one after the other."""
    return Html("".join(part.text if isinstance(part, Html) else html.escape(part) for part in parts))


def architecture_code(text: str) -> Html:
    """An architecture string, which may break into lines between its edges and not inside a name."""
    first, *rest = text.split("|")
    return tag("code", first, *(part for piece in rest for part in (join("|", tag("wbr")), piece)))


def architecture_cell(text: str) -> Html:
    """An architecture string for a table: on some lines, in a column wide enough for them to be few."""
    return tag("div", architecture_code(text), class_="architecture")


def estimate_cell(text: str) -> Html:
    """`62.20 [61.25, 63.14]` for a table, whose interval goes below the value where the table would be too wide."""
    value, *interval = text.split(" ", 1)
    return tag("div", value, *(part for of in interval for part in (" ", tag("span", of))), class_="estimate")


def table(head: list[str], rows: list[list[str | Html]], caption: str, marked: int | None = None) -> Html:
    """A caption and a table in a box of its own that scrolls sideways on a narrow screen; row `marked` stands out."""
    body = [
        tag(
            "tr",
            tag("th", row[0], scope="row"),
            *(tag("td", cell) for cell in row[1:]),
            class_="marked" if i == marked else None,
        )
        for i, row in enumerate(rows)
    ]
    columns = tag("thead", tag("tr", *(tag("th", name, scope="col") for name in head)))
    # The caption stays outside the box, or it would be as wide as the table; the keyboard can scroll the box.
    box = {"class_": "scroll", "tabindex": 0, "role": "region", "aria_label": caption}
    return join(tag("p", caption, class_="caption"), tag("div", tag("table", columns, tag("tbody", *body)), **box))


def figure(caption: str | Html, *drawings: Html) -> Html:
    """Drawings side by side where there is room, and a caption below."""
    return tag("figure", tag("div", *drawings, class_="panels"), tag("figcaption", caption))


def _plain(value: object) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
