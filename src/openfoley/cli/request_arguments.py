"""The options of a request as arguments, generated from its fields: a new option needs no line here."""

from __future__ import annotations

import argparse
import re
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any

from openfoley.checks import FRAMES_PATTERN, Number, OneOf, Several, nudge, path
from openfoley.generators.mmaudio.config import DEFAULTS as MMAUDIO
from openfoley.generators.salsa_v.config import DEFAULTS as SALSA_V
from openfoley.request import Request, options_of

GENERATED = ("duration", "audio", "sample_rate", "bit_depth", "nudge")  # only for `generate`


def add_options(
    parser: argparse.ArgumentParser, *sections: type, without: tuple[str, ...] = (), usual: str = ""
) -> None:
    """Add every field of these sections that has a help text. usual: the text for all defaults."""
    for section in sections:
        for one in fields(section):
            if one.metadata["help"] and one.name not in without:
                add_option(parser, one, usual)


def request_of(options: argparse.Namespace) -> Request:
    """The request of the arguments."""
    return Request.of(**given(options))


def given(options: argparse.Namespace) -> dict[str, Any]:
    """The options of a request that were given."""
    known = {one.name for _, one in options_of(Request())}
    return {name: value for name, value in vars(options).items() if name in known and value is not None}


def add_option(parser: argparse.ArgumentParser, one: Field[Any], usual: str = "") -> None:
    """Add a field; a required one has no default. usual: the text for its default."""
    check, metavar = one.metadata["check"], one.metadata["metavar"]
    extra: dict[str, Any] = {"required": True} if one.default is MISSING else {}
    if isinstance(check, Several):
        check, extra["nargs"] = check.each, "+"
    if metavar:
        extra["metavar"] = metavar
    if isinstance(check, Number):
        extra["type"] = whole if check.whole else number
    elif isinstance(check, OneOf):
        extra["choices"] = check.values
    elif check is path:
        extra["type"] = Path
    elif check is nudge:
        extra["type"] = milliseconds_or_frames
    if " " in metavar:
        extra |= {"nargs": 2, "metavar": tuple(metavar.split())}
    words = one.metadata["help"] + (check.words if isinstance(check, Number) else "")
    default = usual or one.metadata["usual"] or _default_words(one.name)
    parser.add_argument(f"--{one.name.replace('_', '-')}", help=f"{words} ({default})" if default else words, **extra)


def _default_words(name: str) -> str:
    """The models' own defaults, where they have one."""
    ours, theirs = getattr(SALSA_V, name, None), getattr(MMAUDIO, name, None)
    if ours is None:
        return ""
    return f"{ours:g}; mmaudio {theirs:g}" if theirs is not None else f"{ours:g}; not for mmaudio"


def whole(text: str) -> int:
    if not re.fullmatch(r"[+-]?\d+", text.strip()):
        raise argparse.ArgumentTypeError(f"expected a whole number, got {text!r}")
    return int(text)


def number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        hint = f"; write {text.replace(',', '.')}" if re.fullmatch(r"[+-]?\d+,\d+", text.strip()) else ""
        raise argparse.ArgumentTypeError(f"expected a number, got {text!r}{hint}") from None


def milliseconds_or_frames(text: str) -> float | str:
    try:
        return text if FRAMES_PATTERN.fullmatch(text) else number(text)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{error}, or frames such as 2f") from None
