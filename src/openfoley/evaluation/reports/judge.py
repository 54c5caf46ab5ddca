"""The material classifier of a report or a study: trained once on Gym sound of training seeds and kept in its folder,
or taken from another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from safetensors.torch import load_file
from torch import Tensor

from openfoley.data.gym_cache import FULL_SCALE, SAMPLE_RATE, true_sound
from openfoley.data.workers import render_pool
from openfoley.errors import UsageError
from openfoley.evaluation.metrics.truth import from_dict
from openfoley.evaluation.reports.workspace import Workspace
from openfoley.gym.seeds import Split, World, seeds_of
from openfoley.hub.save import save_weights
from openfoley.judges.material import CLASSES, MaterialClassifier, accuracy, crops, train_classifier

FILE_NAME, SECTION = "material.safetensors", "classifier"
CLIPS, CHECK_CLIPS = 300, 100
FIRST_SEED = 5_000_000
"""Training seeds away from those that models train on."""


def trained_judge(workspace: Workspace, given: Path | None = None, world: World = "flat") -> MaterialClassifier:
    """The classifier of a workspace, trained on this world's sounds if it has none. given: weights to use instead."""
    if given is not None:
        if not given.is_file():
            raise UsageError(f"the judge {str(given)!r} does not exist; leave --judge out to train one")
        return load_classifier(given)
    workspace.sections({SECTION: lambda: train_judge(workspace.folder, world)})  # another process may be training it
    return load_classifier(workspace.folder / FILE_NAME)


def train_judge(folder: Path, world: World = "flat") -> dict[str, Any]:
    """Train and save a classifier; returns its accuracy on true sound of validation seeds, the number of their events,
    and of its training clips."""
    seeds = seeds_of("train", CLIPS, FIRST_SEED, world)
    judge = train_classifier(*examples(render_sounds(seeds, "train")))
    save_classifier(judge, folder / FILE_NAME)
    check = examples(render_sounds(seeds_of("validation", CHECK_CLIPS, world=world), "validation"))
    return {"accuracy": accuracy(judge, *check), "events": len(check[1]), "training_clips": len(seeds)}


def examples(
    clips: Iterable[tuple[Float[Tensor, "2 _"], int, dict[str, Any]]],
) -> tuple[Float[Tensor, "n 1 mels frames"], Int[Tensor, " n"]]:
    """Crops and class indices of the scored events of (samples, rate, truth record) clips whose material is a class."""
    pictures, labels = [crops(torch.zeros(1, 0), SAMPLE_RATE, [])], []
    for samples, rate, record in clips:
        truth = from_dict(record)
        known = [(t, m) for t, m in zip(truth.scored_s, truth.materials, strict=True) if m in CLASSES]
        if known:
            pictures.append(crops(samples, rate, [t for t, _ in known]))
            labels += [CLASSES.index(m) for _, m in known]
    return torch.cat(pictures), torch.tensor(labels, dtype=torch.long)


def save_classifier(model: MaterialClassifier, path: Path) -> None:
    """Write the weights (safetensors)."""
    save_weights(model.state_dict(), path, exact=True)


def load_classifier(path: Path) -> MaterialClassifier:
    """The classifier of `save_classifier`."""
    model = MaterialClassifier()
    model.load_state_dict(load_file(str(path)))
    return model.eval()


def render_sounds(seeds: Sequence[int], split: Split) -> Iterator[tuple[Float[Tensor, "2 _"], int, dict[str, Any]]]:
    """(samples float32 [2, 352800], rate, truth record) of every seed, in order; rendered in parallel, sound only."""
    with render_pool() as pool:
        for samples, record in pool.map(render_sound_of, [(seed, split) for seed in seeds], chunksize=4):
            yield torch.from_numpy(samples).float() / FULL_SCALE, SAMPLE_RATE, record


def render_sound_of(job: tuple[int, Split]) -> tuple[np.ndarray, dict[str, Any]]:
    """int16 samples [2, 352800] and truth record of a scene (seed, split)."""
    _, samples, record = true_sound(*job)
    return samples, record
