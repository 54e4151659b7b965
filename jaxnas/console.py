"""How a command ends: its exit code, one line on stderr that says why, and numbers for the terminal."""

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from rich.console import Console

from jaxnas import plugins
from jaxnas.config import check_numbers
from jaxnas.types import UserError

P = ParamSpec("P")
Config = TypeVar("Config")
Command = TypeVar("Command")
GOES_ON = "stopped; the same command goes on from here"


def cli_main(
    also: Mapping[type[Exception], int] | None = None, stopped: str | None = None
) -> Callable[[Callable[Concatenate[Sequence[str], P], None]], Callable[Concatenate[Sequence[str], P], int]]:
    """A decorator: a main that returns the exit code, and tells errors in a line instead of raising them.

    0; 2 for UserError; what `also` gives for other errors; 130 when stopped at the keyboard, with the line `stopped`
    if there is one. Any other error is raised. An error that names what a plugin of the run registers says so if the
    plugin is not here.
    """
    codes: dict[type[Exception], int] = {UserError: 2, **(also or {})}

    def around(main: Callable[Concatenate[Sequence[str], P], None]) -> Callable[Concatenate[Sequence[str], P], int]:
        @wraps(main)
        def coded(arguments: Sequence[str], *more: P.args, **named: P.kwargs) -> int:
            try:
                main(arguments, *more, **named)
            except tuple(codes) as error:
                print_error(str(error) + plugins.advice(str(error), arguments))
                return next(code for kind, code in codes.items() if isinstance(error, kind))
            except KeyboardInterrupt:
                if stopped is not None:
                    print_line(stopped, "yellow")
                return 130
            return 0

        return coded

    return around


def parse_preset(
    build: Callable[[Config], Command],
    presets: Mapping[str, Config],
    about: Mapping[str, str],
    prog: str,
    arguments: Sequence[str],
) -> Command:
    """What `build` makes of the preset that comes first, with the flags that follow in place of its fields.

    about: what each preset runs, needs, takes and gives, as --help says it. Raises SystemExit, as tyro does, and
    UserError for a number that is infinite, none or too large.
    """
    import tyro

    more = f"{plugins.ABOUT}."  # `cli` takes the flag away before, so that tyro does not list it
    told = {name: f"{text}\n{more}" if name in arguments[:1] else text for name, text in about.items()}
    choices = {name: (told[name], build(preset)) for name, preset in presets.items()}
    command = tyro.extras.overridable_config_cli(choices, prog=prog, description=more, args=arguments)
    check_numbers(command)
    return command


def print_error(sentence: str) -> None:
    """One line on stderr that says what was wrong."""
    print_line(f"error: {sentence}", "red")


def print_line(sentence: str, style: str) -> None:
    """One line on stderr, as it is, in a rich style such as `red` where that is a terminal."""
    Console(stderr=True).print(sentence, style=style, highlight=False, markup=False, soft_wrap=True)


def interval(row: Mapping[str, Any], name: str) -> str:
    """A value of a row with its interval, from the columns `name`, `name`_low and `name`_high; a dash for none."""
    if row[name] is None:
        return "-"
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    return f"{row[name]:.2f}" + ("" if low is None else f" [{low:.2f}, {high:.2f}]")
