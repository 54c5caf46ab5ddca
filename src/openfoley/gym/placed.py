"""Spatial rendering: gains of left and right by the position in the picture, and the reverberation of the room."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from openfoley.gym.picture import project
from openfoley.gym.records import Scene, Shot

REFERENCE_DISTANCE_M = 3.0


def placed_gains(
    scene: Scene, shot: Shot, position: Float[np.ndarray, "n 3"], times: Float[np.ndarray, " n"]
) -> Float[np.ndarray, "n 2"]:
    """Gains of left and right: constant-power panning by the place in the picture, times 1 / distance."""
    x, _, depth, _ = project(shot.camera, scene.aspect, position, times)
    angle = np.clip(x, -0.15, 1.15) * 0.9 * (np.pi / 2) + 0.05 * np.pi / 2
    loss = np.clip(REFERENCE_DISTANCE_M / np.maximum(depth, 0.5), 0.2, 1.6) * np.where((x < 0) | (x > 1), 0.6, 1.0)
    angle = np.clip(angle, 0, np.pi / 2)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1) * np.sqrt(2) * loss[:, None]


def room_of(rng: np.random.Generator, room_s: float, sample_rate: int) -> Float[Tensor, "2 tail"]:
    """Reverberation tail [2, n]: decaying noise that darkens, unit energy, after a short pre-delay."""
    length = int(min(room_s, 1.0) * sample_rate)
    t = torch.arange(length) / sample_rate
    tail = torch.from_numpy(rng.standard_normal((2, length)).astype(np.float32)) * torch.exp(-6.9 * t / room_s)
    tail[:, : int(0.004 * sample_rate)] = 0
    return tail / tail.square().sum(-1, keepdim=True).sqrt()


def convolve(dry: Float[Tensor, "2 samples"], kernel: Float[Tensor, "2 tail"]) -> Float[Tensor, "2 samples"]:
    """As long as `dry`."""
    size = 1 << (dry.shape[-1] + kernel.shape[-1] - 1).bit_length()
    return torch.fft.irfft(torch.fft.rfft(dry, size) * torch.fft.rfft(kernel, size), size)[..., : dry.shape[-1]]
