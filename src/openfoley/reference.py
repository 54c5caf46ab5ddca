"""A reference sound as latents: what the result is to sound like, wherever it happens.

arXiv 2510.02916, sections 3.2 and A.2: clean latents of the reference stand in front of the sequence, marked as known;
the picture has nothing to say about them (training marks it absent over clean latents in half of the cases,
flow/dropout.py); after sampling they are dropped. Lengths up to 2.5 s are those of the paper's masks and of Figure 6.
"""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from openfoley.errors import UsageError
from openfoley.media.audio_files import read_audio
from openfoley.media.channels import fitted
from openfoley.media.resample import resample
from openfoley.media.source import shown
from openfoley.types import Audio

LONGEST_S = Fraction(5, 2)  # section 3.2
SILENCE_RMS = 1e-4  # of full scale, -80 dBFS: below the noise of any recording
CLIPPED_LEVEL = 0.99  # of full scale
CLIPPED_RUN = 4  # equal samples in a row at that level: no sound that was not cut off has them
MARGIN_S = 1  # s of sound around the span that the encoder hears, so that it is not the sound of a cut
SEARCH_STEP_S = Fraction(1, 20)


def encoded_reference(
    codec: Any, path: str | os.PathLike[str], span: tuple[float, float] | None, device: torch.device
) -> Tensor:
    """Latents [1, n, latent_dim] of a span (s) of a sound file; without one, of its loudest 2.5 s.

    UsageError for a span outside the file, shorter than a latent, longer than 2.5 s, silent or clipped.
    """
    audio = read_audio(Path(path))
    first, end = _chosen(audio, span, codec, shown(path))
    _check_sound(audio.samples[:, first:end], f"{shown(path)} from {first / audio.sample_rate:.2f} s")
    margin = MARGIN_S * audio.sample_rate
    begun = max(0, first - margin)
    around = Audio(fitted(audio.samples[:, begun : end + margin], codec.channels).contiguous(), audio.sample_rate)
    heard = resample(around, codec.sample_rate).samples
    start = round((first - begun) * codec.sample_rate / audio.sample_rate)
    count = (end - first) * codec.sample_rate // (audio.sample_rate * codec.hop_length)
    lead, skipped = start // codec.hop_length, start % codec.hop_length
    latents = codec.encode(heard[None, :, skipped:].to(device))
    return latents[:, lead : lead + count]


def _chosen(audio: Audio, span: tuple[float, float] | None, codec: Any, name: str) -> tuple[int, int]:
    """First and end sample of the part to take."""
    rate, count = audio.sample_rate, audio.samples.shape[-1]
    least = Fraction(codec.hop_length, codec.sample_rate)
    if span is not None:
        try:
            start, stop = (Fraction(edge) for edge in span)
        except (TypeError, ValueError, OverflowError):
            raise UsageError(f"the reference span is two times in seconds, got {span!r}") from None
        if not 0 <= start < stop <= Fraction(count, rate):
            raise UsageError(
                f"the reference span must begin before it ends and lie from 0 to {count / rate:.3f} s (the length of "
                f"{name}), got {float(start):g} to {float(stop):g}"
            )
        if stop - start > LONGEST_S + Fraction(1, rate):  # decimal seconds are not exact
            raise UsageError(
                f"the reference span may be up to {float(LONGEST_S):g} s long, got {float(stop - start):g}"
            )
        first, end = round(start * rate), round(stop * rate)
    else:
        first = _loudest(audio) if count > LONGEST_S * rate else 0
        end = min(count, first + int(LONGEST_S * rate))
    if Fraction(end - first, rate) < least:
        raise UsageError(
            f"the reference must be at least one latent ({float(least) * 1000:.1f} ms) long, "
            f"got {(end - first) / rate * 1000:.1f} ms of {name}"
        )
    return first, end


def _loudest(audio: Audio) -> int:
    """The first sample of the 2.5 s with the most energy."""
    step, span = int(SEARCH_STEP_S * audio.sample_rate), int(LONGEST_S * audio.sample_rate)
    energy = audio.samples.double().square().sum(0)
    total = torch.cat([energy.new_zeros(1), energy.cumsum(0)])
    starts = torch.arange(0, len(energy) - span + 1, step)
    return int(starts[(total[starts + span] - total[starts]).argmax()])


def _check_sound(samples: Tensor, what: str) -> None:
    if samples.square().mean().sqrt() < SILENCE_RMS:
        raise UsageError(f"the reference {what} is silent; choose another part with --reference-span")
    held = (samples[:, 1:] == samples[:, :-1]) & (samples[:, 1:].abs() >= CLIPPED_LEVEL)
    runs = held.float().unfold(-1, CLIPPED_RUN - 1, 1).amin(-1) if held.shape[-1] >= CLIPPED_RUN - 1 else held
    if bool(runs.any()):
        raise UsageError(f"the reference {what} is clipped; choose another part with --reference-span, or another file")
