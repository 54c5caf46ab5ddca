"""Silent video in, synchronized sound out: the one line that everything runs on.

    video file -> pictures at 24 and 8 fps -> features -> windows of latents (flow sampling) -> samples -> take

A plan of windows always runs; a short video is a plan of one window. The pictures are decoded once (of a long video
twice: before, small, for the cuts), features live only as long as a window needs them, and sound leaves for a file as
it is decoded: memory does not grow with length.
"""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from openfoley.errors import UsageError
from openfoley.hub.load import load_model
from openfoley.hub.parts import Model
from openfoley.hub.registry import DEFAULT_MODEL
from openfoley.media.pictures import Pictures
from openfoley.request import (
    DEFAULT_GUIDANCE,
    DEFAULT_STEPS,
    LONGEST_SILENT_S,
    NO_VIDEO,
    Request,
    check_context,
    check_guidance,
    check_nudge,
    check_settings,
    check_span,
    check_temperature,
    checked_video,
)
from openfoley.synthesis.assembler import Surroundings, TakeAssembler
from openfoley.synthesis.crossfade import runs_of
from openfoley.synthesis.feature_store import FeatureStore
from openfoley.synthesis.features import ConditionBuilder, encoded_pictures, seen_by
from openfoley.synthesis.reference import encoded_reference
from openfoley.synthesis.resume import Work, request_key
from openfoley.synthesis.take import SampleFile, Take
from openfoley.synthesis.windows import Settings, Texts, run_plan
from openfoley.timeline.plan import CONTEXT_S, NEW_S, Cue, PlannedWindow, make_plan
from openfoley.timeline.shots import Cut, CutRule, Shot, cut_rule, shots_of
from openfoley.types import VideoInfo

__all__ = ["Pipeline", "Take", "load"]

logger = logging.getLogger(__name__)

MMAUDIO_WEIGHT = "negative_guidance"
NEAR_TRAINING = (0.5, 1.1)  # of the training length
UNSEEN_RATE = Fraction(25)  # Hz, for timecode where there is no video

Progress = Callable[[float, float], None]  # seconds of sound done, seconds in all
Cuts = CutRule | str | os.PathLike[str] | Sequence[Cut]


def load(
    name_or_dir: str | os.PathLike[str] = DEFAULT_MODEL,
    device: str | torch.device = "cpu",
    weights_dir: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Pipeline:
    """A pipeline around a shipped or published model, or a model folder. Raises UsageError, WeightsError.

    weights_dir: where a published model's files are looked for; progress: of fetching what is not here, in megabytes.
    """
    return Pipeline(load_model(name_or_dir, device, weights_dir, progress), torch.device(device))


def unseen(duration: float | Fraction | None) -> VideoInfo:
    """What a video of `duration` s would say of itself, if there were one."""
    if duration is None or not 0 < duration <= LONGEST_SILENT_S:
        raise UsageError(
            f"without a video, duration must be above 0 and at most {LONGEST_SILENT_S:g} s, got {duration}"
        )
    return VideoInfo(NO_VIDEO, Fraction(duration), Fraction(0), 0, 0, 0, UNSEEN_RATE, None, 0)


@dataclass(frozen=True)
class Job:
    """One plan to run for one video. samples: the first sample to make and the one behind the last."""

    video: Path
    pictures: Pictures
    info: VideoInfo
    shots: Sequence[Shot]
    plan: Sequence[PlannedWindow]
    settings: Settings
    seeds: Sequence[int]
    reference: Tensor | None
    samples: tuple[int, int]
    around: Surroundings | None = None


@dataclass(frozen=True)
class Pipeline:
    """A loaded model on a device; `generate` makes a take for a video."""

    model: Model
    device: torch.device

    def generate(self, video: str | os.PathLike[str] | None = None, *, seed: int = 0, **settings: Any) -> Take:
        """The sound of one video, as long as its picture: `generate_takes` for one seed, with the same arguments."""
        (take,) = self.generate_takes(video, [seed], **settings)
        return take

    @torch.inference_mode()
    def generate_takes(
        self,
        video: str | os.PathLike[str] | None,
        seeds: Sequence[int],
        *,
        duration: float | Fraction | None = None,
        prompt: str | None = None,
        negative_prompt: str | None = None,
        steps: int | None = None,
        guidance: float | None = None,
        cuts: Cuts = "auto",
        cues: Sequence[Cue] = (),
        context: float | None = None,
        window: float | None = None,
        reference: str | os.PathLike[str] | None = None,
        reference_span: tuple[float, float] | None = None,
        reference_guidance: float | None = None,
        nudge: float = 0.0,
        store: FeatureStore | None = None,
        work: Path | None = None,
        progress: Progress | None = None,
        **generator_options: Any,
    ) -> list[Take]:
        """One take per seed from a single pass over the picture; each is what `generate` gives for its seed.

        video: None with `duration` (s) makes sound from text alone. steps: 1 to 128 sampling steps (None: the model's
        usual number). guidance: 0 to 20, Eq. 3 (1 is none where there is no prompt; None: the model's usual weight).
        cuts: "auto", "reset", "carry", "none" (see timeline.shots), a file with a list of cuts, or Cuts. cues: prompts
        of stretches. context, window: s of known and of all sound in a window; None is 0.5 and 10, the latter at most
        what the model was trained with. reference: a file whose sound the result is to resemble, reference_span its
        part (s), reference_guidance its weight (None: guidance). nudge: ms by which the result comes later. store:
        keeps the video's features. work: a folder that keeps what is done (of more than one window), so that the same
        call goes on after a crash; the takes need it until `take.work.remove()`. generator_options: of sample_latents.
        Raises UsageError for bad arguments, MediaError for a file that cannot be read.
        """
        steps, guidance = self.usual(steps, guidance)
        check_settings(steps, guidance, seeds, reference_guidance)
        check_nudge(nudge)
        self.check_options(reference_guidance, generator_options)
        settings = Settings(
            steps, guidance, prompt, negative_prompt, reference_guidance, tuple(sorted(generator_options.items()))
        )
        sound = self.reference_latents(reference, reference_span)
        if video is None or Path(video) == NO_VIDEO:
            video, work, info = NO_VIDEO, None, unseen(duration)
            shots, pictures = shots_of(info.duration, [], "none"), self.pictures(video)
        else:
            video = checked_video(video)
            info, pictures = self.info(video, store), self.pictures(video)
            shots = self.shots(video, cuts, store=store, pictures=pictures)
        plan = self.planned(shots, cues, context, window, sound)
        self._warn_of_length(plan)
        samples = (0, self.sample_count(info.duration))
        job = Job(video, pictures, info, shots, plan, settings, list(seeds), sound, samples)
        voices, saved = self.made(job, store, work, progress)
        name, rate = self.model.name, self.model.codec.sample_rate
        made = [
            Request(video, name, prompt, negative_prompt, steps, guidance, seed, reference_guidance, nudge)
            for seed in seeds
        ]
        return [
            Take(request, info, rate, voice.finish(), work=saved) for request, voice in zip(made, voices, strict=True)
        ]

    def usual(self, steps: int | None, guidance: float | None) -> tuple[int, float]:
        """The settings, with the model's own where none were asked for."""
        generator = self.model.generator
        usual_steps = getattr(generator, "usual_steps", DEFAULT_STEPS)
        usual_guidance = getattr(generator, "usual_guidance", DEFAULT_GUIDANCE)
        return usual_steps if steps is None else steps, usual_guidance if guidance is None else guidance

    def check_options(self, reference_guidance: float | None, options: Mapping[str, Any]) -> None:
        """Guidance of its own for a condition, where the kind of model has such a weight."""
        if self.model.generator.accepts_known and MMAUDIO_WEIGHT in options:
            raise UsageError(
                f"{MMAUDIO_WEIGHT} is for mmaudio models; {self.model.name} has guidance, picture_guidance, "
                "text_guidance and reference_guidance"
            )
        if not self.model.generator.accepts_known and reference_guidance is not None:
            raise UsageError(
                f"reference_guidance is for salsa-v models; {self.model.name} replaces known sound instead"
            )
        for name in ("solver", "temperature"):
            if not self.model.generator.accepts_known and options.get(name) is not None:
                raise UsageError(
                    f"{name} is for salsa-v models; {self.model.name} takes equal Euler steps at temperature 1"
                )
        check_temperature(options.get("temperature"))
        for name in (MMAUDIO_WEIGHT, "picture_guidance", "text_guidance"):
            check_guidance(name, options.get(name))

    def _warn_of_length(self, plan: Sequence[PlannedWindow]) -> None:
        """A model trained at one length only works best near it."""
        generator, rate = self.model.generator, self.model.codec.latent_rate
        lengths = [one.window.latent_count for one in plan]
        low, high = generator.window_latents * NEAR_TRAINING[0], generator.window_latents * NEAR_TRAINING[1]
        far = next((length for length in lengths if not low <= length <= high), None)
        if generator.accepts_known or far is None:
            return
        logger.warning(
            "%s was trained on %.0f s at a time; a window of %.1f s is far from that: expect looser synchrony",
            self.model.name, float(generator.window_latents / rate), float(far / rate),
        )  # fmt: skip

    def edit(
        self, video: str | os.PathLike[str], span: tuple[float | Fraction, float | Fraction], **settings: Any
    ) -> Take:
        """Existing sound with the span (s) made anew from the sound on both sides: see `editing.edited`."""
        from openfoley.editing import edited

        return edited(self, video, span, **settings)

    def extend(self, video: str | os.PathLike[str], **settings: Any) -> Take:
        """Existing sound, continued to the end of the picture: see `editing.extended`."""
        from openfoley.editing import extended

        return extended(self, video, **settings)

    def plan(
        self,
        video: str | os.PathLike[str],
        *,
        cuts: Cuts = "auto",
        cues: Sequence[Cue] = (),
        context: float | None = None,
        window: float | None = None,
        reference: str | os.PathLike[str] | None = None,
        reference_span: tuple[float, float] | None = None,
        span: tuple[float | Fraction, float | Fraction] | None = None,
        store: FeatureStore | None = None,
    ) -> list[PlannedWindow]:
        """The windows that `generate` or (with `span`, of a sound as long as the picture) `edit` would run;
        `timeline.plan.describe` prints them."""
        video = checked_video(video)
        sound = self.reference_latents(reference, reference_span)
        shots = self.shots(video, cuts, store=store)
        asked = check_span(span, shots[-1].end) if span is not None else None
        return self.planned(shots, cues, context, window, sound, asked)

    def info(self, video: Path, store: FeatureStore | None = None) -> VideoInfo:
        from openfoley.media.decode import probe

        return store.info(video) if store is not None else probe(video)

    def pictures(self, video: Path) -> Pictures:
        """The video's pictures as this model sees them."""
        return seen_by(self.model, video)

    def shots(
        self, video: Path, cuts: Cuts, *, store: FeatureStore | None = None, pictures: Pictures | None = None
    ) -> list[Shot]:
        """The shots of a video by a rule, a file or a list of cuts. pictures: kept while cuts are looked for."""
        from openfoley.media.scenes import cut_times
        from openfoley.media.timecode import nominal, start_timecode, zero
        from openfoley.timeline.cut_list import read_cuts

        info = self.info(video, store)
        if rule := cut_rule(cuts):
            find = cut_times if store is None else store.cuts
            times = () if rule == "none" else find(video, pictures)
            return shots_of(info.duration, [Cut(time) for time in times], rule)
        if isinstance(cuts, (str, os.PathLike)):
            start = start_timecode(video, info.frame_rate) or zero(nominal(info.frame_rate))
            cuts = read_cuts(cuts, start, info.duration)
        return shots_of(info.duration, cuts, "auto")

    def sample_count(self, duration: Fraction) -> int:
        """Samples of a sound of `duration` s."""
        return math.floor(duration * self.model.codec.sample_rate + Fraction(1, 2))

    def made(
        self, job: Job, store: FeatureStore | None, work: Path | None, progress: Progress | None
    ) -> tuple[list[TakeAssembler[SampleFile]], Work | None]:
        """Run a job's plan; the voices have every window, `finish` is left to do."""
        codec, saved = self.model.codec, None
        if work is not None and len(job.plan) > 1:
            heard = [part for part in (job.reference, *_parts(job.around)) if part is not None]
            key = request_key(self.model, job.video, job.plan, job.settings, job.seeds, job.samples, heard)
            saved = Work.open(work, key)
        runs = runs_of(job.plan, codec.sample_rate, *job.samples)
        files = [
            saved.samples(n, codec.channels) if saved else SampleFile(codec.channels) for n in range(len(job.seeds))
        ]
        voices = [
            TakeAssembler(codec, seed, runs, file, job.around) for seed, file in zip(job.seeds, files, strict=True)
        ]
        first = saved.restore(voices, self.device) if saved else 0
        if first < len(job.plan):
            shot = job.plan[first].shot.index
            listener = ConditionBuilder(self.model, job.shots, self._feed(job, store, shot), self.device)
            run_plan(
                job.plan, self.model.generator, listener, Texts(self.model.semantic, self.device), voices, job.settings,
                reference=job.reference, first_window=first, on_window=saved.keeper(voices) if saved else None,
                progress=_in_seconds(progress, job.plan, codec.latent_rate, job.info.duration),
                made_anew=None if job.around is None else job.plan[0].first_new,
            )  # fmt: skip
            if job.around is None or store is not None:
                listener.finish()
        return voices, saved

    def reference_latents(
        self, reference: str | os.PathLike[str] | None, span: tuple[float, float] | None
    ) -> Tensor | None:
        """Latents [1, n, latent_dim] of the reference sound."""
        if reference is None:
            return None
        return encoded_reference(self.model.codec, reference, span, self.device)

    def planned(
        self,
        shots: Sequence[Shot],
        cues: Sequence[Cue],
        context: float | None,
        window: float | None,
        reference: Tensor | None,
        span: tuple[Fraction, Fraction] | None = None,
        heard: Fraction | None = None,
    ) -> list[PlannedWindow]:
        """Windows in whole latents; the reference takes its place in each. span, heard: as for `make_plan`."""
        rate, longest = self.model.codec.latent_rate, self.model.generator.window_latents
        known, whole = check_context(context, window, CONTEXT_S, NEW_S)
        known_latents = round(known * rate)
        # Without being asked no window is longer than those of the training (8 s as shipped; the paper's are 10 s).
        latents = round(whole * rate) if window is not None else min(round(whole * rate), longest)
        taken = 0 if reference is None else reference.shape[1]
        if taken and latents - taken <= 2 * known_latents:
            raise UsageError(
                f"a window of {float(latents / rate):.2f} s has no room for {float(taken / rate):.2f} s of reference "
                f"and {float(known):g} s of context; pass a shorter --reference-span or --context, or a longer --window"
            )
        latents -= taken
        return make_plan(shots, rate, window=latents, context=known_latents, cues=cues, span=span, heard=heard)

    def _feed(self, job: Job, store: FeatureStore | None, first_shot: int) -> Any:
        if job.video == NO_VIDEO:
            return iter(())
        if store is not None:
            return store.runs(self.model, job.pictures, job.shots, self.device, first_shot)
        return encoded_pictures(self.model, job.pictures, job.shots, self.device, first_shot)


def _parts(around: Surroundings | None) -> tuple[Tensor, ...]:
    return (around.before, around.after) if around is not None else ()


def _in_seconds(
    progress: Progress | None, plan: Sequence[PlannedWindow], latent_rate: Fraction, duration: Fraction
) -> Callable[[float], None] | None:
    """Windows done as seconds of sound done."""
    if progress is None:
        return None
    ends = [min(float(one.window.new_end / latent_rate), float(duration)) for one in plan]
    marks = [float(plan[0].first_new / latent_rate), *ends[:-1], float(duration)]

    def told(windows: float) -> None:
        whole = min(int(windows), len(plan) - 1)
        done = marks[whole] + (windows - whole) * (marks[whole + 1] - marks[whole])
        progress(marks[-1] if windows >= len(plan) else done, float(duration))

    return told
