"""Features and latents of long clips, computed once, shot by shot as a generation computes them.

folder/0000/latents.npy            float16 [latents, latent_dim]
folder/0000/{sync,semantic}.npy    float16 [n, dim], the shots one after another
folder/0000/text.npy               float16 [captions, tokens, dim]; one row of zeros where there is no caption
folder/0000/clip.json              {name, origin, duration, starts, counts, has_text}, written last
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from openfoley.codecs.base import Codec
from openfoley.data.disk import write_json
from openfoley.data.long_clips import LongClip, LongClips
from openfoley.data.workers import logged
from openfoley.encoders.base import TextConditioned
from openfoley.errors import UsageError
from openfoley.hub.fingerprint import fingerprint
from openfoley.hub.parts import Model
from openfoley.media.channels import fitted
from openfoley.media.resample import resample
from openfoley.media.write.atomic import make_folder, whole_file
from openfoley.request import Cut
from openfoley.synthesis.features import encoded_pictures, frame_encoders
from openfoley.timeline.shots import shots_of
from openfoley.types import Audio

INDEX = "clip.json"
PIECE_LATENTS = 1024  # encoded at once, 24 s
MARGIN_LATENTS = 43  # 1 s of sound on either side, so that the codec does not encode a cut


@dataclass(frozen=True)
class LongFeatures:
    """One clip; the arrays are maps. starts: of the shots, s. counts: features of each shot, by encoder."""

    duration: Fraction
    starts: tuple[Fraction, ...]
    counts: Mapping[str, tuple[int, ...]]
    latents: Float[Tensor, "latents latent_dim"]
    features: Mapping[str, Float[Tensor, "_ _"]]  # [n, dim]
    text: Float[Tensor, "captions tokens text_dim"]
    has_text: bool

    @property
    def ends(self) -> tuple[Fraction, ...]:
        """Of the shots, s."""
        return (*self.starts[1:], self.duration)

    def of_shot(self, name: str, shot: int) -> Float[Tensor, "n dim"]:
        first = sum(self.counts[name][:shot])
        return self.features[name][first : first + self.counts[name][shot]]

    @classmethod
    def open(cls, folder: Path) -> LongFeatures:
        index = json.loads((folder / INDEX).read_text())

        def array(name: str) -> Tensor:
            return torch.from_numpy(np.load(folder / f"{name}.npy", mmap_mode="c"))  # copy on write: nothing is written

        counts = {name: tuple(each) for name, each in index["counts"].items()}
        return cls(
            Fraction(index["duration"]), tuple(map(Fraction, index["starts"])), counts, array("latents"),
            {name: array(name) for name in counts}, array("text"), index["has_text"],
        )  # fmt: skip


def long_features(model: Model, clips: LongClips, folder: Path) -> list[LongFeatures]:
    """The features of every clip in `folder`; those of the same clip and weights are kept. UsageError for a model whose
    features depend on a text."""
    compute_features(model, clips, folder, range(len(clips.names)))
    return [LongFeatures.open(folder / f"{number:04d}") for number in range(len(clips.names))]


def compute_features(model: Model, clips: LongClips, folder: Path, numbers: Sequence[int]) -> None:
    """Of these clips, where they are not there."""
    if any(isinstance(encoder, TextConditioned) for encoder in model.encoders.values()):
        raise UsageError(f"{model.name} sees what a text selects; train adapters on the model that it is made from")
    origin, names = fingerprint(model, tuple(part for part in model.parts if part != "generator")), list(clips.names)
    for number in logged(numbers, "features of long clips", unit="clips", every=4):
        place, name = folder / f"{number:04d}", names[number]
        if not _is_of(place, name, origin):
            _compute(model, clips.read(number), place, {"name": name, "origin": origin})


def _is_of(place: Path, name: str, origin: str) -> bool:
    try:
        index = json.loads((place / INDEX).read_text())
    except (OSError, ValueError):
        return False
    return (index.get("name"), index.get("origin")) == (name, origin)


@torch.inference_mode()
def _compute(model: Model, clip: LongClip, place: Path, about: dict[str, Any]) -> None:
    make_folder(place)
    (place / INDEX).unlink(missing_ok=True)
    length = min(clip.source.info.duration, Fraction(clip.sound.samples.shape[-1], clip.sound.sample_rate))
    cuts = [Cut(time) for time in clip.cuts if time < length]
    shots = shots_of(length, cuts, "reset")
    runs: dict[str, list[list[Tensor]]] = {name: [[] for _ in shots] for name in frame_encoders(model)}
    for run in encoded_pictures(model, clip.source, shots, model.device):
        runs[run.name][run.shot].append(run.features.half().cpu())
    latents = encoded_sound(model.codec, clip.sound, model.device)[: int(length * model.codec.latent_rate)]
    text = model.text_encoder.encode_text(list(clip.texts) or [""])
    arrays = {name: torch.cat([torch.cat(shot) for shot in each]) for name, each in runs.items()}
    arrays |= {"latents": latents, "text": text if clip.texts else torch.zeros_like(text)}
    for name, values in arrays.items():
        with whole_file(place / f"{name}.npy") as file:
            np.save(file, values.half().cpu().numpy())
    counts = {name: [sum(map(len, shot)) for shot in each] for name, each in runs.items()}
    index = {"duration": str(length), "starts": [str(shot.start) for shot in shots], "counts": counts}
    write_json(place / INDEX, {**about, **index, "has_text": bool(clip.texts)})


def encoded_sound(codec: Codec, sound: Audio, device: torch.device) -> Float[Tensor, "latents dim"]:
    """The latents of a sound of any length, piece by piece."""
    own = Audio(fitted(sound.samples, codec.channels).contiguous(), sound.sample_rate)
    samples = resample(own, codec.sample_rate).samples
    hop, total = codec.hop_length, -(-samples.shape[-1] // codec.hop_length)
    made = []
    for first in range(0, total, PIECE_LATENTS):
        begin, end = max(0, first - MARGIN_LATENTS), min(total, first + PIECE_LATENTS + MARGIN_LATENTS)
        latents = codec.encode(samples[None, :, begin * hop : end * hop].to(device))[0]
        made.append(latents[first - begin : min(total, first + PIECE_LATENTS) - begin].float().cpu())
    return torch.cat(made)
