"""Gym sound without its picture, rendered in parallel: what the material classifier learns from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor

from openfoley.data.workers import render_pool

DURATION_S = 8.0
SAMPLE_RATE = 44100
FRAME_RATE = Fraction(24)


def render_sounds(
    seeds: Sequence[int], split: str, workers: int | None = None
) -> Iterator[tuple[Tensor, int, dict[str, Any]]]:
    """(samples float32 [2, 352800], rate, truth record) of every seed, in order."""
    jobs = [(seed, split) for seed in seeds]
    with render_pool(workers) as pool:
        for samples, record in pool.map(_render, jobs, chunksize=4):
            yield torch.from_numpy(samples).float() / 32767, SAMPLE_RATE, record


def _render(job: tuple[int, str]) -> tuple[Any, dict[str, Any]]:
    from openfoley.gym.scene import sample_scene
    from openfoley.gym.sound import render_sound
    from openfoley.gym.truth import truth

    scene = sample_scene(job[0], DURATION_S, split=job[1])  # type: ignore[arg-type]
    sound = render_sound([scene], sample_rate=SAMPLE_RATE)[0]
    return (sound.mix.clamp(-1, 1) * 32767).round().short().numpy(), truth(scene, sound, FRAME_RATE)
