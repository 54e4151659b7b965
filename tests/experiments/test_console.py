"""Exit codes of commands, and the line that says why."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jaxnas.console import cli_main
from jaxnas.types import UserError


def ending(capsys, error: BaseException | None, **settings) -> tuple[int, str, str]:
    """(code, stdout, stderr) of a main that prints its arguments and then raises `error`."""

    @cli_main(**settings)
    def main(arguments) -> None:
        print(*arguments)
        if error is not None:
            raise error

    code = main(["a", "b"])
    return (code, *capsys.readouterr())


def test_a_main_that_ends_returns_0_and_says_nothing_more(capsys) -> None:
    assert ending(capsys, None, stopped="stopped") == (0, "a b\n", "")


def test_errors_are_told_in_a_line_as_they_are_with_their_code(capsys) -> None:
    long = "no [red]such[/] thing: " + "x" * 300
    assert ending(capsys, UserError(long)) == (2, "a b\n", f"error: {long}\n")
    also = {ArithmeticError: 3, OSError: 4}
    assert ending(capsys, ZeroDivisionError("by 0"), also=also) == (3, "a b\n", "error: by 0\n")
    assert ending(capsys, FileNotFoundError(2, "gone"), also=also)[0] == 4
    assert ending(capsys, UserError("bad"), also=also)[0] == 2
    assert ending(capsys, OSError(36, "File name too long")) == (2, "a b\n", "error: [Errno 36] File name too long\n")


def test_what_stops_at_the_keyboard_ends_with_130_and_only_its_own_line(capsys) -> None:
    assert ending(capsys, KeyboardInterrupt(), stopped="stopped; go on") == (130, "a b\n", "stopped; go on\n")
    assert ending(capsys, KeyboardInterrupt()) == (130, "a b\n", "")


@pytest.mark.parametrize("error", [ValueError("of the program"), RuntimeError("too"), SystemExit(1)])
def test_other_errors_are_raised(capsys, error) -> None:
    with pytest.raises(type(error)):
        ending(capsys, error)


ROOT = Path(__file__).parent.parent.parent
# A command that prints the text TOLD so many times.
TELLING = """
import sys
from jaxnas.console import cli_main

@cli_main()
def main(arguments):
    for _ in range(int(arguments[0])):
        print(arguments[1])

sys.exit(main(sys.argv[1:]))
"""


def test_a_reader_that_has_enough_is_no_error() -> None:
    command = [sys.executable, "-c", TELLING, "100000", "a line"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline() == b"a line\n"
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


def test_an_output_that_was_a_file_before_is_no_error(tmp_path) -> None:
    moved = "import os, sys; read, write = os.pipe(); os.dup2(write, 1)\n"
    ends = TELLING.replace("sys.exit(", "sys.exit(10 + ")
    with open(tmp_path / "out", "w") as out:
        out.write("before")
        out.flush()
        command = [sys.executable, "-c", moved + ends, "1", "a"]
        ended = subprocess.run(command, cwd=ROOT, stdout=out, stderr=subprocess.PIPE)
    assert (ended.returncode, ended.stderr) == (10, b"")


def test_a_name_that_the_terminal_cannot_show_is_no_error() -> None:
    command = [sys.executable, "-c", TELLING, "1", "d\xf6g\u202e"]
    environment = {**os.environ, "PYTHONUTF8": "1", "PYTHONIOENCODING": "ascii"}
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, env=environment, check=True)
    assert (ended.stdout, ended.stderr) == (b"d\\xf6g\\u202e\n", b"")
