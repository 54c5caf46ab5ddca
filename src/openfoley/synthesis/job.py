"""One generation: from a request to a plan of windows. A plan always runs; a short video is a plan of one window."""

from __future__ import annotations

import hashlib
import inspect
import logging
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from pathlib import Path
from typing import ParamSpec, TypeVar

import torch
from torch import Tensor

from openfoley.checks import Kind, edges, flag, function, path
from openfoley.errors import UsageError
from openfoley.generators.sampling import SAMPLING
from openfoley.hub.fingerprint import fingerprint
from openfoley.hub.parts import Model
from openfoley.media.source import Source, phase
from openfoley.media.time.timecode import Timecode, time_in, zero
from openfoley.media.write.rehearsal import Rehearsal
from openfoley.request import Cue, Cut, Prompting, Request, Timeline, check_span, option, options_of, windows_asked
from openfoley.synthesis.adapted import check_whole_video, reading_whole
from openfoley.synthesis.assembler import Surroundings
from openfoley.synthesis.feature_store import FeatureStore
from openfoley.synthesis.features import frame_requests
from openfoley.synthesis.picture_masks import mask_hash
from openfoley.synthesis.reference import encoded_reference
from openfoley.synthesis.region_features import with_region_times
from openfoley.synthesis.resume import FORMAT
from openfoley.synthesis.selection import check_picture, check_selection, model_for
from openfoley.timeline.cues import given_cues, read_cues
from openfoley.timeline.cut_list import read_cuts
from openfoley.timeline.plan import (
    CONTEXT_S,
    NEW_S,
    OVERLAP_S,
    PlannedWindow,
    WindowLayout,
    make_plan,
    sampled_for,
)
from openfoley.timeline.shots import Shot, cut_rule, shots_of

logger = logging.getLogger(__name__)
NEAR_TRAINING = (0.5, 1.1)  # of the training length
Progress = Callable[[float, float], None]  # seconds of sound done, seconds in all
P = ParamSpec("P")
T = TypeVar("T")
Video = str | os.PathLike[str] | Source | None


@dataclass(frozen=True)
class RunOptions:
    """What a generation uses beside the request; nothing of it changes the result.

    store: keeps the video's features. work: a folder that keeps what is done (of more than one window), so that the
    same call resumes after a crash; the takes need it until `take.work.remove()`. progress: receives seconds of sound
    done and in all. strict: refuse damaged files that can be read in part.
    """

    store: FeatureStore | None = option(Kind(FeatureStore, "FeatureStore(folder)"))
    work: Path | None = option(path)
    progress: Progress | None = option(function)
    strict: bool = option(flag, default=False)

    @property
    def needs_hash(self) -> bool:
        """Whether the source's hash is needed as the key of stored features and work."""
        return self.store is not None or self.work is not None

    @classmethod
    def split(cls, options: dict[str, object]) -> tuple[RunOptions, dict[str, object]]:
        """The run options among `options`, and the others."""
        own = {one.name: one.metadata["check"] for one in fields(cls)}
        mine = {name: value for name, value in options.items() if name in own}
        for name, value in mine.items():
            if value is not None or name == "strict":
                own[name](name, value)
        if isinstance(work := mine.get("work"), (str, os.PathLike)):
            mine["work"] = Path(work)
        return replace(cls(), **mine), {name: value for name, value in options.items() if name not in own}


def shows_options(verb: Callable[P, T]) -> Callable[P, T]:
    """The signature of a verb with every option by name, for help() and notebooks."""
    signature = inspect.signature(verb)
    own = [one for one in signature.parameters.values() if one.kind is not one.VAR_KEYWORD]
    named = [one for _, one in options_of(Request())] + list(fields(RunOptions))
    keyword = inspect.Parameter.KEYWORD_ONLY
    taken = {one.name for one in own}
    more = [inspect.Parameter(f.name, keyword, default=f.default, annotation=f.type) for f in named]
    parameters = [*own, *(one for one in more if one.name not in taken)]
    verb.__dict__["__signature__"] = signature.replace(parameters=parameters)
    return verb


@dataclass(frozen=True)
class Job:
    """One plan to run for one source. request: with everything resolved. reference: latents of the sound to resemble.
    samples: the first sample to make and the one behind the last. around: existing sound beside a regenerated span.
    promptings: of the sounds to make from one pass over the picture; none is that of the request."""

    model: Model
    source: Source
    shots: Sequence[Shot]
    plan: Sequence[PlannedWindow]
    request: Request
    seeds: Sequence[int]
    reference: Tensor | None
    samples: tuple[int, int]
    around: Surroundings | None = None
    promptings: tuple[Prompting, ...] = ()

    @property
    def requests(self) -> list[Request]:
        """A request for each take: all seeds of the first prompting, then of the next."""
        each = [replace(self.request, prompting=one) for one in self.promptings or (self.request.prompting,)]
        return [replace(one, sampling=replace(one.sampling, seed=seed)) for one in each for seed in self.seeds]

    @classmethod
    def planned(
        cls,
        model: Model,
        video: Video,
        seeds: Sequence[int],
        request: Request,
        options: RunOptions,
        only_in: Sequence[Cue] | None = None,
        in_span: bool = False,
    ) -> Job:
        """The sound of a whole video, or with in_span of the request's span. only_in: the cues outside of which the
        sound is not needed. Raises UsageError, MediaError."""
        source = opened(video, request.timeline, options.strict, with_hash=options.needs_hash)
        request = resolved(model, source, request)
        check_picture(source, request)
        model = model_for(model, request)
        reference, timeline = reference_latents(model, request), request.timeline
        shots = shots_in(model, source, timeline, options.store)
        plan = planned(model, shots, timeline, reference)
        model = reading_whole(model, request, plan)
        if in_span and timeline.span_s is not None:
            plan = planned(model, shots, timeline, reference, timeline.span_s)
        if only_in is not None:
            plan = sampled_for(plan, only_in, model.codec.latent_rate)
        samples = (0, sample_count(model, source.info.duration))
        return cls(model, source, shots, plan, request, seeds, reference, samples)


def opened(
    video: Video,
    timeline: Timeline,
    strict: bool = False,
    *,
    rehearsal: Rehearsal | None = None,
    with_hash: bool = False,
    with_sound: bool = False,
) -> Source:
    """The video, the still image or nothing to see; rehearsal, with_hash, with_sound: as for `Source.file`. Raises
    UsageError, MediaError."""
    if isinstance(video, Source):
        return video
    if not isinstance(video, (str, os.PathLike, type(None))):
        raise UsageError(f"video must be a path, a Source or None, got {video!r:.80}")
    phase.info("reading %s", "nothing" if video is None else Path(video).name)
    if video is None:
        return Source.nothing(timeline.duration)
    if timeline.duration is not None:
        return Source.still(Path(video), Fraction(str(timeline.duration)), rehearsal=rehearsal)
    return Source.file(
        Path(video), strict=strict, rehearsal=rehearsal, with_hash=with_hash,
        with_sound=with_sound and timeline.sound is None, audio_stream=timeline.audio_stream,
    )  # fmt: skip


def first_frame_code(source: Source, given: str | None) -> Timecode:
    """The timecode of the first frame: as given, as the file has it, or 00:00:00:00."""
    return source.timecode(given) or zero(source.counted_rate)


def resolved(model: Model, source: Source, request: Request) -> Request:
    """`with_times`, and with the model's own settings. UsageError for an option that the model does not have."""
    request = with_times(source, request)
    generator, sampling = model.generator, request.sampling
    wrong = sampling.unsupported(generator.supported_options)
    if wrong is not None:
        allowed = ", ".join(sorted(generator.supported_options))
        raise UsageError(f"{wrong} is not an option of {model.name}; it has {allowed}")
    check_selection(model, request)
    check_whole_video(model, request)
    return replace(request, sampling=sampling.resolved(generator.defaults))


def with_times(source: Source, request: Request) -> Request:
    """The request with its lists of cuts and cues read, its masks checked, and its timecode as seconds."""
    timeline = request.timeline
    start = first_frame_code(source, request.output.start_timecode)
    cuts, cues, span = timeline.cuts, timeline.cues, timeline.span
    duration = source.info.duration
    cues = given_cues(cues, start, duration) if isinstance(cues, tuple) else read_cues(cues, start, duration)
    if isinstance(cuts, tuple):
        cuts = tuple(replace(cut, time=time_in(cut.time, start, "cuts")) for cut in cuts)
    elif not cut_rule(cuts):
        cuts = tuple(read_cuts(cuts, start, duration))
    if span is not None:
        span = check_span([time_in(edge, start, "span") for edge in span], duration)
    timeline = replace(timeline, cuts=cuts, cues=cues, span=span)
    return with_region_times(source, replace(request, timeline=timeline), start)


def shots_in(model: Model, source: Source, timeline: Timeline, store: FeatureStore | None = None) -> list[Shot]:
    """The shots of a video by a rule or a list of cuts. Frames for the model are kept while cuts are detected."""
    cuts, duration = timeline.cuts, source.info.duration
    if isinstance(cuts, tuple):
        return shots_of(duration, cuts, "auto")
    rule = cut_rule(cuts)
    assert rule is not None
    if rule == "none" or not source.has_picture:
        return shots_of(duration, [], rule)
    requests = frame_requests(model)
    times = source.cuts(requests) if store is None else store.cuts(source, requests)
    return shots_of(duration, [Cut(time) for time in times], rule)


def reference_latents(model: Model, request: Request) -> Tensor | None:
    """Latents [1, n, latent_dim] of the reference sound."""
    reference, span = request.prompting.reference, request.prompting.reference_span
    if reference is None:
        return None
    part = None if span is None else edges(span, "reference_span")
    return encoded_reference(model.codec, reference, part, model.device)


def planned(
    model: Model,
    shots: Sequence[Shot],
    timeline: Timeline,
    reference: Tensor | None,
    span: tuple[Fraction, Fraction] | None = None,
    existing_end: Fraction | None = None,
) -> list[PlannedWindow]:
    """Windows in whole latents; the reference takes its place in each. span, existing_end: as for `make_plan`."""
    rate, longest = model.codec.latent_rate, model.generator.window_latents
    known, whole = windows_asked(timeline, CONTEXT_S, NEW_S)
    known_latents = round(known * rate)
    # By default no window is longer than those of the training (8 s as shipped; the paper's are 10 s).
    latents = round(whole * rate) if timeline.window is not None else min(round(whole * rate), longest)
    taken = 0 if reference is None else reference.shape[1]
    if taken and latents - taken <= 2 * known_latents:
        raise UsageError(
            f"a window of {float(latents / rate):.2f} s has no room for {float(taken / rate):.2f} s of reference "
            f"and {float(known):g} s of context; pass a shorter reference span or context, or a longer window"
        )
    overlap = round((OVERLAP_S if timeline.overlap is None else Fraction(timeline.overlap)) * rate)
    layout = WindowLayout(latents - taken, known_latents, timeline.join, overlap)
    return make_plan(shots, rate, layout, cues=timeline.cue_list, span=span, existing_end=existing_end)


def warn_of_length(model: Model, plan: Sequence[PlannedWindow]) -> None:
    """A model trained at one length only works best near it."""
    generator, rate = model.generator, model.codec.latent_rate
    lengths = [one.window.latent_count for one in plan]
    low, high = (generator.window_latents * factor for factor in NEAR_TRAINING)
    far = next((length for length in lengths if not low <= length <= high), None)
    if not generator.accepts_known and far is not None:
        logger.warning(
            "%s was trained on %.0f s at a time; a window of %.1f s is far from that: expect looser synchrony",
            model.name, float(generator.window_latents / rate), float(far / rate),
        )  # fmt: skip


def sample_count(model: Model, duration: Fraction) -> int:
    """Samples of a sound of `duration` s."""
    return math.floor(duration * model.codec.sample_rate + Fraction(1, 2))


def request_key(job: Job) -> str:
    """sha256 of all that the samples depend on, not of how they are saved."""
    around = () if job.around is None else (job.around.before, job.around.after)
    sounds = [latents for latents in (job.reference, *around) if latents is not None]
    known = b"".join(latents.detach().cpu().contiguous().numpy().tobytes() for latents in sounds)
    request = job.request
    parts = [FORMAT, SAMPLING, torch.__version__, fingerprint(job.model), job.source.content_hash, list(job.plan)]
    parts += [job.promptings or request.prompting, request.sampling, request.timeline, list(job.seeds), job.samples]
    parts += [mask_hash(region.mask) for region in request.regions if region.mask is not None]
    return hashlib.sha256("\n".join(map(repr, parts)).encode() + known).hexdigest()


def counted_up(cues: Sequence[Cue], seed: int) -> tuple[Cue, ...]:
    """Cues whose own seeds are counted up by `seed`: with another seed a regenerated span differs there too."""
    return tuple(cue if cue.seed is None else replace(cue, seed=cue.seed + seed) for cue in cues)
