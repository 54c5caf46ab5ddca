"""The frozen records that travel along the line, with their units.

Axis names: `batch`, `time` (samples), `latent_time` (latents, 44100/1024 Hz), `channels`, `frames`, `height`, `width`.
Time 0 is the first shown frame. Latent n covers samples [1024 n, 1024 (n+1)) at 44100 Hz; its centre lies at
(n + 0.5) * 1024 / 44100 s.
"""

from __future__ import annotations

import base64
import io
import wave
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

TEXT = "text"  # the name of the sequence that a prompt becomes; all others come from the picture
SHOTS = "shots"  # in `Conditions.whole`: the shots' starts as times, their lengths in s as values
NEAR = "near"  # in `Conditions.whole`: sync features one by one in the window and around it
WORDS = "words"  # the text encoder of what is selected, where that is not the prompt's


@dataclass(frozen=True)
class Audio:
    """Sound in memory: samples float32 [channels, time] in -1..1, sample_rate in Hz."""

    samples: Tensor
    sample_rate: int

    @property
    def duration_s(self) -> float:
        return self.samples.shape[-1] / self.sample_rate

    def __repr__(self) -> str:
        return f"Audio({self.duration_s:.3f} s, {self.samples.shape[0]} channels, {self.sample_rate} Hz)"

    def _repr_html_(self) -> str:
        """A player in a notebook: the sound as a WAV of 16 bits inside the page."""
        pcm = (self.samples.clamp(-1, 1) * 32767).round().short().T.contiguous().numpy().tobytes()
        file = io.BytesIO()
        with wave.open(file, "wb") as out:
            out.setparams((self.samples.shape[0], 2, self.sample_rate, 0, "NONE", ""))
            out.writeframes(pcm)
        return f'<audio controls src="data:audio/wav;base64,{base64.b64encode(file.getvalue()).decode()}"></audio>'


@dataclass(frozen=True)
class FeatureSequence:
    """Features of one encoder for a batch. Times are seconds after the start of the window's first latent; a feature
    belongs to the instant at which its frame is picked. What is not present is replaced by a learned null inside the
    generator."""

    values: Float[Tensor, "batch n dim"]
    time_s: Float[Tensor, "batch n"]
    present: Bool[Tensor, "batch n"]

    def absent(self) -> FeatureSequence:
        return replace(self, present=torch.zeros_like(self.present))

    def each(self, change: Callable[[Tensor], Tensor]) -> FeatureSequence:
        """`change` of values, times and flags."""
        return FeatureSequence(change(self.values), change(self.time_s), change(self.present))


@dataclass(frozen=True)
class Conditions:
    """What a generator is conditioned on, for a batch: one sequence for each encoder of the model, by its name.

    whole: sequences of the whole video (past only, where it is live), for generators that read it; of those that read
    it in stretches (`generators.base.WholeInput`) also SHOTS and NEAR.
    """

    features: Mapping[str, FeatureSequence]
    whole: Mapping[str, FeatureSequence] = field(default_factory=dict)

    def __getitem__(self, name: str) -> FeatureSequence:
        return self.features[name]

    @property
    def device(self) -> torch.device:
        return next(iter(self.features.values())).values.device

    @property
    def batch(self) -> int:
        return len(next(iter(self.features.values())).values)

    def has(self, *names: str) -> Bool[Tensor, " batch"]:
        """In which rows anything of these sequences is present."""
        return torch.stack([self.features[name].present.any(1) for name in names]).any(0)

    def replaced(self, **sequences: FeatureSequence) -> Conditions:
        return replace(self, features={**self.features, **sequences})

    def without(self, *names: str) -> Conditions:
        """The same with these sequences marked absent."""
        return self.replaced(**{name: self.features[name].absent() for name in names})

    def null(self) -> Conditions:
        """The unconditional branch of guidance: nothing is present."""
        return self.map(lambda sequence: sequence.absent())

    def map(self, change: Callable[[FeatureSequence], FeatureSequence]) -> Conditions:
        """`change` of every sequence."""
        return Conditions(*({k: change(v) for k, v in part.items()} for part in (self.features, self.whole)))

    def select(self, index: Tensor | slice | list[int]) -> Conditions:
        """The same for some rows of the batch."""
        return self.map(lambda sequence: sequence.each(lambda rows: rows[index]))

    @staticmethod
    def joined(parts: Sequence[Conditions]) -> Conditions:
        """Several of equal lengths, one after another along the batch."""

        def cat(sequences: Sequence[Mapping[str, FeatureSequence]], name: str) -> FeatureSequence:
            rows = zip(*((s[name].values, s[name].time_s, s[name].present) for s in sequences), strict=True)
            return FeatureSequence(*(torch.cat(tensors) for tensors in rows))

        sides = ([part.features for part in parts], [part.whole for part in parts])
        return Conditions(*({name: cat(side, name) for name in side[0]} for side in sides))
