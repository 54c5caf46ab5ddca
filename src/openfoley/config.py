"""Strict conversion between frozen dataclasses and plain dictionaries (JSON).

Nothing is guessed: a missing or unknown key, or a value of another type, raises WeightsError naming the key.
Fractions are written as "a/b", tuples as lists, nested dataclasses as dictionaries.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

from openfoley.errors import WeightsError

T = TypeVar("T")


def to_dict(value: Any) -> Any:
    """A dataclass (or tuple, Fraction, Path, plain value) as JSON values."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_dict(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Fraction):
        return f"{value.numerator}/{value.denominator}"
    if isinstance(value, (tuple, list)):
        return [to_dict(item) for item in value]
    if isinstance(value, dict):
        return {key: to_dict(item) for key, item in value.items()}
    if isinstance(value, Path):
        return str(value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise WeightsError(f"cannot write a {type(value).__name__} into a configuration")


def from_dict(cls: type[T], data: Any, where: str = "") -> T:
    """Build the dataclass `cls` from a dictionary; `where` is the dotted place used in errors."""
    place = where or cls.__name__
    if not isinstance(data, dict):
        raise WeightsError(f"{place}: expected an object, got {type(data).__name__}")
    hints = typing.get_type_hints(cls)
    known = {f.name: f for f in dataclasses.fields(cls) if f.init}  # type: ignore[arg-type]
    unknown = sorted(set(data) - set(known))
    if unknown:
        raise WeightsError(f"{place}: unknown key {unknown[0]!r}; allowed: {', '.join(known)}")
    values = {}
    for name, field in known.items():
        if name in data:
            values[name] = _convert(hints[name], data[name], f"{place}.{name}")
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise WeightsError(f"{place}: key {name!r} is missing")
    return cls(**values)


def _convert(hint: Any, value: Any, place: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return value
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return from_dict(hint, value, place)
    if origin is typing.Literal:
        if value not in arguments:
            raise WeightsError(f"{place}: expected one of {', '.join(map(repr, arguments))}, got {value!r}")
        return value
    if origin in (typing.Union, types.UnionType):
        return _convert_union(arguments, value, place)
    if origin in (tuple, list):
        return _convert_sequence(origin, arguments, value, place)
    if origin is dict:
        if not isinstance(value, dict):
            raise _wrong(place, "an object", value)
        return {key: _convert(arguments[1], item, f"{place}.{key}") for key, item in value.items()}
    return _convert_scalar(hint, value, place)


def _convert_union(arguments: tuple[Any, ...], value: Any, place: str) -> Any:
    if value is None and type(None) in arguments:
        return None
    problems = []
    for candidate in arguments:
        if candidate is type(None):
            continue
        try:
            return _convert(candidate, value, place)
        except WeightsError as error:
            problems.append(error)
    raise problems[0]


def _convert_sequence(origin: Any, arguments: tuple[Any, ...], value: Any, place: str) -> Any:
    if not isinstance(value, (list, tuple)):
        raise _wrong(place, "a list", value)
    if origin is list or (len(arguments) == 2 and arguments[1] is Ellipsis):
        return origin(_convert(arguments[0], item, f"{place}[{i}]") for i, item in enumerate(value))
    if len(arguments) != len(value):
        raise WeightsError(f"{place}: expected {len(arguments)} values, got {len(value)}")
    return tuple(_convert(a, item, f"{place}[{i}]") for i, (a, item) in enumerate(zip(arguments, value, strict=True)))


def _convert_scalar(hint: Any, value: Any, place: str) -> Any:
    if hint is Fraction:
        try:
            return Fraction(value)
        except (ValueError, TypeError, ZeroDivisionError):
            raise _wrong(place, 'a fraction "a/b"', value) from None
    if hint is Path and isinstance(value, str):
        return Path(value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    is_bool_as_number = isinstance(value, bool) and hint is not bool
    if not isinstance(hint, type) or not isinstance(value, hint) or is_bool_as_number:
        raise _wrong(place, getattr(hint, "__name__", str(hint)), value)
    return value


def _wrong(place: str, expected: str, value: Any) -> WeightsError:
    return WeightsError(f"{place}: expected {expected}, got {value!r}")
