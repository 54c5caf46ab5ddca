"""Close-ups: their contacts are apart, in the picture."""

import hashlib
import json
from collections import Counter
from fractions import Fraction

import numpy as np

from openfoley.gym.close_up import APART_S, FAMILIES, FRAME_S
from openfoley.gym.materials import HELD_OUT_MATERIALS
from openfoley.gym.picture import render_picture
from openfoley.gym.records import Scene
from openfoley.gym.scene import sample_scene
from openfoley.gym.seeds import VERSIONS, seeds_of
from openfoley.gym.sound import scene_contacts
from openfoley.gym.truth import truth

SEEDS = seeds_of("train", 60, world="close-up")


def scenes() -> list[Scene]:
    return [sample_scene(seed, 2.0) for seed in SEEDS]


def test_contacts_are_two_frames_apart_and_have_a_frame_on_either_side() -> None:
    times = [np.array([0.0, *(c.time_s for _, c in scene_contacts(scene)), 2.0 - FRAME_S]) for scene in scenes()]
    sounding = [one for one in times if len(one) > 2]
    assert len(sounding) > 45
    for one in sounding:
        gaps = np.diff(one)
        assert gaps[0] >= FRAME_S and gaps[-1] >= FRAME_S and (gaps[1:-1] >= APART_S).all()


def test_every_contact_is_in_the_picture_and_the_thing_fills_it() -> None:
    for scene in scenes()[:20]:
        events = [e for e in truth(scene, None, Fraction(8))["events"] if not e.get("continuous")]
        assert all(event["visible"] for event in events)
        frames = render_picture(scene, rate=Fraction(8), height=32, width=32).float()
        moved = (frames - frames[:1]).abs().amax((0, 1))
        rows, columns = (moved > 25).any(1).nonzero(), (moved > 25).any(0).nonzero()
        assert max(len(rows) and rows[-1] - rows[0], len(columns) and columns[-1] - columns[0]) > 6, scene.caption


def test_every_family_occurs_and_a_tenth_of_the_scenes_is_silent() -> None:
    some = [sample_scene(seed, 2.0) for seed in seeds_of("validation", 300, world="close-up")]
    assert set(Counter(scene.objects[0].action for scene in some)) == set(FAMILIES)
    silent = [scene for scene in some if not scene_contacts(scene)]
    assert 0.05 < len(silent) / len(some) < 0.2
    assert all(sample_scene(seed, 2.0, silent=True).caption.endswith("silence") for seed in SEEDS[:10])


def test_the_held_out_split_differs_in_its_materials() -> None:
    shown = {o.material for seed in seeds_of("heldout", 30, world="close-up")
             for o in sample_scene(seed, 2.0, split="heldout").objects}  # fmt: skip
    assert shown == set(HELD_OUT_MATERIALS)
    assert not shown & {o.material for scene in scenes() for o in scene.objects}


def test_the_scenes_of_this_version_have_not_changed() -> None:
    content = [
        [scene.captions, [[round(c.time_s, 6), round(c.impulse, 6)] for _, c in scene_contacts(scene)]]
        for scene in scenes()
    ]
    assert VERSIONS["close-up"] == 1
    assert hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16] == "9e60a35b60d9e3bd"
