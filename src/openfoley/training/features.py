"""Computes the feature cache the generator trains from: latents, sync, semantic and text features of Gym scenes.

Each array is computed on its own and remembers which weights and scenes it came from (NAME.from), so that latents can
be computed while the sync encoder still trains, and a retrained part renews its own array only.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Protocol, cast

import numpy as np
import torch
from torch import Tensor

from openfoley.codecs.base import Codec
from openfoley.data.disk import create_array
from openfoley.data.event_labels import event_labels
from openfoley.data.feature_cache import MARK, FeatureCache, FeatureRates, write_index
from openfoley.data.gym_cache import DURATION_S, FRAME_RATE, FULL_SCALE, GymCache
from openfoley.data.workers import logged
from openfoley.encoders.base import FrameEncoder, HasTextTower
from openfoley.media.write.atomic import make_folder, whole_file

BATCH, GPU_BATCH = 8, 16  # clips of 8 s at once; of longer ones fewer


class SemanticEncoder(FrameEncoder, HasTextTower, Protocol):
    """Pictures and texts in one space."""


def cache_features(
    scenes: GymCache,
    codec: Codec,
    sync: FrameEncoder,
    semantic: SemanticEncoder,
    folder: Path,
    *,
    origins: Mapping[str, str] | None = None,
    device: str | torch.device = "cpu",
) -> FeatureCache:
    """The features of every scene in `folder`; arrays of the same origin and scenes are kept.

    origins: a fingerprint of the weights of "codec", "sync" and "semantic"; without one every array is computed again.
    """
    writer = FeatureWriter(scenes, folder, origins or {}, device)
    writer.latents(codec)
    writer.pictures("sync", sync)
    writer.pictures("semantic", semantic)
    writer.text(semantic)
    writer.event_labels(codec)
    write_index(folder, FeatureRates(codec.sample_rate, codec.hop_length, sync.outputs.rate, semantic.outputs.rate))
    return FeatureCache.open(folder)


def features_of_model(model: str, scenes: Path, folder: Path, device: str = "cpu") -> FeatureCache:
    """The features of a Gym cache by a model's own codec and encoders."""
    from openfoley.hub.load import load_model
    from openfoley.hub.registry import find_model
    from openfoley.media.read.content_hash import file_hash

    source, data = find_model(model), GymCache.open(scenes)
    parts = load_model(model, device)
    origins = {part: file_hash(source / f"{part}.safetensors") for part in ("codec", "sync", "semantic")}
    sync, semantic = cast(FrameEncoder, parts.parts["sync"]), cast(SemanticEncoder, parts.parts["semantic"])
    return cache_features(data, parts.codec, sync, semantic, folder, origins=origins, device=device)


@dataclass(frozen=True)
class FeatureWriter:
    """The arrays of a feature cache, one after another; `origins` as in `cache_features`."""

    scenes: GymCache
    folder: Path
    origins: Mapping[str, str]
    device: str | torch.device

    def latents(self, codec: Codec) -> None:
        def latents(rows: slice) -> Tensor:
            return codec.encode(
                torch.from_numpy(np.array(self.scenes.sound[rows])).to(self.device).float() / FULL_SCALE
            )

        self._fill("latents", "codec", latents, (self._latents(codec), codec.latent_dim))

    def pictures(self, name: str, encoder: FrameEncoder) -> None:
        """name: sync or semantic."""
        every = int(FRAME_RATE / encoder.outputs.rate)

        def features(rows: slice) -> Tensor:
            return encoder.encode(torch.from_numpy(np.array(self.scenes.frames[rows, ::every])).to(self.device))

        self._fill(name, name, features, (ceil(self.scenes.frames.shape[1] / every), encoder.outputs.dim))

    def text(self, semantic: HasTextTower) -> None:
        """As many wordings of each caption as every scene has."""
        wordings = min(len(truth["captions"]) for truth in self.scenes.truth)

        def features(rows: slice) -> Tensor:
            texts = [text for truth in self.scenes.truth[rows] for text in truth["captions"][:wordings]]
            return semantic.encode_text(texts).unflatten(0, (-1, wordings))

        with torch.no_grad():
            dim = semantic.encode_text([self.scenes.truth[0]["caption"]]).shape[-1]
        self._fill("text", "semantic", features, (wordings, dim))

    def event_labels(self, codec: Codec) -> None:
        """From the truth alone, so they are always written again."""
        latents, latent_s = self._latents(codec), codec.hop_length / codec.sample_rate
        labels = np.stack([event_labels(record, latents, latent_s) for record in self.scenes.truth])
        with whole_file(self.folder / "event_labels.npy") as file:
            np.save(file, labels)

    def _latents(self, codec: Codec) -> int:
        return ceil(self.scenes.sound.shape[2] / codec.hop_length)

    @torch.no_grad()
    def _fill(self, name: str, part: str, compute: Callable[[slice], Tensor], shape: tuple[int, ...]) -> None:
        """Float16 NAME.npy, complete before it has its name; skipped where it stands, of the same origin and scenes.
        part: whose weights it comes from; shape: of one scene."""
        path, mark = self.folder / f"{name}.npy", self.folder / f"{name}{MARK}"
        origin, shape = self.origins.get(part), (len(self.scenes), *shape)
        source = f"{origin} {shape} {self.scenes.digest}"
        if origin is not None and mark.is_file() and mark.read_text() == source:
            return
        make_folder(self.folder)
        mark.unlink(missing_ok=True)
        partial = path.with_suffix(".partial")
        array = create_array(partial, np.float16, shape)
        kind = torch.device(self.device).type
        clips_of_8_s = BATCH if kind == "cpu" else GPU_BATCH
        batch = max(1, int(clips_of_8_s * DURATION_S / self.scenes.duration_s))
        for first in logged(range(0, shape[0], batch), name, unit=f"batches of {batch} clips", every=20):
            rows = slice(first, min(first + batch, shape[0]))
            with torch.autocast(kind, dtype=torch.bfloat16):
                array[rows] = compute(rows).float().cpu().numpy()
        array.flush()
        partial.replace(path)
        mark.write_text(source)
