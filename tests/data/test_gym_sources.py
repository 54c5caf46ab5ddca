"""Sources of Gym scenes: pictures and sounds of each alone, and names that mean nothing else."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from body_scenes import scene_of as body_scene
from body_scenes import thing
from openfoley.data.gym_cache import FULL_SCALE
from openfoley.data.gym_sources import GymSources, absent_names, only, scene_of, sources_in, twins_in
from openfoley.errors import UsageError
from openfoley.gym.bodies.scene import sample_bodies_scene
from openfoley.gym.records import Contact, Performance, Scene
from openfoley.gym.seeds import seeds_of
from openfoley.gym.sound import render_sound

SCENES = range(0, 30)


def test_sounds_of_the_sources_add_up_to_the_scene() -> None:
    scene = scene_of(2, "train")
    whole = render_sound(scene, sample_rate=16_000)
    parts = [render_sound(only(scene, [act]), sample_rate=16_000).mix for act in sources_in(scene).values()]
    assert len(parts) == 2
    torch.testing.assert_close(torch.stack(parts).sum(0), whole.mix, atol=1e-6, rtol=0)
    assert not render_sound(only(scene, ()), sample_rate=16_000).mix.any()


def test_names_mean_one_source_of_their_scene() -> None:
    told_by_material = 0
    for seed in SCENES:
        scene = scene_of(seed, "train")
        named = sources_in(scene)
        words = [name for names in named for name in names[:1]]
        assert len(set(words)) == len(words) and all(len(names) == 4 for names in named)
        told_by_material += sum("one" in name.split() for names in named for name in names)
        names, act = absent_names(scene, scene_of(seed + 1, "train"))
        assert len(names) == 4 and not any(act is other for other in named.values())
        assert not set(names[:1]) & {o.caption for o in scene.objects}
    assert told_by_material > 5
    twins = next(s for k in range(200) if _has_twins(s := scene_of(k, "train")))
    twice = [o.caption for o in twins.objects]
    assert all(twice.count(names[0]) <= 1 for names in sources_in(twins))


def _has_twins(scene: Scene) -> bool:
    captions = [o.caption for o in scene.objects]
    return len(set(captions)) < len(captions)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> GymSources:
    return GymSources.build(tmp_path_factory.mktemp("sources"), [2, 3], split="train", workers=1)


def test_a_finished_cache_is_of_the_seeds_that_are_asked_for(cache: GymSources) -> None:
    assert len(GymSources.build(cache.folder, [2, 3], split="train").sources) == len(cache.sources)
    with pytest.raises(UsageError, match="other seeds"):
        GymSources.build(cache.folder, range(2, 40), split="train")


def test_pictures_show_the_source_alone_and_an_absent_one_nowhere(cache: GymSources) -> None:
    ball = [s for s in cache.sources if not s.absent]
    (absent,) = (s for s in cache.sources if s.absent)
    assert len(ball) == 2 and len(cache.frames) == 4 and len(cache.sound) == 3
    whole, empty = (cache.frames[row].astype(np.int16) for row in (ball[0].whole, ball[0].empty))
    alone = [cache.frames[s.alone].astype(np.int16) for s in ball]
    assert all(np.abs(one - empty).mean() > 0.1 for one in (*alone, whole))
    differs = [np.abs(one - empty).max((0, 1)) > 60 for one in alone]
    assert any(d.any() for d in differs) and not cache.sound[cache.sources.index(absent)].any()
    assert absent.alone == absent.empty and absent.truth["events"] == [] and absent.is_seen


def test_truth_is_that_of_the_source_alone(cache: GymSources) -> None:
    for k, source in enumerate(cache.sources):
        events = source.truth["events"]
        assert source.truth["captions"] == list(source.names)
        assert len({event["object_id"] for event in events}) <= 2
        level = np.abs(cache.sound[k].astype(np.float64)).max() / FULL_SCALE
        assert (level > 0.001) == bool(events)
    assert [s.names for s in GymSources.open(cache.folder).sources] == [s.names for s in cache.sources]


def test_scenes_without_several_sources_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="none of the 1 scenes has 2 things"):
        GymSources.build(tmp_path, [3], split="train")
    with pytest.raises(UsageError, match="no Gym sources"):
        GymSources.open(tmp_path / "nothing")


def test_a_mechanism_of_bodies_is_taken_out_with_its_solids_alone() -> None:
    """Two balls with a mechanism each, and something that belongs to none."""
    things = [replace(thing(k, material), id=f"object0{k}.ball.7") for k, material in enumerate(("wood", "steel"))]
    acts = [
        Performance([one], [], [Contact(1.0 + k, "bounce", one.id, 0.5, (0.4 * k, 0.2, 1.0))], [], one.caption)
        for k, one in enumerate(things)
    ]
    base = body_scene(things, [])
    solids = base.shots[0].stage.solids
    owners = ("object00.0", "object01.0", "clutter0.3")
    stage = replace(
        base.shots[0].stage, solids=tuple(replace((*solids, solids[0])[k], owner=owners[k]) for k in range(3))
    )
    scene = replace(base, shots=(replace(base.shots[0], performances=tuple(acts), stage=stage),))
    assert list(sources_in(scene).values()) == acts
    for kept, left in ((acts[:1], owners[::2]), (acts[1:], owners[1:]), ([], owners[2:])):
        part = only(scene, kept)
        assert tuple(solid.owner for solid in part.shots[0].stage.solids) == left
        assert part.shots[0].performances == tuple(kept)
    parts = [render_sound(only(scene, [act]), sample_rate=16_000).mix for act in acts]
    torch.testing.assert_close(sum(parts), render_sound(scene, sample_rate=16_000).mix, atol=1e-5, rtol=0)
    met = replace(acts[0].contacts[0], partner=things[1].id)
    joined = replace(acts[0], contacts=[met])
    touching = replace(scene, shots=(replace(scene.shots[0], performances=(joined, acts[1])),))
    assert sources_in(touching) == {}, "they touch each other"


def test_scenes_of_bodies_have_two_mechanisms_and_say_whose_a_solid_is() -> None:
    pytest.importorskip("mujoco")
    seed = seeds_of("train", 1, 2_000_000, "bodies")[0]
    scene = sample_bodies_scene(seed, 1.5, silent=False, several=True, single_shot=True)
    (shot,) = scene.shots
    owners = {solid.owner.partition(".")[0] for solid in shot.stage.solids}
    assert len(shot.performances) == 2 and {"object00", "object01"} <= owners
    usual = sample_bodies_scene(seed, 1.5, silent=False, single_shot=True)
    assert len(usual.shots[0].performances) in (1, 2)


def test_twins_are_of_one_kind_and_told_apart_by_their_material() -> None:
    found = [(scene, twins) for seed in range(150) if (twins := twins_in(scene := scene_of(seed, "train")))]
    assert 3 < len(found) < 40
    for scene, twins in found:
        materials = [act.objects[0].material for act in twins.values()]
        assert len(set(materials)) == len(materials) >= 2
        for names, act in twins.items():
            thing = act.objects[0]
            assert names[0] == f"the {thing.material} one" and all(name.endswith(" one") for name in names)
            (shot,) = (shot for shot in scene.shots if act in shot.performances)
            others = [other.objects[0] for other in shot.performances if other is not act and other.objects]
            assert any(o.action == thing.action and o.material != thing.material for o in others)
