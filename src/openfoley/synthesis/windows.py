"""The engine: window after window, from conditions and known latents to latents, for one or several takes.

Nothing here knows a file or a command; files, edited spans, live streams, projects and evaluation all run through it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from zlib import crc32

import torch
from jaxtyping import Float
from torch import Tensor

from openfoley.flow.exchange import Shared
from openfoley.flow.masking import Known
from openfoley.flow.noise import NoiseSource, spread_seed
from openfoley.generators.base import Generator
from openfoley.generators.sampling import WindowInput, sample_beside_next, sample_latents
from openfoley.request import Cue, Request
from openfoley.synthesis.assembler import TakeAssembler
from openfoley.synthesis.conditions import ConditionBuilder
from openfoley.timeline.plan import PlannedWindow
from openfoley.types import Conditions

WindowProgress = Callable[[float], None]  # windows done, counting steps of the present one


@dataclass(frozen=True)
class _Pending:
    """A window before it is sampled: the request as its cue has it, its conditions, and of each take the seed and the
    known latents. first_latent: of the sequence, the reference in front included."""

    request: Request
    conditions: Conditions
    negatives: Sequence[Conditions]
    seeds: Sequence[int]
    known: Sequence[Known]
    first_latent: int

    @property
    def selects_nothing(self) -> bool:
        return self.request.prompting.select is None

    def rows(self, takes: Sequence[int]) -> WindowInput:
        """For some of the takes."""
        latents = self.known[0].latent.shape[1]
        return WindowInput(
            _repeated(self.conditions, len(takes)),
            NoiseSource([self.seeds[n] for n in takes], latents, self.first_latent),
            _stacked([self.known[n] for n in takes]),
            [_repeated(one, len(takes)) for one in self.negatives],
        )


@dataclass(frozen=True)
class WindowSampler:
    """Samples the latents of a window.

    request: prompts and sampling, where no cue says otherwise. reference: latents [1, n, latent_dim] of a sound that
    every window is to resemble: clean and unseen in front of it. regenerated_from: the first latent of a span that is
    regenerated, see `own_seed`. plain: the generator of windows in which no text selects, if that is another
    (`Model.plain`).
    """

    generator: Generator
    builder: ConditionBuilder
    request: Request
    reference: Float[Tensor, "1 n dim"] | None = None
    regenerated_from: int | None = None
    plain: Generator | None = None

    def __call__(
        self,
        planned: PlannedWindow,
        takes: Sequence[TakeAssembler],
        progress: Callable[[float], None] | None = None,
        following: PlannedWindow | None = None,
    ) -> list[Float[Tensor, "1 latents dim"]]:
        """The window's latents for each take; known ones, before and after, bit for bit. progress: receives how many
        takes are done, counting steps. following: the window that it is denoised together with, where the plan says
        that it shares latents; of that one only these are used."""
        pending = self._pending(planned, takes)
        beside = None
        if planned.window.shared and following is not None:
            beside = self._pending(following, takes, made_until=planned.first_new)
        generator = self.plain if self.plain is not None and pending.selects_nothing else self.generator
        batches = [range(len(takes))] if self._is_batched(pending) else [range(n, n + 1) for n in range(len(takes))]
        made: list[Tensor] = []
        for rows in batches:

            def on_step(step: int, done: int = len(made), count: int = len(rows)) -> None:
                if progress is not None:
                    progress(done + count * step / self.steps)

            one, sampling = pending.rows(rows), pending.request.sampling
            if beside is None:
                latents = sample_latents(
                    generator, one.conditions, one.source, sampling, negatives=one.negatives, known=one.known,
                    on_step=on_step,
                )  # fmt: skip
            else:
                shared = self._shared(planned, beside)
                latents = sample_beside_next(generator, one, beside.rows(rows), shared, sampling, on_step)
            made += latents[:, self._length :].split(1)
        return made

    @property
    def _length(self) -> int:
        """Latents of the reference."""
        return 0 if self.reference is None else self.reference.shape[1]

    def _pending(
        self, planned: PlannedWindow, takes: Sequence[TakeAssembler], made_until: int | None = None
    ) -> _Pending:
        """made_until: of a window that is not yet made, up to which latent the sound before it is."""
        request, cue = for_cue(self.request, planned.cue), planned.cue
        keep = made_until is not None
        conditions, negatives = self.builder.conditions(planned, request.prompting, self._length, keep=keep)
        seeds = [take.seed if cue is None or cue.seed is None else cue.seed + n for n, take in enumerate(takes)]
        seeds = [own_seed(seed, self.regenerated_from, cue) for seed in seeds]
        known = [self._known(planned, take, conditions.device, made_until) for take in takes]
        return _Pending(request, conditions, negatives, seeds, known, planned.window.first_latent - self._length)

    def _shared(self, planned: PlannedWindow, beside: _Pending) -> Shared:
        """Where the shared latents lie in the two sequences."""
        count = planned.window.shared
        left = self._length + planned.window.latent_count - count
        return Shared(left, planned.window.end_latent - count - beside.first_latent, count)

    @property
    def steps(self) -> int:
        steps = self.request.sampling.steps
        assert steps is not None, "the request is resolved"
        return steps

    def _is_batched(self, pending: _Pending) -> bool:
        wanted = self.request.sampling.batch_takes
        return pending.conditions.device.type == "cuda" if wanted is None else wanted

    def _known(
        self, planned: PlannedWindow, take: TakeAssembler, device: torch.device, made_until: int | None
    ) -> Known:
        """The reference and the window's context in front, as much of it as is made; existing sound behind; zeros
        elsewhere."""
        window = planned.window
        made = window.context if made_until is None else max(0, made_until - window.first_latent)
        before, after = take.context(made).to(device), take.after(window.after).to(device)
        front = before if self.reference is None else torch.cat([self.reference.to(device), before], 1)
        total = window.latent_count + self._length
        clean = torch.zeros(1, total, self.generator.latent_dim, device=device)
        is_known = torch.zeros(1, total, dtype=torch.bool, device=device)
        for part, place in ((front, slice(0, front.shape[1])), (after, slice(total - window.after, total))):
            clean[:, place], is_known[:, place] = part, True
        return Known(clean, is_known)


@dataclass(frozen=True)
class ParallelSampler:
    """Samples each window for several requests, one after another, from the same features: the picture is encoded once
    for all. The takes are those of the first sampler, then those of the next, equally many each; all have one builder.
    """

    samplers: Sequence[WindowSampler]

    @property
    def builder(self) -> ConditionBuilder:
        return self.samplers[0].builder

    def __call__(
        self,
        planned: PlannedWindow,
        takes: Sequence[TakeAssembler],
        progress: Callable[[float], None] | None = None,
        following: PlannedWindow | None = None,
    ) -> list[Float[Tensor, "1 latents dim"]]:
        count, made = len(takes) // len(self.samplers), list[Tensor]()
        for sampler in self.samplers:

            def in_sampler(done: float, before: int = len(made)) -> None:
                if progress is not None:
                    progress(before + done)

            made += sampler(planned, takes[len(made) : len(made) + count], in_sampler, following)
        return made


Sampler = WindowSampler | ParallelSampler


def run_window(
    plan: Sequence[PlannedWindow],
    index: int,
    sampler: Sampler,
    takes: Sequence[TakeAssembler],
    on_window: Callable[[int], None] | None = None,
    progress: WindowProgress | None = None,
) -> None:
    """Window `index` of a plan, the one behind those that are done, for every take; on_window receives how many windows
    are whole."""
    planned = plan[index]

    def in_window(takes_done: float) -> None:
        if progress is not None:
            progress(index + takes_done / len(takes))

    for take in takes:
        take.begin(planned)
    following = plan[index + 1] if index + 1 < len(plan) else None
    made = (
        _silence(planned, takes, sampler.builder.device)
        if planned.silent
        else sampler(planned, takes, in_window, following)
    )
    for take, latents in zip(takes, made, strict=True):
        take.add(planned, latents)
    if on_window is not None:
        on_window(index + 1)


def _silence(planned: PlannedWindow, takes: Sequence[TakeAssembler], device: torch.device) -> list[Tensor]:
    """Latents of a window that is not sampled."""
    return [torch.zeros(1, planned.window.latent_count, take.codec.latent_dim, device=device) for take in takes]


def for_cue(request: Request, cue: Cue | None) -> Request:
    """The request as a cue has it, in what the cue says."""
    if cue is None:
        return request
    sampling = request.sampling
    sampling = replace(sampling, guidance=sampling.guidance if cue.guidance is None else cue.guidance)
    return replace(request, prompting=request.prompting.in_cue(cue), sampling=sampling)


def own_seed(seed: int, regenerated_from: int | None, cue: Cue | None) -> int:
    """The seed of the noise of what is generated apart: a span that begins at this latent, a cue, a stem.

    The noise of a whole video depends on the seed alone. But a regenerated span must not start from the noise of the
    sound that it replaces (hence the 1: also at 0), nor two stems that sound together from the same noise.
    """
    marks = [] if regenerated_from is None else [regenerated_from + 1]
    if cue is not None:
        marks.append(round(1000 * cue.start))
        marks.append(crc32(cue.stem.encode()) if cue.stem else 0)
    for mark in marks:
        seed = spread_seed(seed, mark) if mark else seed
    return seed


def _repeated(conditions: Conditions, count: int) -> Conditions:
    """One row of conditions for `count` takes."""
    return conditions if count == 1 else Conditions.joined([conditions] * count)


def _stacked(known: Sequence[Known]) -> Known:
    return Known(torch.cat([one.latent for one in known]), torch.cat([one.is_known for one in known]))
