"""Silent video in, synchronized sound out: the one line that everything runs on.

    video file -> pictures at 24 and 8 fps -> features -> windows of latents (flow sampling) -> samples -> take

A plan of windows always runs; a short video is a plan of one window. The file is decoded once, features live only as
long as a window needs them, and sound leaves for a temporary file as it is decoded: memory does not grow with length.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from openfoley.codecs.base import StreamingDecoder
from openfoley.generators.base import sample_latents
from openfoley.hub.load import load_model
from openfoley.hub.parts import Model
from openfoley.hub.registry import DEFAULT_MODEL
from openfoley.longform.features import FeatureBuffer
from openfoley.longform.plan import plan_windows
from openfoley.request import DEFAULT_GUIDANCE, DEFAULT_STEPS, Request, check_settings, checked_video
from openfoley.take import SampleFile, Take
from openfoley.types import Conditions, FrameRequest, VideoInfo, Window

FRAMES_PER_CHUNK = 64
SYNC_REACH = 2  # sync features beyond each end of a window: the support of cubic interpolation

Progress = Callable[[float, float], None]  # seconds of sound done, seconds in all


def load(name_or_dir: str | os.PathLike[str] = DEFAULT_MODEL, device: str | torch.device = "cpu") -> Pipeline:
    """A pipeline around a shipped model or a model folder. Raises UsageError, WeightsError."""
    return Pipeline(load_model(name_or_dir, device), torch.device(device))


@dataclass(frozen=True)
class Pipeline:
    """A loaded model on a device; `generate` makes a take for a video."""

    model: Model
    device: torch.device

    def generate(
        self,
        video: str | os.PathLike[str],
        *,
        prompt: str | None = None,
        negative_prompt: str | None = None,
        steps: int = DEFAULT_STEPS,
        guidance: float = DEFAULT_GUIDANCE,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> Take:
        """The sound of one video, as long as its picture.

        steps: 1 to 128 sampling steps. guidance: 0 to 20, Eq. 3 (1 is none). seed: the same seed gives the same sound.
        Raises UsageError for bad arguments, MediaError for a file that cannot be read.
        """
        (take,) = self.generate_takes(
            video,
            [seed],
            prompt=prompt,
            negative_prompt=negative_prompt,
            steps=steps,
            guidance=guidance,
            progress=progress,
        )
        return take

    @torch.inference_mode()
    def generate_takes(
        self,
        video: str | os.PathLike[str],
        seeds: Sequence[int],
        *,
        prompt: str | None = None,
        negative_prompt: str | None = None,
        steps: int = DEFAULT_STEPS,
        guidance: float = DEFAULT_GUIDANCE,
        progress: Progress | None = None,
    ) -> list[Take]:
        """One take per seed from a single pass over the picture; each is what `generate` gives for its seed."""
        from openfoley.media.decode import probe

        check_settings(steps, guidance, seeds)
        path = checked_video(video)
        info = probe(path)
        codec = self.model.codec
        text, negative = self._text(prompt), self._text(negative_prompt)
        listener = Listener(self.model, path, self.device)
        voices = [Voice(codec, seed, math.floor(info.duration * codec.sample_rate + Fraction(1, 2))) for seed in seeds]
        for index, window in enumerate(plan_windows(info.duration, codec.latent_rate)):
            conditions = listener.conditions(window, text)
            for number, voice in enumerate(voices):
                told = _StepProgress(progress, info.duration, window, codec.latent_rate, steps, number, len(voices))
                latent = self._latents(window, index, voice, conditions, negative, steps, guidance, told)
                voice.add(latent, window)
        listener.finish()
        return [self._finished(voice, info, prompt, negative_prompt, steps, guidance) for voice in voices]

    def _text(self, prompt: str | None) -> Tensor | None:
        """A prompt as one vector [1, text_dim]; None for no (or only blank) text."""
        return self.model.semantic.encode_text([prompt]) if prompt and prompt.strip() else None

    def _latents(
        self,
        window: Window,
        index: int,
        voice: Voice,
        conditions: Conditions,
        negative: Tensor | None,
        steps: int,
        guidance: float,
        on_step: Callable[[int], None],
    ) -> Tensor:
        """Latents [1, latent_count, latent_dim] of a window; its first `context` latents are returned bit for bit."""
        generator = self.model.generator
        known_latent = torch.zeros(1, window.latent_count, generator.latent_dim, device=self.device)
        known_latent[:, : window.context] = voice.context(window)
        known = torch.arange(window.latent_count, device=self.device)[None] < window.context
        return sample_latents(
            generator,
            conditions,
            seeds=[window_seed(voice.seed, index)],
            latents=window.latent_count,
            steps=steps,
            guidance=guidance,
            known_latent=known_latent,
            known=known,
            negative_text=negative,
            on_step=on_step,
        )

    def _finished(
        self,
        voice: Voice,
        info: VideoInfo,
        prompt: str | None,
        negative_prompt: str | None,
        steps: int,
        guidance: float,
    ) -> Take:
        request = Request(info.path, self.model.name, prompt, negative_prompt, steps, guidance, voice.seed)
        return Take(request, info, self.model.codec.sample_rate, voice.finish())


def window_seed(seed: int, index: int) -> int:
    """The seed of a window's noise: it depends on seed and window index alone, and is spread over 63 bits."""
    (state,) = np.random.SeedSequence([seed, index]).generate_state(1, np.uint64)
    return int(state) >> 1


@dataclass(frozen=True)
class _StepProgress:
    """Sampling steps of one take's window as seconds of sound done."""

    progress: Progress | None
    duration: Fraction
    window: Window
    latent_rate: Fraction
    steps: int
    take: int
    takes: int

    def __call__(self, steps_done: int) -> None:
        if self.progress is None:
            return
        share = (self.take + steps_done / self.steps) / self.takes
        start = (self.window.first_latent + self.window.context) / self.latent_rate
        end = min(self.window.end_latent / self.latent_rate, self.duration)
        is_last = share == 1 and end == self.duration
        done = float(self.duration) if is_last else float(start) + share * float(end - start)
        self.progress(done, float(self.duration))


class Listener:
    """Decodes the picture once, just ahead of the windows, and tells the generator what is seen in each."""

    def __init__(self, model: Model, path: Path, device: torch.device):
        from openfoley.media.decode import pick_frames

        self.codec, self.device = model.codec, device
        self.text_dim = model.semantic.text_dim
        encoders = {"sync": model.sync, "semantic": model.semantic}
        requests = [FrameRequest(name, e.rate, e.height, e.width) for name, e in encoders.items()]
        self.frames = pick_frames(path, requests, chunk=FRAMES_PER_CHUNK)
        self.streams: dict[str, Any] = {name: e.stream() for name, e in encoders.items()}
        self.buffers = {name: FeatureBuffer(e.rate, e.dim, device) for name, e in encoders.items()}
        self.is_over = False

    def conditions(self, window: Window, text: Tensor | None) -> Conditions:
        """What is seen and asked in a window."""
        zero = window.first_latent / self.codec.latent_rate
        end = window.end_latent / self.codec.latent_rate
        sync_reach = SYNC_REACH / self.buffers["sync"].rate
        self._decode_until(end + sync_reach)
        semantic, semantic_time = self.buffers["semantic"].window(zero, zero, end)
        sync, sync_time = self.buffers["sync"].window(zero, zero - sync_reach, end + sync_reach)
        for buffer in self.buffers.values():
            buffer.drop_before(zero - sync_reach)
        return Conditions(
            semantic=semantic[None],
            semantic_time=semantic_time[None],
            semantic_present=torch.ones(1, len(semantic), dtype=torch.bool, device=self.device),
            sync=sync[None],
            sync_time=sync_time[None],
            sync_present=torch.ones(1, len(sync), dtype=torch.bool, device=self.device),
            text=torch.zeros(1, self.text_dim, device=self.device) if text is None else text,
            text_present=torch.tensor([text is not None], device=self.device),
        )

    def _decode_until(self, time: Fraction) -> None:
        """Decode until every feature before `time` (s) is there, or the file is over."""
        while not self.is_over and min(buffer.end for buffer in self.buffers.values()) < time:
            self._decode_chunk()

    def _decode_chunk(self) -> None:
        chunk = next(self.frames, None)
        if chunk is None:
            self.is_over = True
            for name, stream in self.streams.items():
                self._keep(name, stream.flush())
        else:
            self._keep(chunk.name, self.streams[chunk.name].push(chunk.frames.to(self.device), chunk.first_index))

    def _keep(self, name: str, features: list[Tensor]) -> None:
        for part in features:
            self.buffers[name].append(part)

    def finish(self) -> None:
        """Read to the end, so that damage there is noticed."""
        for _ in self.frames:
            pass


class Voice:
    """One take in the making: remembers the latents that the next window continues from, decodes the rest to disk."""

    def __init__(self, codec: Any, seed: int, sample_count: int):
        self.seed, self.sample_count = seed, sample_count
        self.latents = torch.zeros(1, 0, codec.latent_dim)
        self.decoder = StreamingDecoder(codec)
        self.samples = SampleFile()

    def context(self, window: Window) -> Tensor:
        """The known latents [1, context, latent_dim] at the window's start."""
        return self.latents[:, self.latents.shape[1] - window.context :]

    def add(self, latent: Tensor, window: Window) -> None:
        """Take a finished window in; its context was decoded with the window before."""
        self.latents = latent
        self._write(self.decoder.push(latent[:, window.context :]))

    def finish(self) -> SampleFile:
        self._write(self.decoder.flush())
        self.samples.close()
        return self.samples

    def _write(self, samples: Tensor) -> None:
        """Samples [1, 2, n], cut where the picture ends."""
        left = self.sample_count - self.samples.length
        self.samples.append(samples[0, :, :left])
