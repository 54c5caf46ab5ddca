"""Detectors of events in a pair: one of 16 small frames, one of 2 s of sound; both classify action and material too.

    frames -> previous, this, next -> 3 convolutions -> mean and maximum of each   8 tokens a second, 4 steps each
    sound  -> log-mel -> Linear                                                   50 tokens a second, 1 step each
    tokens -> 3 x (+ convolution over time of 5 tokens, 1, 2, 4 apart) -> event logit of each step
           -> mean and maximum over time -> 32 features -> action, material

Each is trained on true Gym pairs of training seeds alone and knows nothing of the other modality, so that agreement of
the two is agreement of picture and sound. The 32 features are the Gym's embedding of Frechet distances. A step's target
is exp(-(time to the nearest event)^2 / 2 s^2); s is half a frame for pictures, whose truth lies between two of them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float, Shaped, UInt8
from torch import Tensor, nn

from openfoley.data.pairs.pair import Modality
from openfoley.gym.close_up import FAMILIES
from openfoley.gym.materials import MATERIALS
from openfoley.judges.events import WIDTH, TemporalTrunk, peaks
from openfoley.judges.training import Recipe, fit
from openfoley.media.spectrogram import log_mel

ACTIONS, NAMED_MATERIALS = FAMILIES, tuple(MATERIALS)
UNKNOWN = -1
"""Class of a clip that has none: nothing sounds in it."""

EMBEDDING = 32
"""Dimensions: covariances of some hundred clips have full rank."""
PICTURE_WIDTHS, STEPS_PER_FRAME = (16, 32, 48), 4
MELS, FFT, HOP = 64, 512, 320
"""At 16 kHz: 32 ms windows every 20 ms."""
SAMPLE_RATE = 16_000
DEVIATIONS_S: dict[Modality, float] = {"picture": 0.03, "sound": 0.02}
EVENT_WEIGHT, CLASS_WEIGHT = 4.0, 0.1
RARE = -3.0  # logit: the share of events
NOISE, GAIN = 0.05, 0.2
"""Of training pictures: largest deviation of added noise and largest change of brightness and contrast, in 0..1."""
SOUND_GAIN, SOUND_NOISE = (0.3, 2.0), (1e-5, 3e-3)
"""Of training sounds: amplitude, and amplitude of added noise, both drawn evenly in logarithm."""

RECIPES: dict[Modality, Recipe] = {
    "picture": Recipe(epochs=9, batch=24, learning_rate=4e-3, weight_decay=0.02),
    "sound": Recipe(epochs=8, batch=24, learning_rate=4e-3, weight_decay=0.02),
}


@dataclass(frozen=True)
class DetectorOutputs:
    """Of some clips: logits of the steps, features, logits of the names."""

    events: Float[Tensor, "batch steps"]
    features: Float[Tensor, "batch dim"]
    actions: Float[Tensor, "batch actions"]
    materials: Float[Tensor, "batch materials"]


class PairDetector(TemporalTrunk, ABC):
    """What both modalities share; each has its own tokens and clock."""

    def __init__(self, dim: int, steps_per_token: int) -> None:
        super().__init__(dim, steps_per_token, RARE)
        self.embed = nn.Linear(2 * WIDTH, EMBEDDING)
        self.action, self.material = nn.Linear(EMBEDDING, len(ACTIONS)), nn.Linear(EMBEDDING, len(NAMED_MATERIALS))

    @abstractmethod
    def tokens(self, given: Shaped[Tensor, "batch ..."]) -> Float[Tensor, "batch n dim"]:
        """Of clips: frames or samples."""

    @abstractmethod
    def step_rate(self, rate: Fraction) -> Fraction:
        """Steps a second. rate: of the clips' frames or samples, Hz."""

    @abstractmethod
    def first_s(self, rate: Fraction) -> float:
        """Time of the first step."""

    def outputs(self, given: Shaped[Tensor, "batch ..."]) -> DetectorOutputs:
        """Of clips [batch, ...]: frames or samples."""
        x = self.hidden(self.tokens(given))
        features = self.embed(torch.cat([x.mean(1), x.amax(1)], -1))
        named = self.dropout(F.gelu(features))
        return DetectorOutputs(self.event_logits(x), features, self.action(named), self.material(named))

    def forward(self, given: Shaped[Tensor, "batch ..."]) -> Float[Tensor, "batch outputs"]:
        """All logits side by side, as the loss reads them."""
        outputs = self.outputs(given)
        return torch.cat([outputs.events, outputs.actions, outputs.materials], -1)

    @torch.inference_mode()
    def detect(self, given: Shaped[Tensor, "batch ..."], rate: Fraction) -> list[tuple[np.ndarray, np.ndarray]]:
        """Times (s) and outputs (0..1) of the possible events of each clip. rate: of its frames or samples, Hz."""
        logits = self.eval().outputs(given).events.double().cpu().numpy()
        step_rate = float(self.step_rate(rate))
        return [peaks(one, self.first_s(rate), step_rate) for one in logits]


class PictureDetector(PairDetector):
    """uint8 [batch, frames, 3, size, size]. Steps of a frame divide the time from it to the next."""

    def __init__(self) -> None:
        super().__init__(2 * PICTURE_WIDTHS[-1], STEPS_PER_FRAME)
        layers: list[nn.Module] = []
        for incoming, outgoing in zip((9, *PICTURE_WIDTHS), PICTURE_WIDTHS, strict=False):
            layers += [nn.Conv2d(incoming, outgoing, 3, 2, 1), nn.BatchNorm2d(outgoing), nn.ReLU()]
        self.trunk = nn.Sequential(*layers)

    def tokens(self, given: UInt8[Tensor, "batch frames 3 height width"]) -> Float[Tensor, "batch frames dim"]:
        x = given.float() / 255 - 0.5
        if self.training:
            x = _disturbed(x)
        around = torch.cat([x[:, :1], x, x[:, -1:]], 1)
        triples = torch.cat([around[:, :-2], x, around[:, 2:]], 2)
        hidden = self.trunk(rearrange(triples, "batch frames c h w -> (batch frames) c h w"))
        pooled = torch.cat([hidden.mean((2, 3)), hidden.amax((2, 3))], -1)
        return rearrange(pooled, "(batch frames) dim -> batch frames dim", frames=x.shape[1])

    def step_rate(self, rate: Fraction) -> Fraction:
        return rate * STEPS_PER_FRAME

    def first_s(self, rate: Fraction) -> float:
        return float(1 / self.step_rate(rate) / 2)


class SoundDetector(PairDetector):
    """Samples [batch, time] at 16 kHz."""

    def __init__(self) -> None:
        super().__init__(MELS, 1)

    def tokens(self, given: Float[Tensor, "batch time"]) -> Float[Tensor, "batch n mels"]:
        x = _disturbed_sound(given) if self.training else given
        mel = log_mel(x, SAMPLE_RATE, n_fft=FFT, hop_length=HOP, n_mels=MELS)
        return mel.mT / 4 + 2  # about -1..2

    def step_rate(self, rate: Fraction) -> Fraction:
        return rate / HOP

    def first_s(self, rate: Fraction) -> float:
        return 0.0


DETECTORS: dict[Modality, Callable[[], PairDetector]] = {"picture": PictureDetector, "sound": SoundDetector}


def event_steps(
    events_s: Float[np.ndarray, " events"], modality: Modality, steps: int, first_s: float, step_rate: float
) -> Float[Tensor, " steps"]:
    """Targets of a clip's steps."""
    at = first_s + np.arange(steps) / step_rate
    distance = np.abs(at[:, None] - events_s).min(1, initial=np.inf)
    return torch.from_numpy(np.exp(-0.5 * (distance / DEVIATIONS_S[modality]) ** 2)).float()


def train_detector(
    modality: Modality,
    clips: Shaped[Tensor, "clips ..."],
    events: Float[Tensor, "clips steps"],
    names: Float[Tensor, "clips 2"],
    recipe: Recipe | None = None,
) -> PairDetector:
    """clips: frames or samples of all clips. names: indices of action and material, UNKNOWN where nothing is shown."""
    return fit(DETECTORS[modality], clips, torch.cat([events, names], -1), _loss, recipe or RECIPES[modality])


def _loss(outputs: Float[Tensor, "batch outputs"], wanted: Float[Tensor, "batch steps_2"]) -> Float[Tensor, ""]:
    """Weighted cross entropy of the steps, and of the names where they are known."""
    steps, names = wanted[:, :-2], wanted[:, -2:].long()
    logits, actions, materials = outputs.split([steps.shape[1], len(ACTIONS), len(NAMED_MATERIALS)], -1)
    weights = 1 + (EVENT_WEIGHT - 1) * steps
    loss = F.binary_cross_entropy_with_logits(logits, steps, weight=weights)
    for guess, name in ((actions, names[:, 0]), (materials, names[:, 1])):
        if (name != UNKNOWN).any():
            loss = loss + CLASS_WEIGHT * F.cross_entropy(guess, name, ignore_index=UNKNOWN)
    return loss


def _disturbed(frames: Float[Tensor, "batch frames 3 height width"]) -> Float[Tensor, "batch frames 3 height width"]:
    """Clips mirrored, brighter or darker, noisy: each by chance."""
    count, shape = len(frames), (len(frames), 1, 1, 1, 1)
    mirrored = torch.where(torch.rand(shape) < 0.5, frames.flip(-1), frames)
    noise = torch.randn_like(frames) * torch.rand(shape) * NOISE * (torch.rand(count) < 0.5).view(shape)
    return mirrored * (1 + GAIN * (2 * torch.rand(shape) - 1)) + GAIN * (torch.rand(shape) - 0.5) + noise


def _disturbed_sound(samples: Float[Tensor, "batch time"]) -> Float[Tensor, "batch time"]:
    gain, noise = (_even_in_log(bounds, len(samples)) for bounds in (SOUND_GAIN, SOUND_NOISE))
    return samples * gain + torch.randn_like(samples) * noise


def _even_in_log(bounds: tuple[float, float], count: int) -> Float[Tensor, "count 1"]:
    low, high = np.log(bounds)
    return torch.exp(low + (high - low) * torch.rand(count, 1))
