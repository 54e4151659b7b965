"""The shape of the tree: who may import whom, and how long a file may be."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "jaxnas").rglob("*.py")) + sorted((ROOT / "experiments").rglob("*.py"))
# What each part may import of the others; `types` and `config` are open to all.
ALLOWED = {
    "types": set(),
    "config": set(),
    "hosts": set(),
    "shares": {"hosts"},
    "parallel": {"hosts", "shares"},
    "spaces": set(),
    "arithmetic": {"spaces"},
    "nets": {"spaces", "parallel"},
    "data": {"spaces"},
    "benchmarks": {"spaces"},
    "analysis": {"spaces"},
    "report": {"spaces", "analysis"},
    "workdir": {"hosts", "shares", "parallel"},
    "search": {"spaces", "nets"},
    "metrics": {"spaces", "nets", "search"},
    "splitting": {"spaces", "metrics"},
    "training": {"spaces", "nets", "data", "search", "parallel"},
    "selection": {"spaces", "search", "analysis"},
    "methods": {
        *("spaces", "nets", "data", "benchmarks", "analysis", "search", "metrics", "splitting", "training"),
        *("selection", "parallel", "hosts", "workdir", "predictor"),
    },
    "studies": {
        *("spaces", "nets", "data", "benchmarks", "analysis", "search", "metrics", "splitting", "training"),
        *("selection", "parallel", "workdir", "methods", "arithmetic"),
    },
    "predictor": {"spaces", "nets", "data", "workdir"},
    "__init__": {"predictor"},
}


def part(path: Path) -> str:
    return path.relative_to(ROOT / "jaxnas").parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names


@pytest.mark.parametrize("path", [p for p in SOURCES if "jaxnas" in p.parts], ids=lambda p: str(p.relative_to(ROOT)))
def test_parts_import_only_what_lies_below_them(path: Path) -> None:
    here = part(path)
    ours = {name.split(".")[1] for name in imports(path) if name.startswith("jaxnas.")}
    assert ours <= ALLOWED[here] | {here, "types", "config"}
    assert not {name for name in imports(path) if name.split(".")[0] in ("experiments", "tests")}


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_are_short_and_say_what_they_are(path: Path) -> None:
    text = path.read_text()
    limit = 149 if "experiments" in path.relative_to(ROOT).parts else 400
    assert len(text.splitlines()) <= limit
    assert ast.get_docstring(ast.parse(text))


def test_only_nets_and_the_state_know_flax_and_only_parallel_knows_devices() -> None:
    for path in SOURCES:
        names = imports(path)
        if any(name.split(".")[0] == "flax" for name in names):
            assert part(path) == "nets" or path.name == "state.py"
        if path.name != "parallel.py":
            assert not any("sharding" in name or "shard_map" in name for name in names)
