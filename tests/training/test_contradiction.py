"""Materials in sync features change, times do not."""

import pytest
import torch

from openfoley.data.feature_cache import FeatureCache, FeatureRates
from openfoley.data.sounding import NAMED_LATENTS, UNTOLD
from openfoley.training.contradiction import MaterialLooks, frame_labels

LATENTS, FRAMES, DIM = 172, 96, 8  # 4 s
LATENT_S = 1024 / 44100


@pytest.fixture
def cache() -> FeatureCache:
    """Clips of one event each; a frame's first number says that something happens, number 2 + m of what material."""
    clips = 60
    sync = torch.zeros(clips, FRAMES, DIM)
    sounding = torch.zeros(clips, LATENTS, dtype=torch.int8)
    for clip in range(clips):
        first, material = 20 + clip, 1 + clip % 3
        sounding[clip, first : first + NAMED_LATENTS] = material
        frame = int(first * LATENT_S * 24)
        sync[clip, frame : frame + 4, 0] = 1.0
        sync[clip, frame : frame + 4, 2 + material] = 5.0
    rates = FeatureRates(44100, 1024, 24, 8)  # type: ignore[arg-type]
    return FeatureCache(
        torch.zeros(clips, LATENTS, 4), sync, torch.zeros(clips, 32, 4), torch.zeros(clips, 1, 4), sounding, rates
    )


def test_an_events_material_becomes_another_and_stays_an_event(cache: FeatureCache) -> None:
    looks = MaterialLooks.of(cache)
    assert looks.known.tolist() == [1, 2, 3]
    clip = torch.arange(12)
    first = torch.zeros_like(clip)
    _, conditions = cache.crop(clip, first, LATENTS, first)
    sounding = cache.sounding_in(clip, first, LATENTS)
    made = looks.exchanged(conditions, sounding, torch.Generator().manual_seed(0))
    labels = frame_labels(conditions.sync_time, sounding, LATENT_S)
    assert torch.equal(made[labels == 0], conditions.sync[labels == 0])
    torch.testing.assert_close(made[..., 0], conditions.sync[..., 0], atol=0.15, rtol=0)  # when it happens
    events = conditions.sync[..., 0] > 0
    before, after = conditions.sync[events][:, 3:6].argmax(-1), made[events][:, 3:6].argmax(-1)
    assert (before != after).all() and len(after.unique()) == 3
    again = looks.exchanged(conditions, sounding, torch.Generator().manual_seed(0))
    assert torch.equal(again, made)


def test_frames_shortly_before_an_event_are_its_frames_and_untold_ones_nobodys() -> None:
    sounding = torch.zeros(1, 20, dtype=torch.int64)
    sounding[0, 10:17] = 4
    sounding[0, 18:] = UNTOLD
    time = torch.tensor([[10.5, 9.5, 7.5, 6.0, 17.5, 19.5]]) * LATENT_S
    assert frame_labels(time, sounding, LATENT_S).tolist() == [[4, 4, 4, 0, 0, 0]]


def test_one_material_alone_cannot_be_taken_for_another(cache: FeatureCache) -> None:
    clip = torch.arange(0, 60, 3)
    first = torch.zeros_like(clip)
    _, conditions = cache.crop(clip, first, LATENTS, first)
    looks = MaterialLooks(torch.rand(13, DIM), torch.tensor([1]), LATENT_S)
    sounding = cache.sounding_in(clip, first, LATENTS)
    assert torch.equal(looks.exchanged(conditions, sounding, torch.Generator()), conditions.sync)
