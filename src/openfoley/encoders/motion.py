"""What moves: snippets of colour frames to the channels that a small network from scratch can learn timing from.

At a contact the motion of a few pixels turns round or stops. With both neighbours' differences in one place, that is a
local property: |next| - |previous| falls where something stops, and the two cancel where it turns. The differences are
scaled by the snippet's own amount of motion, so that a drip in a still picture counts as much as a pan.
Measured on the Gym: plain colours and differences taught a patch network nothing in 10 000 snippets (docs/log.md).
"""

import torch
from jaxtyping import Float
from torch import Tensor

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
RELATIVE_GAIN = 4.0  # a typical difference becomes a quarter, that of a small moving thing about one
LEAST_MOTION = 0.01  # (0..1 scale) differences under this are noise and are not blown up
LARGEST = 3.0  # after scaling
COLOUR_GAIN = 0.5  # of the colours' distance from their mean over the snippet
MOTION_CHANNELS = 8
COLOUR_CHANNELS = 3
MIDDLE_GREY = 0.5


def motion_channels(
    pictures: Float[Tensor, "batch time 3 height width"], *, colours: bool
) -> Float[Tensor, "batch time channels height width"]:
    """Pictures in 0..1 -> MOTION_CHANNELS, float32 or, under autocast, in its precision.

    Colours off their mean over time (3), luminance minus the previous frame's and the next frame's minus it, both as
    absolute values, and the difference of these. The first and last frame lack one neighbour (0). colours:
    COLOUR_CHANNELS more, the colours as they are, by which materials are distinguished.
    """
    weights = torch.tensor(LUMA, dtype=pictures.dtype, device=pictures.device)
    luma = torch.einsum("c,btchw->bthw", weights, pictures)
    change = luma[:, 1:] - luma[:, :-1]
    scale = 1 / (RELATIVE_GAIN * change.square().mean((1, 2, 3), keepdim=True).sqrt() + LEAST_MOTION)
    change = (change * scale).clamp_(-LARGEST, LARGEST)
    size = change.abs()
    count = MOTION_CHANNELS + (COLOUR_CHANNELS if colours else 0)
    batch, time, _, height, width = pictures.shape
    # written piece by piece: joining eight tensors costs as much as the network's first layer
    kind = pictures.device.type
    dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else torch.float32
    result = torch.empty(batch, time, count, height, width, dtype=dtype, device=pictures.device)
    unmoved = pictures - pictures.mean(1, keepdim=True)
    torch.mul(unmoved, (COLOUR_GAIN * scale).unsqueeze(2), out=unmoved)
    result[:, :, :3] = unmoved.clamp_(-LARGEST, LARGEST)
    before, after, before_size, after_size, turn = range(3, MOTION_CHANNELS)
    result[:, 0, [before, before_size]] = 0.0
    result[:, -1, [after, after_size]] = 0.0
    result[:, 1:, before], result[:, :-1, after] = change, change
    result[:, 1:, before_size], result[:, :-1, after_size] = size, size
    torch.sub(result[:, :, after_size], result[:, :, before_size], out=result[:, :, turn])
    if colours:
        result[:, :, MOTION_CHANNELS:] = pictures - MIDDLE_GREY
    return result
