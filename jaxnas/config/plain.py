"""Settings as plain JSON values and back; unknown names are errors, and so are numbers that are none."""

import dataclasses
import math
import types
import typing
from pathlib import Path
from typing import Any, Literal, TypeVar

from jaxnas.types import UserError, truncated_repr

Config = TypeVar("Config")
LARGEST = 2**31 - 1  # of integers, as compiled programs count


def to_dict(config: Any) -> dict[str, Any]:
    """A config as plain JSON values."""

    def plain(value: Any) -> Any:
        if dataclasses.is_dataclass(value):
            return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return list(value) if isinstance(value, tuple) else str(value) if isinstance(value, Path) else value

    return plain(config)


def from_dict(kind: type[Config], values: dict[str, Any], where: str = "config") -> Config:
    """The config of `to_dict`. Raises UserError for an unknown name or a value of another type."""
    hints = typing.get_type_hints(kind)
    unknown = sorted(set(values) - set(hints))
    if unknown:
        raise UserError(f"{where} has unknown names {truncated_repr(unknown)}; allowed: {sorted(hints)}")
    return kind(**{name: _value(hints[name], value, f"{where}.{name}") for name, value in values.items()})


def check_numbers(config: Any, prefix: str = "") -> None:
    """Raises UserError, by the dotted name, for a number that is infinite or none, or an integer beyond 32 bits.

    config: a dataclass, of dataclasses; what the command line gives no name of its own adds none.
    """
    hints = typing.get_type_hints(type(config), include_extras=True)
    for field in dataclasses.fields(config):
        value, more = getattr(config, field.name), getattr(hints[field.name], "__metadata__", ())
        if dataclasses.is_dataclass(value):
            unnamed = any(getattr(note, "name", None) == "" for note in more)
            check_numbers(value, prefix if unnamed else f"{prefix}{field.name}.")
        for number in value if isinstance(value, tuple | list) else (value,):
            if isinstance(number, float) and not math.isfinite(number):
                raise UserError(f"{prefix}{field.name} must be a finite number, it is {number}")
            if isinstance(number, int):
                _check_integer(number, f"{prefix}{field.name}")


def _check_integer(number: int, name: str) -> None:
    if abs(number) > LARGEST:
        raise UserError(f"{name} must lie in -{LARGEST} .. {LARGEST}, it is {truncated_repr(number)}")


def _value(hint: Any, value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(hint) and isinstance(value, dict):
        return from_dict(hint, value, where)  # type: ignore[arg-type]
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is types.UnionType:
        return None if value is None and type(None) in arguments else _value(arguments[0], value, where)
    if origin is Literal and value in arguments:
        return value
    if origin is tuple and isinstance(value, list | tuple):
        return tuple(_value(arguments[0], v, where) for v in value)
    if hint is Path and isinstance(value, str | Path):
        return Path(value)
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        if isinstance(value, int):
            _check_integer(value, where)  # before it becomes a float, which may hold less
        return float(value)
    if origin is None and hint is not float and type(value) is hint:
        return value
    if origin is Literal:
        raise UserError(f"{where} must be one of {list(arguments)}, not {truncated_repr(value)}")
    raise UserError(f"{where} must be {getattr(hint, '__name__', hint)}, not {truncated_repr(value)}")
