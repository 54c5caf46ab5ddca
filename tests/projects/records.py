"""Small projects for the tests."""

from dataclasses import replace
from fractions import Fraction

from openfoley.projects.record import ModelEntry, Record, Span, TakeEntry, VideoEntry, new_record
from openfoley.request import Request


def span(start: float, end: float) -> Span:
    return Span(Fraction(start), Fraction(end))


def take(number: int, start: float = 0, end: float = 10, stem: str | None = None) -> TakeEntry:
    request = Request.of(seed=number, steps=8, guidance=4.0)
    return TakeEntry(number, f"takes/{number:03d}.flac", "00", Fraction(start), Fraction(end), request, stem=stem)


def empty(duration: float = 10) -> Record:
    video = VideoEntry("film.mp4", "ff", Fraction(duration), Fraction(25), "01:00:00:00")
    return new_record(video, ModelEntry("tiny", "aa"), Request.of(steps=8, guidance=4.0))


def with_takes(*takes: TakeEntry) -> Record:
    return replace(empty(), takes=takes)
