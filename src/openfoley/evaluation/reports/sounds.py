"""Sounds of models of any rate and channel count for comparison with true ones: generated, and codec only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int16, UInt8
from torch import Tensor

from openfoley.codecs.base import Codec
from openfoley.data.gym_cache import FRAME_RATE
from openfoley.evaluation.reports.workspace import FULL_SCALE
from openfoley.gym.files import SAMPLE_RATE
from openfoley.media.resample import resample
from openfoley.media.source import Source
from openfoley.pipeline import Pipeline
from openfoley.request import Request
from openfoley.synthesis.feature_store import FeatureStore
from openfoley.types import Audio

CHANNELS = 2


@torch.inference_mode()
def through_codec(codec: Codec, sound: Audio, device: torch.device | str = "cpu") -> Audio:
    """The sound after encoding and decoding: the same rate, channels and length."""
    own = with_channels(resample(sound, codec.sample_rate), codec.channels).samples
    decoded = codec.decode(codec.encode(own[None].to(device)))[0, :, : own.shape[-1]].float().cpu()
    made = resample(Audio(decoded.contiguous(), codec.sample_rate), sound.sample_rate)
    samples = fitted(made.samples, sound.samples.shape[-1])
    return with_channels(Audio(samples, sound.sample_rate), len(sound.samples))


def gym_sounds(
    pipeline: Pipeline, source: Source, request: Request, seeds: Sequence[int], store: FeatureStore | None = None
) -> list[Audio]:
    """Generated sounds, one for each seed, in the Gym's format: 44.1 kHz, stereo."""
    length = round(source.info.duration * SAMPLE_RATE)
    takes = pipeline.generate_takes(source, seeds, request, store=store)
    return [as_gym(take.audio, length) for take in takes]


def set_sounds(
    pipeline: Pipeline,
    frames: UInt8[np.ndarray, "clips frames 3 height width"],
    request: Request,
    prompts: Sequence[str | None],
    store: FeatureStore,
) -> Int16[np.ndarray, "clips 2 time"]:
    """The sounds of clips in memory; clip k has `prompts[k]` and the request's seed + k."""
    sounds = []
    for k, prompt in enumerate(prompts):
        source, seed = Source.tensor(torch.from_numpy(np.array(frames[k])), FRAME_RATE), request.sampling.seed + k
        (sound,) = gym_sounds(pipeline, source, Request.of(request, prompt=prompt), [seed], store)
        sounds.append((sound.samples.clamp(-1, 1) * FULL_SCALE).round().short().numpy())
    return np.stack(sounds)


def as_gym(sound: Audio, length: int) -> Audio:
    """44.1 kHz, stereo, `length` samples."""
    same_rate = with_channels(resample(sound, SAMPLE_RATE), CHANNELS)
    return Audio(fitted(same_rate.samples, length), SAMPLE_RATE)


def with_channels(sound: Audio, channels: int) -> Audio:
    """One channel is repeated, several are averaged to one."""
    if len(sound.samples) == channels:
        return sound
    return Audio(sound.samples.mean(0, keepdim=True).expand(channels, -1), sound.sample_rate)


def fitted(samples: Float[Tensor, "channels time"], length: int) -> Float[Tensor, "channels length"]:
    """The samples cut or padded to `length`: resampling rounds."""
    return torch.nn.functional.pad(samples, (0, max(0, length - samples.shape[-1])))[:, :length]
