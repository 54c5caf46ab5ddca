"""One take in the making: the latents that the next window continues from, and samples on their way to a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import torch
from torch import Tensor

from openfoley.codecs.base import Codec, StreamingDecoder
from openfoley.synthesis.crossfade import Run, crossfade_latents, rising
from openfoley.timeline.plan import PlannedWindow

KEPT_LATENTS = 1024  # what a window can continue from: more than `request.Timeline.context` allows at any latent rate


@dataclass(frozen=True)
class Surroundings:
    """Existing sound around a span, as latents [1, n, latent_dim] that end where the span begins, and that begin where
    it ends."""

    before: Tensor
    after: Tensor


class Sink(Protocol):
    """Where samples go: a file (`take.SampleFile`), or whoever waits for them."""

    length: int  # samples appended so far

    def append(self, samples: Tensor) -> None:
        """Samples [channels, n]."""
        ...

    def close(self) -> None: ...


S = TypeVar("S", bound=Sink)


class TakeAssembler(Generic[S]):
    """Takes finished windows in, in order, and appends the samples of its runs to a sink.

    surroundings: what the first window continues from, and the last leads to.
    """

    def __init__(
        self,
        codec: Codec,
        seed: int,
        runs: Sequence[Run],
        samples: S,
        surroundings: Surroundings | None = None,
    ) -> None:
        self.codec, self.seed, self.runs, self.samples = codec, seed, runs, samples
        self.surroundings = surroundings
        self.latents = torch.zeros(1, 0, codec.latent_dim)
        self.overlap = torch.zeros(1, 0, codec.latent_dim)  # of the window before, generated beyond its end
        self.decoder = StreamingDecoder(codec)
        self.run = -1
        self.position = 0  # sample that the decoder gives next
        self.tail = torch.zeros(codec.channels, 0)  # end of the run before, already faded out

    def context(self, window_context: int) -> Tensor:
        """The latents [1, window_context, latent_dim] that a window continues from."""
        return self.latents[:, self.latents.shape[1] - window_context :]

    def after(self, window_after: int) -> Tensor:
        """The latents [1, window_after, latent_dim] that a window leads to."""
        return self.surroundings.after[:, :window_after] if self.surroundings else self.latents[:, :0]

    def begin(self, planned: PlannedWindow) -> None:
        """Get ready for a window: where it starts a run, end the one before."""
        if faded := planned.window.faded:
            self._write(self.decoder.push(self.overlap[:, :faded]))
            self._end_run()
            self.run += 1
            self.position = planned.window.first_latent * self.codec.hop_length
        if planned.join not in ("start", "reset"):
            return
        self._end_run()
        self.run += 1
        self.position = planned.window.first_latent * self.codec.hop_length
        self.latents = self.overlap = torch.zeros(1, 0, self.codec.latent_dim)
        if planned.join == "start" and self.surroundings is not None:
            self.latents = self.surroundings.before
            self.position = (planned.first_new - self.latents.shape[1]) * self.codec.hop_length
        run = self.runs[self.run]
        if self.position > run.start:  # nothing is known of what lies before
            self.samples.append(torch.zeros(self.codec.channels, self.position - run.start))
        if self.latents.shape[1]:
            self._write(self.decoder.push(self.latents))

    def add(self, planned: PlannedWindow, latent: Tensor) -> None:
        """Take a finished window in; its context was decoded with the window before, whose last latents are
        crossfaded with its first new ones. Where the samples are crossfaded, context and new ones are decoded anew."""
        window = planned.window
        kept = window.latent_count - window.overlap
        new = crossfade_latents(self.overlap[:, : window.crossfaded].to(latent), latent[:, window.context : kept])
        self.overlap = latent[:, kept:]
        self.latents = torch.cat([self.latents.to(latent), new], 1)[:, -KEPT_LATENTS:]
        self._write(self.decoder.push(latent[:, :kept] if window.faded else new))

    def finish(self) -> S:
        self._end_run()
        self.samples.close()
        return self.samples

    def _end_run(self) -> None:
        if self.run >= 0:
            self._write(self.decoder.flush())

    def _write(self, samples: Tensor) -> None:
        """Samples [1, channels, n] from `position` on: cut to the run and crossfaded with the end of the run before."""
        run, first = self.runs[self.run], self.position
        self.position += samples.shape[-1]
        cut = samples[0, :, max(0, run.start - first) : max(0, run.end - first)].to("cpu", torch.float32)
        first = max(first, run.start)
        place = first - run.start
        if place < run.fade_in and cut.shape[-1]:
            count = min(run.fade_in - place, cut.shape[-1])
            weight = rising(run.fade_in)[place : place + count]
            cut = torch.cat([cut[:, :count] * weight + self.tail[:, place : place + count], cut[:, count:]], -1)
        held = min(max(0, first + cut.shape[-1] - (run.end - run.fade_out)), cut.shape[-1])  # all, once in the fade
        if held and run.fade_out:
            keep = cut.shape[-1] - held
            offset = max(0, first + keep - (run.end - run.fade_out))
            falling = rising(run.fade_out).flip(0)[offset : offset + held]
            self.tail = torch.cat([self.tail if offset else self.tail[:, :0], cut[:, keep:] * falling], -1)
            cut = cut[:, :keep]
        self.samples.append(cut)

    def state(self) -> tuple[dict[str, Tensor], dict[str, int]]:
        """Everything that `restore` needs to resume to the bit, beside the samples' file."""
        buffer, left = self.decoder.state
        tensors = {"latents": self.latents, "overlap": self.overlap, "tail": self.tail}
        if buffer is not None:
            tensors["buffer"] = buffer
        numbers = {"run": self.run, "position": self.position, "left": left, "length": self.samples.length}
        return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, numbers

    def restore(self, tensors: dict[str, Tensor], numbers: dict[str, int], device: torch.device) -> None:
        self.latents, self.overlap = tensors["latents"].to(device), tensors["overlap"].to(device)
        self.tail = tensors["tail"]
        self.run, self.position = numbers["run"], numbers["position"]
        buffer = tensors.get("buffer")
        self.decoder.restore(buffer.to(device) if buffer is not None else None, numbers["left"])
