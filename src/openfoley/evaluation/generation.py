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

from openfoley.encoders.base import FrameEncoder
from openfoley.flow.noise import NoiseSource
from openfoley.generators.sampling import sample_latents
from openfoley.hub.parts import Model
from openfoley.hub.save import save_weights
from openfoley.request import Sampling
from openfoley.timeline.plan import latents_for
from openfoley.types import TEXT, Conditions, FeatureSequence

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
    device = model.device
    found: dict[str, list[Tensor]] = {"semantic": [], "sync": []}
    for start in range(0, len(frames), batch):
        part = torch.from_numpy(np.ascontiguousarray(frames[start : start + batch])).to(device)
        for name, features in found.items():
            encoder = model.encoders[name]
            assert isinstance(encoder, FrameEncoder) and encoder.inputs.frames is not None
            every = int(CACHE_RATE / encoder.inputs.frames.rate)
            features.append(encoder.encode(_sized(part[:, ::every], encoder)).float().cpu())
    return Seen(torch.cat(found["semantic"]), torch.cat(found["sync"]), Fraction(frames.shape[1]) / CACHE_RATE)


def _sized(frames: Tensor, encoder: FrameEncoder) -> Tensor:
    """uint8 frames [batch, time, 3, height, width] in the size that the encoder looks at."""
    assert encoder.inputs.frames is not None
    size = (encoder.inputs.frames.height, encoder.inputs.frames.width)
    if frames.shape[-2:] == size:
        return frames
    resized = functional.interpolate(frames.flatten(0, 1).float(), size, mode="bilinear", antialias=True)
    return resized.round().clamp(0, 255).byte().unflatten(0, frames.shape[:2])


def conditions_of(model: Model, seen: Seen, rows: Sequence[int], prompts: Sequence[str | None]) -> Conditions:
    """What the generator listens to for these rows of `seen`, with a prompt or none for each."""
    device = model.device
    index = torch.as_tensor(rows)
    semantic, sync = seen.semantic[index].to(device), seen.sync[index].to(device)
    words = [prompt if prompt and prompt.strip() else "" for prompt in prompts]
    is_present = torch.tensor([bool(one) for one in words], device=device)
    tokens = model.text_encoder.encode_text(words).to(device)
    tokens = torch.where(is_present[:, None, None], tokens, 0.0)

    def sequence(name: str, features: Tensor) -> FeatureSequence:
        present = torch.ones(features.shape[:2], dtype=torch.bool, device=device)
        return FeatureSequence(features, _times(features, model.encoders[name].outputs.rate), present)

    text = FeatureSequence(
        tokens, torch.zeros(tokens.shape[:2], device=device), is_present[:, None].expand(tokens.shape[:2])
    )
    return Conditions({"semantic": sequence("semantic", semantic), "sync": sequence("sync", sync), TEXT: text})


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
    guidance: float | None = None,
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
    asked = Sampling(
        steps, guidance, text_guidance=text_guidance, picture_guidance=picture_guidance, rescale=rescale,
        temperature=temperature,
    )  # fmt: skip
    latent = sample_latents(model.generator, conditions, NoiseSource([seed + k for k in rows], latents), asked)
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
    guidance: float | None = None,
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
    device = model.device
    samples = torch.from_numpy(np.array(sounds)).float().to(device) / 32767
    return model.codec.decode(model.codec.encode(samples))[..., : samples.shape[-1]].float().cpu()
