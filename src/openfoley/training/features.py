"""Computes the feature cache the generator trains from: latents, sync, semantic and text features of Gym scenes.

Each array is computed on its own and remembers which weights and scenes it came from (NAME.from), so that latents can
be made while the sync encoder still trains, and a retrained part renews its own array only.
"""

import logging
import time
from collections.abc import Callable
from math import ceil
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
import torch
from torch import Tensor

from openfoley.codecs.base import Codec
from openfoley.data.disk import create_array, make_folder
from openfoley.data.event_labels import event_labels
from openfoley.data.feature_cache import MARK, FeatureCache, FeatureRates, write_index
from openfoley.data.gym_cache import FRAME_RATE, FULL_SCALE, GymCache
from openfoley.encoders.base import FrameEncoder, HasTextTower

logger = logging.getLogger(__name__)
BATCH, GPU_BATCH = 8, 16  # clips at once


class SemanticEncoder(FrameEncoder, HasTextTower, Protocol):
    """Pictures and texts in one space."""


def cache_features(
    cache: GymCache,
    codec: Codec,
    sync: FrameEncoder,
    semantic: SemanticEncoder,
    folder: Path,
    *,
    origins: dict[str, str] | None = None,
    device: str | torch.device = "cpu",
) -> FeatureCache:
    """The features of every scene of `cache` in `folder`; arrays of the same origin and scenes are kept.

    origins: a fingerprint of the weights of "codec", "sync" and "semantic"; without one every array is computed again.
    """
    origins = origins or {}
    cache_latents(cache, codec, folder, origin=origins.get("codec"), device=device)
    cache_pictures("sync", cache, sync, folder, origin=origins.get("sync"), device=device)
    cache_pictures("semantic", cache, semantic, folder, origin=origins.get("semantic"), device=device)
    cache_text(cache, semantic, folder, origin=origins.get("semantic"), device=device)
    cache_event_labels(cache, codec, folder)
    write_index(folder, FeatureRates(codec.sample_rate, codec.hop_length, sync.outputs.rate, semantic.outputs.rate))
    return FeatureCache.open(folder)


def features_of_model(model: str, scenes: Path, folder: Path, device: str = "cpu") -> FeatureCache:
    """The features of a Gym cache by a model's own codec and encoders."""
    from openfoley.hub.load import load_model
    from openfoley.hub.registry import find_model
    from openfoley.media.content_hash import file_hash

    source, data = find_model(model), GymCache.open(scenes)
    parts = load_model(model, device)
    origins = {part: file_hash(source / f"{part}.safetensors") for part in ("codec", "sync", "semantic")}
    sync, semantic = (cast(Any, parts.parts[name]) for name in ("sync", "semantic"))
    return cache_features(data, parts.codec, sync, semantic, folder, origins=origins, device=device)


def cache_latents(
    cache: GymCache, codec: Codec, folder: Path, *, origin: str | None, device: str | torch.device
) -> None:
    """latents.npy"""

    def latents(rows: slice) -> Tensor:
        return codec.encode(torch.from_numpy(np.array(cache.sound[rows])).to(device).float() / FULL_SCALE)

    shape = len(cache), ceil(cache.sound.shape[2] / codec.hop_length), codec.latent_dim
    _fill("latents", cache, latents, shape, folder, origin, device)


def cache_pictures(
    name: str, cache: GymCache, encoder: FrameEncoder, folder: Path, *, origin: str | None, device: str | torch.device
) -> None:
    """sync.npy or semantic.npy"""
    every = int(FRAME_RATE / encoder.outputs.rate)

    def features(rows: slice) -> Tensor:
        return encoder.encode(torch.from_numpy(np.array(cache.frames[rows, ::every])).to(device))

    shape = len(cache), ceil(cache.frames.shape[1] / every), encoder.outputs.dim
    _fill(name, cache, features, shape, folder, origin, device)


def cache_text(
    cache: GymCache, semantic: HasTextTower, folder: Path, *, origin: str | None, device: str | torch.device
) -> None:
    """text.npy: as many wordings of each caption as every scene has."""
    wordings = min(len(truth["captions"]) for truth in cache.truth)

    def features(rows: slice) -> Tensor:
        texts = [text for truth in cache.truth[rows] for text in truth["captions"][:wordings]]
        return semantic.encode_text(texts).unflatten(0, (-1, wordings))

    with torch.no_grad():
        dim = semantic.encode_text([cache.truth[0]["caption"]]).shape[-1]
    _fill("text", cache, features, (len(cache), wordings, dim), folder, origin, device)


def cache_event_labels(cache: GymCache, codec: Codec, folder: Path) -> None:
    """event_labels.npy: from the truth alone, so it is always written again."""
    latents, latent_s = ceil(cache.sound.shape[2] / codec.hop_length), codec.hop_length / codec.sample_rate
    labels = np.stack([event_labels(record, latents, latent_s) for record in cache.truth])
    partial = folder / "event_labels.partial"
    with open(partial, "wb") as file:
        np.save(file, labels)
    partial.replace(folder / "event_labels.npy")


@torch.no_grad()
def _fill(
    name: str,
    cache: GymCache,
    compute: Callable[[slice], Tensor],
    shape: tuple[int, ...],
    folder: Path,
    origin: str | None,
    device: str | torch.device,
) -> None:
    """Float16 NAME.npy, complete before it has its name; skipped where it stands, of the same origin and scenes."""
    path, mark = folder / f"{name}.npy", folder / f"{name}{MARK}"
    source = f"{origin} {shape} {cache.digest}"
    if origin is not None and mark.is_file() and mark.read_text() == source:
        return
    make_folder(folder)
    mark.unlink(missing_ok=True)
    partial = path.with_suffix(".partial")
    array = create_array(partial, np.float16, shape)
    begun, batch = time.monotonic(), BATCH if torch.device(device).type == "cpu" else GPU_BATCH
    for first in range(0, shape[0], batch):
        rows = slice(first, min(first + batch, shape[0]))
        with torch.autocast(torch.device(device).type, dtype=torch.bfloat16):
            array[rows] = compute(rows).float().cpu().numpy()
        if rows.stop % (batch * 20) == 0 or rows.stop == shape[0]:
            logger.info(
                "%s: %d/%d clips, %.1f clips/s", name, rows.stop, shape[0], rows.stop / (time.monotonic() - begun)
            )
    array.flush()
    partial.replace(path)
    mark.write_text(source)
