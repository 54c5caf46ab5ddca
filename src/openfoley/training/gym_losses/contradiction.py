"""Pictures that contradict their prompt, so that the generator learns to obey the prompt (beyond the paper).

The sync features show when something happens and, at Gym size, of what material it is (`encoders.appearance`). Another
clip's would put the events elsewhere; so the material alone is exchanged: in every frame that an event's material can
be read from, the mean of all frames as far from an event of that material is subtracted, and the mean for another
material is added.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from openfoley.data.event_labels import CLASSES
from openfoley.data.feature_cache import Batch, FeatureCache
from openfoley.errors import UsageError

REACH = 8  # frames on either side of an event: half of the sync encoder's snippet (encoders.sync)
DISTANCES = 2 * REACH + 1
CLIPS, CLIPS_AT_ONCE = 800, 50  # for the means
FEWEST_EVENTS = 20  # a material of fewer is never exchanged


@dataclass(frozen=True)
class MaterialMeans:
    """means: of the sync features REACH frames before to REACH frames after events of each material; known: the classes
    (from 1 on) that have them."""

    means: Float[Tensor, "classes distances sync_dim"]
    known: Int[Tensor, " known"]
    latent_s: float
    frame_s: float

    @classmethod
    def of(cls, cache: FeatureCache) -> "MaterialMeans":
        """From the first clips of a cache."""
        latent_s = cache.rates.hop_length / cache.rates.sample_rate
        frame_s = float(1 / cache.rates.sync_rate)
        dim, device = cache.sync.shape[-1], cache.sync.device
        sums = torch.zeros(CLASSES * DISTANCES, dim, device=device)
        counts = torch.zeros(CLASSES * DISTANCES, device=device)
        for clips in torch.arange(min(CLIPS, len(cache)), device=device).split(CLIPS_AT_ONCE):
            batch = cache.whole(clips)
            material, distance = nearest_event(batch.conditions["sync"].time_s, labels_of(batch), latent_s, frame_s)
            place = (material * DISTANCES + distance).flatten()
            sums.index_add_(0, place, batch.conditions["sync"].values.flatten(0, 1))
            counts.index_add_(0, place, torch.ones_like(place, dtype=counts.dtype))
        means = (sums / counts.clamp(min=1)[:, None]).unflatten(0, (CLASSES, DISTANCES))
        fewest = counts.unflatten(0, (CLASSES, DISTANCES)).amin(1)
        return cls(means, (fewest[1:] >= FEWEST_EVENTS).nonzero()[:, 0] + 1, latent_s, frame_s)

    def exchanged(self, batch: Batch, generator: torch.Generator) -> Float[Tensor, "batch frames sync_dim"]:
        """The sync features with every material replaced by another; by which is drawn for each sequence."""
        sync = batch.conditions["sync"].values
        if len(self.known) < 2:
            return sync
        labels = labels_of(batch)
        material, distance = nearest_event(batch.conditions["sync"].time_s, labels, self.latent_s, self.frame_s)
        number = torch.full((CLASSES,), -1, device=material.device)
        number[self.known] = torch.arange(len(self.known), device=material.device)
        offset = torch.randint(  # never 0: itself
            1, len(self.known), (len(material), 1), generator=generator, device=generator.device
        )
        other = self.known[(number[material] + offset) % len(self.known)]
        shift = self.means[other, distance] - self.means[material, distance]
        return sync + shift * (number[material] >= 0)[..., None]


def labels_of(batch: Batch) -> Int[Tensor, "batch latents"]:
    """UsageError where the data set has none."""
    if batch.event_labels is None:
        raise UsageError("the Gym's losses need event_labels.npy beside the features; train without them")
    return batch.event_labels


def nearest_event(
    frame_time: Float[Tensor, "batch frames"], labels: Int[Tensor, "batch latents"], latent_s: float, frame_s: float
) -> tuple[Int[Tensor, "batch frames"], Int[Tensor, "batch frames"]]:
    """The material class of the event nearest to each frame, 0 if none is within REACH frames, and how many frames
    after it the frame is, plus REACH."""
    before = torch.cat([torch.zeros_like(labels[:, :1]), labels[:, :-1]], 1)
    begins = (labels > 0) & (labels != before)
    time = torch.arange(labels.shape[1], device=labels.device) * latent_s
    away = (frame_time[:, :, None] - time).abs().masked_fill(~begins[:, None], torch.inf)
    _, latent = away.min(-1)
    frames = ((frame_time - time[latent]) / frame_s).round().long()
    is_near = begins.gather(1, latent) & (frames.abs() <= REACH)
    material = labels.gather(1, latent) * is_near
    return material, (frames + REACH) * is_near
