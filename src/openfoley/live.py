"""Sound for live video: frames in, samples out, in bounded memory and with bounded latency.

    stream = openfoley.stream(openfoley.load(), rate=24)
    for frames in camera:                # uint8 [n, 3, height, width]
        play(stream.push(frames))        # float32 [channels, m], m may be 0
    play(stream.finish())

The same windows as for a file, but short: each has the last `context` seconds of sound as known latents and adds
`chunk` seconds, without overlap, which would add latency. A sample depends on no frame later than `look_ahead_s` after
it: its chunk must be complete, the encoders look ahead, and the decoder needs a few more latents. There is no cut
detection. Where the model has adapters, each window is conditioned on the video so far, the last 5 minutes of
it; `whole_video="off"` leaves that out.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import ceil, floor

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from openfoley.codecs.base import StreamingDecoder
from openfoley.encoders.base import FrameEncoder, frame_dim
from openfoley.errors import UsageError
from openfoley.media.read.frame_picker import FramePicker
from openfoley.media.source import Source
from openfoley.pipeline import Pipeline
from openfoley.request import Request, Seconds
from openfoley.synthesis.adapted import reading_whole
from openfoley.synthesis.assembler import TakeAssembler
from openfoley.synthesis.conditions import ConditionBuilder, selecting_texts
from openfoley.synthesis.crossfade import Run
from openfoley.synthesis.features import FeatureRun, frame_request
from openfoley.synthesis.job import resolved
from openfoley.synthesis.selection import model_for
from openfoley.synthesis.windows import WindowSampler
from openfoley.timeline.plan import PlannedWindow, Window
from openfoley.timeline.shots import Shot

CHUNK_S = 1.0  # s, new sound per window: shorter needs more windows, longer adds latency
CONTEXT_S = 2.0  # s, known sound before a chunk; together 3 s, the shortest training sequences
LONGEST_S = 60.0  # s
FRAME_RATES = (1, 240)  # Hz
ENDLESS = Fraction(10**9)  # s


def stream(
    pipeline: Pipeline,
    rate: Seconds,
    request: Request | None = None,
    *,
    chunk: float = CHUNK_S,
    context: float = CONTEXT_S,
    **options: object,
) -> Stream:
    """A stream for frames at a constant `rate` (Hz). chunk, context: s. options: prompting and sampling as
    in `Pipeline.generate`; `whole_video` conditions a window on the past alone. Raises UsageError."""
    if not FRAME_RATES[0] <= rate <= FRAME_RATES[1]:
        raise UsageError(f"rate must be from {FRAME_RATES[0]} to {FRAME_RATES[1]} frames per second, got {rate}")
    if not (0 < chunk <= LONGEST_S and 0 <= context <= LONGEST_S):
        raise UsageError(f"chunk and context must be from 0 to {LONGEST_S:g} s, got {chunk} and {context}")
    asked = Request.of(request, **options)
    if asked.timeline != Request().timeline or asked.prompting.reference is not None:
        raise UsageError(
            "a live stream takes prompts and sampling only: no cuts, cues, spans, windows, joins or reference"
        )
    if asked.regions:
        raise UsageError("a live stream has no select_box and select_mask yet; leave them out, or use select")
    latent_rate, longest = pipeline.model.codec.latent_rate, pipeline.model.generator.window_latents
    new, known = round(Fraction(chunk) * latent_rate), round(Fraction(context) * latent_rate)
    if new < 1 or known < 0 or new + known > longest:
        raise UsageError(
            f"chunk and context must be above 0 and together at most {float(longest / latent_rate):.2f} s (the model's "
            f"training length), got {chunk} and {context}"
        )
    return Stream(pipeline, Fraction(rate), resolved(pipeline.model, Source.nothing(1), asked), new, known)


class Stream:
    """Push frames, get samples. `finish` returns the rest, so that the sound is as long as the video."""

    def __init__(
        self, pipeline: Pipeline, rate: Fraction, request: Request, new_latents: int, context_latents: int
    ) -> None:
        model, self.device = reading_whole(model_for(pipeline.model, request), request, None), pipeline.device
        self.codec, self.rate, self.request = model.codec, rate, request
        self.new, self.context = new_latents, context_latents
        self.shot = Shot(0, Fraction(0), ENDLESS, "start")
        texts = selecting_texts(model, [request.prompting])
        self.builder = ConditionBuilder(model, [self.shot], iter(()), self.device, texts=texts)
        self.sampler = WindowSampler(model.generator, self.builder, request, plain=model.plain)
        self.inputs = {name: _Input(name, e, rate, self.device) for name, e in self.builder.encoders.items()}
        self.sink = _Sink(model.codec.channels)
        sample_count = int(ENDLESS) * model.codec.sample_rate
        self.take = TakeAssembler(model.codec, request.sampling.seed, [Run(0, sample_count, 0, 0)], self.sink)
        self.take.decoder = StreamingDecoder(model.codec, chunk=1)
        self.frames, self.latents, self.given = 0, 0, 0  # pushed, sampled, samples returned

    @property
    def look_ahead_s(self) -> float:
        """No sample depends on a frame later than this after it."""
        chunk = (self.new + self.codec.decoder_context) / self.codec.latent_rate
        lag = max(part.lag_s for part in self.inputs.values())
        return float(chunk + self.builder.reach + lag + 1 / self.rate)

    @torch.inference_mode()
    def push(self, frames: UInt8[Tensor, "n 3 height width"]) -> Float[Tensor, "channels m"]:
        """The next n RGB frames -> the samples that are ready (m may be 0)."""
        if frames.ndim != 4 or frames.shape[1] != 3 or frames.dtype != torch.uint8:
            raise UsageError(f"frames must be uint8 [n, 3, height, width], got {frames.dtype} {list(frames.shape)}")
        for frame in frames:
            for part in self.inputs.values():
                for run in part.push(frame, self.frames):
                    self.builder.take(run)
            self.frames += 1
            while self._is_ready(self.latents + self.new):
                self._make(self.latents + self.new)
        return self._taken()

    @torch.inference_mode()
    def finish(self) -> Tensor:
        """End the video; returns the remaining samples."""
        for part in self.inputs.values():
            for run in part.finish():
                self.builder.take(run)
        total = ceil(self.frames / self.rate * self.codec.latent_rate)
        while self.latents < total:
            self._make(min(self.latents + self.new, total))
        if self.latents:
            self.take.finish()
        return self._taken(floor(self.frames / self.rate * self.codec.sample_rate + Fraction(1, 2)) - self.given)

    def _is_ready(self, end: int) -> bool:
        return self.builder.available_until(0) >= end / self.codec.latent_rate + self.builder.reach

    def _make(self, end: int) -> None:
        """Sample the latents up to `end`."""
        known = min(self.context, self.latents)
        first = self.latents - known
        window = Window(first, end - first, known)
        planned = PlannedWindow(window, self.shot, "continue" if self.latents else "start")
        self.take.begin(planned)
        (latents,) = self.sampler(planned, [self.take])
        self.take.add(planned, latents)
        self.latents = end

    def _taken(self, most: int | None = None) -> Tensor:
        samples = self.sink.take()[:, :most]
        self.given += samples.shape[-1]
        return samples


class _Input:
    """Frames at the source's rate, to one encoder at its own: picture k is the frame shown at k / encoder rate."""

    def __init__(self, name: str, encoder: FrameEncoder, rate: Fraction, device: torch.device) -> None:
        self.encoder, self.device, self.request = encoder, device, frame_request(name, encoder)
        self.picker = FramePicker(self.request, rate)
        lag = encoder.outputs.live_lag
        self.stream = encoder.stream(live=True)
        self.lag_s = Fraction(0 if lag is None else lag + 1) / self.request.rate

    def push(self, frame: Tensor, index: int) -> Iterator[FeatureRun]:
        """Frame `index` of the source is shown from index / rate on."""
        for chunk in self.picker.push(frame, index):
            for features in self.stream.push(chunk.frames.to(self.device), chunk.first_index):
                yield FeatureRun(self.request.name, 0, features, is_last=False)

    def finish(self) -> Iterator[FeatureRun]:
        for features in self.stream.flush():
            yield FeatureRun(self.request.name, 0, features, is_last=False)
        nothing = torch.zeros(0, frame_dim(self.encoder), device=self.device)
        yield FeatureRun(self.request.name, 0, nothing, is_last=True)


class _Sink:
    """Buffers the assembler's samples until they are returned."""

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
