"""Random changes of pictures that leave the time of events alone: the sync skill must outlive this renderer.

Each snippet (or single picture) is changed as one: crop and zoom, mirror, one colour matrix for brightness, contrast,
saturation, tint and grey, blur, noise, and the uneven lag of a file with another frame rate. All of it depends on the
given generator only.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

FRAME_RATE = 24.0  # Hz
GRAIN_SPREAD = 8192  # numbers: how many places the grain can be taken from
LUMA = torch.tensor([0.299, 0.587, 0.114])  # ITU-R BT.601


@dataclass(frozen=True)
class PictureAugmentation:
    """Strengths; the zero of each switches it off. smallest_crop: side of the crop relative to the picture."""

    crop_probability: float
    smallest_crop: float
    mirror: bool
    brightness: float  # largest shift of the colours (0..1)
    contrast: float  # largest change of the factor around 1
    saturation: float  # the same, of the distance from grey
    tint: float  # the same, per colour
    grey_probability: float
    blur_probability: float
    noise: float  # largest standard deviation (0..1)
    lag_probability: float  # of a source of another frame rate, see `_lag`


STRONG = PictureAugmentation(
    crop_probability=0.6,
    smallest_crop=0.75,
    mirror=True,
    brightness=0.2,
    contrast=0.4,
    saturation=0.7,
    tint=0.25,
    grey_probability=0.15,
    blur_probability=0.15,
    noise=0.04,
    lag_probability=0.35,
)

GENTLE = PictureAugmentation(  # leaves colours and textures, by which materials are told apart
    crop_probability=0.6,
    smallest_crop=0.8,
    mirror=True,
    brightness=0.08,
    contrast=0.15,
    saturation=0.15,
    tint=0.05,
    grey_probability=0.0,
    blur_probability=0.1,
    noise=0.03,
    lag_probability=0.0,
)


def augment(pictures: Tensor, boxes: Tensor, strength: PictureAugmentation, generator: torch.Generator) -> Tensor:
    """uint8 [batch, time, 3, height, width] -> float32 in 0..1 of the same shape, each row changed in its own way.

    boxes: the part of each row's picture that is shown, from `random_boxes`: whoever has targets with a place needs it.
    """
    result = torch.empty(pictures.shape, device=pictures.device)
    numbers = pictures[0].numel()
    # one grain for all rows, each taking it from another place: fresh noise would cost more than the network's input
    grain = torch.randn(numbers + GRAIN_SPREAD, generator=generator).to(pictures.device) if strength.noise else None
    for row, frames, box in zip(result, pictures, boxes.tolist(), strict=True):
        _change(_cropped(frames, box), row, strength, generator)
        if grain is not None:
            first = int(_uniform(generator) * GRAIN_SPREAD)
            row.add_(grain[first : first + numbers].view_as(row), alpha=strength.noise * _uniform(generator))
    return result.clamp_(0, 1)


def random_boxes(count: int, strength: PictureAugmentation, generator: torch.Generator) -> Tensor:
    """The part of the picture that each of `count` snippets is to show, float32 [count, 4]: left, top, width, height in
    shares of the picture; a negative width stands for a mirrored one."""
    chosen = torch.rand(count, generator=generator) < strength.crop_probability
    side = 1 - (1 - strength.smallest_crop) * torch.rand(count, generator=generator) * chosen
    corner = (1 - side) * torch.rand(2, count, generator=generator)
    mirrored = (torch.rand(count, generator=generator) < 0.5) & strength.mirror
    return torch.stack([*corner, torch.where(mirrored, -side, side), side], 1)


def _cropped(frames: Tensor, box: Sequence[float]) -> Tensor:
    """uint8 [time, 3, height, width]: its box, brought back to the picture's size."""
    left, top, wide, high = box
    height, width = frames.shape[-2:]
    columns, rows = round(abs(wide) * width), round(high * height)
    x, y = round(left * width), round(top * height)
    part = frames[..., y : y + rows, x : x + columns]
    if part.shape[-2:] != (height, width):
        part = F.interpolate(part, size=(height, width), mode="bilinear", align_corners=False)
    return part.flip(-1) if wide < 0 else part


def _change(frames: Tensor, row: Tensor, strength: PictureAugmentation, generator: torch.Generator) -> None:
    """One snippet uint8 [time, 3, height, width], changed into `row`."""
    if _uniform(generator) < strength.blur_probability:
        frames = _blur(frames, generator)
    if _uniform(generator) < strength.lag_probability:
        frames = _lag(frames.float(), generator)
    matrix, shift = _colour(strength, generator)
    flat = frames.float().flatten(2)  # [time, 3, pixels]
    matrices = (matrix / 255).to(flat).expand(len(flat), 3, 3)
    torch.baddbmm(shift.to(flat), matrices, flat, out=row.flatten(2))


def _blur(frames: Tensor, generator: torch.Generator) -> Tensor:
    """Out of focus: shrunk to 1/2 .. 3/4 and brought back."""
    height, width = frames.shape[-2:]
    share = 0.5 + 0.25 * _uniform(generator)
    small = F.interpolate(frames, size=(round(height * share), round(width * share)), mode="bilinear", antialias=True)
    return F.interpolate(small, size=(height, width), mode="bilinear")


def _lag(frames: Tensor, generator: torch.Generator) -> Tensor:
    """As picked from a file of 25 to 60 frames a second: the frame shown at k / 24 s was taken up to 1 / rate earlier.

    The lag is a sawtooth over k with the rates' beat. Pictures between two frames are blended, which is close enough.
    """
    rate = (25.0, 30000 / 1001, 30.0, 50.0, 60.0)[int(_uniform(generator) * 5)]
    ticks = torch.arange(len(frames)) * (rate / FRAME_RATE) + _uniform(generator)
    share = (ticks - ticks.floor()) * (FRAME_RATE / rate)  # of the frame before
    before = torch.cat([frames[:1], frames[:-1]])
    return torch.lerp(frames, before, share.to(frames)[:, None, None, None])


def _colour(strength: PictureAugmentation, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Matrix [3, 3] and shift [1, 3, 1]: saturation, then tint and contrast around middle grey, then brightness."""
    saturation = 1 + strength.saturation * (2 * _uniform(generator) - 1)
    saturation = 0.0 if _uniform(generator) < strength.grey_probability else saturation
    matrix = saturation * torch.eye(3) + (1 - saturation) * LUMA.expand(3, 3)
    contrast = 1 + strength.contrast * (2 * _uniform(generator) - 1)
    tint = 1 + strength.tint * (2 * torch.rand(3, 1, generator=generator) - 1)
    matrix = contrast * tint * matrix
    shift = 0.5 * (1 - contrast) + strength.brightness * (2 * _uniform(generator) - 1)
    return matrix, torch.full((1, 3, 1), shift)


def _uniform(generator: torch.Generator) -> float:
    return float(torch.rand((), generator=generator))
