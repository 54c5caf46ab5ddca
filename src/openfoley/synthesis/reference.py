"""A reference sound as latents: what the result is to sound like, wherever it happens.

arXiv 2510.02916, sections 3.2 and A.2: clean latents of the reference stand in front of the sequence, marked as known;
the picture has nothing to say about them (training marks it absent over clean latents in half of the cases,
flow/dropout.py); after sampling they are dropped. Lengths up to 2.5 s are those of the paper's masks and of Figure 6.
"""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import torch
from torch import Tensor

from openfoley.codecs.base import Codec
from openfoley.errors import UsageError
from openfoley.media.channels import fitted
from openfoley.media.read.opening import shown
from openfoley.media.read.sound_file import sound_pieces
from openfoley.media.resample import resample
from openfoley.types import Audio

LONGEST_S = Fraction(5, 2)  # section 3.2
SILENCE_RMS = 1e-4  # of full scale, -80 dBFS: below the noise of any recording
CLIPPED_LEVEL = 0.99  # of full scale
CLIPPED_RUN = 4  # equal samples in a row at that level: no sound that was not cut off has them
MARGIN_S = 1  # s of sound around the span that the encoder receives, so that it does not encode a cut
SEARCH_STEP_S = Fraction(1, 20)


def encoded_reference(
    codec: Codec, path: str | os.PathLike[str], span: tuple[Fraction, Fraction] | None, device: torch.device
) -> Tensor:
    """Latents [1, n, latent_dim] of a span (s) of a sound file; without one, of its loudest 2.5 s.

    UsageError for a span outside the file, shorter than a latent, longer than 2.5 s, silent or clipped.
    """
    path = Path(path)
    rate, first, end = _chosen(path, span, codec)
    begun = max(0, first - MARGIN_S * rate)
    samples = _between(path, begun, end + MARGIN_S * rate)
    _check_sound(samples[:, first - begun : end - begun], f"{shown(path)} from {first / rate:.2f} s")
    resampled = resample(Audio(fitted(samples, codec.channels).contiguous(), rate), codec.sample_rate).samples
    start = round((first - begun) * codec.sample_rate / rate)
    count = (end - first) * codec.sample_rate // (rate * codec.hop_length)
    lead, skipped = start // codec.hop_length, start % codec.hop_length
    latents = codec.encode(resampled[None, :, skipped:].to(device))
    return latents[:, lead : lead + count]


def _chosen(path: Path, span: tuple[Fraction, Fraction] | None, codec: Codec) -> tuple[int, int, int]:
    """(sample rate, first and end sample of the part to take). The file is read piece by piece: it may be a film's."""
    rate, energies, count = _energies(path)
    least = Fraction(codec.hop_length, codec.sample_rate)
    if span is not None:
        start, stop = span
        if not 0 <= start < stop <= Fraction(count, rate):
            raise UsageError(
                f"the reference span must begin before it ends and lie from 0 to {count / rate:.3f} s (the length of "
                f"{shown(path)}), got {float(start):g} to {float(stop):g}"
            )
        if stop - start > LONGEST_S + Fraction(1, rate):  # decimal seconds are not exact
            raise UsageError(
                f"the reference span may be up to {float(LONGEST_S):g} s long, got {float(stop - start):g}"
            )
        first, end = round(start * rate), round(stop * rate)
    else:
        first = _loudest(energies, rate) if count > LONGEST_S * rate else 0
        end = min(count, first + int(LONGEST_S * rate))
    if Fraction(end - first, rate) < least:
        raise UsageError(
            f"the reference must be at least one latent ({float(least) * 1000:.1f} ms) long, "
            f"got {(end - first) / rate * 1000:.1f} ms of {shown(path)}"
        )
    return rate, first, end


def _energies(path: Path) -> tuple[int, Tensor, int]:
    """(sample rate, energy of every whole SEARCH_STEP_S of the sound, samples in all)."""
    rate, pieces = sound_pieces(path)
    step = _step(rate)
    energies, rest, count = [], torch.zeros(0, dtype=torch.float64), 0
    for piece in pieces:
        rest = torch.cat([rest, piece.double().square().sum(0)])
        whole = len(rest) // step * step
        energies.append(rest[:whole].unflatten(0, (-1, step)).sum(1))
        rest, count = rest[whole:], count + piece.shape[-1]
    return rate, torch.cat(energies), count


def _step(rate: int) -> int:
    """Samples between places at which the loudest part may start."""
    return int(SEARCH_STEP_S * rate)


def _loudest(energies: Tensor, rate: int) -> int:
    """The first sample of the 2.5 s with the most energy."""
    total = torch.cat([energies.new_zeros(1), energies.cumsum(0)])
    steps = int(LONGEST_S / SEARCH_STEP_S)
    return int((total[steps:] - total[:-steps]).argmax()) * _step(rate)


def _between(path: Path, first: int, end: int) -> Tensor:
    """Samples [channels, n] from `first` on, up to `end` or the sound's."""
    kept, position = [], 0
    for piece in sound_pieces(path)[1]:
        kept.append(piece[:, max(0, first - position) : max(0, end - position)])
        position += piece.shape[-1]
        if position >= end:
            break
    return torch.cat(kept, -1)


def _check_sound(samples: Tensor, what: str) -> None:
    if samples.square().mean().sqrt() < SILENCE_RMS:
        raise UsageError(f"the reference {what} is silent; choose another reference span")
    held = (samples[:, 1:] == samples[:, :-1]) & (samples[:, 1:].abs() >= CLIPPED_LEVEL)
    runs = held.float().unfold(-1, CLIPPED_RUN - 1, 1).amin(-1) if held.shape[-1] >= CLIPPED_RUN - 1 else held
    if bool(runs.any()):
        raise UsageError(f"the reference {what} is clipped; choose another reference span, or another file")
