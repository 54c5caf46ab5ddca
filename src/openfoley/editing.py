"""Change a part of a sound that exists: make a span anew, or go on to the end of the picture.

Which sound: that of `sound`, a file beside the video (its start is the first shown frame), or else the video's stream
`audio_stream` (0 is the first; by default the one that OpenFoley added, or the only one). The result has its rate,
channels and depth; a lossy sound becomes what its decoder gives, in 32-bit floating point.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from openfoley.errors import UsageError
from openfoley.media.limiter import CEILING_DBTP
from openfoley.media.sound_source import SoundSource, sound_source
from openfoley.request import (
    Request,
    check_context,
    check_settings,
    check_span,
    checked_video,
)
from openfoley.synthesis.splice import FADE_S, existing_sound, sound_length, spliced, stretch_to_generate, surroundings
from openfoley.synthesis.take import Take
from openfoley.synthesis.windows import Settings
from openfoley.timeline.cues import Cue
from openfoley.timeline.plan import CONTEXT_S, NEW_S

if TYPE_CHECKING:
    from openfoley.pipeline import Pipeline

SLACK_S = Fraction(1, 20)  # s by which a sound may be shorter than its picture and still end with it


def source_of(video: Path, sound: str | os.PathLike[str] | None, audio_stream: int | None) -> SoundSource:
    """The sound to change. UsageError or MediaError as `media.sound_source.sound_source`."""
    if sound is None:
        return sound_source(video, audio_stream)
    path = Path(sound).absolute()
    if not path.is_file():
        raise UsageError(f"the sound {str(sound)!r} does not exist or is no file")
    return sound_source(path, audio_stream)


def edited(
    pipeline: Pipeline,
    video: str | os.PathLike[str],
    span: tuple[float | Fraction, float | Fraction],
    *,
    sound: str | os.PathLike[str] | None = None,
    audio_stream: int | None = None,
    **settings: Any,
) -> Take:
    """The sound with [start, end) s made anew: outside of the span every sample stays as it was, to the bit.

    settings: seed, prompt, negative_prompt, steps, guidance, cuts, cues, context, window, reference, reference_span,
    reference_guidance, store, work, progress, as in `Pipeline.generate`; a cue's own seed is counted up by `seed`. The
    seed of the sound that was there gives another sound here. The fades (10 ms) lie inside the span.
    """
    path = checked_video(video)
    source = source_of(path, sound, audio_stream)
    start, end = check_span(span, pipeline.info(path, settings.get("store")).duration)
    length = sound_length(source)
    heard = Fraction(length, source.sample_rate)
    if end > heard:
        if end - heard > SLACK_S or start >= heard - SLACK_S:
            raise UsageError(
                f"the sound ends at {float(heard):.3f} s, before the span ({float(start):g} to {float(end):g} s) does; "
                "use `extend` to go on from there"
            )
        end = heard
    return _remade(pipeline, path, source, length, (start, end), sound, **settings)


def extended(
    pipeline: Pipeline,
    video: str | os.PathLike[str],
    *,
    sound: str | os.PathLike[str] | None = None,
    audio_stream: int | None = None,
    **settings: Any,
) -> Take:
    """The sound, continued to the end of the picture; its last 10 ms fade into what follows. settings: as `edited`."""
    path = checked_video(video)
    source = source_of(path, sound, audio_stream)
    duration = pipeline.info(path, settings.get("store")).duration
    length = sound_length(source)
    heard = Fraction(length, source.sample_rate)
    if duration - heard < SLACK_S:
        raise UsageError(
            f"the sound ({float(heard):.3f} s) is as long as the picture ({float(duration):.3f} s): nothing to extend"
        )
    return _remade(pipeline, path, source, length, (max(Fraction(0), heard - FADE_S), duration), sound, **settings)


@torch.inference_mode()
def _remade(
    pipeline: Pipeline,
    video: Path,
    source: SoundSource,
    length: int,
    span: tuple[Fraction, Fraction],
    sound: str | os.PathLike[str] | None,
    *,
    seed: int = 0,
    prompt: str | None = None,
    negative_prompt: str | None = None,
    steps: int | None = None,
    guidance: float | None = None,
    cuts: Any = "auto",
    cues: Sequence[Cue] = (),
    context: float | None = None,
    window: float | None = None,
    reference: str | os.PathLike[str] | None = None,
    reference_span: tuple[float, float] | None = None,
    reference_guidance: float | None = None,
    store: Any = None,
    work: Path | None = None,
    progress: Any = None,
    **options: Any,
) -> Take:
    from openfoley.pipeline import Job

    steps, guidance = pipeline.usual(steps, guidance)
    check_settings(steps, guidance, [seed], reference_guidance)
    pipeline.check_options(reference_guidance, options)
    known, _ = check_context(context, window, CONTEXT_S, NEW_S)
    codec, info = pipeline.model.codec, pipeline.info(video, store)
    pictures = pipeline.pictures(video)
    shots = pipeline.shots(video, cuts, store=store, pictures=pictures)
    resembled = pipeline.reference_latents(reference, reference_span)
    counted = [cue if cue.seed is None else replace(cue, seed=cue.seed + seed) for cue in cues]
    heard = Fraction(length, source.sample_rate)
    plan = pipeline.planned(shots, counted, context, window, resembled, span, heard)
    existing = existing_sound(source, length, span, known)
    stretch = stretch_to_generate(existing, codec)
    asked = Settings(steps, guidance, prompt, negative_prompt, reference_guidance, tuple(sorted(options.items())))
    around = surroundings(existing, plan, codec, pipeline.device)
    job = Job(video, pictures, info, shots, plan, asked, [seed], resembled, (stretch.start, stretch.end), around)
    (voice,), saved = pipeline.made(job, store, work, progress)
    samples = spliced(existing, voice.finish(), stretch, codec, CEILING_DBTP)
    request = Request(
        video, pipeline.model.name, prompt, negative_prompt, steps, guidance, seed, reference_guidance,
        span=span, sound=source.path,
    )  # fmt: skip
    replaces = source.number if sound is None else None
    return Take(request, info, source.sample_rate, samples, source.bit_depth, replaces, saved)
