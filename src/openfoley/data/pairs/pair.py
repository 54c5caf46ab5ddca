"""What training and evaluation read of a set of pairs, whatever it was made from: picture, sound, captions.

pairs = open_pairs(folder, "train")     made by `openfoley data pairs`
pairs[3].frames                         uint8 [16, 3, 32, 32], frame k shown at k / 8 s
pairs[3].sound                          float32 [32000], 16 kHz, from the first frame on
pairs[3].captions                       the plainest first
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, Protocol, get_args

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from openfoley.errors import UsageError

Modality = Literal["picture", "sound"]
MODALITIES: tuple[Modality, ...] = get_args(Modality)
FULL_SCALE = 32767
"""Of sound that is kept as 16-bit integers."""


@dataclass(frozen=True)
class PairForm:
    """count: frames of a clip. rate: Hz of them. size: pixels, height and width. sample_rate: Hz, of one channel."""

    count: int = 16
    rate: Fraction = Fraction(8)
    size: int = 32
    sample_rate: int = 16_000

    def __post_init__(self) -> None:
        if self.count < 2 or not 1 <= self.rate <= 60 or not 16 <= self.size <= 1024 or self.size % 2:
            raise UsageError(
                "a pair needs 2 or more frames, 1 to 60 a second, of an even size of 16 to 1024 pixels, got "
                f"{self.count} at {float(self.rate):g}, {self.size} pixels"
            )
        if self.samples.denominator != 1:
            raise UsageError(f"{self.count} frames at {float(self.rate):g} a second are no whole number of samples")

    @property
    def duration_s(self) -> Fraction:
        return self.count / self.rate

    @property
    def samples(self) -> Fraction:
        """Of a clip's sound; a whole number."""
        return self.duration_s * self.sample_rate


GYM_FORM = PairForm()
"""Of the Gym's pairs."""


@dataclass(frozen=True)
class Pair:
    """A clip. name: unique in its set, unless that joins several. captions: the plainest first."""

    name: str
    frames: UInt8[Tensor, "frames 3 height width"]
    sound: Float[Tensor, " samples"]
    captions: tuple[str, ...]

    @property
    def caption(self) -> str:
        return self.captions[0]


class Pairs(Protocol):
    """A set of clips of one form."""

    @property
    def form(self) -> PairForm: ...

    @property
    def digest(self) -> str:
        """The identity of the set: hexadecimal."""
        ...

    @property
    def names(self) -> Sequence[str]:
        """Of every clip, without reading one."""
        ...

    @property
    def captions(self) -> Sequence[tuple[str, ...]]:
        """Of every clip, without reading one."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Pair: ...


@dataclass(frozen=True)
class PairBatch:
    """Some clips, stacked. captions: of each clip, the plainest first."""

    frames: UInt8[Tensor, "batch frames 3 height width"]
    sound: Float[Tensor, "batch samples"]
    captions: tuple[tuple[str, ...], ...]


def batch_of(pairs: Pairs, indices: Sequence[int]) -> PairBatch:
    """The clips with these indices."""
    chosen = [pairs[index] for index in indices]
    frames, sound = torch.stack([one.frames for one in chosen]), torch.stack([one.sound for one in chosen])
    return PairBatch(frames, sound, tuple(one.captions for one in chosen))
