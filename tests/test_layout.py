"""The shape of the tree: who may import whom, how long a file may be, and which versions it asks for."""

import ast
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "jaxnas").rglob("*.py")) + sorted((ROOT / "experiments").rglob("*.py"))
# What each part may import of the others; `types` and `config` are open to all.
ALLOWED = {
    "types": set(),
    "plugins": set(),
    "foreign": set(),
    "console": {"plugins"},
    "config": set(),
    "distributed": set(),
    "spaces": set(),
    "arithmetic": {"spaces"},
    "nets": {"spaces", "distributed"},
    "data": {"spaces", "foreign"},
    "benchmarks": {"spaces", "foreign"},
    "analysis": {"spaces"},
    "report": {"analysis"},
    "workdir": {"distributed", "plugins", "console"},
    "search": {"spaces", "nets"},
    "metrics": {"spaces", "nets", "search"},
    "splitting": {"spaces", "metrics"},
    "training": {"spaces", "nets", "data", "search", "distributed"},
    "selection": {"spaces", "search", "analysis"},
    "predictor": {"spaces", "nets", "data", "workdir", "foreign"},
    "few_shot": {
        *("spaces", "nets", "data", "benchmarks", "analysis", "search", "metrics", "splitting", "training", "report"),
        *("selection", "distributed", "workdir", "predictor", "console"),
    },
    "studies": {
        *("spaces", "nets", "data", "benchmarks", "analysis", "search", "metrics", "splitting", "training", "report"),
        *("selection", "distributed", "workdir", "few_shot", "arithmetic", "console", "plugins"),
    },
    "commands": {
        *("analysis", "spaces", "data", "benchmarks", "few_shot", "predictor", "report", "workdir", "console"),
        "foreign",
    },
    # Contracts of what authors add, for their tests.
    "testing": {"spaces", "nets", "metrics", "search", "selection"},
    "cli": {"console", "plugins"},
    # The public names, imported when they are asked for.
    "__init__": {
        *("benchmarks", "distributed", "few_shot", "metrics", "nets", "predictor", "search", "selection"),
        *("spaces", "splitting"),
    },
    "__main__": {"cli"},
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
    assert len(text.splitlines()) <= 400
    assert ast.get_docstring(ast.parse(text))


def test_only_nets_and_the_state_know_flax_and_only_parallel_knows_devices() -> None:
    for path in SOURCES:
        names = imports(path)
        if any(name.split(".")[0] == "flax" for name in names):
            assert part(path) == "nets" or path.name == "state.py"
        if path.name != "parallel.py":
            assert not any("sharding" in name or "shard_map" in name for name in names)


def test_pages_are_rendered_without_jax() -> None:
    pages = [
        p for p in SOURCES if p.stem in ("page", "result_file", "read", "figures", "verdict") and "jaxnas" in p.parts
    ]
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in pages]
    lines = f"import sys, importlib\nfor name in {names}: importlib.import_module(name)\nprint('jax' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", lines], cwd=ROOT, capture_output=True, text=True, check=True)
    assert len(pages) >= 10 and found.stdout == "False\n"


def test_lower_bounds_are_the_oldest_versions_tested() -> None:
    setup = ConfigParser(interpolation=None)
    setup.read(ROOT / "setup.cfg")
    bounds = dict(line.split(">=") for line in setup["options"]["install_requires"].split())
    lines = (ROOT / "tests" / "requirements-oldest.txt").read_text().splitlines()
    tested = dict(line.split("==") for line in lines if not line.startswith("#"))
    assert len(bounds) >= 12 and {name: tested.get(name) for name in bounds} == bounds
