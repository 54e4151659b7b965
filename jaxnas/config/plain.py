"""Settings as plain JSON values and back; unknown names are errors."""

import dataclasses
import types
import typing
from pathlib import Path
from typing import Any, Literal, TypeVar

from jaxnas.types import UserError

Config = TypeVar("Config")


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
        raise UserError(f"{where} has unknown names {unknown}; allowed: {sorted(hints)}")
    return kind(**{name: _value(hints[name], value, f"{where}.{name}") for name, value in values.items()})


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
        return float(value)
    if origin is None and hint is not float and type(value) is hint:
        return value
    if origin is Literal:
        raise UserError(f"{where} must be one of {list(arguments)}, not {value!r}")
    raise UserError(f"{where} must be {getattr(hint, '__name__', hint)}, not {value!r}")
