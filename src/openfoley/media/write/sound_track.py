"""Encode a sound, block by block, into a stream of an open container, with the codec that suits the container.

| container | codec at 16 / 24 / 32f |
|---|---|
| mp4, m4v, 3gp, 3g2, ts, m2t | AAC 320 kbit/s (all depths) |
| mts, m2ts | AC-3 640 kbit/s (all depths): what AVCHD and Blu-ray players read |
| mov, avi | PCM s16 / s24 / f32 |
| mxf | PCM s16 / s24 at 48 kHz |
| mkv | FLAC 16 / FLAC 24 / PCM f32 |
| webm | Opus 256 kbit/s at 48 kHz (all depths) |
| flac | FLAC 16 / FLAC 24 |

A lossy codec moves peaks, so give the limiter `ceiling_dbtp(suffix)`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from openfoley.errors import UsageError
from openfoley.media.limiter import CEILING_DBTP
from openfoley.media.resample import StreamingResampler
from openfoley.media.settings import BitDepth

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.packet import Packet

BIT_DEPTHS: tuple[BitDepth, ...] = ("16", "24", "32f")
LOSSY_HEADROOM_DB = 2.0  # dB: decoded clicks and noise rose by at most 1.2 dB (Opus) and 1.0 dB (AAC) over the input
BLOCK_SAMPLES = 4096  # per frame, where the codec asks for no size of its own
AAC_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)  # ISO/IEC 14496-3
AC3_RATES = (48000, 44100, 32000)  # ETSI TS 102 366
USUAL_RATE = 48000  # Hz: the only one of Opus (RFC 6716) and of MXF's sound (SMPTE ST 382 as FFmpeg writes it)


@dataclass(frozen=True)
class SoundFormat:
    """How sound is stored: FFmpeg's encoder and sample format, bit rate (lossy only), bits (integers only), rates in Hz
    (None: any)."""

    codec: str
    sample_format: str
    bit_rate: int | None = None
    bits: int | None = None
    rates: tuple[int, ...] | None = None


_PCM = {
    "16": SoundFormat("pcm_s16le", "s16", bits=16),
    "24": SoundFormat("pcm_s24le", "s32", bits=24),
    "32f": SoundFormat("pcm_f32le", "flt"),
}
_FLAC = {"16": SoundFormat("flac", "s16", bits=16), "24": SoundFormat("flac", "s32", bits=24)}
_AAC = SoundFormat("aac", "fltp", bit_rate=320_000, rates=AAC_RATES)
_AC3 = SoundFormat("ac3", "fltp", bit_rate=640_000, rates=AC3_RATES)
_OPUS = SoundFormat("libopus", "flt", bit_rate=256_000, rates=(USUAL_RATE,))
FORMATS: dict[str, dict[str, SoundFormat]] = {
    **dict.fromkeys((".mp4", ".m4v", ".3gp", ".3g2", ".ts", ".m2t"), dict.fromkeys(BIT_DEPTHS, _AAC)),
    **dict.fromkeys((".mts", ".m2ts"), dict.fromkeys(BIT_DEPTHS, _AC3)),
    ".mov": _PCM,
    ".avi": _PCM,
    ".mxf": {depth: replace(_PCM[depth], rates=(USUAL_RATE,)) for depth in ("16", "24")},
    ".mkv": {**_FLAC, "32f": _PCM["32f"]},
    ".webm": dict.fromkeys(BIT_DEPTHS, _OPUS),
    ".flac": _FLAC,
}


def sound_format(suffix: str, bit_depth: str) -> SoundFormat:
    """The format for a container by its file suffix; UsageError where there is none."""
    if bit_depth not in BIT_DEPTHS:
        raise UsageError(f"bit depth must be one of {', '.join(BIT_DEPTHS)}, got {bit_depth}")
    formats = FORMATS.get(suffix.lower())
    if formats is None:
        raise UsageError(f"output suffix must be one of {', '.join(FORMATS)} or .wav, got '{suffix}'")
    if bit_depth not in formats:
        raise UsageError(f"{suffix} cannot hold floating point sound; choose bit depth 24 or write .wav")
    return formats[bit_depth]


def ceiling_dbtp(suffix: str, bit_depth: str = "24") -> float:
    """The limiter's ceiling for this output: lower where a lossy codec will move the peaks."""
    if suffix.lower() == ".wav":
        return CEILING_DBTP
    return CEILING_DBTP - (LOSSY_HEADROOM_DB if sound_format(suffix, bit_depth).bit_rate else 0.0)


def codec_rate(sound: SoundFormat, sample_rate: int) -> int:
    """The rate in Hz at which the codec can store a sound of `sample_rate`."""
    return sample_rate if sound.rates is None or sample_rate in sound.rates else USUAL_RATE


def quantised(samples: Tensor, bits: int) -> np.ndarray:
    """float [channels, n] -> int32 [channels, n] of `bits` bits, rounded and clipped."""
    full = 2 ** (bits - 1)
    return (samples.double() * full).round().clamp(-full, full - 1).to(torch.int32).numpy()


class SoundTrack:
    """One audio stream of an output container. push() and flush() after the header is written."""

    def __init__(
        self,
        out: OutputContainer,
        sound: SoundFormat,
        sample_rate: int,
        channels: int = 2,
        start: Fraction = Fraction(0),
        options: dict[str, str] | None = None,
    ) -> None:
        self.sound, self.channels, self.layout = sound, channels, "mono" if channels == 1 else "stereo"
        self.sample_rate = codec_rate(sound, sample_rate)
        # PyAV's overloads are of literal codec names; here the name is looked up by the file's suffix.
        self.stream: AudioStream = out.add_stream(  # type: ignore[call-overload]
            sound.codec, rate=self.sample_rate, options=options or {}
        )
        self.stream.codec_context.layout = self.layout
        self.stream.codec_context.format = sound.sample_format
        self.stream.codec_context.time_base = Fraction(1, self.sample_rate)
        if sound.bit_rate:
            self.stream.codec_context.bit_rate = sound.bit_rate * channels // 2
        self._resampler = StreamingResampler(sample_rate, self.sample_rate, channels)
        self._waiting = torch.zeros(channels, 0)
        self._position = round(start * self.sample_rate)  # samples on the container's clock

    @property
    def time(self) -> Fraction:
        """s on the container's clock up to which sound has been encoded."""
        return Fraction(self._position, self.sample_rate)

    def push(self, samples: Tensor) -> Iterator[Packet]:
        """Encode [channels, n]; the packets that became ready."""
        fresh = self._resampler.push(samples.detach().cpu().float())
        self._waiting = torch.cat([self._waiting, fresh], dim=-1)
        size = self.stream.codec_context.frame_size or BLOCK_SAMPLES
        whole = self._waiting.shape[-1] // size * size
        blocks, self._waiting = self._waiting[:, :whole], self._waiting[:, whole:]
        for block in blocks.split(size, dim=-1) if whole else ():
            yield from self._encoded(block)

    def flush(self) -> Iterator[Packet]:
        """Encode what is left and close the encoder."""
        rest = torch.cat([self._waiting, self._resampler.flush()], dim=-1)
        size = self.stream.codec_context.frame_size or BLOCK_SAMPLES
        for block in rest.split(size, dim=-1) if rest.shape[-1] else ():
            yield from self._encoded(block)
        # FLAC's last packet is empty but carries the header's final length and checksum.
        yield from (p for p in self.stream.encode(None) if p.size or any(True for _ in p.iter_sidedata()))

    def _encoded(self, block: Tensor) -> Iterator[Packet]:
        import av

        if self.sound.bits is None:
            values = block.numpy()
        else:
            values = quantised(block, self.sound.bits)
            values = values.astype(np.int16) if self.sound.bits == 16 else values << 8
        if not self.sound.sample_format.endswith("p"):
            values = values.T.reshape(1, -1)  # interleaved
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(values), format=self.sound.sample_format, layout=self.layout
        )
        frame.sample_rate, frame.time_base, frame.pts = self.sample_rate, Fraction(1, self.sample_rate), self._position
        self._position += block.shape[-1]
        for packet in self.stream.encode(frame):
            if packet.size:
                yield packet
