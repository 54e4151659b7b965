"""How a command ends: its exit code, one line on stderr that says why, and numbers for the terminal."""

import io
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from rich.console import Console

from jaxnas import plugins
from jaxnas.config import check_numbers
from jaxnas.types import UserError, truncated_repr

P = ParamSpec("P")
Config = TypeVar("Config")
Command = TypeVar("Command")
PIPE = 141  # as a shell tells of a process that a closed pipe ended
GOES_ON = "stopped; the same command goes on from here"


def cli_main(
    also: Mapping[type[Exception], int] | None = None, stopped: str | None = None
) -> Callable[[Callable[Concatenate[Sequence[str], P], None]], Callable[Concatenate[Sequence[str], P], int]]:
    """A decorator: a main that returns the exit code, and tells errors in a line instead of raising them.

    0; 2 for UserError, OSError and devices that are not here; what `also` gives for other errors; 130 when stopped at
    the keyboard, with the line `stopped` if there is one; 141 where nobody reads stdout any more. Any other error is
    raised. An error that names what a plugin of the run registers says so if the plugin is not here.
    """
    codes: dict[type[Exception], int] = {UserError: 2, OSError: 2, **(also or {})}

    def around(main: Callable[Concatenate[Sequence[str], P], None]) -> Callable[Concatenate[Sequence[str], P], int]:
        @wraps(main)
        def coded(arguments: Sequence[str], *more: P.args, **named: P.kwargs) -> int:
            for stream in filter(None, (sys.stdout, sys.stderr)):
                if isinstance(stream, io.TextIOWrapper):  # a name that the terminal cannot show is no error
                    with suppress(OSError):  # of one whose descriptor was a file before and is a pipe now
                        stream.reconfigure(errors="backslashreplace")
            try:
                main(arguments, *more, **named)
                if sys.stdout is not None:
                    sys.stdout.flush()
            except KeyboardInterrupt:
                if stopped is not None:
                    print_line(stopped, "yellow")
                return 130
            except BrokenPipeError:  # who reads what is printed, such as `head`, has enough
                os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
                return PIPE
            except Exception as error:
                if (missing := _missing_devices()) is not None:
                    print_error(missing)
                    return 2
                for kind, code in codes.items():
                    if isinstance(error, kind):
                        print_error(str(error) + plugins.advice(str(error), arguments))
                        return code
                raise
            return 0

        return coded

    return around


def _missing_devices() -> str | None:
    """What is wrong with JAX_PLATFORMS; None for nothing. jax names such errors in many ways, or not at all."""
    name, jax = os.environ.get("JAX_PLATFORMS"), sys.modules.get("jax")
    if not name or jax is None:
        return None
    try:
        for platform in name.split(","):
            jax.devices(platform.strip() or None)
    except Exception as error:
        reason = truncated_repr(str(error) or type(error).__name__)
        return f"JAX_PLATFORMS is {name!r}, and jax finds no such device here ({reason}); unset it, or set it to cpu"
    return None


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
