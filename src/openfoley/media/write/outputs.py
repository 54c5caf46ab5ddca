"""Where sound may be written, and in what form: paths and formats, checked before any heavy work."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from openfoley.errors import MediaError, UsageError
from openfoley.media.read.opening import open_media
from openfoley.media.settings import BitDepth
from openfoley.media.write.atomic import check_output
from openfoley.media.write.containers import FORMAT_NAMES, fitting_suffix
from openfoley.media.write.sound_track import sound_format

if TYPE_CHECKING:
    from av.container import InputContainer

log = logging.getLogger(__name__)

AUDIO_SUFFIXES = (".wav", ".flac")
VIDEO_SUFFIXES = tuple(FORMAT_NAMES)
DEPTH_ORDER: tuple[BitDepth, ...] = ("16", "24", "32f")  # each holds all values of those before it
LOSSLESS_SUFFIXES = (".wav", ".flac", ".mov", ".mkv", ".avi", ".mxf")
FALLBACK_SUFFIX = ".mkv"  # holds the picture of any other container
DEFAULT_BIT_DEPTH: BitDepth = "24"


def checked_video(video: str | os.PathLike[str]) -> Path:
    """The absolute path of a file that exists (absolute: a name like 'a:b.mp4' must not read as a protocol)."""
    path = Path(video).absolute()
    try:
        if path.is_dir():
            raise UsageError(f"the video {str(video)!r} is a directory; pass a video file")
        if not path.exists():
            raise UsageError(f"the video {str(video)!r} does not exist")
    except (OSError, ValueError) as error:  # a name that is too long, or holds a null character
        raise UsageError(f"the video {str(video)!r} cannot be opened: {error}") from None
    return path


def check_saving(
    path: str | os.PathLike[str],
    video: Path | None,
    bit_depth: BitDepth | None = None,
    force: bool = False,
) -> Path:
    """The output path, after everything about it that can be known without the video is checked; whether a container
    holds the video is checked by `rehearsal.Rehearsal` and by `mux`."""
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in VIDEO_SUFFIXES + AUDIO_SUFFIXES:
        known = ", ".join(VIDEO_SUFFIXES + AUDIO_SUFFIXES)
        raise UsageError(f"cannot write {str(path)!r}: unknown extension {suffix!r}; use one of {known}")
    if suffix == ".flac" and bit_depth == "32f":
        raise UsageError("FLAC holds 16 or 24 bits, not 32f; write a .wav, or choose bit depth 24")
    check_output(path, [] if video is None else [video], force)
    if suffix not in LOSSLESS_SUFFIXES and bit_depth is not None:
        codec = {"libopus": "Opus", "ac3": "AC-3"}.get(sound_format(suffix, bit_depth).codec, "AAC")
        log.warning(
            "%s stores sound as %s, which has no bit depth: %s is not used; write .mov, .mkv or .wav to have it",
            suffix, codec, bit_depth,
        )  # fmt: skip
    if suffix in VIDEO_SUFFIXES:
        if video is None:
            raise UsageError(f"there is no picture to write to {str(path)!r}; use one of {', '.join(AUDIO_SUFFIXES)}")
    return path


def check_exact(path: Path, same_rate: bool, depth: BitDepth, asked: BitDepth) -> None:
    """An edit leaves every sample outside its span as it was; UsageError where the output could not hold them."""
    if path.suffix.lower() not in LOSSLESS_SUFFIXES:
        allowed = ", ".join(LOSSLESS_SUFFIXES)
        raise UsageError(
            f"{path.suffix} stores sound with loss, and an edit leaves all other samples as they were; "
            f"write one of {allowed}"
        )
    if not same_rate or DEPTH_ORDER.index(asked) < DEPTH_ORDER.index(depth):
        raise UsageError("an edit keeps the rate and the depth of the sound; leave sample rate and bit depth out")


def default_output(video: Path) -> Path:
    """`fitting_output` of a file that is not read otherwise; a name where it cannot be read."""
    try:
        with open_media(video) as source:
            return fitting_output(source, video)
    except (UsageError, MediaError):  # said where the video is read
        suffix = video.suffix if video.suffix.lower() in VIDEO_SUFFIXES else FALLBACK_SUFFIX
        return video.with_name(f"{video.stem}.foley{suffix}")


def fitting_output(source: InputContainer, video: Path) -> Path:
    """STEM.foley.EXT beside the input: in its own container, in .mkv or .mov, whichever is the first that can hold the
    picture, or the sound alone."""
    suffix = fitting_suffix(source, video)
    if suffix == video.suffix.lower():
        return video.with_name(f"{video.stem}.foley{video.suffix}")
    log.warning("%s: %s", video.name, f"written as {suffix}" if suffix else "no container holds it; the sound alone")
    return video.with_name(f"{video.stem}.foley{suffix or '.wav'}")


def edited_output(video: Path, sound: Path | None, verb: str, is_float: bool = False) -> Path:
    """STEM.edit.EXT (or STEM.extend.EXT) beside the file that is edited, in a form that keeps every sample."""
    if sound is not None:
        suffix = ".flac" if sound.suffix.lower() == ".flac" and not is_float else ".wav"
        return sound.with_name(f"{sound.stem}.{verb}{suffix}")
    suffix = video.suffix.lower() if video.suffix.lower() in (".mkv", ".mov") else ""
    if not suffix:
        suffix = ".mov" if video.suffix.lower() in (".mp4", ".m4v") else ".mkv"
    return video.with_name(f"{video.stem}.{verb}{suffix}")


def take_paths(path: Path, takes: int) -> list[Path]:
    """The path itself for one take, STEM.take01.EXT ... for more."""
    if takes == 1:
        return [path]
    return [path.with_name(f"{path.stem}.take{number:02d}{path.suffix}") for number in range(1, takes + 1)]
