"""docs/cli.md and docs/api.md say what the code says."""

import re
from importlib import import_module

import pytest

import jaxnas
from jaxnas import cli
from tests.reference import PAGES
from tests.reference.api import REGISTRIES
from tests.reference.cli import CLONE_ONLY, about_presets, command_modules, flags, groups, presets_of, rows_of
from tests.reference.source import ROOT

MODULES = command_modules()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_pages_are_what_the_code_says(path) -> None:
    same = path.read_text(encoding="utf-8") == PAGES[path]()
    assert same, f"{path.relative_to(ROOT)} differs from the code: run `python -m tests.reference` and commit it"


@pytest.mark.parametrize("name", MODULES)
def test_flags_are_those_of_the_help(name, capsys, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    presets = presets_of(MODULES[name])
    arguments = [*list(presets[1] if presets else ())[:1], "--help"]
    with pytest.raises(SystemExit) as stopped:
        MODULES[name].main(arguments) if name in CLONE_ONLY else cli.main([name, *arguments])
    assert stopped.value.code == 0
    plugins = set() if name in CLONE_ONLY or name in cli.FILES_ALONE else {"--import"}
    shown = set(re.findall(r"--[a-z][\w.-]*", capsys.readouterr().out)) - {"--help"}
    ours = set(flags(MODULES[name].Command)) | plugins
    assert {flag if flag in ours else re.sub(r"(--|\.)no-", r"\1", flag) for flag in shown} == ours


@pytest.mark.parametrize("name", MODULES)
def test_every_flag_and_preset_has_a_sentence(name) -> None:
    module = MODULES[name]
    kinds = [(module.Command, ""), *groups(module.Command)]
    bare = [row[0] for kind, start in kinds for row in rows_of(kind, start) if not row[-1]]
    assert not bare
    presets = presets_of(module)
    if presets is not None:
        told = about_presets(module, presets[0])
        assert not [preset for preset in presets[1] if not told.get(preset)]


def test_every_public_name_and_registered_entry_is_on_the_page_of_the_library() -> None:
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    assert all(f"\n### {name}\n" in page for name in jaxnas.__all__)
    for name, (module, _) in REGISTRIES.items():
        section = page.split(f"\n### {name}\n")[1].split("\n### ")[0]
        assert all(f"| `{key}` |" in section for key in getattr(import_module(module), name))
