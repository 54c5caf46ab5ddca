"""Small projects for the tests."""

from dataclasses import replace
from fractions import Fraction

from openfoley.projects.record import ModelEntry, Record, Settings, Span, TakeEntry, VideoEntry, new_record


def span(start: float, end: float) -> Span:
    return Span(Fraction(start), Fraction(end))


def take(number: int, start: float = 0, end: float = 10, stem: str | None = None) -> TakeEntry:
    return TakeEntry(
        number, f"takes/{number:03d}.flac", "00", Fraction(start), Fraction(end), number, 8, 4.0, stem=stem
    )


def empty(duration: float = 10) -> Record:
    video = VideoEntry("film.mp4", "ff", Fraction(duration), Fraction(25), "01:00:00:00")
    return new_record(video, ModelEntry("tiny", "aa"), Settings())


def with_takes(*takes: TakeEntry) -> Record:
    return replace(empty(), takes=takes)
