"""From frames in memory to sounds, some rows at a time: the pipeline without files, for evaluation over many clips.

Features are computed once per set of clips and reused by every sampling run (other step counts, other prompts).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from torch import Tensor
from torch.nn import functional

from openfoley.encoders.base import PictureEncoder
from openfoley.flow.guidance import DEFAULT_GUIDANCE
from openfoley.generators.base import sample_latents
from openfoley.hub.parts import Model
from openfoley.hub.save import save_weights
from openfoley.timeline.plan import latents_for
from openfoley.types import Conditions

CACHE_RATE = Fraction(24)
"""Frame rate (Hz) of the frames in memory; encoders look at every n-th."""


@dataclass(frozen=True)
class Seen:
    """Features of clips of equal length: semantic [clips, n, dim], sync [clips, m, dim], float32 on the CPU."""

    semantic: Tensor
    sync: Tensor
    duration: Fraction

    def save(self, path: Path) -> None:
        """The file appears whole or not at all."""
        partial = path.with_suffix(".partial")
        tensors, metadata = {"semantic": self.semantic, "sync": self.sync}, {"duration": str(self.duration)}
        save_weights(tensors, partial, exact=True, metadata=metadata)
        partial.replace(path)

    @classmethod
    def load(cls, path: Path) -> "Seen":
        with safe_open(str(path), "pt") as file:
            duration = Fraction(file.metadata()["duration"])
            return cls(file.get_tensor("semantic"), file.get_tensor("sync"), duration)


def joined(parts: Sequence[Seen]) -> Seen:
    """Clips of equal length, one after another."""
    semantic, sync = (torch.cat([getattr(part, name) for part in parts]) for name in ("semantic", "sync"))
    return Seen(semantic, sync, parts[0].duration)


@torch.inference_mode()
def see(model: Model, frames: np.ndarray, batch: int = 4) -> Seen:
    """Features of uint8 frames [clips, time, 3, height, width] at 24 Hz, squashed to the sizes the encoders ask for."""
    device = next(model.generator.parameters()).device
    semantic, sync = [], []
    every = {encoder: int(CACHE_RATE / encoder.rate) for encoder in (model.semantic, model.sync)}
    for start in range(0, len(frames), batch):
        part = torch.from_numpy(np.ascontiguousarray(frames[start : start + batch])).to(device)
        semantic.append(model.semantic.encode(_sized(part[:, :: every[model.semantic]], model.semantic)).float().cpu())
        sync.append(model.sync.encode(_sized(part[:, :: every[model.sync]], model.sync)).float().cpu())
    return Seen(torch.cat(semantic), torch.cat(sync), Fraction(frames.shape[1]) / CACHE_RATE)


def _sized(frames: Tensor, encoder: PictureEncoder) -> Tensor:
    """uint8 frames [batch, time, 3, height, width] in the size that the encoder looks at."""
    size = (encoder.height, encoder.width)
    if frames.shape[-2:] == size:
        return frames
    resized = functional.interpolate(frames.flatten(0, 1).float(), size, mode="bilinear", antialias=True)
    return resized.round().clamp(0, 255).byte().unflatten(0, frames.shape[:2])


def conditions_of(model: Model, seen: Seen, rows: Sequence[int], prompts: Sequence[str | None]) -> Conditions:
    """What the generator listens to for these rows of `seen`, with a prompt or none for each."""
    device = next(model.generator.parameters()).device
    index = torch.as_tensor(rows)
    batch = len(rows)
    semantic, sync = seen.semantic[index].to(device), seen.sync[index].to(device)
    text = torch.zeros(batch, model.semantic.text_dim, device=device)
    is_present = torch.tensor([bool(prompt and prompt.strip()) for prompt in prompts], device=device)
    if bool(is_present.any()):
        text[is_present] = model.semantic.encode_text([p for p in prompts if p and p.strip()]).to(text)
    return Conditions(
        semantic=semantic,
        semantic_time=_times(semantic, model.semantic.rate),
        semantic_present=torch.ones(semantic.shape[:2], dtype=torch.bool, device=device),
        sync=sync,
        sync_time=_times(sync, model.sync.rate),
        sync_present=torch.ones(sync.shape[:2], dtype=torch.bool, device=device),
        text=text,
        text_present=is_present,
    )


def _times(features: Tensor, rate: Fraction) -> Tensor:
    """[batch, n] seconds: feature k belongs to k / rate."""
    times = torch.arange(features.shape[1], dtype=torch.float64) / float(rate)
    return times.float().to(features.device).expand(features.shape[:2]).contiguous()


@torch.inference_mode()
def generate(
    model: Model,
    seen: Seen,
    prompts: Sequence[str | None] | None = None,
    *,
    rows: Sequence[int],
    steps: int = 8,
    guidance: float = DEFAULT_GUIDANCE,
    text_guidance: float | None = None,
    picture_guidance: float | None = None,
    rescale: float | None = None,
    temperature: float | None = None,
    seed: int = 0,
) -> Tensor:
    """Sounds float32 [rows, 2, time] of these clips; clip k has the seed `seed + k` and `prompts[k]`. The others as in
    `generators.base.sample_latents`."""
    latents = latents_for(seen.duration, model.codec.latent_rate)
    samples = round(seen.duration * model.codec.sample_rate)
    conditions = conditions_of(model, seen, rows, [prompts[k] if prompts else None for k in rows])
    latent = sample_latents(
        model.generator, conditions, seeds=[seed + k for k in rows], latents=latents, steps=steps, guidance=guidance,
        text_guidance=text_guidance, picture_guidance=picture_guidance, rescale=rescale, temperature=temperature,
    )  # fmt: skip
    return model.codec.decode(latent)[..., :samples].float().cpu()


def generate_all(
    model: Model, seen: Seen, prompts: Sequence[str | None] | None = None, *, batch: int = 4, **settings: Any
) -> np.ndarray:
    """Sounds int16 [clips, 2, time] of all clips, `batch` at a time; settings: of `generate`."""
    rows, sounds = range(len(seen.sync)), []
    for first in rows[::batch]:
        made = generate(model, seen, prompts, rows=rows[first : first + batch], **settings)
        sounds.append((made.clamp(-1, 1) * 32767).round().short().numpy())
    return np.concatenate(sounds)


def generate_from_frames(
    model: Model,
    frames: np.ndarray,
    prompts: Sequence[str | None] | None = None,
    *,
    steps: int = 8,
    guidance: float = DEFAULT_GUIDANCE,
    seed: int = 0,
    batch: int = 4,
) -> Tensor:
    """uint8 frames [clips, time, 3, height, width] at 24 Hz -> sounds [clips, 2, time]."""
    seen, rows = see(model, frames), range(len(frames))
    return torch.cat(
        [
            generate(model, seen, prompts, rows=rows[first : first + batch], steps=steps, guidance=guidance, seed=seed)
            for first in rows[::batch]
        ]
    )


@torch.inference_mode()
def through_codec(model: Model, sounds: np.ndarray) -> Tensor:
    """int16 sounds [clips, 2, time] after encoding and decoding, float32."""
    device = next(model.generator.parameters()).device
    samples = torch.from_numpy(np.array(sounds)).float().to(device) / 32767
    return model.codec.decode(model.codec.encode(samples))[..., : samples.shape[-1]].float().cpu()
