"""The contents of a project file as frozen records, and its strict JSON form.

`project.json` may be edited by hand: errors name the line or key. Times are exact seconds ("5/2" or "2.5") on the
video's clock, whose zero is the first shown frame. A state in `history` lists the takes in the mix, lowest first:
where takes overlap, the last one is audible. `position` is the current state; those after it can be redone.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, fields, is_dataclass, replace
from fractions import Fraction
from pathlib import Path, PurePosixPath
from typing import Any

from openfoley.config import from_dict
from openfoley.errors import UsageError, WeightsError
from openfoley.projects.migration import migrated
from openfoley.request import Cue, Cut, Request
from openfoley.timeline.cues import STEM_PATTERN
from openfoley.timeline.shots import CUT_RULES

FORMAT = 2
LONGEST_DECIMALS = 6
FILE_NAME = "project.json"
PREVIOUS_NAME = "project.previous.json"
TAKES_FOLDER = "takes"


@dataclass(frozen=True)
class VideoEntry:
    """The video's path and identity. path: relative to the project folder if it was given so, else absolute."""

    path: str
    sha256: str
    duration: Fraction  # s
    frame_rate: Fraction  # Hz
    start_timecode: str | None


@dataclass(frozen=True)
class MaskEntry:
    """A mask's path, as the video's, and its content when it was set."""

    path: str
    sha256: str


@dataclass(frozen=True)
class ModelEntry:
    """The model's name or folder, the file of its adapters (None: in its folder, or none), and the hash of its weights
    and configuration with the adapters'."""

    name: str
    sha256: str
    adapters: str | None = None


@dataclass(frozen=True)
class TakeEntry:
    """A generated sound of [start, end) s in its own file, with its request."""

    number: int
    file: str  # relative to the project folder
    sha256: str
    start: Fraction
    end: Fraction
    request: Request  # without the project's cuts and cues
    stem: str | None = None
    reference_sha256: str | None = None
    mask_sha256: str | None = None
    selection_sha256: str | None = None  # of what a text selected with, if that lies beside the model's own parts
    made_over: tuple[int, ...] = ()  # the takes in the mix when it was made: its context on both sides

    @property
    def seed(self) -> int:
        return self.request.sampling.seed

    @property
    def span(self) -> Span:
        return Span(self.start, self.end)


@dataclass(frozen=True)
class Span:
    """[start, end) in s."""

    start: Fraction
    end: Fraction

    def overlaps(self, other: Span) -> bool:
        return self.start < other.end and other.start < self.end


@dataclass(frozen=True)
class Settings:
    """What `project set` changes: the request of future takes, the cuts, and the contents of the request's masks."""

    request: Request
    cuts: tuple[Cut, ...]
    masks: tuple[MaskEntry, ...] = ()


@dataclass(frozen=True)
class State:
    """After `did`: the takes in the mix, lowest first, and the locked spans. settings: those that `undo` (or, once
    undone, `redo`) of this state restores; None if it changed none."""

    did: str
    layers: tuple[int, ...] = ()
    locks: tuple[Span, ...] = ()
    settings: Settings | None = None


@dataclass(frozen=True)
class Record:
    """The whole project."""

    format: int
    video: VideoEntry
    model: ModelEntry
    request: Request  # the defaults of takes; its cues are the project's
    cuts: tuple[Cut, ...]  # detected, or read from a list
    takes: tuple[TakeEntry, ...]
    history: tuple[State, ...]
    position: int
    masks: tuple[MaskEntry, ...] = ()  # of the request and its cues

    @property
    def settings(self) -> Settings:
        return Settings(self.request, self.cuts, self.masks)

    def with_settings(self, settings: Settings) -> Record:
        return replace(self, request=settings.request, cuts=settings.cuts, masks=settings.masks)

    @property
    def cues(self) -> tuple[Cue, ...]:
        return self.request.timeline.cue_list

    @property
    def state(self) -> State:
        return self.history[self.position]

    @property
    def mix(self) -> list[TakeEntry]:
        """The takes in the mix, lowest first."""
        return [self.take(number) for number in self.state.layers]

    @property
    def stems(self) -> tuple[str | None, ...]:
        """The stems in the mix, in order of their first take."""
        return tuple(dict.fromkeys(take.stem for take in self.mix))

    def layers(self, stem: str | None) -> list[TakeEntry]:
        """A stem's takes in the mix, lowest first."""
        return [take for take in self.mix if take.stem == stem]

    def sounding_in(self, span: Span, stem: str | None) -> list[TakeEntry]:
        """A stem's takes in the mix that overlap a span, lowest first."""
        return [take for take in self.layers(stem) if take.span.overlaps(span)]

    @property
    def span(self) -> Span:
        """The whole video."""
        return Span(Fraction(0), self.video.duration)

    def take(self, number: int) -> TakeEntry:
        """The take of this number; UsageError names those that exist."""
        for take in self.takes:
            if take.number == number:
                return take
        known = ", ".join(str(take.number) for take in self.takes) or "none yet"
        raise UsageError(f"the project has no take {number}; takes: {known}")


def new_record(
    video: VideoEntry,
    model: ModelEntry,
    request: Request,
    cuts: tuple[Cut, ...] = (),
    masks: tuple[MaskEntry, ...] = (),
) -> Record:
    """A project without takes."""
    return Record(FORMAT, video, model, request, cuts, (), (State("new"),), 0, masks)


def to_text(record: Record) -> str:
    """The file's text: JSON, times as decimals where they are exact so ("4.125"), else as fractions ("100/3")."""
    plain = to_plain(record)
    text = json.dumps(plain, indent=1, ensure_ascii=False) + "\n"
    try:
        text.encode()
    except UnicodeEncodeError:  # a file name that is not UTF-8
        return json.dumps(plain, indent=1) + "\n"
    return text


def to_plain(value: Any) -> Any:
    """A record as the JSON values of the project file."""
    if isinstance(value, Request):  # omitted fields have their defaults
        sections = {section.name: getattr(value, section.name) for section in fields(value)}
        return {name: given for name, one in sections.items() if (given := _given(one))}
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple):
        return [to_plain(item) for item in value]
    if isinstance(value, Path):
        return os.fspath(value)
    return _decimal(value) if isinstance(value, Fraction) else value


def _given(section: Any) -> dict[str, Any]:
    """The fields of a section that differ from their defaults, and the seed."""
    pairs = ((one, getattr(section, one.name)) for one in fields(section))
    return {one.name: to_plain(value) for one, value in pairs if value != one.default or one.name == "seed"}


def _decimal(value: Fraction) -> str:
    """Exact: a decimal where the denominator divides a power of ten, else a fraction."""
    for digits in range(LONGEST_DECIMALS + 1):
        scaled = value * 10**digits
        if scaled.denominator == 1:
            whole, rest = divmod(abs(scaled.numerator), 10**digits)
            sign = "-" if value < 0 else ""
            return f"{sign}{whole}.{rest:0{digits}d}" if digits else str(value.numerator)
    return f"{value.numerator}/{value.denominator}"


def from_text(text: str, path: Path) -> Record:
    """The record of a file's text. UsageError names the line (invalid JSON) or the key (invalid value)."""
    try:
        data: Any = json.loads(text)
    except json.JSONDecodeError as error:
        raise UsageError(
            f"{path} line {error.lineno} column {error.colno}: {error.msg}; correct it or go back to {PREVIOUS_NAME}"
        ) from None
    found = data.get("format") if isinstance(data, dict) else None
    if isinstance(found, int) and found > FORMAT:
        raise UsageError(f"{path}: format {found} is from a newer OpenFoley, this one reads {FORMAT}; update OpenFoley")
    if found not in (1, FORMAT):
        raise UsageError(f"{path}: format is {found!r}, this version reads {FORMAT}")
    try:
        record = from_dict(Record, migrated(data, to_plain, FORMAT) if found == 1 else data, where="project")
    except WeightsError as error:
        raise UsageError(f"{path}: {error}; correct it or go back to {PREVIOUS_NAME}") from None
    problem = _problem(record)
    if problem:
        raise UsageError(f"{path}: {problem}; correct it or go back to {PREVIOUS_NAME}")
    return record


def _problem(record: Record) -> str | None:
    """The first invalid value in a record whose types are right, with its key."""
    if record.video.duration <= 0 or record.video.frame_rate <= 0:
        return "project.video: duration and frame_rate must be above 0"
    try:
        for take in record.takes:
            take.request.check()
    except UsageError as error:
        return f"project.request: {error}"
    whole = record.span
    numbers = [take.number for take in record.takes]
    for index, take in enumerate(record.takes):
        key = f"project.takes[{index}]"
        if take.number < 1 or numbers.count(take.number) > 1:
            return f"{key}.number: expected a unique number >= 1, got {take.number}"
        if not 0 <= take.start < take.end <= whole.end:
            return f"{key}.start and end: expected a span inside the video (0 to {whole.end} s)"
        parts = PurePosixPath(take.file).parts
        if not parts or ".." in parts or PurePosixPath(take.file).is_absolute():
            return f"{key}.file: expected a path inside the project folder, got {take.file!r}"
        if take.stem is not None and not STEM_PATTERN.fullmatch(take.stem):
            return f"{key}.stem: expected a name that can be part of a file name, got {take.stem!r}"
    return _problem_in_settings(record.settings, whole.end, "project") or _problem_in_history(record, numbers)


def _problem_in_settings(settings: Settings, end: Fraction, where: str) -> str | None:
    timeline = settings.request.timeline
    if timeline.cuts not in CUT_RULES:
        return f"{where}.request.timeline.cuts: expected one of {', '.join(map(repr, CUT_RULES))}"
    try:
        settings.request.check()
    except UsageError as error:
        return f"{where}.request: {error}"
    known = {Path(mask.path) for mask in settings.masks}
    for region in settings.request.regions:
        if region.mask is not None and region.mask not in known:
            return f"{where}.masks: expected an entry with path and sha256 of {os.fspath(region.mask)!r}"
    for index, cut in enumerate(settings.cuts):
        if not 0 < cut.time < end or (index and cut.time <= settings.cuts[index - 1].time):
            return f"{where}.cuts[{index}].time: expected times inside the video in ascending order, got {cut.time}"
    for index, cue in enumerate(timeline.cue_list):
        key = f"{where}.request.timeline.cues[{index}]"
        if not 0 <= cue.start < cue.end <= end:
            return f"{key}.start and end: expected a span inside the video (0 to {end} s)"
        if cue.stem is not None and not STEM_PATTERN.fullmatch(cue.stem):
            return f"{key}.stem: expected a name that can be part of a file name, got {cue.stem!r}"
        for other, before in enumerate(timeline.cue_list[:index]):
            if before.stem == cue.stem and Span(cue.start, cue.end).overlaps(Span(before.start, before.end)):
                return f"{key}: overlaps {where}.request.timeline.cues[{other}]"
    return None


def _problem_in_history(record: Record, numbers: list[int]) -> str | None:
    if not record.history:
        return "project.history: expected at least one state"
    if not 0 <= record.position < len(record.history):
        return f"project.position: expected 0 to {len(record.history) - 1}, got {record.position}"
    for index, state in enumerate(record.history):
        key = f"project.history[{index}]"
        for number in state.layers:
            if number not in numbers:
                return f"{key}.layers: there is no take {number}"
        if len(set(state.layers)) < len(state.layers):
            return f"{key}.layers: a take is listed twice"
        for span in state.locks:
            if not 0 <= span.start < span.end <= record.video.duration:
                return f"{key}.locks: expected spans inside the video, got {span.start} to {span.end}"
        if state.settings is not None:
            problem = _problem_in_settings(state.settings, record.video.duration, f"{key}.settings")
            if problem is not None:
                return problem
    return None
