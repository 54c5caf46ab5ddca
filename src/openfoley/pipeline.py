"""Silent video in, synchronized sound out: the verbs. Each opens its source once, plans windows, and runs them.

source -> frames -> features -> windows of latents (flow sampling) -> samples -> take
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from openfoley.checks import flag
from openfoley.hub.load import load_model
from openfoley.hub.parts import Model
from openfoley.hub.registry import DEFAULT_MODEL
from openfoley.media.sample_file import SampleFile
from openfoley.media.source import Source
from openfoley.request import Cue, Prompting, Request, check_seeds
from openfoley.synthesis.assembler import TakeAssembler
from openfoley.synthesis.editing import edited, extended
from openfoley.synthesis.job import Job, Progress, RunOptions, Video, phase, shows_options, warn_of_length
from openfoley.synthesis.resume import Work
from openfoley.synthesis.running import for_each, run, run_together
from openfoley.synthesis.selected_stems import check_cues, stem_promptings
from openfoley.synthesis.selection import check_selection
from openfoley.synthesis.stems import cues_by_stem, within_cues
from openfoley.synthesis.take import Take
from openfoley.timeline.plan import PlannedWindow, sampled_for


def load(
    name_or_dir: str | os.PathLike[str] = DEFAULT_MODEL,
    device: str | torch.device = "cpu",
    weights_dir: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
    adapters: str | os.PathLike[str] | None = None,
) -> Pipeline:
    """A pipeline around a shipped or published model, or a model folder. Raises UsageError, WeightsError.

    weights_dir: where a published model's files are searched; progress: of fetching what is not here, in megabytes;
    adapters: a file of `openfoley train adapters`, if they are not in the model's folder.
    """
    phase.info("loading %s", name_or_dir)
    return Pipeline(load_model(name_or_dir, device, weights_dir, progress, adapters))


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
        return list(Job.planned(self.model, video, [0], *self._asked(request, options), in_span=True).plan)

    def plans(
        self, source: Source, request: Request, names: Sequence[str] = ()
    ) -> dict[str | None, list[PlannedWindow]]:
        """The plan of each stem: of these names, as for `select_all`, or of the request's cues; of None where no cue
        names a stem."""
        if names:
            asked = self._selecting(request, names, apart=True)
            return {name: self.plan(source, one) for name, one in zip(names, asked, strict=True)}
        cues, rate = request.timeline.cue_list, self.model.codec.latent_rate
        if not any(cue.stem for cue in cues):
            return {None: self.plan(source, request)}
        named = cues_by_stem(cues).items()
        return {name: sampled_for(self.plan(source, request, cues=own), own, rate) for name, own in named}

    def generate_stem(
        self, source: Source, seeds: Sequence[int], request: Request, cues: tuple[Cue, ...], **options: object
    ) -> list[Take]:
        """The takes of one stem: generated from its own cues, silent outside of them. Only the windows that its cues
        need are sampled (`timeline.plan.sampled_for`)."""
        asked, run_options = self._asked(request, {**options, "cues": cues})
        made = self._takes(source, seeds, asked, run_options, only_in=cues)
        return [within_cues(take, cues) for take in made]

    @torch.inference_mode()
    def generate_stems(
        self,
        source: Source,
        seeds: Sequence[int],
        request: Request,
        stems: Mapping[str, tuple[Cue, ...]],
        **options: object,
    ) -> dict[str, list[Take]]:
        """The takes of several stems, each as `generate_stem` makes them from its own cues. The picture is encoded once
        for all that select and once for those that do not. work: NAME-STEM for each, beside it."""
        check_seeds(seeds)
        asked, run_options = self._asked(request, options)
        own_options = for_each(run_options, list(stems))
        jobs = [
            Job.planned(self.model, source, seeds, Request.of(asked, cues=cues), one, cues)
            for cues, one in zip(stems.values(), own_options, strict=True)
        ]
        for job in jobs:
            warn_of_length(self.model, job.plan)
        made = {}
        for (name, cues), job, one in zip(stems.items(), jobs, run_together(jobs, own_options), strict=True):
            made[name] = [within_cues(take, cues) for take in self._finished(job, *one)]
        return made

    def select_all(
        self,
        video: Video,
        names: Sequence[str],
        seeds: Sequence[int] = (0,),
        request: Request | None = None,
        *,
        apart: bool = True,
        **options: object,
    ) -> dict[str, list[Take]]:
        """The sound of each named thing in the picture, as stems: the takes by name, one per seed, from a single pass
        over the picture. apart: guide each stem away from what the other names select; without, each take is what
        `generate` gives with this `select`. `synthesis.stems.save_stems` writes stems and mix."""
        flag("apart", apart)
        asked, run_options = self._asked(request, options)
        requests = self._selecting(asked, names, apart)
        promptings = tuple(one.prompting for one in requests)
        takes = self._takes(video, seeds, requests[0], run_options, promptings=promptings)
        return {name: takes[n * len(seeds) : (n + 1) * len(seeds)] for n, name in enumerate(names)}

    def _selecting(self, request: Request, names: Sequence[str], apart: bool) -> list[Request]:
        """What the stem of each name is asked for, checked."""
        requests = [replace(request, prompting=one) for one in stem_promptings(request, names, apart)]
        for one in requests:
            check_selection(self.model, one)
        return requests

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
        promptings: tuple[Prompting, ...] = (),
    ) -> list[Take]:
        """only_in: the cues outside of which the sound is not needed. promptings: of the sounds, if several."""
        check_seeds(seeds)
        job = replace(Job.planned(self.model, video, seeds, request, options, only_in), promptings=promptings)
        if promptings:
            check_cues(job.request.timeline.cue_list)  # of a sheet, which is only now read
        warn_of_length(self.model, job.plan)
        return self._finished(job, *run(job, options))

    def _finished(self, job: Job, takes: Sequence[TakeAssembler[SampleFile]], work: Work | None) -> list[Take]:
        name, rate, made = self.model.name, self.model.codec.sample_rate, zip(job.requests, takes, strict=True)
        return [Take(one, name, job.source, rate, take.finish(), work=work) for one, take in made]

    def __repr__(self) -> str:
        return f"Pipeline({self.model.name!r}, device={str(self.device)!r})"
