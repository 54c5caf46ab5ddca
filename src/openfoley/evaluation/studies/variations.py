"""Rows of a study: the same clips with other options of the request, paired by clip.

A row is written as its options, `join=swap` or `overlap=0.2,context=1`, or as `default`, without any;
`adapters=FILE` gives it adapters of its own (`openfoley train adapters`). The first row of a study is the one that the
others are compared with. Every row keeps its own results, so that rows can be added later; those of a row with adapters
belong to the content of the file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from openfoley.checks import Number, flag
from openfoley.errors import UsageError
from openfoley.media.read.content_hash import file_hash
from openfoley.request import Request, options_of

DEFAULT_ROW = "default"
ADAPTERS = "adapters"
HASH_DIGITS = 12
WORDS = {"on": True, "off": False, "true": True, "false": False}


def row_options(text: str) -> dict[str, Any]:
    """The options of the request of a row, by name. UsageError for what is no row, no option or no value of one."""
    known = {one.name: one.metadata["check"] for _, one in options_of(Request())}
    words = {name: word for name, word in _words(text).items() if name != ADAPTERS}
    options = {name: _value(known.get(name), name, word) for name, word in words.items()}
    Request.of(**options)
    return options


def adapters_of(text: str) -> Path | None:
    """The file of the adapters of a row; None: it has none of its own. UsageError for a file that is not there."""
    word = _words(text).get(ADAPTERS)
    if word is None:
        return None
    if not Path(word).is_file():
        raise UsageError(f"the adapters {word!r} of a row do not exist; train some: openfoley train adapters")
    return Path(word)


def _words(text: str) -> dict[str, str]:
    if text == DEFAULT_ROW:
        return {}
    words: dict[str, str] = {}
    for part in text.split(","):
        name, equals, value = (word.strip() for word in part.partition("="))
        if not (name and equals and value):
            raise UsageError(f"a row must be {DEFAULT_ROW} or options such as join=swap,context=1, got {text!r}")
        words[name] = value
    return words


def _value(check: Callable[[str, Any], None] | None, name: str, word: str) -> Any:
    if check is flag and word in WORDS:
        return WORDS[word]
    if not isinstance(check, Number):
        return word
    try:
        return int(word) if check.whole else float(word)
    except ValueError:
        raise UsageError(f"{name} must be a number, got {word!r}") from None


def row_check(_name: str, value: Any) -> None:
    row_options(value)
    adapters_of(value)


def check_rows(rows: Sequence[str]) -> None:
    """UsageError for a row that is there twice, or for none."""
    if not rows or len(set(rows)) < len(rows):
        raise UsageError(f"rows must be distinct and at least one, got {', '.join(rows) or 'none'}")


def varied(request: Request, row: str) -> Request:
    """The request as a row has it."""
    return Request.of(request, **row_options(row))


def section_of(row: str, name: str = "clip") -> str:
    """Of the results of a row's clips; the default's are those of a study without rows."""
    if (adapters := adapters_of(row)) is not None:
        words = {**_words(row), ADAPTERS: file_hash(adapters)[:HASH_DIGITS]}
        row = ",".join(f"{name}={word}" for name, word in words.items())
    return name if row == DEFAULT_ROW else f"{name}@{re.sub(r'[^A-Za-z0-9=.,_-]', '_', row)}"
