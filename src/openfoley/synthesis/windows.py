"""Runs a plan: window after window, from conditions and context to latents, for one or several takes at once.

Nothing here knows a file or a command; the same loop makes a video's sound, an edited span and a live stream.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from zlib import crc32

import torch
from torch import Tensor

from openfoley.flow.noise import spread_seed
from openfoley.generators.base import sample_latents
from openfoley.synthesis.assembler import TakeAssembler
from openfoley.timeline.plan import Cue, PlannedWindow
from openfoley.types import Conditions, Window

WindowProgress = Callable[[float], None]  # windows done, counting steps of the present one


class ConditionsSource(Protocol):
    """Tells what is seen and asked in a window (`listener.ConditionBuilder`)."""

    def conditions(
        self, planned: PlannedWindow, text: Tensor, text_present: bool, reference: int = 0
    ) -> Conditions: ...


@dataclass(frozen=True)
class Settings:
    """How to sample, where no cue says otherwise. reference_guidance: None is `guidance`."""

    steps: int
    guidance: float
    prompt: str | None = None
    negative_prompt: str | None = None
    reference_guidance: float | None = None
    generator_options: tuple[tuple[str, Any], ...] = ()  # further arguments of sample_latents, for its kind of model


class Texts:
    """Prompts as the generator reads them, each encoded once."""

    def __init__(self, semantic: Any, device: torch.device) -> None:
        self.semantic, self.device = semantic, device
        self.known: dict[str, Tensor] = {}

    def __call__(self, prompt: str | None) -> tuple[Tensor, bool]:
        """[1, ..., text_dim] and whether there is a text; zeros for none (or only blanks)."""
        text = prompt if prompt and prompt.strip() else ""
        if text not in self.known:
            encoded = self.semantic.encode_text([text]).to(self.device)
            self.known[text] = encoded if text else torch.zeros_like(encoded)
        return self.known[text], bool(text)


def run_plan(
    plan: Sequence[PlannedWindow],
    generator: Any,
    source: ConditionsSource,
    texts: Texts,
    voices: Sequence[TakeAssembler],
    settings: Settings,
    *,
    reference: Tensor | None = None,
    made_anew: int | None = None,
    first_window: int = 0,
    on_window: Callable[[int], None] | None = None,
    progress: WindowProgress | None = None,
) -> None:
    """Every window from `first_window` on, for every voice; on_window is told how many windows are whole.

    reference: latents [1, n, latent_dim] of a sound that every window is to resemble: clean and unseen in front of it.
    made_anew: the latent that begins a span which is made anew, see `own_seed`.
    """
    for index in range(first_window, len(plan)):
        planned = plan[index]
        window, cue = planned.window, planned.cue
        asked = cue.prompt if cue is not None and cue.prompt is not None else settings.prompt
        length = 0 if reference is None else reference.shape[1]
        conditions = source.conditions(planned, *texts(asked), length)
        for number, voice in enumerate(voices):
            voice.begin(planned)
            told = _Steps(progress, index, settings.steps, number, len(voices))
            seed = voice.seed if cue is None or cue.seed is None else cue.seed + number
            known = [voice.context(window.context), voice.after(window.after)]
            latent = draw_window(
                generator, window, conditions, texts, settings, planned, own_seed(seed, made_anew, cue), known,
                reference, told,
            )  # fmt: skip
            voice.add(planned, latent)
        if on_window is not None:
            on_window(index + 1)


def draw_window(
    generator: Any,
    window: Window,
    conditions: Conditions,
    texts: Texts,
    settings: Settings,
    planned: PlannedWindow,
    seed: int,
    known: Sequence[Tensor],
    reference: Tensor | None,
    on_step: Callable[[int], None] | None,
) -> Tensor:
    """Latents [1, latent_count, latent_dim]; the known ones, before and after, are returned bit for bit."""
    device = conditions.text.device
    before, after = (part.to(device) for part in known)
    front = before if reference is None else torch.cat([reference.to(device), before], 1)
    total = window.latent_count + front.shape[1] - window.context
    clean = torch.zeros(1, total, generator.latent_dim, device=device)
    clean[:, : front.shape[1]] = front
    clean[:, total - window.after :] = after
    is_known = torch.zeros(1, total, dtype=torch.bool, device=device)
    is_known[:, : front.shape[1]] = True
    is_known[:, total - window.after :] = True
    cue = planned.cue
    unwanted = cue.negative_prompt if cue is not None and cue.negative_prompt is not None else settings.negative_prompt
    negative, has_negative = texts(unwanted)
    latent = sample_latents(
        generator,
        conditions,
        seeds=[seed],
        latents=total,
        first=window.end_latent - total,
        steps=settings.steps,
        guidance=cue.guidance if cue is not None and cue.guidance is not None else settings.guidance,
        reference_guidance=settings.reference_guidance,
        known_latent=clean,
        known=is_known,
        negative_text=negative if has_negative else None,
        on_step=on_step,
        **dict(settings.generator_options),
    )
    return latent[:, total - window.latent_count :]


def own_seed(seed: int, made_anew: int | None, cue: Cue | None) -> int:
    """The seed of the noise of what is made on its own: a span that begins at latent `made_anew`, a cue, a stem.

    The noise of a whole video hangs on the seed alone. But a span that is made anew must not begin from the noise of
    the sound it replaces (hence the 1: also at 0), nor two stems that sound together from the same noise.
    """
    marks = [] if made_anew is None else [made_anew + 1]
    if cue is not None:
        marks.append(round(1000 * cue.start))
        marks.append(crc32(cue.stem.encode()) if cue.stem else 0)
    for mark in marks:
        seed = spread_seed(seed, mark) if mark else seed
    return seed


@dataclass(frozen=True)
class _Steps:
    """Sampling steps of one take's window as windows done."""

    progress: WindowProgress | None
    window: int
    steps: int
    take: int
    takes: int

    def __call__(self, steps_done: int) -> None:
        if self.progress is not None:
            self.progress(self.window + (self.take + steps_done / self.steps) / self.takes)
