"""What the generator trains from, of a made-up Gym cache and encoders that only take means."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from openfoley.data.feature_cache import FeatureCache
from openfoley.data.gym_cache import GymCache
from openfoley.encoders.base import Outputs
from openfoley.gym.scene import sample_scene
from openfoley.gym.sound import render_sound
from openfoley.gym.truth import truth
from openfoley.training.features import cache_features

SCENES, FRAMES, DURATION_S = 3, 48, 2.0


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> GymCache:
    drawn = [sample_scene(seed, DURATION_S, split="train", silent=False, aspect=1.0) for seed in range(SCENES)]
    records = [truth(scene, render_sound(scene, sample_rate=8000), Fraction(24)) for scene in drawn]
    random = np.random.default_rng(0)
    frames = random.integers(0, 256, (SCENES, FRAMES, 3, 16, 16), dtype=np.uint8)
    sound = random.integers(-9000, 9000, (SCENES, 2, 16_000), dtype=np.int16)
    return GymCache(tmp_path_factory.mktemp("scenes"), frames, sound, records)


class Eye:
    """The mean colour of each picture."""

    dim, text_dim = 3, 5

    def __init__(self, rate: int) -> None:
        self.outputs = Outputs(self.dim, Fraction(rate))
        self.calls = 0

    def encode(self, frames: Tensor) -> Tensor:
        self.calls += 1
        return frames.float().mean((-1, -2))

    def encode_text(self, captions: list[str]) -> Tensor:
        return torch.tensor([[float(len(caption))] * self.text_dim for caption in captions])


def encode_sound(sound: Tensor) -> Tensor:
    return sound[:, 0].unflatten(1, (-1, 400))[..., :4]


CODEC: Any = SimpleNamespace(sample_rate=8000, hop_length=400, latent_dim=4, encode=encode_sound)


def made(scenes: GymCache, folder: Path, origins: dict[str, str] | None = None) -> tuple[FeatureCache, Eye, Eye]:
    sync, semantic = Eye(24), Eye(8)
    return cache_features(scenes, CODEC, sync, semantic, folder, origins=origins), sync, semantic


def test_arrays_hold_what_the_parts_say(scenes: GymCache, tmp_path: Path) -> None:
    cache, _, _ = made(scenes, tmp_path)
    assert (
        cache.latents.shape == (SCENES, 40, 4)
        and cache.event_labels is not None
        and cache.event_labels.shape == (SCENES, 40)
    )
    means = torch.from_numpy(scenes.frames).float().mean((-1, -2))
    torch.testing.assert_close(cache.sync.float(), means, atol=0.1, rtol=0)
    torch.testing.assert_close(cache.semantic.float(), means[:, ::3], atol=0.1, rtol=0)
    torch.testing.assert_close(
        cache.latents[1].float(), torch.from_numpy(scenes.sound[1, 0]).view(40, 400)[:, :4] / 32767, atol=1e-3, rtol=0
    )
    wordings = scenes.truth[2]["captions"][: cache.text.shape[1]]
    assert cache.text[2, :, 0].tolist() == [len(caption) for caption in wordings]


def test_other_scenes_are_recomputed(scenes: GymCache, tmp_path: Path) -> None:
    origins = {"codec": "a", "sync": "b", "semantic": "c"}
    made(scenes, tmp_path, origins=origins)
    others = replace(scenes, truth=[{**record, "seed": record["seed"] + 1} for record in scenes.truth])
    _, sync, semantic = made(others, tmp_path, origins=origins)
    assert sync.calls and semantic.calls


def test_what_came_from_the_same_weights_is_kept(scenes: GymCache, tmp_path: Path) -> None:
    origins = {"codec": "a", "sync": "b", "semantic": "c"}
    made(scenes, tmp_path, origins=origins)
    _, sync, semantic = made(scenes, tmp_path, origins={**origins, "sync": "another"})
    assert sync.calls and not semantic.calls
