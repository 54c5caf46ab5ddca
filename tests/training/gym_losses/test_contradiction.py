"""Materials in sync features change, times do not."""

from fractions import Fraction

import pytest
import torch

from openfoley.data.event_labels import EVENT_LATENTS, UNLABELLED
from openfoley.data.feature_cache import FeatureCache, FeatureRates
from openfoley.training.gym_losses.contradiction import REACH, MaterialMeans, nearest_event

LATENTS, FRAMES, DIM = 172, 96, 8  # 4 s
LATENT_S, FRAME_S = 1024 / 44100, 1 / 24
SMEAR = 6  # frames, as the encoder's attention along time does


@pytest.fixture
def cache() -> FeatureCache:
    """Clips of one event each; a frame's first number says that something happens, number 2 + m of what material, there
    and, ever fainter, in the frames around."""
    clips = 90
    sync = torch.zeros(clips, FRAMES, DIM)
    sounding = torch.zeros(clips, LATENTS, dtype=torch.int8)
    for clip in range(clips):
        first, material = 30 + clip, 1 + clip % 3
        sounding[clip, first : first + EVENT_LATENTS] = material
        frame = round(first * LATENT_S * 24)
        sync[clip, frame, 0] = 1.0
        for away in range(-SMEAR, SMEAR + 1):
            sync[clip, frame + away, 2 + material] = 5.0 * 0.7 ** abs(away)
    rates = FeatureRates(44100, 1024, Fraction(24), Fraction(8))
    return FeatureCache(
        torch.zeros(clips, LATENTS, 4), sync, torch.zeros(clips, 32, 4), torch.zeros(clips, 1, 4), sounding, rates
    )


def test_an_events_material_becomes_another_in_all_its_frames_and_stays_an_event(cache: FeatureCache) -> None:
    means = MaterialMeans.of(cache)
    assert means.known.tolist() == [1, 2, 3]
    batch = cache.whole(12)
    conditions = batch.conditions
    made = means.exchanged(batch, torch.Generator().manual_seed(0))
    torch.testing.assert_close(made[..., 0], conditions["sync"].values[..., 0])  # when it happens
    marked = conditions["sync"].values[..., 3:6].sum(-1) > 0.1
    assert int(marked.sum()) == 12 * (2 * SMEAR + 1) and torch.equal(made[~marked], conditions["sync"].values[~marked])
    before, after = conditions["sync"].values[marked][:, 3:6].argmax(-1), made[marked][:, 3:6].argmax(-1)
    assert (before != after).all() and len(after.unique()) == 3
    again = means.exchanged(batch, torch.Generator().manual_seed(0))
    assert torch.equal(again, made)


def test_a_frame_belongs_to_the_nearest_event_within_reach() -> None:
    sounding = torch.zeros(1, 60, dtype=torch.int64)
    sounding[0, 20:27], sounding[0, 30:37], sounding[0, 50:] = 4, 7, UNLABELLED
    frames = torch.tensor([[-9, -8, -1, 0, 2, 5, 6, 20]])
    material, distance = nearest_event(20 * LATENT_S + frames * FRAME_S, sounding, LATENT_S, FRAME_S)
    assert material.tolist() == [[0, 4, 4, 4, 4, 7, 7, 0]]
    assert (distance - REACH)[material == 4].tolist() == [-8, -1, 0, 2]
    assert (distance - REACH)[material == 7].tolist() == [-1, 0]  # 10 latents are 5.6 frames


def test_one_material_alone_cannot_be_taken_for_another(cache: FeatureCache) -> None:
    batch = cache.whole(torch.arange(0, 60, 3))
    means = MaterialMeans(torch.rand(13, 2 * REACH + 1, DIM), torch.tensor([1]), LATENT_S, FRAME_S)
    assert torch.equal(means.exchanged(batch, torch.Generator()), batch.conditions["sync"].values)
