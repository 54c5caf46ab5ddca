"""The material classifier on crops whose class is known."""

from dataclasses import replace

import numpy as np
import torch

from openfoley.judges.material import RECIPE, accuracy, crops, train_classifier


def struck(seed: int = 0) -> torch.Tensor:
    """A decaying noise at 0.5 s of 1.5 s, [2, time]."""
    time_s = torch.arange(66150) / 44100 - 0.5
    noise = torch.randn(2, len(time_s), generator=torch.Generator().manual_seed(seed))
    return 0.3 * noise * torch.where(time_s >= 0, torch.exp(-time_s / 0.08), 0.0)


def test_crops_ignore_level() -> None:
    sound, times = struck(), np.array([0.5])
    torch.testing.assert_close(crops(0.5 * sound, 44100, times), crops(sound, 44100, times), atol=0.05, rtol=0)
    assert len(crops(sound, 44100, [])) == 0


def test_the_classifier_learns_separable_crops_and_is_deterministic() -> None:
    easy = torch.rand(96, *crops(struck(), 44100, [0.5]).shape[1:], generator=torch.Generator().manual_seed(0)) * 0.5
    kinds = torch.arange(96) % 2
    easy[kinds == 1, :, :20] += 0.5
    classifier = train_classifier(easy, kinds, replace(RECIPE, batch=16))
    assert accuracy(classifier, easy, kinds) > 0.95
    short = replace(RECIPE, epochs=1, batch=16)
    one, other = (train_classifier(easy[:32], kinds[:32], short).state_dict() for _ in range(2))
    assert all(torch.equal(one[name], other[name]) for name in one)
