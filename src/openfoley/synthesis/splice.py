"""Put a generated span into existing sound: outside of it and of its fades every sample stays as it was.

The fades (10 ms) lie inside the span, which crossfade from the old sound to the new one and back.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor, gcd

import torch
import torch.nn.functional as F
from torch import Tensor

from openfoley.codecs.base import Codec
from openfoley.media.channels import fitted
from openfoley.media.limiter import Limiter
from openfoley.media.read.sound_source import SoundSource
from openfoley.media.resample import StreamingResampler, resample
from openfoley.media.sample_file import SampleFile
from openfoley.synthesis.assembler import Surroundings
from openfoley.synthesis.crossfade import blend_weights
from openfoley.timeline.plan import PlannedWindow
from openfoley.types import Audio

FADE_S = Fraction(1, 100)  # s, inside the span: shorter than what makes an onset sound like another event
ENCODED_S = Fraction(1)  # s of existing sound beyond the context that the codec's encoder receives
MARGIN_S = Fraction(1, 20)  # s generated beyond each end of the span, for the resampler's and the limiter's run-in


@dataclass(frozen=True)
class ExistingSound:
    """What a span needs of the sound around it. span: s; length: samples at the source's rate; head and foot: sound
    [channels, n] around the span's start and end, from sample head_start and foot_start on."""

    source: SoundSource
    length: int
    span: tuple[Fraction, Fraction]
    head: Tensor
    head_start: int
    foot: Tensor
    foot_start: int

    @property
    def first(self) -> int:
        """The span's first sample."""
        return round(self.span[0] * self.source.sample_rate)

    @property
    def end(self) -> int:
        """The sample behind the span."""
        return round(self.span[1] * self.source.sample_rate)

    @property
    def fade(self) -> int:
        """Samples of a fade."""
        return min(floor(FADE_S * self.source.sample_rate), (self.end - self.first) // 4)


def existing_sound(
    source: SoundSource, length: int, span: tuple[Fraction, Fraction], context: Fraction
) -> ExistingSound:
    """Read the surroundings of a span, whose edges need `context` s of known sound."""
    rate = source.sample_rate

    def kept(edge: Fraction) -> tuple[int, int]:
        reach = context + ENCODED_S
        return max(0, floor((edge - reach) * rate)), min(length, ceil((edge + reach) * rate))

    (head_start, head_end), (foot_start, foot_end) = kept(span[0]), kept(span[1])
    head, foot, position = [], [], 0
    for chunk in source.chunks():
        for pieces, begin, end in ((head, head_start, head_end), (foot, foot_start, foot_end)):
            piece = chunk[:, max(0, begin - position) : max(0, end - position)]
            if piece.shape[-1]:
                pieces.append(piece)
        position += chunk.shape[-1]
        if position >= max(head_end, foot_end):
            break
    nothing = torch.zeros(source.channels, 0)
    return ExistingSound(
        source, length, span, torch.cat([nothing, *head], -1), head_start, torch.cat([nothing, *foot], -1), foot_start
    )


def surroundings(
    existing: ExistingSound, plan: list[PlannedWindow], codec: Codec, device: torch.device
) -> Surroundings:
    """Latents of the existing sound before and behind the plan's new ones."""
    first, last = plan[0], plan[-1]
    behind = last.window.new_end
    reach = codec.decoder_context
    wanted = first.window.context and max(first.window.context, min(reach, first.first_new))
    before = _latents(existing.head, existing.head_start, existing.source.sample_rate, codec, device)
    after = _latents(existing.foot, existing.foot_start, existing.source.sample_rate, codec, device)
    around = Surroundings(
        _cut(before, first.first_new - wanted, first.first_new), _cut(after, behind, behind + last.window.after)
    )
    assert around.before.shape[1] >= first.window.context and around.after.shape[1] == last.window.after
    return around


def _latents(sound: Tensor, start: int, rate: int, codec: Codec, device: torch.device) -> tuple[int, Tensor]:
    """(number of the first latent, latents [1, n, latent_dim]) of sound from sample `start` at `rate` Hz on."""
    if not sound.shape[-1]:
        return 0, torch.zeros(1, 0, codec.latent_dim, device=device)
    # Resample from an instant that is a sample at both rates, then drop up to the next whole latent.
    unit = rate // gcd(rate, codec.sample_rate)
    skip = -start % unit
    resampled = resample(Audio(fitted(sound[:, skip:], codec.channels).contiguous(), rate), codec.sample_rate).samples
    sample = (start + skip) * codec.sample_rate // rate
    drop = -sample % codec.hop_length
    if resampled.shape[-1] <= drop:
        return 0, torch.zeros(1, 0, codec.latent_dim, device=device)
    return (sample + drop) // codec.hop_length, codec.encode(resampled[None, :, drop:].to(device))


def _cut(placed: tuple[int, Tensor], first: int, end: int) -> Tensor:
    start, latents = placed
    return latents[:, max(0, first - start) : max(0, end - start)]


@dataclass(frozen=True)
class Stretch:
    """The samples [start, end) at the codec's rate that are generated for a span; `start` is a sample at both rates."""

    start: int
    end: int


def stretch_to_generate(existing: ExistingSound, codec: Codec) -> Stretch:
    rate = existing.source.sample_rate
    unit = codec.sample_rate // gcd(rate, codec.sample_rate)
    start = max(0, floor((existing.span[0] - MARGIN_S) * codec.sample_rate)) // unit * unit
    return Stretch(start, ceil((existing.span[1] + MARGIN_S) * codec.sample_rate))


def spliced(
    existing: ExistingSound, generated: SampleFile, stretch: Stretch, codec: Codec, ceiling_dbtp: float
) -> SampleFile:
    """The whole sound with the span replaced, in a file of its own at the source's rate and channels."""
    made = _Pieces(_at_rate(generated, codec, existing.source, ceiling_dbtp), existing.source.channels)
    made.skip(existing.first - stretch.start * existing.source.sample_rate // codec.sample_rate)
    out = SampleFile(existing.source.channels)
    position = 0
    for chunk in existing.source.chunks():
        chunk = chunk[:, : existing.length - position]
        first, end = max(0, existing.first - position), min(chunk.shape[-1], existing.end - position)
        if first < end:
            fresh = made.take(end - first)
            weight = _weight(existing, position + first, position + end)
            blended = torch.where(weight == 1, fresh, chunk[:, first:end] * (1 - weight) + fresh * weight)
            chunk = torch.cat([chunk[:, :first], blended, chunk[:, end:]], -1)
        out.append(chunk)
        position += chunk.shape[-1]
    while position < existing.end:  # extended beyond what was there
        piece = made.take(min(existing.end - position, 1 << 16))
        out.append(piece)
        position += piece.shape[-1]
    out.close()
    return out


def _weight(existing: ExistingSound, first: int, end: int) -> Tensor:
    """Of the new sound at the samples [first, end) of the span."""
    index = torch.arange(first, end)
    ramp = blend_weights(existing.fade)
    weight = torch.ones(end - first)
    if existing.first > 0:
        inside = index < existing.first + existing.fade
        weight[inside] = ramp[index[inside] - existing.first]
    if existing.end < existing.length:
        inside = index >= existing.end - existing.fade
        weight[inside] = ramp.flip(0)[index[inside] - (existing.end - existing.fade)]
    return weight


def _at_rate(generated: SampleFile, codec: Codec, source: SoundSource, ceiling_dbtp: float) -> Iterator[Tensor]:
    """The generated sound at the source's rate and channels, limited."""
    limiter = Limiter(source.sample_rate, source.channels, ceiling_dbtp)
    resampler = StreamingResampler(codec.sample_rate, source.sample_rate, source.channels)
    for chunk in generated.chunks():
        yield limiter.push(resampler.push(fitted(chunk, source.channels)))
    yield limiter.push(resampler.flush())
    yield limiter.flush()


class _Pieces:
    """Samples in chunks of any size, taken in pieces of a wanted size; silence behind their end."""

    def __init__(self, chunks: Iterator[Tensor], channels: int) -> None:
        self.chunks, self.held = chunks, torch.zeros(channels, 0)

    def take(self, count: int) -> Tensor:
        while self.held.shape[-1] < count and (chunk := next(self.chunks, None)) is not None:
            self.held = torch.cat([self.held, chunk], -1)
        piece, self.held = self.held[:, :count], self.held[:, count:]
        return F.pad(piece, (0, count - piece.shape[-1]))

    def skip(self, count: int) -> None:
        while count > 0:
            count -= self.take(min(count, 1 << 16)).shape[-1]
