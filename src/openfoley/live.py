"""Sound for a picture that is still arriving: frames in, samples out, in bounded memory and with bounded latency.

    stream = openfoley.stream(openfoley.load(), rate=24)
    for frames in camera:                # uint8 [n, 3, height, width]
        play(stream.push(frames))        # float32 [channels, m], m may be 0
    play(stream.finish())

The same windows as for a file, but short ones: each knows the last `context` seconds of sound and adds `chunk` seconds,
without spare latents, for which one would have to wait.
What comes out for an instant depends on no frame later than `look_ahead_s` after it: the chunk that it lies in must be
whole, the encoders look ahead, and the codec's decoder needs a few latents more. Cuts are not looked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import ceil, floor
from typing import Any

import torch
from torch import Tensor

from openfoley.codecs.base import StreamingDecoder
from openfoley.errors import UsageError
from openfoley.media.live import as_requested
from openfoley.pipeline import Pipeline
from openfoley.request import check_settings
from openfoley.synthesis.assembler import TakeAssembler
from openfoley.synthesis.crossfade import Run
from openfoley.synthesis.features import ENCODERS, SYNC_REACH, ConditionBuilder, FeatureRun, feature_rate, frame_request
from openfoley.synthesis.windows import Settings, Texts, draw_window
from openfoley.timeline.plan import PlannedWindow
from openfoley.timeline.shots import Shot
from openfoley.types import FrameChunk, Window

CHUNK_S = 1.0  # s, new sound at a time: shorter costs more windows, longer waits longer
CONTEXT_S = 2.0  # s, the sound that a chunk continues from; together 3 s, as short as the shortest training sequences
LONGEST_S = 60.0  # s
FRAME_RATES = (1, 240)  # Hz
ENDLESS = Fraction(10**9)  # s


def stream(
    pipeline: Pipeline,
    rate: float | Fraction,
    *,
    prompt: str | None = None,
    negative_prompt: str | None = None,
    steps: int | None = None,
    guidance: float | None = None,
    seed: int = 0,
    chunk: float = CHUNK_S,
    context: float = CONTEXT_S,
    temperature: float | None = None,
) -> Stream:
    """A stream for pictures that come at a constant `rate` (Hz). chunk, context: s. steps, guidance,
    temperature: as in `Pipeline.generate`. Raises UsageError."""
    pipeline.check_options(None, {"temperature": temperature})
    steps, guidance = pipeline.usual(steps, guidance)
    check_settings(steps, guidance, [seed])
    if not FRAME_RATES[0] <= rate <= FRAME_RATES[1]:
        raise UsageError(f"rate must be from {FRAME_RATES[0]} to {FRAME_RATES[1]} frames per second, got {rate}")
    if not (0 < chunk <= LONGEST_S and 0 <= context <= LONGEST_S):
        raise UsageError(f"chunk and context must be from 0 to {LONGEST_S:g} s, got {chunk} and {context}")
    latent_rate, longest = pipeline.model.codec.latent_rate, pipeline.model.generator.window_latents
    new, known = round(Fraction(chunk) * latent_rate), round(Fraction(context) * latent_rate)
    if new < 1 or known < 0 or new + known > longest:
        raise UsageError(
            f"chunk and context must be above 0 and together at most {float(longest / latent_rate):.2f} s (the model's "
            f"training length), got {chunk} and {context}"
        )
    settings = Settings(steps, guidance, prompt, negative_prompt, generator_options=(("temperature", temperature),))
    return Stream(pipeline, Fraction(rate), settings, seed, new, known)


class Stream:
    """Push frames, get samples. `finish` gives the rest, so that the sound is as long as the picture."""

    def __init__(
        self, pipeline: Pipeline, rate: Fraction, settings: Settings, seed: int, new_latents: int, context_latents: int
    ) -> None:
        model, self.device = pipeline.model, pipeline.device
        self.codec, self.generator = model.codec, model.generator
        self.rate, self.settings, self.seed = rate, settings, seed
        self.new, self.context = new_latents, context_latents
        self.texts = Texts(model.semantic, self.device)
        self.shot = Shot(0, Fraction(0), ENDLESS, "start")
        self.listener = ConditionBuilder(model, [self.shot], iter(()), self.device)
        self.inputs = {name: _Input(name, getattr(model, name), rate, self.device) for name in ENCODERS}
        self.sink = _Sink(model.codec.channels)
        sample_count = int(ENDLESS) * model.codec.sample_rate
        self.voice = TakeAssembler(model.codec, seed, [Run(0, sample_count, 0, 0)], self.sink)
        self.voice.decoder = StreamingDecoder(model.codec, chunk=1)
        self.frames, self.latents, self.given = 0, 0, 0  # pushed, made, samples given out

    @property
    def look_ahead_s(self) -> float:
        """No sample depends on a frame later than this after it."""
        chunk = (self.new + self.codec.decoder_context) / self.codec.latent_rate
        lag = max(part.lag_s for part in self.inputs.values())
        return float(chunk + SYNC_REACH / self.inputs["sync"].feature_rate + lag + 1 / self.rate)

    @torch.inference_mode()
    def push(self, frames: Tensor) -> Tensor:
        """uint8 RGB [n, 3, height, width], the next n frames -> float32 [channels, m], the samples that are ready."""
        if frames.ndim != 4 or frames.shape[1] != 3 or frames.dtype != torch.uint8:
            raise UsageError(f"frames must be uint8 [n, 3, height, width], got {frames.dtype} {list(frames.shape)}")
        for frame in frames:
            for part in self.inputs.values():
                for run in part.push(frame, self.frames):
                    self.listener.take(run)
            self.frames += 1
            while self._is_ready(self.latents + self.new):
                self._make(self.latents + self.new)
        return self._taken()

    @torch.inference_mode()
    def finish(self) -> Tensor:
        """The picture is over: the remaining samples."""
        for part in self.inputs.values():
            for run in part.finish():
                self.listener.take(run)
        total = ceil(self.frames / self.rate * self.codec.latent_rate)
        while self.latents < total:
            self._make(min(self.latents + self.new, total))
        if self.latents:
            self.voice.finish()
        return self._taken(floor(self.frames / self.rate * self.codec.sample_rate + Fraction(1, 2)) - self.given)

    def _is_ready(self, end: int) -> bool:
        reach = SYNC_REACH / self.inputs["sync"].feature_rate
        return self.listener.hears_until(0) >= end / self.codec.latent_rate + reach

    def _make(self, end: int) -> None:
        """The latents up to `end`."""
        known = min(self.context, self.latents)
        first = self.latents - known
        window = Window(first, end - first, known)
        planned = PlannedWindow(window, self.shot, "continue" if self.latents else "start")
        conditions = self.listener.conditions(planned, *self.texts(self.settings.prompt))
        self.voice.begin(planned)
        latent = draw_window(
            self.generator, window, conditions, self.texts, self.settings, planned,
            self.seed, [self.voice.context(known), self.voice.after(0)], None, None,
        )  # fmt: skip
        self.voice.add(planned, latent)
        self.latents = end

    def _taken(self, most: int | None = None) -> Tensor:
        samples = self.sink.take()[:, :most]
        self.given += samples.shape[-1]
        return samples


class _Input:
    """Frames at the source's rate, to one encoder at its own: picture k is the frame shown at k / encoder rate."""

    def __init__(self, name: str, encoder: Any, rate: Fraction, device: torch.device) -> None:
        self.encoder, self.rate, self.device = encoder, rate, device
        self.request = frame_request(name, encoder)
        is_live = hasattr(encoder, "live_lag")
        self.stream = encoder.stream(1) if is_live else encoder.stream()
        self.lag_s = Fraction(encoder.live_lag + 1 if is_live else 0) / Fraction(encoder.rate)
        self.feature_rate = feature_rate(encoder)
        self.picked = 0

    def push(self, frame: Tensor, index: int) -> Iterator[FeatureRun]:
        """Frame `index` of the source is shown from index / rate on."""
        pictures = []
        while floor(self.picked / Fraction(self.encoder.rate) * self.rate) <= index:
            pictures.append(as_requested(frame, self.request) if not pictures else pictures[-1])
            self.picked += 1
        if pictures:
            chunk = FrameChunk(self.request.name, self.picked - len(pictures), torch.stack(pictures))
            for features in self.stream.push(chunk.frames.to(self.device), chunk.first_index):
                yield FeatureRun(self.request.name, 0, features, is_last=False)

    def finish(self) -> Iterator[FeatureRun]:
        for features in self.stream.flush():
            yield FeatureRun(self.request.name, 0, features, is_last=False)
        yield FeatureRun(self.request.name, 0, torch.zeros(0, self.encoder.dim, device=self.device), is_last=True)


class _Sink:
    """Where the voice leaves its samples until they are given out."""

    def __init__(self, channels: int) -> None:
        self.channels, self.length = channels, 0
        self.held: list[Tensor] = []

    def append(self, samples: Tensor) -> None:
        self.held.append(samples.detach().to("cpu", torch.float32))
        self.length += samples.shape[-1]

    def close(self) -> None:
        pass

    def take(self) -> Tensor:
        held, self.held = self.held, []
        return torch.cat([torch.zeros(self.channels, 0), *held], -1)
