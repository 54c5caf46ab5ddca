"""The embedding distance of sounds whose order is known."""

import pytest
import torch

from openfoley.evaluation.metrics.embedding import features, frechet
from openfoley.judges.material import MaterialClassifier


def test_embedding_distance_is_zero_for_equal_sounds_and_grows_with_difference() -> None:
    torch.manual_seed(0)
    judge, white = MaterialClassifier().eval(), torch.randn(88200) * 0.1
    dark = 2 * torch.nn.functional.avg_pool1d(torch.randn(1, 1, 88200) * 0.1, 9, 1, 4)[0, 0]
    mixed = white * 0.5 + dark * 0.5
    ours, near, far = (features(judge, sound[None], 44100) for sound in (white, mixed, dark))
    assert frechet(ours, ours) == 0
    assert 0 < frechet(ours, near) < frechet(ours, far)
    drawn = torch.randn(50, 4)
    assert frechet(drawn, drawn + 1) == pytest.approx(4.0, rel=1e-4)
