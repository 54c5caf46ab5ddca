"""The judge of materials for a study: trained once into its folder, or one that a report left behind."""

from __future__ import annotations

from pathlib import Path

from openfoley.errors import UsageError
from openfoley.evaluation.gym_sound import render_sounds
from openfoley.evaluation.material import (
    MaterialClassifier,
    examples,
    load_classifier,
    save_classifier,
    train_classifier,
)
from openfoley.evaluation.studies.study import Study
from openfoley.evaluation.suite import CLASSIFIER_CLIPS, CLASSIFIER_FIRST_SEED
from openfoley.gym.seeds import seeds_of

FILE_NAME = "material.safetensors"


def trained_judge(study: Study, given: Path | None = None, clips: int = CLASSIFIER_CLIPS) -> MaterialClassifier:
    """given: weights to use instead of training; a report and a study leave theirs as material.safetensors."""
    if given is not None:
        if not given.is_file():
            raise UsageError(f"the judge {str(given)!r} does not exist; leave --judge out to train one")
        return load_classifier(given)
    path = study.folder / FILE_NAME

    def train() -> dict[str, int]:
        seeds = seeds_of("train", clips, CLASSIFIER_FIRST_SEED)
        save_classifier(train_classifier(*examples(render_sounds(seeds, "train"))), path)
        return {"clips": clips}

    study.workspace.sections({"judge": train})
    return load_classifier(path)
