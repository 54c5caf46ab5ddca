"""Cue sheets: what each stretch of a video should sound like, as CSV or JSON.

    start,end,prompt,negative_prompt,seed,guidance,stem,select,select_box,select_mask
    01:00:00:00,01:00:04:12,footsteps on gravel,music,7,4.5,steps,,,
    4.5,9,a wooden door,,,,door,the door,"0.1,0.2,0.4,0.9@5",

JSON is a list of objects with the same keys (or {"cues": [...]}). Times are seconds on the video's clock or timecode.
`start` and `end` are needed, the rest may be left out or blank: then it is as everywhere else. Cues with a stem name
are sounds of their own and may lie over those of other stems; within one stem (or without any) they may not overlap.
The file of a mask is found from the sheet's folder.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from openfoley.errors import UsageError
from openfoley.media.read.opening import shown
from openfoley.media.time.timecode import Timecode, parse_time, time_in, timecode_at
from openfoley.region import Box, box, parsed
from openfoley.request import WEIGHT, Cue
from openfoley.request.cues import one_region

COLUMNS = (
    "start", "end", "prompt", "negative_prompt", "seed", "guidance", "stem", "select", "select_box", "select_mask"
)  # fmt: skip
STEM_PATTERN = re.compile(r"[^\x00-\x1f/\\:*?\"<>|.\s][^\x00-\x1f/\\:*?\"<>|]*")  # what every file system takes
MAX_BYTES = 16 << 20  # of a sheet; a film's has some thousand lines


def read_cues(path: str | os.PathLike[str], start: Timecode, duration: Fraction | None = None) -> tuple[Cue, ...]:
    """The cues of a .csv or .json file in time order. start: the timecode of the video's first frame; duration: s.

    UsageError names the file, the line (or the number of the cue) and what is wrong with it.
    """
    path = Path(path)
    text = _text(path)
    rows = _json_rows(text, path) if path.suffix.lower() == ".json" else _csv_rows(text, path)
    placed = [(place, _cue(row, start, place, path.parent)) for place, row in rows]
    if not placed:
        raise UsageError(f"{shown(path)} holds no cues; give at least one line with start and end")
    return check_cues(placed, start, duration)


def given_cues(cues: Sequence[Cue], start: Timecode, duration: Fraction) -> tuple[Cue, ...]:
    """Cues that were not read from a sheet: their timecode as seconds, and checked as those of a sheet are."""
    placed = []
    for number, cue in enumerate(cues, start=1):
        place = f"cues: number {number}"
        if cue.stem is not None:
            check_stem_name(cue.stem, f"{place}: the stem")
        times = {name: time_in(getattr(cue, name), start, f"{place}: {name}") for name in ("start", "end")}
        placed.append((place, replace(cue, **times)))
    return check_cues(placed, start, duration)


def check_cues(placed: Sequence[tuple[str, Cue]], start: Timecode, duration: Fraction | None = None) -> tuple[Cue, ...]:
    """The cues in time order. UsageError for one outside the video and for two of one stem that overlap."""
    ordered = sorted(placed, key=lambda pair: pair[1].start)
    last: dict[str | None, tuple[str, Cue]] = {}
    for place, cue in ordered:
        if cue.end <= cue.start:
            raise UsageError(f"{place}: the cue must end after its start, got {_span(cue, start)}")
        if duration is not None and cue.end > duration:
            end = timecode_at(duration, start)
            raise UsageError(
                f"{place}: the cue {_span(cue, start)} ends after the video ({float(duration):.3f} s, {end})"
            )
        before = last.get(cue.stem)
        if before is not None and cue.start < before[1].end:
            kind = f"of stem {cue.stem!r} " if cue.stem else ""
            raise UsageError(
                f"{place}: the cue {kind}{_span(cue, start)} overlaps {before[0]} {_span(before[1], start)}; "
                "move one of them, or give them different stem names"
            )
        if before is None or cue.end > before[1].end:
            last[cue.stem] = (place, cue)
    return tuple(cue for _, cue in ordered)


def stem_names(cues: Sequence[Cue]) -> tuple[str, ...]:
    """The names of the stems, in order of their first cue."""
    return tuple(dict.fromkeys(cue.stem for cue in cues if cue.stem))


def cues_of_stem(cues: Sequence[Cue], stem: str | None) -> tuple[Cue, ...]:
    """The cues of one stem; None: those without a name."""
    return tuple(cue for cue in cues if cue.stem == stem)


def _text(path: Path) -> str:
    try:
        if path.is_dir():
            raise UsageError(f"the cue sheet {shown(path)} is a directory; pass a .csv or .json file")
        if path.stat().st_size > MAX_BYTES:
            raise UsageError(f"the cue sheet {shown(path)} is larger than {MAX_BYTES >> 20} MB; is it the right file?")
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"the cue sheet {shown(path)} is not text in UTF-8; save it as CSV UTF-8 or JSON") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"the cue sheet {shown(path)} cannot be read: {reason}") from None


def _csv_rows(text: str, path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """(place, row) of every line; a spreadsheet's semicolons and tabs are taken as well as commas."""
    lines = text.splitlines()
    first = next((line for line in lines if line.strip()), "")
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    header: list[str] | None = None
    try:
        for row in reader:
            place = f"{shown(path)} line {reader.line_num}"
            if not any(value.strip() for value in row) or row[0].lstrip().startswith("#"):
                continue
            if header is None:
                header = [name.strip().lower().replace(" ", "_").replace("-", "_") for name in row]
                _check_names(header, place)
            elif len(row) > len(header):
                raise UsageError(
                    f"{place}: {len(row)} values for {len(header)} columns; put a text with commas in quotes"
                )
            else:
                yield place, {name: value for name, value in zip(header, row, strict=False) if value.strip()}
    except csv.Error as error:
        raise UsageError(f"{shown(path)} line {reader.line_num}: not readable as CSV ({error})") from None


def _json_rows(text: str, path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        data = json.loads(text)
    except ValueError as error:
        raise UsageError(f"{shown(path)} is not JSON: {error}") from None
    rows = data.get("cues") if isinstance(data, dict) else data
    if not isinstance(rows, list):
        raise UsageError(f'{shown(path)}: expected a list of cues or {{"cues": [...]}}')
    for number, row in enumerate(rows, start=1):
        place = f"{shown(path)} cue {number}"
        if not isinstance(row, dict):
            raise UsageError(f"{place}: expected an object with start and end, got {row!r}")
        _check_names(list(row), place, needed=False)
        yield place, {name: value for name, value in row.items() if value is not None and value != ""}


def _check_names(names: Sequence[str], place: str, needed: bool = True) -> None:
    unknown = [name for name in names if name not in COLUMNS]
    if unknown:
        raise UsageError(f"{place}: unknown column {unknown[0]!r}; allowed: {', '.join(COLUMNS)}")
    if len(set(names)) < len(names):
        raise UsageError(f"{place}: a column is there twice")
    missing = [name for name in ("start", "end") if name not in names]
    if needed and missing:
        raise UsageError(f"{place}: column {missing[0]!r} is missing; the first line names the columns")


def _cue(row: dict[str, Any], start: Timecode, place: str, folder: Path) -> Cue:
    """folder: of the sheet."""
    for name in ("start", "end"):
        if name not in row:
            raise UsageError(f"{place}: {name!r} is missing")
    times = {}
    for name in ("start", "end"):
        value = row[name]
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            raise UsageError(f"{place}: {name} must be seconds or a timecode, got {value!r}")
        try:
            times[name] = parse_time(value if isinstance(value, str) else repr(value), start)
        except UsageError as error:
            raise UsageError(f"{place}: {name}: {error}") from None
    return Cue(
        times["start"],
        times["end"],
        _words(row, "prompt", place),
        _words(row, "negative_prompt", place),
        _seed(row, place),
        _guidance(row, place),
        _stem(row, place),
        _words(row, "select", place),
        *_region(row, place, folder),
    )


def _region(row: dict[str, Any], place: str, folder: Path) -> tuple[Box | None, Path | None]:
    """The row's box and mask."""
    mask = _words(row, "select_mask", place)
    area = row.get("select_box")
    if area is not None:
        area = parsed(f"{place}: select_box", area)
        box(f"{place}: select_box", area)
    file = None if mask is None else folder / mask
    one_region(f"{place}: ", area, file)
    return area, file


def _words(row: dict[str, Any], name: str, place: str) -> str | None:
    value = row.get(name)
    if value is not None and not isinstance(value, str):
        raise UsageError(f"{place}: {name} must be a text, got {value!r}")
    return value.strip() if value and value.strip() else None


def _seed(row: dict[str, Any], place: str) -> int | None:
    value = row.get("seed")
    if value is None:
        return None
    if isinstance(value, bool) or not re.fullmatch(r"\d+", str(value).strip()):
        raise UsageError(f"{place}: seed must be a whole number >= 0, got {value!r}")
    return int(value)


def _guidance(row: dict[str, Any], place: str) -> float | None:
    value = row.get("guidance")
    if value is None:
        return None
    try:
        number = value if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = value
    WEIGHT(f"{place}: guidance", number)
    return number


def _stem(row: dict[str, Any], place: str) -> str | None:
    name = _words(row, "stem", place)
    if name is not None:
        check_stem_name(name, f"{place}: the stem")
    return name


def check_stem_name(name: str, what: str) -> None:
    """Raises UsageError for one that cannot be part of a file name."""
    if not STEM_PATTERN.fullmatch(name):
        raise UsageError(f"{what} name {name!r} cannot be part of a file name; use letters, digits, - and _")


def _span(cue: Cue, start: Timecode) -> str:
    return f"{timecode_at(cue.start, start)} to {timecode_at(cue.end, start)}"
