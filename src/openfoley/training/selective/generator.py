"""Stage 2 of SelVA (arXiv 2512.02650, section 3): the generator learns what the selected features mean.

The encoder is frozen. Of the generator the sync projection and the audio stream's adaLN alone are trained
(`selective_tensors` of each generator), by flow matching on the sound of what is named: all conditions are dropped with
probability 0.1, the text besides with 0.5. Names of what is not there have silence as their sound.
"""

from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import groupby
from math import ceil
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor

from openfoley.data.disk import create_array
from openfoley.data.feature_cache import MARK, FeatureCache, FeatureRates, write_index
from openfoley.data.labelled_clips import PIECE_S
from openfoley.data.workers import logged
from openfoley.encoders.base import FrameEncoder, HasTextTower
from openfoley.encoders.selective_sync import SelectiveSync
from openfoley.encoders.selective_synchformer import SelectiveSynchformer
from openfoley.flow.dropout import ConditionDropout
from openfoley.generators.mmaudio.model import MMAudioGenerator
from openfoley.generators.salsa_v.model import SalsaVGenerator
from openfoley.hub.parts import Model
from openfoley.media.write.atomic import make_folder
from openfoley.training.salsa_v.presets import GeneratorTraining
from openfoley.training.selective.items import Items
from openfoley.training.selective.student import WordEncoder

DROPOUT = ConditionDropout(drop=0.1, text_given=0.5, swapped=0.0, picture_absent=0.0, reference_unseen=0.5)
WORDINGS = 4  # of a source's names


def as_selective(preset: GeneratorTraining, generator: SalsaVGenerator | MMAudioGenerator) -> GeneratorTraining:
    """The preset for stage 2 of this generator."""
    objective = replace(preset.objective, dropout=DROPOUT)
    return replace(
        preset, architecture=generator.config, objective=objective, trained=type(generator).selective_tensors,
        seen_share=0.0, learning_rate=preset.learning_rate / 3,
    )  # fmt: skip


def selected_features(
    model: Model,
    network: SelectiveSync | SelectiveSynchformer,
    words: WordEncoder,
    items: Items,
    folder: Path,
    origin: str,
) -> FeatureCache:
    """A feature cache of every source that is seen and heard: the sound of it alone, the picture that it is one of
    several in, and of its sync features what its plainest name selects. items: of whole rows. origin: of weights and
    sources; a cache of the same one is kept."""
    mark = folder / f"selected{MARK}"
    if mark.is_file() and mark.read_text() == origin:
        return FeatureCache.open(folder)
    make_folder(folder)
    mark.unlink(missing_ok=True)
    sources = items.pictured.sources
    rows = [k for k, one in enumerate(sources) if one.is_seen]
    arrays: dict[str, np.memmap] = {}
    maker = _Maker(model, network, words, items)
    reported, done = logged(rows, "selected features", unit="sources", every=50), 0
    for _, of_picture in groupby(reported, key=items.picture_number):
        seen = None
        for number in of_picture:
            seen = maker.seen(number) if seen is None else seen
            for name, value in maker.features(number, *seen).items():
                if name not in arrays:
                    arrays[name] = create_array(folder / f"{name}.npy", np.float16, (len(rows), *value.shape))
                arrays[name][done] = value.float().cpu().numpy()
            done += 1
    for array in arrays.values():
        array.flush()
    codec, meaning = model.codec, model.parts["semantic"]
    semantic_rate = meaning.outputs.rate if isinstance(meaning, FrameEncoder) else Fraction(0)
    sync_rate = Fraction(arrays["sync"].shape[1], PIECE_S)  # Synchformer: 192 of whole segments, read evenly
    write_index(folder, FeatureRates(codec.sample_rate, codec.hop_length, sync_rate, semantic_rate))
    mark.write_text(origin)
    return FeatureCache.open(folder)


@dataclass(frozen=True)
class _Maker:
    """Computes the features of sources one after another."""

    model: Model
    network: SelectiveSync | SelectiveSynchformer
    words: WordEncoder
    items: Items

    @torch.no_grad()
    def seen(self, number: int) -> tuple[Tensor, dict[str, Tensor]]:
        """The trunk of the picture that a source is in [1, n, trunk_dim], and the semantic features of it if the
        generator of this size sees whole pictures; for all sources of the scene."""
        frames = self.items.shown(number)[None].to(self.model.device)
        trunk, meaning = self.network.encode(frames), self.model.parts["semantic"]
        if not isinstance(self.network, SelectiveSync) or not isinstance(meaning, FrameEncoder):
            return trunk, {}
        every = int(self.network.outputs.rate / meaning.outputs.rate)
        return trunk, {"semantic": meaning.encode(frames[:, ::every])[0]}

    @torch.no_grad()
    def features(self, number: int, trunk: Tensor, semantic: dict[str, Tensor]) -> dict[str, Tensor]:
        """Of one source."""
        codec, names = self.model.codec, self.items.pictured.sources[number].names
        samples = ceil(Fraction(PIECE_S * codec.sample_rate, codec.hop_length)) * codec.hop_length
        sound = self.items.pictured.heard(number, codec.sample_rate, codec.channels, samples)
        present = torch.ones(trunk.shape[:2], dtype=torch.bool, device=trunk.device)
        worded = [names[k % len(names)] for k in range(WORDINGS)]
        return semantic | {
            "latents": codec.encode(sound[None].to(trunk.device))[0],
            "sync": self.network.select(trunk, present, *self.words.encode_words(names[:1]))[0],
            "text": cast(HasTextTower, self.model.parts["semantic"]).encode_text(worded),
        }
