"""What a user may ask for, and the checks that need no heavy import: they run before any work starts."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

from openfoley.errors import UsageError

AudioMode = Literal["add", "replace"]
BitDepth = Literal["16", "24", "32f"]
STEPS_RANGE = (1, 128)  # the step sizes of training reach down to 1/128 (arXiv 2510.02916, section 3.3)
GUIDANCE_RANGE = (0.0, 20.0)
TEMPERATURE_RANGE = (0.0, 1.0)
DEFAULT_TEMPERATURE = 0.3  # flow.temperature; 1 is the paper
TAKES_RANGE = (1, 99)
SAMPLE_RATE_RANGE = (8000, 192000)  # Hz
NUDGE_RANGE = (-60_000.0, 60_000.0)  # ms
CONTEXT_RANGE = (0.0, 15.0)  # s, as long as the longest training sequence of section 4
WINDOW_RANGE = (0.5, 120.0)  # s; beyond the training length for comparison only (Fig. 5 right: it gets worse)
SHORTEST_SPAN_S = Fraction(1, 20)  # two latents, and two fades of 10 ms with sound between them
DEFAULT_STEPS = 8
DEFAULT_GUIDANCE = 4.0  # section 4.1
AUDIO_SUFFIXES = (".wav", ".flac")
VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm")
DEPTH_ORDER: tuple[BitDepth, ...] = ("16", "24", "32f")  # each holds all values of those before it
LOSSLESS_SUFFIXES = (".wav", ".flac", ".mov", ".mkv")
FALLBACK_SUFFIX = ".mkv"  # holds the picture of any other container

DEFAULT_BIT_DEPTH: BitDepth = "24"
NO_VIDEO = Path(os.devnull)  # stands where a video's path would: sound from text alone
LONGEST_SILENT_S = 3600.0  # of sound without a video


@dataclass(frozen=True)
class Request:
    """What was asked of the pipeline for one take."""

    video: Path
    model: str
    prompt: str | None
    negative_prompt: str | None
    steps: int
    guidance: float
    seed: int
    reference_guidance: float | None = None
    nudge: float = 0.0  # ms by which the sound comes later
    span: tuple[Fraction, Fraction] | None = None  # s, the part that was made anew
    sound: Path | None = None  # the file whose sound was edited or extended


def check_settings(steps: int, guidance: float, seeds: Sequence[int], reference_guidance: float | None = None) -> None:
    """Ranges of sampling; UsageError names the value and the range."""
    low, high = STEPS_RANGE
    if isinstance(steps, bool) or not isinstance(steps, int) or not low <= steps <= high:
        raise UsageError(f"steps must be a whole number from {low} to {high}, got {steps!r}")
    _check_number("guidance", guidance, GUIDANCE_RANGE)
    if reference_guidance is not None:
        _check_number("reference guidance", reference_guidance, GUIDANCE_RANGE)
    for seed in seeds:
        if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
            raise UsageError(f"seed must be a whole number >= 0, got {seed!r}")


def check_guidance(name: str, value: float | None) -> None:
    """A weight of one condition; None is the default of `generators.base.sample_latents`."""
    if value is not None:
        _check_number(name, value, GUIDANCE_RANGE)


def check_temperature(temperature: float | None) -> None:
    """Of the noise (flow.temperature); None is the default."""
    if temperature is not None:
        _check_number("temperature", temperature, TEMPERATURE_RANGE)


def check_nudge(nudge: float) -> None:
    """ms by which a sound is moved."""
    _check_number("nudge", nudge, NUDGE_RANGE, " ms")


def _check_number(name: str, value: object, limits: tuple[float, float], unit: str = "") -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not limits[0] <= value <= limits[1]:
        raise UsageError(f"{name} must be from {limits[0]:g} to {limits[1]:g}{unit}, got {value!r}")


def check_context(
    context: float | None, window: float | None, default_context: Fraction, default_new: Fraction
) -> tuple[Fraction, Fraction]:
    """(context, window) in s: how much of a window is known from the one before, and how long it is in all."""
    if context is not None:
        _check_number("context", context, CONTEXT_RANGE, " s")
    if window is not None:
        _check_number("window", window, WINDOW_RANGE, " s")
    known = default_context if context is None else Fraction(context)
    whole = known + default_new if window is None else Fraction(window)
    if 2 * known >= whole:
        raise UsageError(f"the context must be under half of the window, got {float(known):g} of {float(whole):g} s")
    return known, whole


def check_span(
    span: tuple[float | Fraction, float | Fraction] | Sequence[float | Fraction], duration: Fraction
) -> tuple[Fraction, Fraction]:
    """A span in s, inside [0, duration]."""
    try:
        start, end = (Fraction(edge) for edge in span)
    except (TypeError, ValueError, OverflowError):
        raise UsageError(f"a span is two times in seconds, got {span!r}") from None
    if not 0 <= start < end <= duration:
        raise UsageError(
            f"the span must begin before it ends and lie from 0 to {float(duration):.3f} s, "
            f"got {float(start):g} to {float(end):g}"
        )
    if end - start < SHORTEST_SPAN_S:
        raise UsageError(f"the span must be at least {float(SHORTEST_SPAN_S):g} s long, got {float(end - start):g}")
    return start, end


def reference_edges(span: Sequence[float | Fraction]) -> tuple[Fraction, Fraction]:
    """The ends (s) of a part of a reference sound."""
    try:
        start, end = (Fraction(edge) for edge in span)
    except (TypeError, ValueError, OverflowError):
        raise UsageError(f"the reference span is two times in seconds, got {span!r}") from None
    return start, end


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
    video: Path,
    audio: AudioMode = "add",
    sample_rate: int | None = None,
    bit_depth: BitDepth | None = None,
    force: bool = False,
) -> Path:
    """The output path, after everything about it that can be known beforehand is checked."""
    from openfoley.media.atomic import check_output
    from openfoley.media.mux import check_mux

    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in VIDEO_SUFFIXES + AUDIO_SUFFIXES:
        known = ", ".join(VIDEO_SUFFIXES + AUDIO_SUFFIXES)
        raise UsageError(f"cannot write {str(path)!r}: unknown extension {suffix!r}; use one of {known}")
    if audio not in ("add", "replace"):
        raise UsageError(f"audio must be 'add' or 'replace', got {audio!r}")
    low, high = SAMPLE_RATE_RANGE
    if sample_rate is not None and not low <= sample_rate <= high:
        raise UsageError(f"sample rate must be from {low} to {high} Hz, got {sample_rate}")
    if bit_depth not in (None, "16", "24", "32f"):
        raise UsageError(f"bit depth must be 16, 24 or 32f, got {bit_depth!r}")
    if suffix == ".flac" and bit_depth == "32f":
        raise UsageError("FLAC holds 16 or 24 bits, not 32f; write a .wav, or choose bit depth 24")
    check_output(path, [video], force)
    if suffix in VIDEO_SUFFIXES:
        check_mux(video, path, audio, bit_depth or DEFAULT_BIT_DEPTH)
    return path


def check_exact(path: Path, same_rate: bool, depth: BitDepth, asked: BitDepth) -> None:
    """An edit leaves every sample outside its span as it was; UsageError where the output could not hold them."""
    if path.suffix.lower() not in LOSSLESS_SUFFIXES:
        allowed = ", ".join(LOSSLESS_SUFFIXES)
        raise UsageError(
            f"{path.suffix} stores sound with loss, and an edit leaves all other samples as they were; "
            f"write one of {allowed} with --out"
        )
    if not same_rate or DEPTH_ORDER.index(asked) < DEPTH_ORDER.index(depth):
        raise UsageError("an edit keeps the rate and the depth of the sound; leave --sample-rate and --bit-depth out")


def default_output(video: Path) -> Path:
    """STEM.foley.EXT beside the input, in the input's container if that can hold the sound."""
    suffix = video.suffix if video.suffix.lower() in VIDEO_SUFFIXES else FALLBACK_SUFFIX
    return video.with_name(f"{video.stem}.foley{suffix}")


def edited_output(video: Path, sound: Path | None, verb: str, is_float: bool) -> Path:
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
    if not TAKES_RANGE[0] <= takes <= TAKES_RANGE[1]:
        raise UsageError(f"takes must be a whole number from {TAKES_RANGE[0]} to {TAKES_RANGE[1]}, got {takes}")
    if takes == 1:
        return [path]
    return [path.with_name(f"{path.stem}.take{number:02d}{path.suffix}") for number in range(1, takes + 1)]
