"""The distance of two sounds in the material classifier's features: a per-clip Frechet distance.

Crops of 0.42 s every 0.1 s pass through the trunk of the material classifier (never part of a generator). Each sound
is a Gaussian with the mean and diagonal covariance of its crops' features.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from openfoley.judges.material import MaterialClassifier, crops

STEP_S = 0.1


@torch.inference_mode()
def features(
    judge: MaterialClassifier, samples: Float[Tensor, "channels time"], sample_rate: int
) -> Float[Tensor, "crops dim"]:
    """The classifier's features of crops of a sound."""
    times = np.arange(0.0, max(samples.shape[-1] / sample_rate - 0.4, STEP_S), STEP_S)
    hidden = judge.eval().trunk(crops(samples, sample_rate, times))
    return torch.cat([hidden.mean(3), hidden.amax(3)], 1).flatten(1)


def frechet(ours: Float[Tensor, "n dim"], theirs: Float[Tensor, "m dim"]) -> float:
    """|m1 - m2|^2 + sum (s1 - s2)^2 of two sets of features, diagonal covariances; 0 for equal ones."""
    (m1, s1), (m2, s2) = ((f.double().mean(0), f.double().std(0, unbiased=False)) for f in (ours, theirs))
    return float((m1 - m2).square().sum() + (s1 - s2).square().sum())
