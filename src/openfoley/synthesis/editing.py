"""Regenerate a span of existing sound, or continue it to the end of its picture: in-, out- and overpainting in time.

Outside of the span every sample stays as it was, in its own depth (`splice`). The fades (10 ms) lie inside the span.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import torch

from openfoley.errors import UsageError
from openfoley.hub.parts import Model
from openfoley.media.limiter import CEILING_DBTP
from openfoley.media.read.sound_source import SoundSource
from openfoley.media.source import Source
from openfoley.request import Request, Timeline, windows_asked
from openfoley.synthesis.adapted import reading_whole
from openfoley.synthesis.job import (
    Job,
    RunOptions,
    Video,
    counted_up,
    opened,
    planned,
    reference_latents,
    resolved,
    shots_in,
)
from openfoley.synthesis.running import run
from openfoley.synthesis.selection import model_for
from openfoley.synthesis.splice import (
    FADE_S,
    existing_sound,
    spliced,
    stretch_to_generate,
    surroundings,
)
from openfoley.synthesis.take import Take
from openfoley.timeline.plan import CONTEXT_S, NEW_S

SLACK_S = Fraction(1, 20)  # s by which a sound may be shorter than its picture and still end with it


def existing_source(source: Source, timeline: Timeline) -> SoundSource:
    """The sound to change: the video's own, or a file beside it. UsageError or MediaError as `sound_source`."""
    sound = timeline.sound
    if sound is None:
        return source.sound(timeline.audio_stream)
    path = Path(sound).absolute()
    if not path.is_file():
        raise UsageError(f"the sound {str(sound)!r} does not exist or is no file")
    return source.sound(timeline.audio_stream, path)


def edited(model: Model, video: Video, request: Request, options: RunOptions) -> Take:
    """The sound with [start, end) s of `request.timeline.span` regenerated.

    A cue's own seed is counted up by the seed. The seed of the sound that was there gives another sound here.
    """
    source = opened(video, request.timeline, options.strict, with_hash=options.needs_hash, with_sound=True)
    request = resolved(model, source, request)
    model = model_for(model, request)
    span = request.timeline.span_s
    if span is None:
        raise UsageError("an edit needs a span: two times in seconds, or timecode")
    existing = existing_source(source, request.timeline)
    start, end = span
    length = existing.samples.length
    sound_end = Fraction(length, existing.sample_rate)
    if end > sound_end:
        if end - sound_end > SLACK_S or start >= sound_end - SLACK_S:
            raise UsageError(
                f"the sound ends at {float(sound_end):.3f} s, before the span ({float(start):g} to {float(end):g} s) "
                "does; use `extend` to continue from there"
            )
        end = sound_end
    return _regenerated(model, source, existing, length, (start, end), request, options)


def extended(model: Model, video: Video, request: Request, options: RunOptions) -> Take:
    """The sound, continued to the end of the picture; its last 10 ms are crossfaded with what follows."""
    source = opened(video, request.timeline, options.strict, with_hash=options.needs_hash, with_sound=True)
    request = resolved(model, source, request)
    model = model_for(model, request)
    existing, duration = existing_source(source, request.timeline), source.info.duration
    length = existing.samples.length
    sound_end = Fraction(length, existing.sample_rate)
    if duration - sound_end < SLACK_S:
        raise UsageError(
            f"the sound ({float(sound_end):.3f} s) is as long as the picture ({float(duration):.3f} s): nothing to "
            "extend"
        )
    span = (max(Fraction(0), sound_end - FADE_S), duration)
    return _regenerated(model, source, existing, length, span, request, options)


@torch.inference_mode()
def _regenerated(
    model: Model,
    source: Source,
    sound: SoundSource,
    length: int,
    span: tuple[Fraction, Fraction],
    request: Request,
    options: RunOptions,
) -> Take:
    codec, seed = model.codec, request.sampling.seed
    known, _ = windows_asked(request.timeline, CONTEXT_S, NEW_S)
    shots = shots_in(model, source, request.timeline, options.store)
    reference = reference_latents(model, request)
    timeline = replace(request.timeline, cues=counted_up(request.timeline.cue_list, seed), span=span)
    request = replace(request, timeline=timeline)
    model = reading_whole(model, request, planned(model, shots, timeline, reference))
    plan = planned(model, shots, timeline, reference, span, Fraction(length, sound.sample_rate))
    in_plan = max(plan[0].window.context, plan[-1].window.after)  # with the overlap, where windows are joined by "swap"
    existing = existing_sound(sound, length, span, max(known, in_plan / codec.latent_rate))
    stretch = stretch_to_generate(existing, codec)
    around = surroundings(existing, plan, codec, model.device)
    samples = (stretch.start, stretch.end)
    (take,), work = run(Job(model, source, shots, plan, request, [seed], reference, samples, around), options)
    result = spliced(existing, take.finish(), stretch, codec, CEILING_DBTP)
    replaces = sound.number if request.timeline.sound is None else None
    return Take(request, model.name, source, sound.sample_rate, result, sound.bit_depth, replaces, sound.notes, work)
