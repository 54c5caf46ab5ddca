"""A generator of MMAudio's shape (arXiv 2412.15322), trained as in `salsa_v.train` by plain flow matching."""

from dataclasses import replace

from openfoley.generators.mmaudio import config as mmaudio
from openfoley.training.salsa_v.presets import GeneratorTraining


def as_mmaudio(preset: GeneratorTraining) -> GeneratorTraining:
    """The preset at Gym size, same steps and optimiser; no latent is known and no step is skipped in the training."""
    plain = replace(preset.objective, consistency_fraction=0.0, mask_probability=0.0)
    return replace(preset, architecture=mmaudio.GYM, objective=plain)
