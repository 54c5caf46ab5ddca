"""Latents and features of whole clips, computed once, and crops of them at any latent.

latents.npy       float16 [clips, latents, latent_dim]        the codec's normalised posterior means
sync.npy          float16 [clips, 24 per second, sync_dim]
semantic.npy      float16 [clips, 8 per second, semantic_dim] if the generator sees whole pictures
text.npy          float16 [clips, captions, text_dim]         several wordings of each clip's caption; with an axis of
                                                              tokens before the last for text encoders that have some
event_labels.npy  int8    [clips, latents]                    material of onsets (`data.event_labels`), if the data
                                                              set has it
cache.json        {sample_rate, hop_length, sync_rate, semantic_rate}
*.from            the weights and scenes that an array is computed from (training.features)
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
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from openfoley.data.disk import write_json
from openfoley.errors import UsageError
from openfoley.media.write.atomic import make_folder
from openfoley.types import TEXT, Conditions, FeatureSequence

ARRAYS = ("latents", "sync", "semantic", "text", "event_labels")
INDEX_NAME = "cache.json"
MARK = ".from"
EDGE_TOKENS = 2  # one feature on either side of a crop, so that its edges are interpolated, not repeated


@dataclass(frozen=True)
class FeatureRates:
    """The rates of the arrays."""

    sample_rate: int  # Hz
    hop_length: int  # samples per latent
    sync_rate: Fraction  # Hz
    semantic_rate: Fraction  # Hz


@dataclass(frozen=True)
class Batch:
    """Crops of clips with their conditions, and event labels if the data set has them."""

    latents: Float[Tensor, "batch latents latent_dim"]
    conditions: Conditions
    event_labels: Int[Tensor, "batch latents"] | None


@dataclass(frozen=True)
class FeatureCache:
    """An opened cache; the arrays are memory-mapped until moved to a device. absent: names of the conditions that are
    marked absent in every batch."""

    latents: Float[Tensor, "clips latents latent_dim"]
    sync: Float[Tensor, "clips frames sync_dim"]
    semantic: Float[Tensor, "clips pictures semantic_dim"] | None
    text: Float[Tensor, "clips captions *tokens text_dim"]
    event_labels: Int[Tensor, "clips latents"] | None
    rates: FeatureRates
    absent: tuple[str, ...] = ()

    def __len__(self) -> int:
        return self.latents.shape[0]

    @property
    def arrays(self) -> dict[str, Shaped[Tensor, "clips ..."]]:
        """By name; without the labels if there are none."""
        return {name: getattr(self, name) for name in ARRAYS if getattr(self, name) is not None}

    @classmethod
    def open(cls, folder: Path) -> FeatureCache:
        if not (folder / INDEX_NAME).is_file():
            raise UsageError(f"no feature cache in {str(folder)!r}; compute one with `openfoley data features`")
        index = json.loads((folder / INDEX_NAME).read_text())
        rates = FeatureRates(
            index["sample_rate"], index["hop_length"], Fraction(index["sync_rate"]), Fraction(index["semantic_rate"])
        )
        paths = {name: folder / f"{name}.npy" for name in ARRAYS}
        # Copy-on-write maps: torch needs writable memory; nothing is written.
        arrays = {name: torch.from_numpy(np.load(path, mmap_mode="c")) for name, path in paths.items() if path.exists()}
        return cls(**{"event_labels": None, "semantic": None, **arrays}, rates=rates)

    def to(self, device: torch.device | str) -> FeatureCache:
        """All arrays in the device's memory (a GPU must not wait for rows)."""
        return replace(self, **{name: array.to(device) for name, array in self.arrays.items()})

    @classmethod
    def joined(cls, caches: Sequence[FeatureCache]) -> FeatureCache:
        """The clips of several caches, in memory, with the captions that all of them have. Raises UsageError for none
        or for caches of different rates or arrays."""
        if not caches:
            raise UsageError("no feature caches to join; give at least one")
        first = caches[0]
        for other in caches:
            if other.rates != first.rates or other.arrays.keys() != first.arrays.keys():
                raise UsageError(
                    f"feature caches of {list(first.arrays)} at {first.rates} and of {list(other.arrays)} at "
                    f"{other.rates} cannot be joined; compute one of them again"
                )
        wordings = min(cache.text.shape[1] for cache in caches)
        joined = {name: torch.cat([cache.arrays[name] for cache in caches]) for name in first.arrays if name != "text"}
        return replace(first, text=torch.cat([cache.text[:, :wordings] for cache in caches]), **joined)

    def crop(
        self, clip: Int[Tensor, " batch"], start: Int[Tensor, " batch"], latents: int, caption: Int[Tensor, " batch"]
    ) -> Batch:
        """`latents` latents from latent start[i] of clip[i], with their conditions.

        clip, start, caption: on the cache's device. The picture features are those of the crop and one more on either
        side; their times count from the crop's first sample.
        """
        start_s = start.double() * self.rates.hop_length / self.rates.sample_rate
        duration_s = latents * self.rates.hop_length / self.rates.sample_rate
        places = {"sync": _span(self.sync, clip, start_s, duration_s, self.rates.sync_rate)}
        if self.semantic is not None:
            places["semantic"] = _span(self.semantic, clip, start_s, duration_s, self.rates.semantic_rate)
        text = self.text[clip, caption].float()
        text = text if text.ndim == 3 else text[:, None]
        places[TEXT] = (text, text[..., 0] * 0)
        conditions = Conditions(
            {name: FeatureSequence(v, t, torch.ones_like(t, dtype=torch.bool)) for name, (v, t) in places.items()}
        )
        row, position = clip[:, None], start[:, None] + torch.arange(latents, device=clip.device)
        labels = None if self.event_labels is None else self.event_labels[row, position].long()
        return Batch(self.latents[row, position].float(), conditions.without(*self.absent), labels)

    def whole(self, clips: int | Int[Tensor, " batch"]) -> Batch:
        """Whole clips with their first caption: those numbered, or the first ones."""
        clip = torch.arange(min(clips, len(self)), device=self.latents.device) if isinstance(clips, int) else clips
        first = torch.zeros_like(clip)
        return self.crop(clip, first, self.latents.shape[1], first)


def _span(
    features: Float[Tensor, "clips tokens dim"],
    clip: Int[Tensor, " batch"],
    start_s: Float[Tensor, " batch"],
    duration_s: float,
    rate: Fraction,
) -> tuple[Float[Tensor, "batch n dim"], Float[Tensor, "batch n"]]:
    """Features [batch, n, dim] around start_s ... start_s + duration_s, and their times [batch, n] after start_s."""
    count = min(ceil(duration_s * rate) + EDGE_TOKENS, features.shape[1])
    first = (start_s * float(rate)).floor().long().clamp(0, features.shape[1] - count)
    position = first[:, None] + torch.arange(count, device=clip.device)
    time = position.double() / float(rate) - start_s[:, None]
    return features[clip[:, None], position].float(), time.float()


def join(folders: Sequence[Path], out: Path) -> FeatureCache:
    """The clips of several caches as one cache in `out`; raises UsageError as `FeatureCache.joined`."""
    whole = FeatureCache.joined([FeatureCache.open(folder) for folder in folders])
    make_folder(out)
    (out / INDEX_NAME).unlink(missing_ok=True)  # no cache while its arrays change
    for name, array in whole.arrays.items():
        np.save(out / f"{name}.npy", array.numpy())
    marks = [mark.read_text() for folder in folders for mark in sorted(folder.glob(f"*{MARK}"))]
    (out / f"joined{MARK}").write_text("\n".join(marks))
    write_index(out, whole.rates)
    return FeatureCache.open(out)


def write_index(folder: Path, rates: FeatureRates) -> None:
    """Write the index that makes a folder of finished arrays a cache."""
    index = {
        "sample_rate": rates.sample_rate,
        "hop_length": rates.hop_length,
        "sync_rate": str(rates.sync_rate),
        "semantic_rate": str(rates.semantic_rate),
    }
    write_json(folder / INDEX_NAME, index)
