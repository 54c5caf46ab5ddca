"""What the sound is for: a video, a still image for some seconds, or nothing to see at all."""

from __future__ import annotations

import math
import tempfile
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

from openfoley.errors import UsageError
from openfoley.request import AUDIO_SUFFIXES, LONGEST_SILENT_S, NO_VIDEO

TEXT_STEM = "foley"  # of the output, when there is no video to name it after


@contextmanager
def shown_video(options: Namespace) -> Iterator[Path]:
    """The video file to work on; NO_VIDEO for text alone. A still image becomes a video for the time being."""
    _check(options)
    if options.video is None:
        yield NO_VIDEO
        return
    video = Path(options.video)
    if options.duration is None or not video.is_file():
        yield video
        return

    from openfoley.media.still import is_still, write_still_video

    if not is_still(video):
        raise UsageError("--duration is for a still image or for text alone; the sound of a video is as long as it is")
    with tempfile.TemporaryDirectory(prefix="openfoley-") as folder:
        moving = Path(folder) / f"{video.stem}.mp4"
        write_still_video(video, Fraction(str(options.duration)), moving)
        yield moving


def _check(options: Namespace) -> None:
    if options.duration is not None and not (
        math.isfinite(options.duration) and 0 < options.duration <= LONGEST_SILENT_S
    ):
        raise UsageError(f"duration must be above 0 and at most {LONGEST_SILENT_S:g} s, got {options.duration:g}")
    if options.video is not None:
        return
    if options.duration is None:
        raise UsageError("pass a VIDEO, or --duration S with --prompt T for sound from text alone")
    if not (options.prompt and options.prompt.strip()) and options.cues is None:
        raise UsageError("without a VIDEO the sound comes from text alone: pass --prompt T")
    if options.stems or options.plan:
        raise UsageError("--stems and --plan need a VIDEO")
    if options.out is not None and Path(options.out).suffix.lower() not in AUDIO_SUFFIXES:
        raise UsageError(f"without a VIDEO the output is sound: {options.out!r} should end in .wav or .flac")


def output_for(options: Namespace, default: Path) -> Path:
    """--out, or `default` beside the video, or beside nothing: in the working folder."""
    if options.out is not None:
        return Path(options.out)
    if options.video is None:
        return Path(f"{TEXT_STEM}.wav")
    image = Path(options.video)
    return default if options.duration is None else image.with_name(f"{image.stem}.foley.wav")
