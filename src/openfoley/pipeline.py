"""Silent video in, synchronized sound out: the verbs. Each opens its source once, plans windows, and runs them.

source -> frames -> features -> windows of latents (flow sampling) -> samples -> take
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import torch

from openfoley.hub.load import load_model
from openfoley.hub.parts import Model
from openfoley.hub.registry import DEFAULT_MODEL
from openfoley.media.source import Source
from openfoley.request import Cue, Request, check_seeds
from openfoley.synthesis.editing import edited, extended
from openfoley.synthesis.job import (
    Job,
    Progress,
    RunOptions,
    Video,
    opened,
    phase,
    planned,
    reference_latents,
    resolved,
    run,
    sample_count,
    shots_in,
    shows_options,
    warn_of_length,
)
from openfoley.synthesis.stems import cues_by_stem, within_cues
from openfoley.synthesis.take import Take
from openfoley.timeline.plan import PlannedWindow, sampled_for

__all__ = ["Pipeline", "Take", "load"]


def load(
    name_or_dir: str | os.PathLike[str] = DEFAULT_MODEL,
    device: str | torch.device = "cpu",
    weights_dir: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Pipeline:
    """A pipeline around a shipped or published model, or a model folder. Raises UsageError, WeightsError.

    weights_dir: where a published model's files are searched; progress: of fetching what is not here, in megabytes.
    """
    phase.info("loading %s", os.fspath(name_or_dir))
    return Pipeline(load_model(name_or_dir, device, weights_dir, progress))


@dataclass(frozen=True)
class Pipeline:
    """A loaded model. Its verbs take a Request, or its options by name, or both (the options win), and the run options
    store, work, progress and strict (`synthesis.job.RunOptions`).

    video: a path, a `Source`, or None with `duration` (s) for sound from text alone; with `duration` a path is a still
    image. Raises UsageError for the request, MediaError for a file that cannot be read.
    """

    model: Model

    @property
    def device(self) -> torch.device:
        return self.model.device

    @shows_options
    def generate(self, video: Video = None, request: Request | None = None, **options: object) -> Take:
        """The sound of one video, as long as its picture."""
        asked, run_options = self._asked(request, options)
        (take,) = self._takes(video, [asked.sampling.seed], asked, run_options)
        return take

    @shows_options
    def generate_takes(
        self, video: Video, seeds: Sequence[int], request: Request | None = None, **options: object
    ) -> list[Take]:
        """One take per seed from a single pass over the picture; each is what `generate` gives for its seed."""
        return self._takes(video, seeds, *self._asked(request, options))

    @shows_options
    def edit(self, video: Video, span: object = None, request: Request | None = None, **options: object) -> Take:
        """Existing sound with a span regenerated from the sound on both sides: outside of the span every sample stays
        as it was, to the bit. span: two times in s or timecode. See `synthesis.editing.edited`."""
        return edited(self.model, video, *self._asked(request, options if span is None else {**options, "span": span}))

    @shows_options
    def extend(self, video: Video, request: Request | None = None, **options: object) -> Take:
        """Existing sound, continued to the end of the picture; its last 10 ms are crossfaded with what follows."""
        return extended(self.model, video, *self._asked(request, options))

    @shows_options
    def plan(self, video: Video, request: Request | None = None, **options: object) -> list[PlannedWindow]:
        """The windows that `generate` or (with a span, of a sound as long as the picture) `edit` would run;
        `timeline.plan.describe` prints them."""
        asked, run_options = self._asked(request, options)
        source = opened(video, asked.timeline, run_options.strict)
        asked = resolved(self.model, source, asked)
        shots = shots_in(self.model, source, asked.timeline, run_options.store)
        return planned(self.model, shots, asked.timeline, reference_latents(self.model, asked), asked.timeline.span_s)

    def plans(self, source: Source, request: Request) -> dict[str | None, tuple[list[PlannedWindow], Fraction]]:
        """The plan and its latent rate (Hz) of each stem of the request's cues; of None where no cue names a stem."""
        cues = request.timeline.cue_list
        named: dict[str | None, tuple[Cue, ...]] = {None: cues}
        if any(cue.stem for cue in cues):
            named = {**cues_by_stem(cues)}
        rate = self.model.codec.latent_rate
        plans = {name: self.plan(source, request, cues=own) for name, own in named.items()}
        return {n: (plan if n is None else sampled_for(plan, named[n], rate), rate) for n, plan in plans.items()}

    def generate_stem(
        self, source: Source, seeds: Sequence[int], request: Request, cues: tuple[Cue, ...], **options: object
    ) -> list[Take]:
        """The takes of one stem: generated from its own cues, silent outside of them. Only the windows that its cues
        need are sampled (`timeline.plan.sampled_for`)."""
        asked, run_options = self._asked(request, {**options, "cues": cues})
        made = self._takes(source, seeds, asked, run_options, only_in=cues)
        return [within_cues(take, cues) for take in made]

    @staticmethod
    def _asked(request: Request | None, options: dict[str, object]) -> tuple[Request, RunOptions]:
        run_options, others = RunOptions.split(options)
        return Request.of(request, **others), run_options

    @torch.inference_mode()
    def _takes(
        self,
        video: Video,
        seeds: Sequence[int],
        request: Request,
        options: RunOptions,
        only_in: tuple[Cue, ...] | None = None,
    ) -> list[Take]:
        """only_in: the cues outside of which the sound is not needed."""
        check_seeds(seeds)
        model = self.model
        source = opened(video, request.timeline, options.strict)
        request = resolved(model, source, request)
        reference = reference_latents(model, request)
        shots = shots_in(model, source, request.timeline, options.store)
        plan = planned(model, shots, request.timeline, reference)
        if only_in is not None:
            plan = sampled_for(plan, only_in, model.codec.latent_rate)
        warn_of_length(model, plan)
        samples = (0, sample_count(model, source.info.duration))
        takes, work = run(Job(model, source, shots, plan, request, seeds, reference, samples), options)
        requests = [replace(request, sampling=replace(request.sampling, seed=seed)) for seed in seeds]
        made = zip(requests, takes, strict=True)
        return [Take(one, model.name, source, model.codec.sample_rate, take.finish(), work=work) for one, take in made]

    def __repr__(self) -> str:
        return f"Pipeline({self.model.name!r}, device={str(self.device)!r})"
