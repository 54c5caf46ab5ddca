"""One entry for both worlds: the seed chooses, and the flat world's scenes stay as they were."""

import hashlib
import json
import sys

import pytest

from openfoley.errors import UsageError
from openfoley.gym.flat import sample_flat_scene
from openfoley.gym.records import Scene
from openfoley.gym.scene import sample_scene
from openfoley.gym.seeds import SPLITS, Split, seeds_of
from openfoley.gym.sound import scene_contacts

FLAT = {
    "train": "b35e392de6a11fe7",
    "validation": "9ecab8e759da0bb5",
    "evaluation": "b4b3ef36f1880349",
    "heldout": "d3660d7a0774f9f6",
}
"""Of 20 scenes of each split as Gym version 2 has made them since before there was a second world."""


def content(scene: Scene) -> list:
    """What a scene consists of, rounded so that it is the same on all processors."""
    contacts = [[round(c.time_s, 6), round(c.impulse, 6), c.action, c.object_id] for _, c in scene_contacts(scene)]
    shots = [[round(s.start_s, 6), round(s.room_s, 6), len([p for a in s.performances for p in a.parts])]
             for s in scene.shots]  # fmt: skip
    objects = [[o.id, o.caption, o.material, round(o.size_m, 6), o.seed] for o in scene.objects]
    return [scene.captions, round(scene.aspect, 6), round(scene.gain_db, 6), contacts, shots, objects]


@pytest.mark.parametrize("split", SPLITS)
def test_the_flat_worlds_scenes_have_not_changed(split: Split) -> None:
    scenes = [content(sample_scene(seed, 8.0, split=split)) for seed in seeds_of(split, 20)]
    assert hashlib.sha256(json.dumps(scenes).encode()).hexdigest()[:16] == FLAT[split]


def test_the_entry_gives_the_flat_world_to_its_seeds() -> None:
    one = sample_scene(20_000_003, 8.0, split="evaluation", aspect=1.0)
    other = sample_flat_scene(20_000_003, 8.0, split="evaluation", silent=None, aspect=1.0, single_shot=False)
    assert content(one) == content(other)
    with pytest.raises(UsageError, match="got 50000000"):
        sample_scene(50_000_000, 8.0)
    with pytest.raises(UsageError, match="duration must be > 0 s"):
        sample_scene(1, 0.0)


@pytest.mark.parametrize("package", ["mujoco", "warp"])
def test_bodies_without_the_extra_say_how_to_install_it(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    said = rf"bodies needs {package}, which is not installed; pip install 'openfoley\[gym\]'"
    with pytest.raises(UsageError, match=said):
        sample_scene(100_000_000, 8.0)
