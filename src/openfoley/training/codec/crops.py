"""Random crops of recorded sound with the changes that a codec must not mind: loudness, sides, polarity."""

import numpy as np
import torch
from jaxtyping import Float, Int16
from torch import Tensor

FULL_SCALE = 32767  # of int16
GAIN_DB = (-6.0, 20.0)  # Gym scenes lie at -45 dBFS in the median, their peaks at -18
LOUDEST = 0.95  # no crop is driven into clipping
MONO_PROBABILITY = 0.1
SILENCE_PROBABILITY = 0.02  # digital silence must come back as silence


def to_float(sound: Int16[np.ndarray, "*shape"]) -> Float[Tensor, "*shape"]:
    """int16 -> float32 in -1..1."""
    return torch.from_numpy(np.array(sound, dtype=np.float32)) / FULL_SCALE


def random_crops(
    sound: Int16[np.ndarray, "clips 2 time"], batch: int, crop: int, random: torch.Generator
) -> Float[Tensor, "{batch} 2 {crop}"]:
    """Decided by `random` alone."""

    def uniform() -> Tensor:
        return torch.rand(batch, 1, 1, generator=random)

    clips = torch.randint(len(sound), (batch,), generator=random).tolist()
    starts = torch.randint(sound.shape[-1] - crop + 1, (batch,), generator=random).tolist()
    crops = to_float(
        np.stack([sound[clip, :, start : start + crop] for clip, start in zip(clips, starts, strict=True)])
    )
    crops = torch.where(uniform() < 0.5, crops.flip(1), crops)  # left and right change places
    crops = torch.where(uniform() < MONO_PROBABILITY, crops.mean(1, keepdim=True), crops)
    crops = torch.where(uniform() < 0.5, -crops, crops)
    gain = 10 ** ((GAIN_DB[0] + (GAIN_DB[1] - GAIN_DB[0]) * uniform()) / 20)
    gain = torch.minimum(gain, LOUDEST / crops.abs().amax((1, 2), keepdim=True).clamp(min=1e-6))
    gain = torch.where(uniform() < SILENCE_PROBABILITY, torch.zeros(()), gain)
    return (crops * gain).clamp(-1, 1)
