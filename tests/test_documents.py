"""The documents name what is there: files, headings, commands, flags; and README is short."""

import re
from pathlib import Path

import pytest

import jaxnas
from jaxnas.cli import COMMANDS
from tests.reference.cli import CLONE_ONLY, command_modules, flags
from tests.test_layout import ALLOWED

ROOT = Path(__file__).parent.parent
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
WORDS = 900
BESIDE = {"--help", "--import", "--xla_gpu_deterministic_ops"}  # flags that are no setting of a command


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def prose(text: str) -> str:
    """A page without its code blocks, fenced or indented."""
    return re.sub(r"^( {4}|\t).*$", "", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL), flags=re.M)


def words(text: str) -> int:
    """Words of prose, lists and tables, inline code included: what is parted by blanks and has a letter or a digit.

    Code blocks, targets of links and comments do not count.
    """
    plain = re.sub(r"\]\([^)]*\)", "]", re.sub(r"<!--.*?-->", "", prose(text), flags=re.DOTALL))
    return sum(any(c.isalnum() for c in word) for word in plain.split())


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ (.*)$", prose(text), re.MULTILINE):
        base = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        found.add(next(a for a in (base, *(f"{base}-{n}" for n in range(1, 99))) if a not in found))
    return found


def test_readme_is_short() -> None:
    assert words("a `b c` | - |\n[d](e f) <!-- g -->\n\n    h\n```\ni\n```\n1.5") == 5
    assert words((ROOT / "README.md").read_text()) <= WORDS


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_somewhere(page) -> None:
    text = page.read_text()
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(text)):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file.read_text()), target


def test_commands_and_flags_are_there() -> None:
    known = {flag for module in command_modules().values() for flag in flags(module.Command)}
    known |= {re.sub(r"^(--(?:.*\.)?)", r"\1no-", flag) for flag in known} | BESIDE
    for page in set(PAGES) - {ROOT / "docs" / "cli.md"}:  # which is made of the flags
        text = page.read_text()
        for name in re.findall(r"(?:python -m |`)experiments\.([a-z]\w+)", text):
            assert name.replace("_", "-") in {*COMMANDS, *CLONE_ONLY}, (page, name)
        for name in re.findall(r"`jaxnas ([a-z][\w-]*)", text):
            assert name in COMMANDS, (page, name)
        strange = {flag for flag in re.findall(r"(?<![\w-])--[a-z][\w.-]*\w", text) if flag not in known}
        assert not strange, (page, strange)


def test_nothing_is_installed_from_an_index_by_a_name_that_is_not_there() -> None:
    assert not [page for page in PAGES if re.search(r"pip install (-\S+ )*jaxnas", page.read_text())]


def test_targets_of_make_are_there() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for page in PAGES:
        for target in re.findall(r"(?:^    |`)make (\w+)", page.read_text(), re.MULTILINE):
            assert f"\n{target}:" in makefile


def test_the_version_is_one() -> None:
    assert f"\nversion: {jaxnas.__version__}\n" in (ROOT / "CITATION.cff").read_text()
    assert (ROOT / "CHANGELOG.md").read_text().split("\n## ")[1].startswith(jaxnas.__version__)


def test_the_architecture_names_every_part_and_each_file_is_there() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    parts = {path.name + "/" * path.is_dir() for path in (ROOT / "jaxnas").iterdir() if path.name[0] not in "_."}
    assert set(re.findall(r"^\| `([\w.]+/?)` \|", text, re.MULTILINE)) == parts - {"py.typed"}
    for name in re.findall(r"`((?:jaxnas|tests|experiments|docs)/[\w/.]+)`", text):
        assert (ROOT / name).exists(), name


def test_the_architecture_says_who_may_import_whom() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text().split("\n## Who may import whom\n")[1]
    lines = [line.split() for line in re.search(r"```\n(.*?)```", text, re.DOTALL)[1].splitlines()]
    above: set[str] = set()
    for line in lines:
        assert all(ALLOWED[part] <= above for part in line)
        above |= {*line}
    assert above == {*ALLOWED}
