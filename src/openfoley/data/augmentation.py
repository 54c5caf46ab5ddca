"""Random augmentations of pictures that do not move events in time, against overfitting to the Gym's renderer.

All frames of a snippet get the same augmentation: crop and zoom, mirror, one colour matrix for brightness, contrast,
saturation, tint and grey, blur, noise, and the frame jitter of a file with another frame rate. The given generator
alone determines it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

FRAME_RATE = 24.0  # Hz
BRIGHTEST = 255.0
GRAIN_SPREAD = 8192  # possible offsets into the grain
LUMA = torch.tensor([0.299, 0.587, 0.114])  # ITU-R BT.601


@dataclass(frozen=True)
class PictureAugmentation:
    """Strengths, by default strong ones; the zero of each switches it off. smallest_crop: side of the crop relative to
    the picture."""

    crop_probability: float = 0.6
    smallest_crop: float = 0.75
    mirror: bool = True
    brightness: float = 0.2  # largest shift of the colours (0..1)
    contrast: float = 0.4  # largest change of the factor around 1
    saturation: float = 0.7  # the same, of the distance from grey
    tint: float = 0.25  # the same, per colour
    grey_probability: float = 0.15
    blur_probability: float = 0.15
    noise: float = 0.04  # largest standard deviation (0..1)
    lag_probability: float = 0.35  # of a source of another frame rate, see `_lag`


STRONG = PictureAugmentation()
GENTLE = replace(  # leaves colours and textures, by which materials are recognised
    STRONG, smallest_crop=0.8, brightness=0.08, contrast=0.15, saturation=0.15, tint=0.05, grey_probability=0.0,
    blur_probability=0.1, noise=0.03, lag_probability=0.0,
)  # fmt: skip


def augment(
    pictures: UInt8[Tensor, "batch time 3 height width"],
    boxes: Float[Tensor, "batch 4"],
    strength: PictureAugmentation,
    generator: torch.Generator,
) -> Float[Tensor, "batch time 3 height width"]:
    """In 0..1, each row augmented independently.

    boxes: the part of each row's picture that is shown, from `random_boxes`; needed for targets with positions.
    generator: on the CPU, whatever the pictures' device.
    """
    result = _cropped(pictures, boxes)
    count = len(result)
    for row in _chosen(count, strength.blur_probability, generator).tolist():
        result[row] = _blur(result[row], generator)
    lagging = _chosen(count, strength.lag_probability, generator).to(result.device)
    if len(lagging):
        result[lagging] = _lag(result[lagging], generator)
    matrices, shifts = (numbers.to(result.device) for numbers in _colours(count, strength, generator))
    flat = result.flatten(0, 1).flatten(2)  # [batch * time, 3, pixels]
    every = matrices[:, None].expand(-1, result.shape[1], -1, -1).flatten(0, 1) / BRIGHTEST
    shifts = shifts[:, None].expand(-1, result.shape[1]).flatten()[:, None, None]
    result = torch.baddbmm(shifts, every, flat).view_as(result)
    if strength.noise:
        _add_noise(result, strength.noise * torch.rand(count, generator=generator), generator)
    return result.clamp_(0, 1)


def random_boxes(count: int, strength: PictureAugmentation, generator: torch.Generator) -> Float[Tensor, "{count} 4"]:
    """The crop of each of `count` snippets: left, top, width, height in shares of the picture; a negative width means
    mirrored."""
    chosen = torch.rand(count, generator=generator) < strength.crop_probability
    side = 1 - (1 - strength.smallest_crop) * torch.rand(count, generator=generator) * chosen
    corner = (1 - side) * torch.rand(2, count, generator=generator)
    mirrored = (torch.rand(count, generator=generator) < 0.5) & strength.mirror
    return torch.stack([*corner, torch.where(mirrored, -side, side), side], 1)


def _chosen(count: int, probability: float, generator: torch.Generator) -> Tensor:
    """Indices of some of `count` rows."""
    return (torch.rand(count, generator=generator) < probability).nonzero()[:, 0]


def _cropped(
    pictures: UInt8[Tensor, "batch time 3 height width"], boxes: Float[Tensor, "batch 4"]
) -> Float[Tensor, "batch time 3 height width"]:
    """Each row's box, resized to the picture's size, in 0..255.

    On a CPU boxes of whole pixels, row by row: a quarter of the time of reading along a grid.
    """
    if pictures.device.type == "cpu":
        result = torch.empty(pictures.shape)
        for row, frames, box in zip(result, pictures, boxes.tolist(), strict=True):
            row.copy_(_box_of(frames, box))
        return result
    return read_along_grid(pictures, boxes)


def read_along_grid(
    pictures: UInt8[Tensor, "batch time 3 height width"], boxes: Float[Tensor, "batch 4"]
) -> Float[Tensor, "batch time 3 height width"]:
    """As `_cropped`, of boxes of any size and all rows together."""
    height, width = pictures.shape[-2:]
    left, top, across, down = boxes.to(pictures.device).T
    columns, rows = _read_at(left, across, width), _read_at(top, down, height)
    grid = torch.stack([columns[:, None].expand(-1, height, -1), rows[:, :, None].expand(-1, -1, width)], -1)
    return F.grid_sample(pictures.flatten(1, 2).float(), grid, align_corners=False).view(pictures.shape)


def _box_of(frames: UInt8[Tensor, "time 3 height width"], box: Sequence[float]) -> UInt8[Tensor, "time 3 _ _"]:
    """Its box."""
    left, top, wide, high = box
    height, width = frames.shape[-2:]
    columns, rows = round(abs(wide) * width), round(high * height)
    x, y = round(left * width), round(top * height)
    part = frames[..., y : y + rows, x : x + columns]
    if part.shape[-2:] != (height, width):
        part = F.interpolate(part, size=(height, width), mode="bilinear", align_corners=False)
    return part.flip(-1) if wide < 0 else part


def _read_at(first: Tensor, length: Tensor, size: int) -> Tensor:
    """Where the pixels of a box are read along one axis, [batch, size] in -1..1 of the picture (`F.grid_sample`), never
    nearer to the box's edge than half a pixel. length: negative from the far end to the near one."""
    within = (torch.arange(size, device=first.device) + 0.5) / size
    within = torch.where(length[:, None] < 0, 1 - within, within)
    side = length.abs()[:, None]
    half = 0.5 / (size * side)
    return 2 * (first[:, None] + side * within.clamp(half, 1 - half)) - 1


def _blur(frames: Tensor, generator: torch.Generator) -> Tensor:
    """Blur by downsampling to 1/2 .. 3/4 and upsampling."""
    height, width = frames.shape[-2:]
    share = 0.5 + 0.25 * float(torch.rand((), generator=generator))
    small = F.interpolate(frames, size=(round(height * share), round(width * share)), mode="bilinear", antialias=True)
    return F.interpolate(small, size=(height, width), mode="bilinear")


def _lag(frames: Tensor, generator: torch.Generator) -> Tensor:
    """[batch, time, ...] as picked from files of 25 to 60 frames a second: the frame shown at k / 24 s was taken up to
    1 / rate earlier.

    The lag is a sawtooth over k with the rates' beat. Pictures between two frames are blended, which is close enough.
    """
    count, time = frames.shape[:2]
    rates = torch.tensor([25.0, 30000 / 1001, 30.0, 50.0, 60.0])
    rate = rates[torch.randint(len(rates), (count, 1), generator=generator)]
    ticks = torch.arange(time) * (rate / FRAME_RATE) + torch.rand(count, 1, generator=generator)
    share = (ticks - ticks.floor()) * (FRAME_RATE / rate)  # of the frame before
    before = torch.cat([frames[:, :1], frames[:, :-1]], 1)
    return torch.lerp(frames, before, share.to(frames)[:, :, None, None, None])


def _colours(count: int, strength: PictureAugmentation, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Matrices [count, 3, 3] and shifts [count]: saturation, then tint and contrast around middle grey, then
    brightness."""

    def around_zero(*shape: int) -> Tensor:
        return 2 * torch.rand(count, *shape, generator=generator) - 1

    saturation = 1 + strength.saturation * around_zero(1, 1)
    grey = torch.rand(count, 1, 1, generator=generator) < strength.grey_probability
    saturation = torch.where(grey, 0.0, saturation)
    matrix = saturation * torch.eye(3) + (1 - saturation) * LUMA.expand(3, 3)
    contrast = 1 + strength.contrast * around_zero(1, 1)
    tint = 1 + strength.tint * around_zero(3, 1)
    shift = 0.5 * (1 - contrast.flatten()) + strength.brightness * around_zero()
    return contrast * tint * matrix, shift


def _add_noise(pictures: Tensor, deviations: Tensor, generator: torch.Generator) -> None:
    """Add noise in place, with one standard deviation per row."""
    if pictures.device.type != "cpu":
        seed = int(torch.randint(2**62, (), generator=generator))
        drawn = torch.Generator(pictures.device).manual_seed(seed)
        noise = torch.randn(pictures.shape, generator=drawn, device=pictures.device)
        pictures.addcmul_(noise, deviations.to(pictures.device)[:, None, None, None, None])
        return
    numbers = pictures[0].numel()
    # one grain for all rows at different offsets: fresh noise would cost more than the network's input
    grain = torch.randn(numbers + GRAIN_SPREAD, generator=generator)
    first = torch.randint(GRAIN_SPREAD, (len(pictures),), generator=generator)
    for row, start, deviation in zip(pictures, first.tolist(), deviations.tolist(), strict=True):
        row.add_(grain[start : start + numbers].view_as(row), alpha=deviation)
