"""The Gym is the judge, so it is judged first: times, places, seeds and sounds against what the motion says."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch

from openfoley.gym import motion
from openfoley.gym.actions import ACTIONS, HELD_OUT_ACTIONS, Stage
from openfoley.gym.actions.handling import shake
from openfoley.gym.materials import HELD_OUT_MATERIALS, MATERIALS
from openfoley.gym.picture import render_picture
from openfoley.gym.records import Part
from openfoley.gym.scene import sample_scene
from openfoley.gym.seeds import seeds_of
from openfoley.gym.sound import render_sound, scene_contacts
from openfoley.gym.truth import truth

RATE = Fraction(24)


def stage(action_seed: int = 1, **changes: object) -> Stage:
    base = Stage(np.random.default_rng(action_seed), 0.0, 8.0, 0.0, 0.0, 0.4, "wood", "steel", "object0")
    return replace(base, **changes)  # type: ignore[arg-type]


def test_there_are_ten_actions_and_eight_materials_in_training_and_held_out_ones_besides():
    assert len(ACTIONS) >= 10 and len(HELD_OUT_ACTIONS) >= 2 and not set(ACTIONS) & set(HELD_OUT_ACTIONS)
    assert len(set(MATERIALS) - set(HELD_OUT_MATERIALS)) >= 8


def test_training_scenes_never_show_held_out_actions_or_materials():
    for seed in seeds_of("train", 60):
        for object_ in sample_scene(seed, 8.0).objects:
            assert object_.action not in HELD_OUT_ACTIONS and object_.material not in HELD_OUT_MATERIALS
    heldout = [o for s in seeds_of("heldout", 20) for o in sample_scene(s, 8.0, split="heldout").objects]
    assert {o.action for o in heldout} >= set(HELD_OUT_ACTIONS) and {o.material for o in heldout} & set(
        HELD_OUT_MATERIALS
    )


def test_a_falling_ball_lands_at_the_time_of_free_fall():
    times, _, speeds = motion.bounce_times(1.0, 0.8, 0.5, 9.0)
    assert times[0] == pytest.approx(1.0 + np.sqrt(2 * 0.8 / 9.81))
    height = motion.bounce_height(1.0, 0.8, times, speeds)
    assert np.allclose(height(times), 0.0, atol=1e-9)
    assert height(times - 0.01).min() > 0.004 and height(np.array([0.5]))[0] == 0.8


@pytest.mark.parametrize("name", ["bounce", "strike", "tap", "collide", "swing", "clap", "topple", "cascade"])
def test_the_picture_moves_fastest_where_the_truth_says_contact(name: str):
    """The acceleration of the parts' tracks peaks within 2 ms of each contact: picture and sound share one motion."""
    play = {**ACTIONS, **HELD_OUT_ACTIONS}[name](stage(3))
    assert play.contacts
    t = np.arange(0, 8.0, 0.001)
    time_exponent = np.zeros(len(t))
    for part in play.parts:
        shown = np.ones(len(t)) if part.opacity is None else part.opacity(t)
        velocity = np.gradient(part.position(t), 0.001, axis=0)
        time_exponent = np.maximum(time_exponent, np.linalg.norm(np.gradient(velocity, 0.001, axis=0), axis=1) * shown)
    for contact in play.contacts:
        near = np.abs(t - contact.time_s) < 0.06
        peak = t[near][time_exponent[near].argmax()]
        assert abs(peak - contact.time_s) < 0.003 and time_exponent[near].max() > 5


@pytest.mark.parametrize("name", [*ACTIONS, *HELD_OUT_ACTIONS])
def test_the_silent_variant_of_every_action_moves_but_never_sounds(name: str):
    play = {**ACTIONS, **HELD_OUT_ACTIONS}[name](stage(5, sounds=False))
    assert not play.contacts and not play.frictions
    t = np.arange(0, 8.0, 0.01)
    moved = [np.ptp(part.position(t), axis=0).max() for part in play.parts]
    turned = [np.ptp(part.angle(t)) for part in play.parts if part.angle is not None]
    assert max([*moved, *turned], default=0.0) > 0.05 or name in ("topple", "cascade", "drip", "pour")


@pytest.mark.parametrize("name", [*ACTIONS, *HELD_OUT_ACTIONS])
def test_the_picture_differs_between_the_silent_variant_and_the_sounding_one(name: str):
    """At some time a part's end is 4 cm from where it would be if it sounded, or the part is not there."""
    sounding, silent = ({**ACTIONS, **HELD_OUT_ACTIONS}[name](stage(5, sounds=sounds)) for sounds in (True, False))
    t = np.arange(0, 8.0, 0.01)

    def shown(part: Part) -> np.ndarray:
        return np.ones(len(t)) if part.opacity is None else part.opacity(t)

    def end(part: Part) -> np.ndarray:
        angle, length = np.zeros(len(t)) if part.angle is None else part.angle(t), max(part.half)
        return part.position(t) + length * np.stack([np.cos(angle), np.sin(angle), 0 * t], axis=1)

    assert len(sounding.parts) != len(silent.parts) or any(
        np.linalg.norm(end(a) - end(b), axis=1).max() > 0.04 or np.abs(shown(a) - shown(b)).max() > 0.5
        for a, b in zip(sounding.parts, silent.parts, strict=True)
    )


@pytest.mark.parametrize("end_s", [3.0, 4.0, 5.0, 8.0])
def test_a_silent_box_is_swayed_in_shots_of_any_length_and_gently(end_s: float):
    """Many boxes of both kinds: a swayed one always moves, and never as hard as the most gently shaken one."""
    t = np.arange(0, end_s, 0.002)

    def motions(sounds: bool) -> list[tuple[float, float]]:
        results = []
        for seed in range(150):
            play = shake(replace(stage(seed), rng=np.random.default_rng(seed), end_s=end_s, sounds=sounds))
            track = play.parts[0].position(t)
            time_exponent = np.diff(track, 2, axis=0) / 0.002**2
            results.append((np.ptp(track, axis=0).max(), np.linalg.norm(time_exponent, axis=1).max()))
        return [result for result in results if result[0] > 0]

    shaken, swayed = motions(True), motions(False)
    assert len(swayed) == 150 and min(reach for reach, _ in swayed) > 0.05
    assert max(time_exponent for _, time_exponent in swayed) < min(time_exponent for _, time_exponent in shaken)


def test_sound_starts_exactly_at_the_event():
    scene = next(
        s
        for s in (sample_scene(k, 8.0) for k in range(50))
        if len(scene_contacts(s)) > 3 and not any(p.frictions for shot in s.shots for p in shot.performances)
    )
    first = scene_contacts(scene)[0][1]
    mix = render_sound(scene).mix
    onset_s = int(np.nonzero(mix.abs().amax(0).numpy() > 1e-4)[0][0]) / 44_100
    assert 0 <= onset_s - first.time_s + 1 / 44_100 < 0.0015


def test_stems_add_up_to_the_mix_and_rendering_is_deterministic():
    scene = sample_scene(1, 6.0)
    one, two = render_sound(scene), render_sound(sample_scene(1, 6.0))
    assert torch.allclose(torch.stack(list(one.stems.values())).sum(0), one.mix, atol=1e-6)
    assert torch.equal(one.mix, two.mix) and one.loudness_db == two.loudness_db
    a, b = (render_picture(sample_scene(1, 1.0), rate=RATE, height=48, width=64) for _ in range(2))
    assert torch.equal(a, b) and a.shape == (24, 3, 48, 64) and a.dtype == torch.uint8


def test_any_rate_shows_the_same_moment():
    scene = sample_scene(7, 2.0)
    still = [replace(s, grade=replace(s.grade, noise=0.0, motion_blur=False)) for s in scene.shots]
    scene = replace(scene, shots=tuple(still))
    slow = render_picture(scene, rate=Fraction(24), height=48, width=48)
    fast = render_picture(scene, rate=Fraction(96), height=48, width=48)
    assert torch.allclose(slow.float(), fast[::4].float(), atol=2.0)


def test_truth_has_the_fields_of_the_format_and_places_inside_the_picture_when_visible():
    for seed in range(8):
        scene = sample_scene(seed, 8.0)
        record = truth(scene, render_sound(scene), RATE)
        assert {"duration_s", "fps", "caption", "objects", "events"} <= set(record)
        for event in record["events"]:
            assert {
                "time_s",
                "end_s",
                "action",
                "object_id",
                "material",
                "loudness_db",
                "x",
                "y",
                "visible",
                "audible",
            } <= set(event)
            assert 0 <= event["time_s"] <= 8.0 and event["end_s"] >= event["time_s"]
            assert not event["visible"] or (0 <= event["x"] <= 1 and 0 <= event["y"] <= 1)


def test_a_harder_blow_is_louder_and_a_bigger_object_lower():
    scene = next(
        s for s in (sample_scene(k, 8.0) for k in range(50)) if len(s.objects) == 1 and len(scene_contacts(s)) > 5
    )
    loudness = render_sound(scene).loudness_db
    pairs = [(c.impulse, loudness[k]) for k, (_, c) in enumerate(scene_contacts(scene))]
    order = np.argsort([p[0] for p in pairs])
    assert np.corrcoef(np.arange(len(order)), np.array([p[1] for p in pairs])[order])[0, 1] > 0.5
    low, high = stage(1, size_m=0.8).thing("strike", ""), stage(1, size_m=0.2).thing("strike", "")
    from openfoley.gym.timbre import impact

    centroid = [
        float(
            (torch.fft.rfft(impact(o, 44_100)[0]).abs() * torch.arange(impact(o, 44_100)[0].shape[-1] // 2 + 1)).sum()
            / torch.fft.rfft(impact(o, 44_100)[0]).abs().sum()
            / impact(o, 44_100)[0].shape[-1]
        )
        for o in (low, high)
    ]
    assert centroid[0] < centroid[1]


def test_silence_is_digital_silence():
    scene = sample_scene(3, 4.0, silent=True)
    assert float(render_sound(scene).mix.abs().max()) == 0.0 and scene.caption == "silence"
    frames = render_picture(scene, rate=RATE, height=32, width=32).float()
    assert frames.diff(dim=0).abs().mean() > 0.05
