"""Computes the feature cache the generator trains from: latents, sync, semantic and text features of Gym scenes."""

import logging
import time
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import torch

from openfoley.codecs.base import Codec
from openfoley.data.feature_cache import INDEX_NAME, FeatureCache, FeatureRates, write_features
from openfoley.data.gym_cache import FRAME_RATE, FULL_SCALE, GymCache
from openfoley.encoders.base import PictureEncoder

logger = logging.getLogger(__name__)


@torch.no_grad()
def cache_features(
    cache: GymCache,
    codec: Codec,
    sync: PictureEncoder,
    semantic: Any,
    folder: Path,
    *,
    batch: int = 8,
    device: str | torch.device = "cpu",
) -> FeatureCache:
    """The features of every scene of `cache`, written to `folder`; a finished folder of as many scenes is opened.

    semantic: a PictureEncoder with `encode_text(captions) -> [captions, text_dim]` as well.
    """
    if (folder / INDEX_NAME).is_file() and len(finished := FeatureCache.open(folder)) == len(cache):
        return finished
    every_sync, every_semantic = (int(FRAME_RATE / encoder.rate) for encoder in (sync, semantic))
    latents = ceil(cache.sound.shape[2] / codec.hop_length)
    frames = cache.frames.shape[1]
    captions = min(len(truth["captions"]) for truth in cache.truth)
    text_dim = semantic.encode_text([cache.truth[0]["caption"]]).shape[-1]
    shapes = {
        "latents": (len(cache), latents, codec.latent_dim),
        "sync": (len(cache), ceil(frames / every_sync), sync.dim),
        "semantic": (len(cache), ceil(frames / every_semantic), semantic.dim),
        "text": (len(cache), captions, text_dim),
    }
    rates = FeatureRates(codec.sample_rate, codec.hop_length, sync.rate, semantic.rate)
    begun, use_bf16 = time.monotonic(), torch.device(device).type
    with write_features(folder, shapes, rates) as arrays, torch.autocast(use_bf16, dtype=torch.bfloat16):
        for first in range(0, len(cache), batch):
            rows = slice(first, min(first + batch, len(cache)))
            sound = torch.from_numpy(np.array(cache.sound[rows])).to(device).float() / FULL_SCALE
            picture = torch.from_numpy(np.array(cache.frames[rows])).to(device)
            wordings = [wording for truth in cache.truth[rows] for wording in truth["captions"][:captions]]
            results = {
                "latents": codec.encode(sound),
                "sync": sync.encode(picture[:, ::every_sync]),
                "semantic": semantic.encode(picture[:, ::every_semantic]),
                "text": semantic.encode_text(wordings).unflatten(0, (-1, captions)),
            }
            for name, values in results.items():
                arrays[name][rows] = values.float().cpu().numpy()
            done = rows.stop
            if done % (batch * 10) == 0 or done == len(cache):
                logger.info("features: %d/%d clips, %.1f clips/s", done, len(cache), done / (time.monotonic() - begun))
    return FeatureCache.open(folder)
