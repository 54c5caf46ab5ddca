"""The frozen records that travel along the line, with their units.

Axis names: `batch`, `time` (samples), `latent_time` (latents, 44100/1024 Hz), `channels`, `frames`, `height`, `width`.
Time 0 is the first shown frame. Latent n covers samples [1024 n, 1024 (n+1)) at 44100 Hz; its centre lies at
(n + 0.5) * 1024 / 44100 s. Frame k of a request at rate r is the frame shown at the instant k / r.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from fractions import Fraction
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor


@dataclass(frozen=True)
class Audio:
    """Sound in memory: samples float32 [channels, time] in -1..1, sample_rate in Hz."""

    samples: Tensor
    sample_rate: int

    @property
    def duration_s(self) -> float:
        return self.samples.shape[-1] / self.sample_rate


@dataclass(frozen=True)
class VideoInfo:
    """What a probe tells of a video file, nothing decoded yet."""

    path: Path
    duration: Fraction  # s, start of the first shown frame to end of the last
    start: Fraction  # s, time of the first shown frame on the file's clock
    width: int  # pixels, after rotation
    height: int  # pixels, after rotation
    rotation: int  # degrees, as the display matrix asks
    frame_rate: Fraction  # Hz, average
    frame_count_estimate: int | None
    audio_streams: int


@dataclass(frozen=True)
class FrameRequest:
    """An encoder's wish: the frames shown at k / rate, brought to height x width.

    fit: the whole frame, squashed, or the largest centred part of the same aspect. resize: by swscale (fast), or as
    published encoders were trained, by antialiased bicubic interpolation of 8-bit colours.
    """

    name: str
    rate: Fraction  # Hz
    height: int
    width: int
    fit: Literal["squash", "cover"] = "squash"
    resize: Literal["area", "bicubic"] = "area"


@dataclass(frozen=True)
class FrameChunk:
    """Consecutive picked frames of one request: uint8 [n, 3, height, width]."""

    name: str
    first_index: int
    frames: Tensor


@dataclass(frozen=True)
class Conditions:
    """What a generator listens to, for a batch; absent parts are replaced by learned nulls inside the generator.

    Times are seconds relative to the start of the window's first latent (0 = its first sample). A feature belongs to
    the instant k / rate at which its frame is picked.
    """

    semantic: Tensor  # [batch, n_semantic, semantic_dim]
    semantic_time: Tensor  # [batch, n_semantic] s
    semantic_present: Tensor  # bool [batch, n_semantic]
    sync: Tensor  # [batch, n_sync, sync_dim]
    sync_time: Tensor  # [batch, n_sync] s
    sync_present: Tensor  # bool [batch, n_sync]
    text: Tensor  # [batch, text_dim], or [batch, tokens, text_dim] where the generator reads single tokens
    text_present: Tensor  # bool [batch]

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> Conditions:
        """Move to a device; features take the dtype, times stay float32 and flags stay bool."""

        def moved(name: str, value: Tensor) -> Tensor:
            is_feature = name in ("semantic", "sync", "text")
            return value.to(device=device, dtype=dtype if is_feature and dtype is not None else value.dtype)

        return Conditions(**{f.name: moved(f.name, getattr(self, f.name)) for f in fields(self)})

    def null(self) -> Conditions:
        """The unconditional branch of guidance: nothing is present."""
        return replace(
            self,
            semantic_present=torch.zeros_like(self.semantic_present),
            sync_present=torch.zeros_like(self.sync_present),
            text_present=torch.zeros_like(self.text_present),
        )

    def select(self, index: Tensor | slice | list[int]) -> Conditions:
        """The same for some rows of the batch."""
        return Conditions(**{f.name: getattr(self, f.name)[index] for f in fields(self)})


@dataclass(frozen=True)
class Window:
    """A run of latents generated at once. The first `context` of them are known (clean): the end of the window before,
    or of existing sound; so are the last `after`, where a span is generated in front of existing sound. The last
    `spare` lie beyond what the window adds: the window that follows in the same shot makes them again. Into its first
    `faded` new latents fade those that the window before made beyond its end (where the two were asked for the same).
    """

    first_latent: int
    latent_count: int
    context: int
    after: int = 0
    spare: int = 0
    faded: int = 0

    @property
    def end_latent(self) -> int:
        return self.first_latent + self.latent_count

    @property
    def new_end(self) -> int:
        """Behind the last latent that the window adds."""
        return self.end_latent - self.after - self.spare
