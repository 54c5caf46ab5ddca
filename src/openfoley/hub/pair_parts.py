"""A model of sound and picture together: its networks, what turns clips into latents and texts into conditions.

A model folder holds config.json (`"kind": "pair"`) and video.safetensors, audio.safetensors and connectors.safetensors.
Each of the first two is a U-Net and the words that it reads: a base model, trained alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from openfoley.codecs.folded import FoldedConfig
from openfoley.encoders.words import WordMean, WordNumbers, WordSequence, words_of
from openfoley.errors import UsageError
from openfoley.flow.equal_information import gamma_of, known_by_loss, timestep_map
from openfoley.generators.joint.config import JointConfig
from openfoley.generators.joint.model import JointGenerator, PairText
from openfoley.hub.knowledge import warn_of_unseen

FORMAT = 1
STAGES = ("video", "audio", "connectors")
Stage = Literal["video", "audio", "connectors"]


class PairCodec(Protocol):
    """Clips to latents and back. sample_rate: Hz, one channel. picture_size: pixels of a side."""

    @property
    def sample_rate(self) -> int: ...

    @property
    def picture_size(self) -> int: ...

    def video_shape(self, frames: int) -> tuple[int, int, int, int]: ...

    def audio_shape(self, samples: int) -> tuple[int, int, int]: ...

    def sound_steps(self, samples: int) -> int:
        """The latents' time steps that hold the sound; the rest of `audio_shape` is padding."""
        ...

    def encode_video(
        self, frames: UInt8[Tensor, "batch frames 3 height width"]
    ) -> Float[Tensor, "batch video_channels frames rows columns"]: ...

    def decode_video(
        self, latents: Float[Tensor, "batch video_channels frames rows columns"]
    ) -> UInt8[Tensor, "batch frames 3 height width"]: ...

    def encode_audio(self, sounds: Float[Tensor, "batch samples"]) -> Float[Tensor, "batch c steps bands"]: ...

    def decode_audio(self, latents: Float[Tensor, "batch c steps bands"]) -> Float[Tensor, "batch samples"]:
        """With the padding's."""
        ...


class PairTexts(Protocol):
    """Prompts to conditions."""

    def __call__(self, texts: Sequence[str]) -> PairText: ...

    def check(self, text: str) -> None:
        """UsageError for one that is too long; warns of words that the model never saw."""
        ...


@dataclass(frozen=True)
class LossCurves:
    """Mean squared errors of predicted noise on validation clips, each model alone, at these timesteps."""

    timesteps: tuple[int, ...]
    video: tuple[float, ...]
    audio: tuple[float, ...]

    @property
    def video_of_audio(self) -> Float[Tensor, " trained_steps"]:
        """The map of timesteps at which both are equally known."""
        at = torch.tensor(self.timesteps, dtype=torch.float32)
        audio, video = (known_by_loss(at, torch.tensor(losses)) for losses in (self.audio, self.video))
        return timestep_map(audio, video)

    @property
    def gamma(self) -> float:
        return gamma_of(self.video_of_audio)


@dataclass(frozen=True)
class PairModelConfig:
    """config.json of a folder. frames: of a training clip. video_guidance, audio_guidance: defaults. curves: None
    before they are measured."""

    format: int
    kind: Literal["pair"]
    name: str
    generator: JointConfig
    codec: FoldedConfig
    frames: int
    video_words: tuple[str, ...]
    audio_words: tuple[str, ...]
    longest: int
    steps: int
    video_guidance: float
    audio_guidance: float
    curves: LossCurves | None


class Words:
    """`PairTexts` by learned words. name: of the model, for messages."""

    def __init__(self, video: WordSequence, audio: WordMean, name: str) -> None:
        self.video, self.audio, self.name = video, audio, name

    def __call__(self, texts: Sequence[str]) -> PairText:
        return PairText(self.video(texts), self.audio(texts))

    def check(self, text: str) -> None:
        check_words(self.name, self.video.numbers.longest, text)
        warn_of_unseen(self.name, self.video.numbers.unknown(text))


def check_words(name: str, longest: int, text: str) -> None:
    """UsageError for a prompt of more than `longest` words. name: of the model."""
    if (count := len(words_of(text))) > longest:
        raise UsageError(f"the prompt has {count} words, {name} reads at most {longest}; shorten it")


class PairLimits(Protocol):
    """What a model can be asked for; see `PairModel`."""

    @property
    def name(self) -> str: ...

    @property
    def frames(self) -> int: ...

    @property
    def rate(self) -> int: ...

    @property
    def longest_frames(self) -> int: ...

    @property
    def curves(self) -> LossCurves | None: ...

    @property
    def longest_words(self) -> int | None: ...


@dataclass(frozen=True)
class Limits:
    """`PairLimits` of a model that is not loaded. longest_words: of a prompt (None: its texts know when loaded)."""

    name: str
    frames: int
    rate: int
    longest_frames: int
    curves: LossCurves | None
    longest_words: int | None


@dataclass(frozen=True)
class PairModel:
    """Ready to sample. networks: each base model's U-Net and words as one module, and the connectors, by their files.
    frames, rate: of a training clip and Hz. longest_frames: what the motion modules have positions for."""

    name: str
    generator: JointGenerator
    codec: PairCodec
    texts: PairTexts
    frames: int
    rate: int
    steps: int
    video_guidance: float
    audio_guidance: float
    curves: LossCurves | None

    @property
    def longest_frames(self) -> int:
        return self.generator.config.motion_frames

    @property
    def longest_words(self) -> int | None:
        """Of a prompt; None where tokens are counted (`texts.check`)."""
        return self.texts.video.numbers.longest if isinstance(self.texts, Words) else None

    @property
    def device(self) -> torch.device:
        return next(self.generator.connectors.parameters()).device


def base_modules(
    config: PairModelConfig, generator: JointGenerator
) -> tuple[WordSequence, WordMean, dict[str, nn.Module]]:
    """The words of both U-Nets, and the modules that the folder's files hold."""
    video = WordSequence(WordNumbers(config.video_words, config.longest), config.generator.video.condition)
    audio = WordMean(WordNumbers(config.audio_words, config.longest), config.generator.audio.condition)
    files: dict[str, nn.Module] = {
        "video": nn.ModuleDict({"unet": generator.video, "words": video}),
        "audio": nn.ModuleDict({"unet": generator.audio, "words": audio}),
        "connectors": generator.connectors,
    }
    return video, audio, files
