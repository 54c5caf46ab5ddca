"""Pictures that contradict their prompt, so that the generator learns whom to obey (beyond the paper).

The sync features tell when something happens and, at Gym size, of what material it is (`encoders.appearance`). Another
clip's would put the events elsewhere; so the material alone is exchanged: in every frame that an event's material can
be read from, the mean of all frames as far from an event of that material is taken off, and the mean of another
material's is put in its place.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from openfoley.data.feature_cache import FeatureCache
from openfoley.data.sounding import CLASSES
from openfoley.types import Conditions

REACH = 8  # frames on either side of an event: half of what the sync encoder sees at a time (encoders.sync)
DISTANCES = 2 * REACH + 1
CLIPS, CLIPS_AT_ONCE = 800, 50  # that the means are read from
FEWEST_EVENTS = 20  # a material of fewer is never exchanged


@dataclass(frozen=True)
class MaterialLooks:
    """means [CLASSES, DISTANCES, sync_dim]: of the sync features REACH frames before to REACH frames after events of
    each material; known: int64, the classes (from 1 on) that have them."""

    means: Tensor
    known: Tensor
    latent_s: float
    frame_s: float

    @classmethod
    def of(cls, cache: FeatureCache) -> "MaterialLooks":
        """From the first clips of a cache."""
        latent_s = cache.rates.hop_length / cache.rates.sample_rate
        frame_s = float(1 / cache.rates.sync_rate)
        dim = cache.sync.shape[-1]
        sums = torch.zeros(CLASSES * DISTANCES, dim, device=cache.sync.device)
        counts = torch.zeros(CLASSES * DISTANCES, device=cache.sync.device)
        for clip in torch.arange(min(CLIPS, len(cache)), device=cache.sync.device).split(CLIPS_AT_ONCE):
            first = torch.zeros_like(clip)
            _, conditions = cache.crop(clip, first, cache.latents.shape[1], first)
            sounding = cache.sounding_in(clip, first, cache.latents.shape[1])
            material, distance = nearest_event(conditions.sync_time, sounding, latent_s, frame_s)
            place = (material * DISTANCES + distance).flatten()
            sums.index_add_(0, place, conditions.sync.flatten(0, 1))
            counts.index_add_(0, place, torch.ones_like(place, dtype=counts.dtype))
        means = (sums / counts.clamp(min=1)[:, None]).unflatten(0, (CLASSES, DISTANCES))
        fewest = counts.unflatten(0, (CLASSES, DISTANCES)).amin(1)
        return cls(means, (fewest[1:] >= FEWEST_EVENTS).nonzero()[:, 0] + 1, latent_s, frame_s)

    def exchanged(self, conditions: Conditions, sounding: Tensor, generator: torch.Generator) -> Tensor:
        """The sync features with every material taken for another; which for which is drawn for each sequence.

        sounding: int64 [batch, latents] of `data.sounding`."""
        if len(self.known) < 2:
            return conditions.sync
        material, distance = nearest_event(conditions.sync_time, sounding, self.latent_s, self.frame_s)
        number = torch.full((CLASSES,), -1, device=material.device)
        number[self.known] = torch.arange(len(self.known), device=material.device)
        offset = torch.randint(  # never 0: itself
            1, len(self.known), (len(material), 1), generator=generator, device=generator.device
        )
        other = self.known[(number[material] + offset) % len(self.known)]
        shift = self.means[other, distance] - self.means[material, distance]
        return conditions.sync + shift * (number[material] >= 0)[..., None]


def nearest_event(frame_time: Tensor, sounding: Tensor, latent_s: float, frame_s: float) -> tuple[Tensor, Tensor]:
    """The material class of the event nearest to each frame, 0 if none is within REACH frames, and how many frames
    after it the frame is, plus REACH; int64 like frame_time [batch, frames]."""
    before = torch.cat([torch.zeros_like(sounding[:, :1]), sounding[:, :-1]], 1)
    begins = (sounding > 0) & (sounding != before)
    time = torch.arange(sounding.shape[1], device=sounding.device) * latent_s
    away = (frame_time[:, :, None] - time).abs().masked_fill(~begins[:, None], torch.inf)
    _, latent = away.min(-1)
    frames = ((frame_time - time[latent]) / frame_s).round().long()
    is_near = begins.gather(1, latent) & (frames.abs() <= REACH)
    material = sounding.gather(1, latent) * is_near
    return material, (frames + REACH) * is_near
