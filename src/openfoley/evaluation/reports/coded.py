"""Sound through a codec of any rate and number of channels: what the codec alone costs."""

from __future__ import annotations

import torch
from torch import Tensor

from openfoley.codecs.base import Codec
from openfoley.media.resample import resample
from openfoley.types import Audio


@torch.inference_mode()
def through_codec(codec: Codec, sound: Audio, device: torch.device | str = "cpu") -> Audio:
    """The sound after encoding and decoding: the same rate, channels and length."""
    own = with_channels(resample(sound, codec.sample_rate), codec.channels).samples
    decoded = codec.decode(codec.encode(own[None].to(device)))[0, :, : own.shape[-1]].float().cpu()
    made = resample(Audio(decoded.contiguous(), codec.sample_rate), sound.sample_rate)
    samples = fitted(made.samples, sound.samples.shape[-1])
    return with_channels(Audio(samples, sound.sample_rate), len(sound.samples))


def with_channels(sound: Audio, channels: int) -> Audio:
    """One channel is repeated, several are averaged to one."""
    if len(sound.samples) == channels:
        return sound
    return Audio(sound.samples.mean(0, keepdim=True).expand(channels, -1), sound.sample_rate)


def fitted(samples: Tensor, length: int) -> Tensor:
    """The samples [channels, time] cut, or followed by silence, to `length`: resampling rounds."""
    return torch.nn.functional.pad(samples, (0, max(0, length - samples.shape[-1])))[:, :length]
