"""Latents and features of whole clips, computed once, and crops of them at any latent.

latents.npy   float16 [clips, latents, latent_dim]        the codec's normalised posterior means
sync.npy      float16 [clips, 24 per second, sync_dim]
semantic.npy  float16 [clips, 8 per second, semantic_dim]
text.npy      float16 [clips, captions, text_dim]         several wordings of each clip's caption
sounding.npy  int8    [clips, latents]                    what begins to sound (`data.sounding`); for training only
cache.json    {sample_rate, hop_length, sync_rate, semantic_rate}
*.from        of which weights and scenes an array is (training.features)
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from openfoley.data.disk import write_json
from openfoley.errors import UsageError
from openfoley.types import Conditions

ARRAYS = ("latents", "sync", "semantic", "text", "sounding")
INDEX_NAME = "cache.json"
MARK = ".from"
EDGE_TOKENS = 2  # one feature on either side of a crop, so that its edges are interpolated, not held


@dataclass(frozen=True)
class FeatureRates:
    """The clocks of the arrays."""

    sample_rate: int  # Hz
    hop_length: int  # samples per latent
    sync_rate: Fraction  # Hz
    semantic_rate: Fraction  # Hz


@dataclass(frozen=True)
class FeatureCache:
    """An opened cache; the arrays are memory-mapped until moved to a device."""

    latents: Tensor
    sync: Tensor
    semantic: Tensor
    text: Tensor
    sounding: Tensor
    rates: FeatureRates

    def __len__(self) -> int:
        return self.latents.shape[0]

    @classmethod
    def open(cls, folder: Path) -> FeatureCache:
        if not (folder / INDEX_NAME).is_file():
            raise UsageError(f"no feature cache in {str(folder)!r}; compute one with training.features.cache_features")
        index = json.loads((folder / INDEX_NAME).read_text())
        rates = FeatureRates(
            index["sample_rate"], index["hop_length"], Fraction(index["sync_rate"]), Fraction(index["semantic_rate"])
        )
        # Copy-on-write maps: torch wants writable memory; nothing is ever written.
        arrays = {name: torch.from_numpy(np.load(folder / f"{name}.npy", mmap_mode="c")) for name in ARRAYS}
        return cls(**arrays, rates=rates)

    def to(self, device: torch.device | str) -> FeatureCache:
        """All arrays in the device's memory (a GPU must not wait for rows)."""
        return replace(self, **{name: getattr(self, name).to(device) for name in ARRAYS})

    @classmethod
    def joined(cls, caches: Sequence[FeatureCache]) -> FeatureCache:
        """The clips of several, in memory; captions that not all of them have are left out. Raises UsageError for none
        or for caches that do not go together."""
        if not caches:
            raise UsageError("no feature caches to join; give at least one")
        first = caches[0]
        for other in caches:
            if other.rates != first.rates:
                raise UsageError(
                    f"feature caches of {first.rates} and {other.rates} do not go together; compute one anew"
                )
        wordings = min(cache.text.shape[1] for cache in caches)
        joined = {name: torch.cat([getattr(cache, name) for cache in caches]) for name in ARRAYS if name != "text"}
        return replace(first, text=torch.cat([cache.text[:, :wordings] for cache in caches]), **joined)

    def crop(self, clip: Tensor, start: Tensor, latents: int, caption: Tensor) -> tuple[Tensor, Conditions]:
        """Latents float32 [batch, latents, latent_dim] from latent start[i] of clip[i], with their conditions.

        clip, start, caption: integers [batch] on the cache's device. The picture features are those of the crop and one
        more on either side; their times count from the crop's first sample.
        """
        start_s = start.double() * self.rates.hop_length / self.rates.sample_rate
        duration_s = latents * self.rates.hop_length / self.rates.sample_rate
        sync, sync_time = _span(self.sync, clip, start_s, duration_s, self.rates.sync_rate)
        semantic, semantic_time = _span(self.semantic, clip, start_s, duration_s, self.rates.semantic_rate)
        conditions = Conditions(
            semantic=semantic,
            semantic_time=semantic_time,
            semantic_present=torch.ones_like(semantic_time, dtype=torch.bool),
            sync=sync,
            sync_time=sync_time,
            sync_present=torch.ones_like(sync_time, dtype=torch.bool),
            text=self.text[clip, caption].float(),
            text_present=torch.ones_like(clip, dtype=torch.bool),
        )
        position = start[:, None] + torch.arange(latents, device=clip.device)
        return self.latents[clip[:, None], position].float(), conditions

    def sounding_in(self, clip: Tensor, start: Tensor, latents: int) -> Tensor:
        """What begins to sound in the latents of a crop, int64 [batch, latents]; arguments as in `crop`."""
        return self.sounding[clip[:, None], start[:, None] + torch.arange(latents, device=clip.device)].long()


def _span(features: Tensor, clip: Tensor, start_s: Tensor, duration_s: float, rate: Fraction) -> tuple[Tensor, Tensor]:
    """Features [batch, n, dim] around start_s ... start_s + duration_s, and their times [batch, n] after start_s."""
    count = min(ceil(duration_s * rate) + EDGE_TOKENS, features.shape[1])
    first = (start_s * float(rate)).floor().long().clamp(0, features.shape[1] - count)
    position = first[:, None] + torch.arange(count, device=clip.device)
    time = position.double() / float(rate) - start_s[:, None]
    return features[clip[:, None], position].float(), time.float()


def join(folders: Sequence[Path], out: Path) -> FeatureCache:
    """The clips of several caches as one cache in `out`; raises UsageError as `FeatureCache.joined`."""
    whole = FeatureCache.joined([FeatureCache.open(folder) for folder in folders])
    out.mkdir(parents=True, exist_ok=True)
    (out / INDEX_NAME).unlink(missing_ok=True)  # no cache while its arrays change
    for name in ARRAYS:
        np.save(out / f"{name}.npy", getattr(whole, name).numpy())
    marks = [mark.read_text() for folder in folders for mark in sorted(folder.glob(f"*{MARK}"))]
    (out / f"joined{MARK}").write_text("\n".join(marks))
    write_index(out, whole.rates)
    return FeatureCache.open(out)


def write_index(folder: Path, rates: FeatureRates) -> None:
    """What makes a folder of finished arrays a cache that can be opened."""
    index = {
        "sample_rate": rates.sample_rate,
        "hop_length": rates.hop_length,
        "sync_rate": str(rates.sync_rate),
        "semantic_rate": str(rates.semantic_rate),
    }
    write_json(folder / INDEX_NAME, index)
