"""A project as plain values with timecodes, and as the text that `openfoley project show` prints."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from openfoley.config import to_dict
from openfoley.media.time.timecode import timecode_at
from openfoley.projects.history import start_of
from openfoley.projects.record import Record, Span, TakeEntry, to_plain
from openfoley.request import asked_words


def plain(
    record: Record, folder: Path, picture_problem: str | None = None, mask_problems: Sequence[str] = ()
) -> dict[str, Any]:
    """Everything about a project, times as seconds and as timecode."""
    start, state = start_of(record), record.state

    def code(time: Fraction) -> str:
        return str(timecode_at(time, start))

    def span(of: Span) -> dict[str, Any]:
        return {"start_s": float(of.start), "end_s": float(of.end), "start": code(of.start), "end": code(of.end)}

    def take(of: TakeEntry) -> dict[str, Any]:
        rest = {key: value for key, value in to_plain(of).items() if key not in ("start", "end")}
        return {**rest, **span(of.span), "seed": of.seed, "sounds": of.number in state.layers}

    return {
        "folder": str(folder),
        "video": {**to_dict(record.video), "duration_s": float(record.video.duration), "start": code(Fraction(0))},
        "picture_problem": picture_problem,
        "mask_problems": list(mask_problems),
        "model": to_dict(record.model),
        "request": to_plain(record.request),
        "cuts": [{"time_s": float(c.time), "time": code(c.time), "join": c.join} for c in record.cuts],
        "cues": [{**to_dict(c), **span(Span(c.start, c.end))} for c in record.cues],
        "takes": [take(one) for one in record.takes],
        "layers": list(state.layers),
        "locks": [span(lock) for lock in state.locks],
        "history": [one.did for one in record.history],
        "position": record.position,
    }


def place(record: Record) -> str:
    """The project's position in its history."""
    undone, redone = record.position, len(record.history) - 1 - record.position
    return f"last: {record.state.did}; {undone} to undo, {redone} to redo"


def lines(
    record: Record, folder: Path, picture_problem: str | None = None, mask_problems: Sequence[str] = ()
) -> list[str]:
    """The project as text: takes, mix, locks, cuts, settings and history."""
    start = start_of(record)

    def code(time: Fraction) -> str:
        return str(timecode_at(time, start))

    video, state = record.video, record.state
    said = [
        f"{folder}: {video.path}, {float(video.duration):.3f} s at {float(video.frame_rate):.5g} frames per second, "
        f"starts at {start}; model {record.model.name}",
        f"cuts ({record.request.timeline.cuts}): "
        + (", ".join(code(c.time) + (f" {c.join}" if c.join else "") for c in record.cuts) or "none"),
    ]
    said += [
        f"cue {code(c.start)} to {code(c.end)}"
        + (f" [{c.stem}]" if c.stem else "")
        + (f" {words}" if (words := asked_words(c)) else "")
        for c in record.cues
    ]
    for take in record.takes:
        mark = "*" if take.number in state.layers else " "
        words = f" {asked}" if (asked := asked_words(take.request.prompting)) else ""
        stem = f" [{take.stem}]" if take.stem else ""
        said.append(
            f"{mark} take {take.number:3d}  {code(take.start)} to {code(take.end)}  seed {take.seed}{stem}{words}"
        )
    said += [f"locked {code(lock.start)} to {code(lock.end)}" for lock in state.locks]
    given = {k: v for k, v in record.request.given().items() if k not in ("cues", "cuts")}
    said.append("settings: " + ", ".join(f"{name} {value}" for name, value in given.items()))
    said.append("history:")
    for index, one in enumerate(record.history):
        mark = ">" if index == record.position else " "
        said.append(f"{mark} {index:3d}  {one.did}" + (" (undone)" if index > record.position else ""))
    said += [f"picture: {picture_problem}"] if picture_problem else []
    said += [f"mask: {problem}" for problem in mask_problems]
    return [*said, place(record)]
