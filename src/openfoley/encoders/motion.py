"""What moves: snippets of colour frames to the channels that a small network from scratch can learn timing from.

At a contact the motion of a few pixels turns round or stops. With both neighbours' differences in one place, that is a
local property: |next| - |previous| falls where something stops, and the two cancel where it turns. The differences are
scaled by the snippet's own amount of motion, so that a drip in a still picture counts as much as a pan.
Measured on the Gym: plain colours and differences taught a patch network nothing in 10 000 snippets (docs/log.md).
"""

import torch
from torch import Tensor

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
RELATIVE_GAIN = 4.0  # a typical difference becomes a quarter, that of a small moving thing about one
LEAST_MOTION = 0.01  # (0..1 scale) differences under this are noise and are not blown up
LARGEST = 3.0  # after scaling
COLOUR_GAIN = 0.5  # of the colours' distance from their mean over the snippet
MOTION_CHANNELS = 8


def motion_channels(pictures: Tensor) -> Tensor:
    """[batch, time, 3, height, width] in 0..1 -> [batch, time, MOTION_CHANNELS, height, width], float32.

    Colours off their mean over time (3), luminance minus the previous frame's and the next frame's minus it, both as
    absolute values, and the difference of these. The first and last frame lack one neighbour (0).
    """
    red, green, blue = pictures.unbind(2)
    luma = LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue
    change = luma[:, 1:] - luma[:, :-1]
    scale = 1 / (RELATIVE_GAIN * change.square().mean((1, 2, 3), keepdim=True).sqrt() + LEAST_MOTION)
    change = (change * scale).clamp(-LARGEST, LARGEST)
    colour = (pictures - pictures.mean(1, keepdim=True)) * (COLOUR_GAIN * scale).unsqueeze(2)
    still = torch.zeros_like(luma[:, :1])
    before, after = torch.cat([still, change], 1), torch.cat([change, still], 1)
    parts = [before, after, before.abs(), after.abs(), after.abs() - before.abs()]
    return torch.cat([colour.clamp(-LARGEST, LARGEST), torch.stack(parts, dim=2)], dim=2)
