"""Stage 2 of SelVA at Gym size (arXiv 2512.02650, section 3): the generator learns what the selected features mean.

The encoder is frozen. Of the generator the sync projection and the audio stream's adaLN alone are trained
(`selective_tensors` of each generator), by flow matching on the sound of what is named: all conditions are dropped with
probability 0.1, the text besides with 0.5. Names of what is not there have silence as their sound.
"""

from dataclasses import replace
from itertools import groupby
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from openfoley.data.disk import make_folder
from openfoley.data.feature_cache import MARK, FeatureCache, FeatureRates, write_index
from openfoley.data.gym_cache import FRAME_RATE, FULL_SCALE
from openfoley.data.gym_sources import GymSources
from openfoley.data.workers import logged
from openfoley.encoders.selective_sync import SelectiveSync
from openfoley.encoders.semantic_words import SemanticWords
from openfoley.flow.dropout import ConditionDropout
from openfoley.generators.mmaudio.model import MMAudioGenerator
from openfoley.generators.salsa_v.model import SalsaVGenerator
from openfoley.hub.parts import Model
from openfoley.training.salsa_v.presets import GeneratorTraining

DROPOUT = ConditionDropout(drop=0.1, text_given=0.5, swapped=0.0, picture_absent=0.0, reference_unseen=0.5)


def as_selective(preset: GeneratorTraining, generator: SalsaVGenerator | MMAudioGenerator) -> GeneratorTraining:
    """The preset for stage 2 of this generator."""
    objective = replace(preset.objective, dropout=DROPOUT)
    return replace(
        preset, architecture=generator.config, objective=objective, trained=type(generator).selective_tensors,
        seen_share=0.0, learning_rate=preset.learning_rate / 3,
    )  # fmt: skip


def selected_features(
    model: Model, student: SelectiveSync, words: SemanticWords, sources: GymSources, folder: Path, origin: str
) -> FeatureCache:
    """A feature cache of every source that is seen and heard: the sound of it alone, the whole scene's picture, and of
    its sync features what its plainest name selects. origin: of the weights; a cache of the same one is kept."""
    mark = folder / f"selected{MARK}"
    source = f"{origin} {len(sources)} {sources.sources[0].truth['seed']}"
    if mark.is_file() and mark.read_text() == source:
        return FeatureCache.open(folder)
    make_folder(folder)
    mark.unlink(missing_ok=True)
    rows = [k for k, one in enumerate(sources.sources) if one.is_seen]
    arrays: dict[str, list[np.ndarray]] = {"latents": [], "sync": [], "semantic": [], "text": []}
    meaning, every = words.network, int(FRAME_RATE / words.network.rate)
    with torch.no_grad():
        reported = logged(rows, "selected features", unit="sources", every=50)
        for whole, of_scene in groupby(reported, key=lambda k: sources.sources[k].whole):
            frames = torch.from_numpy(np.array(sources.frames[whole]))[None].to(model.device)
            trunk, semantic = student.encode(frames), meaning.encode(frames[:, ::every])[0]
            present = torch.ones(trunk.shape[:2], dtype=torch.bool, device=trunk.device)
            for k in of_scene:
                names, sound = sources.sources[k].names, torch.from_numpy(np.array(sources.sound[k])).float()
                found: dict[str, Float[Tensor, "n dim"]] = {
                    "latents": model.codec.encode((sound / FULL_SCALE)[None].to(model.device))[0],
                    "sync": student.select(trunk, present, *words.encode_words(names[:1]))[0],
                    "semantic": semantic,
                    "text": meaning.encode_text(list(names)),
                }
                for name, value in found.items():
                    arrays[name].append(value.float().cpu().numpy().astype(np.float16))
    for name, values in arrays.items():
        np.save(folder / f"{name}.npy", np.stack(values))
    codec = model.codec
    write_index(folder, FeatureRates(codec.sample_rate, codec.hop_length, FRAME_RATE, meaning.rate))
    mark.write_text(source)
    return FeatureCache.open(folder)
