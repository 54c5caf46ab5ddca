"""Pictures that contradict their prompt, so that the generator learns whom to obey (beyond the paper).

The sync features tell when something happens and, at Gym size, of what material it is (`encoders.appearance`). Another
clip's would put the events elsewhere; so the material alone is exchanged: around an event of a material the mean of all
frames around events of that material is taken off and the mean of another material's is put in its place.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from openfoley.data.feature_cache import FeatureCache
from openfoley.data.sounding import CLASSES
from openfoley.types import Conditions

EARLY_S = 0.07  # before an event its frames show already what it is of
CLIPS = 400  # that the means are read from
FEWEST_FRAMES = 20  # a material of fewer is never exchanged


@dataclass(frozen=True)
class MaterialLooks:
    """means [CLASSES, sync_dim]: of the sync features around events of each material; known: int64, the classes (from 1
    on) that have one."""

    means: Tensor
    known: Tensor
    latent_s: float

    @classmethod
    def of(cls, cache: FeatureCache) -> "MaterialLooks":
        """From the first clips of a cache."""
        clip = torch.arange(min(CLIPS, len(cache)), device=cache.sync.device)
        latent_s = cache.rates.hop_length / cache.rates.sample_rate
        first = torch.zeros_like(clip)
        _, conditions = cache.crop(clip, first, cache.latents.shape[1], first)
        labels = frame_labels(conditions.sync_time, cache.sounding_in(clip, first, cache.latents.shape[1]), latent_s)
        count = torch.bincount(labels.flatten(), minlength=CLASSES)
        means = torch.zeros(CLASSES, cache.sync.shape[-1], device=cache.sync.device)
        means.index_add_(0, labels.flatten(), conditions.sync.flatten(0, 1))
        known = (count[1:] >= FEWEST_FRAMES).nonzero()[:, 0] + 1
        return cls(means / count.clamp(min=1)[:, None], known, latent_s)

    def exchanged(self, conditions: Conditions, sounding: Tensor, generator: torch.Generator) -> Tensor:
        """The sync features with every material taken for another; which for which is drawn for each sequence.

        sounding: int64 [batch, latents] of `data.sounding`."""
        if len(self.known) < 2:
            return conditions.sync
        labels = frame_labels(conditions.sync_time, sounding, self.latent_s)
        place = torch.full((CLASSES,), -1, device=labels.device)
        place[self.known] = torch.arange(len(self.known), device=labels.device)
        offset = torch.randint(
            1, len(self.known), (len(labels), 1), generator=generator, device=generator.device
        )  # never itself
        other = self.known[(place[labels] + offset) % len(self.known)]
        shift = self.means[other] - self.means[labels]
        return conditions.sync + shift * (place[labels] >= 0)[..., None]


def frame_labels(frame_time: Tensor, sounding: Tensor, latent_s: float) -> Tensor:
    """The class that begins to sound at each frame or soon after, 0 for none: int64 like frame_time [batch, frames]."""

    def at(time: Tensor) -> Tensor:
        place = (time / latent_s).floor().long()
        inside = (place >= 0) & (place < sounding.shape[1])
        return (sounding.gather(1, place.clamp(0, sounding.shape[1] - 1)) * inside).clamp(min=0)

    now, soon = at(frame_time), at(frame_time + EARLY_S)
    return torch.where(now > 0, now, soon)
