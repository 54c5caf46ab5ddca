import math

import numpy as np
import torch

from openfoley.encoders.audio_tower import FULL, GYM, AudioTower
from openfoley.encoders.fbank import HALF_RANGE, LOG_FLOOR, MEAN, Fbank, fbank_frame_count


def test_fbank_equals_the_feature_extractor_of_transformers() -> None:
    from transformers import ASTFeatureExtractor

    samples = np.random.default_rng(0).normal(0, 0.1, 10667).astype(np.float32)
    frames = fbank_frame_count(10667)
    expected = ASTFeatureExtractor(max_length=frames)(samples, sampling_rate=16000, return_tensors="pt")["input_values"]
    torch.testing.assert_close(Fbank(128)(torch.from_numpy(samples)[None]), expected, atol=2e-3, rtol=1e-3)


def test_silence_is_the_floor() -> None:
    assert torch.allclose(Fbank(128)(torch.zeros(1, 1600)), torch.tensor((math.log(LOG_FLOOR) - MEAN) / HALF_RANGE))


def test_the_tower_gives_a_sequence_over_time() -> None:
    tower = AudioTower(GYM)
    features = tower(torch.randn(2, GYM.snippet_samples) * 0.1)
    assert features.shape == (2, 7, 128)


def test_tokens_are_grouped_by_time_not_by_frequency() -> None:
    """Without the transformer's mixing, a change of the sound's end may not change the first column."""
    tower = AudioTower(GYM)
    tower.ast.layers = torch.nn.ModuleList()
    sound = torch.randn(1, GYM.snippet_samples) * 0.1
    changed = sound.clone()
    changed[:, -3000:] = 0
    difference = (tower(sound) - tower(changed)).abs().amax(-1)[0]
    assert difference[0] == 0 and difference[-1] > 0


def test_the_full_size_is_ast_base() -> None:
    with torch.device("meta"):
        full = AudioTower(FULL)
    assert 84e6 < sum(p.numel() for p in full.ast.parameters()) < 88e6
