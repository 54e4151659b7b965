"""The command `jaxnas` and the package's public names."""

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import jaxnas
from jaxnas import cli

ROOT = Path(__file__).parent.parent


def test_without_a_command_all_are_listed_with_a_line_each(capsys) -> None:
    assert cli.main([]) == cli.main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown and entry.line[:30] in shown for name, entry in cli.COMMANDS.items())
    assert "--import MODULE" in shown
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"{jaxnas.__version__}\n"


def test_an_unknown_command_is_one_sentence_and_exit_code_2(capsys) -> None:
    assert cli.main(["few_shot"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: there is no command 'few_shot'; allowed: few-shot, ") and error.count("\n") == 1


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_calls_itself_by_its_name_and_has_a_module_for_clones(name, capsys) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main([name, "--help"])
    assert stopped.value.code == 0
    shown = capsys.readouterr().out.replace("\n", " ")
    assert f"jaxnas {name}" in shown
    assert ("--import MODULE" in shown) == (name not in cli.FILES_ALONE)
    thin = (ROOT / "experiments" / f"{name.replace('-', '_')}.py").read_text()
    assert f'run("{name}", sys.argv[1:], prog="python -m experiments.{name.replace("-", "_")}")' in thin


def test_a_command_of_the_list_runs_with_what_follows_its_name(tmp_path, capsys) -> None:
    assert cli.main(["report", str(tmp_path)]) == 2
    assert f"{tmp_path} holds no run" in capsys.readouterr().err


def test_public_names_are_there_and_importing_the_package_alone_imports_no_jax() -> None:
    for name in jaxnas.__all__:
        assert getattr(jaxnas, name) is not None and name in dir(jaxnas)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = jaxnas.nothing
    lines = "import sys, jaxnas, jaxnas.cli; print(sorted({'jax', 'flax', 'tyro', 'scipy'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", lines], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"


@pytest.mark.parametrize("entry", cli.COMMANDS.values(), ids=cli.COMMANDS)
def test_a_command_says_in_its_module_how_it_is_run(entry) -> None:
    text = import_module(f"jaxnas.{entry.module}").__doc__ or ""
    assert "python -m experiments." in text


def test_every_preset_says_what_it_runs() -> None:
    for entry in cli.COMMANDS.values():
        module = import_module(f"jaxnas.{entry.module}")
        presets = next(
            (getattr(module, name) for name in ("PRESETS", "STUDIES", "SPLITS") if hasattr(module, name)), {}
        )
        assert set(presets) == set(getattr(module, "ABOUT", {})), entry.module


@pytest.mark.parametrize("platforms", ["nonsense", "cpu,nonsense"])
def test_devices_that_are_not_here_are_told_in_one_line(platforms) -> None:
    lines = (
        "import jax, sys; from jaxnas.console import cli_main; sys.exit(cli_main()(lambda given: jax.devices()[9])([]))"
    )
    environment = {**os.environ, "JAX_PLATFORMS": platforms}
    ended = subprocess.run([sys.executable, "-c", lines], cwd=ROOT, capture_output=True, text=True, env=environment)
    assert ended.returncode == 2 and ended.stderr.count("\n") == 1
    assert ended.stderr.startswith(f"error: JAX_PLATFORMS is {platforms!r}, and jax finds no such device here (")


@pytest.mark.parametrize("name", cli.PASSED_OVER)
@pytest.mark.parametrize("value", ["1", "True", "0", "false"])
def test_variables_that_would_make_another_run_are_passed_over_with_a_word(name, value, monkeypatch, capsys) -> None:
    monkeypatch.setenv(name, value)
    assert cli.main(["report", "no/run"]) == 2
    told = f"warning: {name} is passed over: {cli.PASSED_OVER[name]}\n" if value in ("1", "True") else ""
    assert capsys.readouterr().err.startswith(told + "error: ") and name not in os.environ


def test_files_of_ones_own_beside_a_run_are_not_imported(tmp_path) -> None:
    (tmp_path / "bin").mkdir()
    installed = "import sys; from jaxnas.cli import main; sys.exit(main())"
    (tmp_path / "bin" / "jaxnas").write_text(installed)  # as an installation writes it
    (tmp_path / "own" / "experiments").mkdir(parents=True)
    for module in ("experiments/__init__", "types", "data", "config", "random", "jaxnas", "numpy"):
        (tmp_path / "own" / f"{module}.py").write_text("raise RuntimeError('imported')")
    command = [sys.executable, str(tmp_path / "bin" / "jaxnas"), "few-shot", "smoke", "--workdir", "w"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(
        [*command, "--net.cells", "0"], cwd=tmp_path / "own", capture_output=True, text=True, env=environment
    )
    assert (ended.returncode, ended.stderr) == (2, "error: net.cells must be at least 1, it is 0\n")
