"""AV-Align: do peaks of the sound and peaks of the motion come together? The published readings, each by its name.

A peak of the sound and one of the picture agree if they are strictly less than one frame apart.

    tempotokens   (2309.16429, as first published)  n / (A + V - n), n sound peaks that agree with some picture peak
    one-to-one    the same, each picture peak used once, sound peaks in order of time (its later versions)
    svg           (2409.17550)  P R / (P + R - P R), P of the sound peaks, R of the picture peaks that agree with some

A, V: numbers of peaks. Without any agreement all are 0. Peaks of the sound are `onset_peaks`, of the picture
`motion_peaks` of the mean optical flow between frames. AV-Align compares times of motion with times of
onsets; `metrics.pair` compares visible with audible events, by detectors that are trained on the Gym.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from jaxtyping import Float, UInt8
from torch import Tensor

from openfoley.evaluation.metrics.flow import mean_flow
from openfoley.evaluation.metrics.onset_peaks import onset_peaks

Reading = Literal["tempotokens", "one-to-one", "svg"]
READINGS: tuple[Reading, ...] = get_args(Reading)


def av_align(
    sound_s: Float[np.ndarray, " a"], picture_s: Float[np.ndarray, " v"], fps: float, reading: Reading
) -> float:
    """The score, 0..1, of peaks at these times (s)."""
    near = np.abs(sound_s[:, None] - picture_s[None]) < 1 / fps
    sounds, pictures = int(near.any(1).sum()), int(near.any(0).sum())
    if not sounds:
        return 0.0
    if reading == "svg":
        precision, recall = sounds / len(sound_s), pictures / len(picture_s)
        return precision * recall / (precision + recall - precision * recall)
    agree = sounds if reading == "tempotokens" else _one_to_one(near)
    return agree / (len(sound_s) + len(picture_s) - agree)


def _one_to_one(near: np.ndarray) -> int:
    """Sound peaks that find, in order, a picture peak which none before them has taken: the first one."""
    free = np.ones(near.shape[1], dtype=bool)
    for row in near:
        first = np.flatnonzero(row & free)[:1]
        free[first] = False
    return int((~free).sum())


def motion_peaks(flow: Float[np.ndarray, " frames"], fps: float) -> Float[np.ndarray, " peaks"]:
    """Times (s) of the frames whose motion is strictly larger than that of both neighbours."""
    inside = flow[1:-1]
    return (np.flatnonzero((inside > flow[:-2]) & (inside > flow[2:])) + 1) / fps


def pair_av_align(
    frames: UInt8[Tensor, "frames 3 height width"], sound: Float[Tensor, " samples"], fps: float, sample_rate: int
) -> dict[Reading, float]:
    """Every reading of a clip."""
    picture_s = motion_peaks(mean_flow(frames), fps)
    sound_s = onset_peaks(sound.numpy(), sample_rate)
    return {reading: av_align(sound_s, picture_s, fps, reading) for reading in READINGS}
