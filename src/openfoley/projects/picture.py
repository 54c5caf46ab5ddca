"""The location of a project's video, and whether it is still the one that the project was made for."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from openfoley.errors import MediaError, OpenFoleyError, UsageError
from openfoley.media.read.content_hash import file_hash
from openfoley.media.read.opening import shown
from openfoley.media.source import Source, phase
from openfoley.media.write.outputs import checked_video
from openfoley.media.write.rehearsal import Rehearsal
from openfoley.projects.record import Record


def picture_of(folder: Path, record: Record, rehearsal: Rehearsal | None = None) -> Source:
    """The video; rehearsal: as for `Source.file`. UsageError if it is missing, MediaError for another file."""
    path = _present(folder, record)
    phase.info("reading %s", path.name)
    try:
        source = Source.file(path, rehearsal=rehearsal, with_hash=True)
    except OpenFoleyError:  # of a changed file that cannot be used either, the change is said
        _check_same(folder, record, path, file_hash(path))
        raise
    _check_same(folder, record, path, source.content_hash)
    return source


def picture_problem(folder: Path, record: Record) -> str | None:
    """What is wrong with the video's file, if anything."""
    try:
        path = _present(folder, record)
        _check_same(folder, record, path, file_hash(path))
    except OpenFoleyError as error:
        return str(error)
    return None


def _present(folder: Path, record: Record) -> Path:
    path = (folder / record.video.path).resolve()
    if not path.is_file():
        raise UsageError(
            f"the project's video {shown(path)} is missing; put it back, or {_if_moved(folder)}; sound (.wav, .flac) "
            "is rendered without it"
        )
    return path


def _check_same(folder: Path, record: Record, path: Path, content_hash: str) -> None:
    if content_hash != record.video.sha256:
        raise MediaError(
            f"the project's video {shown(path)} has changed since the project was made; put the old one back; "
            f"{_if_moved(folder)}, with changed=True for another version of the same duration"
        )


def _if_moved(folder: Path) -> str:
    return f"if it was moved, run `openfoley project picture {shown(folder)} PATH`"


def path_in(folder: Path, given: str | os.PathLike[str]) -> str:
    """A video's path as stored in the project: relative to its folder if it was given so, else absolute."""
    path = Path(given)
    return os.fspath(path) if path.is_absolute() else os.path.relpath(path.absolute(), folder.absolute())


def with_picture(folder: Path, record: Record, given: str | os.PathLike[str], changed: bool) -> Record:
    """The record with its video at another path. changed: also accept other contents of the same duration and frame
    rate; cuts, cues and takes stay. UsageError for any other video."""
    path = checked_video(given)
    video = replace(record.video, path=path_in(folder, given), sha256=file_hash(path))
    if video.sha256 == record.video.sha256:
        return replace(record, video=video)
    if not changed:
        raise UsageError(
            f"{shown(path)} is not the video of the project (its sha256 differs); pass the right one, or "
            "changed=True for another version of the same duration"
        )
    info = Source.file(path).info
    if (info.duration, info.frame_rate) != (record.video.duration, record.video.frame_rate):
        raise UsageError(
            f"{shown(path)} lasts {float(info.duration):.3f} s at {float(info.frame_rate):.5g} frames per second, the "
            f"project's video {float(record.video.duration):.3f} s at {float(record.video.frame_rate):.5g}; "
            "make a new project for it"
        )
    return replace(record, video=video)


def unseen(record: Record) -> Source:
    """A source of the video's duration without its picture: sound can be rendered if the video is missing."""
    source = Source.nothing(1)
    source.info = replace(source.info, duration=record.video.duration, frame_rate=record.video.frame_rate)
    return source
