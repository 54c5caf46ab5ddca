"""Long scenes: places, sources that go on over cuts, and a sound in chunks that is the whole one."""

import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch

from openfoley.evaluation.studies.clips import excerpt
from openfoley.gym import motion
from openfoley.gym.long import sound as long_sound
from openfoley.gym.long.sound import LongSound
from openfoley.gym.long.sources import SOURCES
from openfoley.gym.records import Scene, Shot
from openfoley.gym.scene import sample_scene
from openfoley.gym.seeds import Split, seeds_of
from openfoley.gym.sound import render_sound, scene_contacts, scene_frictions
from openfoley.gym.truth import truth

RATE = 8000
SEEDS = seeds_of("train", 8, world="long")
CONTENT = "fb01f6911e298f22"
"""Of the first 8 training scenes as Gym version 1 of the long world makes them."""


def content(scene: Scene) -> list:
    contacts = [[round(c.time_s, 6), round(c.impulse, 6), c.action, c.object_id] for _, c in scene_contacts(scene)]
    shots = [[round(s.start_s, 6), s.place, round(s.room_s, 6), len(s.performances)] for s in scene.shots]
    return [scene.captions, round(scene.gain_db, 6), contacts, shots, [(o.id, o.seed) for o in scene.objects]]


def lasting(scene: Scene) -> list[str]:
    return [o.id for o in scene.objects if o.id.startswith("source")]


def test_a_seed_always_gives_the_same_scene() -> None:
    scenes = [content(sample_scene(seed, 60.0)) for seed in SEEDS]
    assert hashlib.sha256(json.dumps(scenes).encode()).hexdigest()[:16] == CONTENT


def test_a_place_has_one_look_one_room_and_sources_that_go_on_over_its_cuts() -> None:
    many, across, begun = 0, 0, 0
    for seed in SEEDS:
        scene = sample_scene(seed, 90.0, silent=False)
        assert scene.shots[0].start_s == 0.0 and scene.shots[-1].end_s == 90.0
        places = sorted({shot.place for shot in scene.shots})
        assert places == list(range(len(places)))
        many += len(places) > 1
        for place in places:
            shots = [shot for shot in scene.shots if shot.place == place]
            assert len({(shot.room_s, shot.room_level, id(shot.grade)) for shot in shots}) == 1
            assert all(3.0 <= shot.end_s - shot.start_s <= 10.0 + 1e-9 for shot in shots)
            by_source: dict[str, list] = {}
            for shot in shots:
                for act in shot.performances:
                    for one in (o for o in act.objects if o.id.startswith("source")):
                        by_source.setdefault(one.id, []).append((one, act))
            assert 1 <= len(by_source) <= 2 and all(len(v) == len(shots) for v in by_source.values())
            assert all(len({id(one) for one, _ in acts}) == 1 for acts in by_source.values())
            spans = [[f for _, act in acts for f in act.frictions] for acts in by_source.values()]
            across += sum(len(one) > 1 for one in spans)
            begun += sum(0 < len(one) < len(shots) for one in spans)
    assert many >= 3 and across >= 6 and begun >= 2


def test_every_kind_of_source_is_in_every_split_and_scenes_may_be_silent() -> None:
    splits: tuple[Split, ...] = ("train", "validation", "evaluation")
    for split in splits:
        scenes = [sample_scene(seed, 60.0, split=split, single_shot=True) for seed in seeds_of(split, 14, world="long")]
        kinds = {o.action for scene in scenes for o in scene.objects if o.id.startswith("source")}
        assert kinds == {"footsteps" if kind == "walk" else kind for kind in SOURCES}
    silent = sample_scene(SEEDS[0], 60.0, silent=True)
    assert silent.caption == "silence" and float(render_sound(silent, sample_rate=RATE).mix.abs().max()) == 0.0


def test_one_shot_of_any_length_is_one_place_whose_camera_stays_near_its_things() -> None:
    scene = sample_scene(SEEDS[3], 600.0, single_shot=True, silent=False)
    (shot,) = scene.shots
    turn = shot.camera.turn(np.arange(0.0, 600.0, 0.5))
    assert np.abs(turn[:, 0]).max() < 0.6 and lasting(scene)


def test_the_sound_in_chunks_is_the_sound_and_its_stems_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = sample_scene(SEEDS[1], 20.0, silent=False)
    whole = render_sound(scene, sample_rate=RATE)
    assert torch.allclose(torch.stack(list(whole.stems.values())).sum(0), whole.mix, atol=1e-5)
    monkeypatch.setattr(long_sound, "CHUNK_S", 3.3)
    other = LongSound(scene, RATE)
    assert torch.allclose(torch.cat(list(other), -1), whole.mix, atol=1e-5)
    assert other.levels.audible == whole.audible
    assert np.allclose(other.levels.loudness_db, whole.loudness_db) and np.allclose(
        other.levels.lasting_db, whole.lasting_db, atol=1e-3
    )


def test_every_event_starts_at_its_sample_and_the_truth_has_all_of_it() -> None:
    scene = sample_scene(SEEDS[2], 6.0, silent=False)
    sound = render_sound(scene, sample_rate=44_100)
    record = truth(scene, sound, Fraction(24))
    assert record["world"] == "long" and record["gym"] == 1 and record["split"] == "train"
    spans = [(e["object_id"], e["time_s"], e["end_s"]) for e in record["events"] if e.get("continuous")]
    assert spans and all(0.0 <= start < end <= 6.0 for _, start, end in spans)
    for event in [e for e in record["events"] if not e.get("continuous")][:8]:
        stem = sound.stems[event["object_id"]].abs().amax(0)
        at = round(event["time_s"] * 44_100)
        assert float(stem[at : at + 60].max()) > 1.5 * float(stem[max(at - 60, 0) : at].max()) or not event["audible"]


def two_shots() -> Scene:
    """One source of constant level, seen by one camera in two shots with a cut between them."""
    scene = sample_scene(SEEDS[1], 30.0, single_shot=True, silent=False)
    (shot,) = scene.shots
    rain = next(a for s in SEEDS for sh in sample_scene(s, 60.0, silent=False).shots for a in sh.performances
                if a.objects and a.frictions and a.objects[0].action == "rain")  # fmt: skip
    (friction,) = rain.frictions
    camera = replace(shot.camera, eye=motion.still((0.0, 0.5, -3.0)), turn=motion.still((0.0, 0.0, 0.0)))
    steady = replace(friction, level=motion.constant(0.4), position=motion.still((0.0, 0.5, 1.0)))

    def shown(start_s: float, end_s: float) -> Shot:
        act = replace(rain, frictions=[replace(steady, start_s=start_s, end_s=end_s)])
        return replace(shot, start_s=start_s, end_s=end_s, camera=camera, performances=(act,))

    shots = (shown(0.0, 7.013), shown(7.013, 15.0))
    return replace(scene, duration_s=15.0, shots=shots)


def test_a_lasting_sound_goes_on_over_a_cut() -> None:
    scene = two_shots()
    cut = render_sound(scene, with_stems=False).mix
    (first, _) = scene.shots
    (act,) = first.performances
    joined = replace(first, end_s=15.0, performances=(replace(act, frictions=[replace(act.frictions[0], end_s=15.0)]),))
    whole = render_sound(replace(scene, shots=(joined,)), with_stems=False).mix
    assert torch.allclose(cut[:, 1000:-1000], whole[:, 1000:-1000], atol=1e-5)


def test_the_lasting_sounds_of_an_excerpt_are_those_of_its_stretch() -> None:
    scenes = (sample_scene(seed, 60.0, single_shot=True, silent=False) for seed in SEEDS)
    scene = next(one for one in scenes if any(f.end_s - f.start_s == 60.0 for _, f in scene_frictions(one)))
    (shot,) = scene.shots
    acts = tuple(replace(act, contacts=[]) for act in shot.performances)
    dry = replace(scene, shots=(replace(shot, room_level=0.0, performances=acts),))
    whole = render_sound(dry, sample_rate=RATE, with_stems=False).mix[:, 20 * RATE : 30 * RATE]
    part = render_sound(excerpt(dry, 20.0, 30.0), sample_rate=RATE, with_stems=False).mix
    assert float(whole.square().mean()) > 1e-6
    assert torch.allclose(part[:, 100:-100], whole[:, 100:-100], atol=1e-4)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_length_of_the_sound() -> None:
    code = (
        "import resource, sys; from openfoley.gym.scene import sample_scene;"
        "from openfoley.gym.long.sound import LongSound;"
        "scene = sample_scene(300000001, float(sys.argv[1]));"
        "[None for chunk in LongSound(scene)]; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)"
    )
    peaks = [
        int(subprocess.run([sys.executable, "-c", code, s], capture_output=True, text=True, check=True).stdout)
        for s in ("60", "600")
    ]
    assert peaks[1] < peaks[0] + 20, peaks
