"""The sound of solid bodies: the same as their stems, both bodies of a contact, many contacts at once."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch

from body_scenes import crowded, scene_of, thing
from openfoley.gym import motion
from openfoley.gym.audibility import FAINT_DB, Powers, audible_events
from openfoley.gym.records import Contact, Friction
from openfoley.gym.scene import sample_scene
from openfoley.gym.sound import CEILING, render_sound
from openfoley.gym.truth import truth

HERE = (0.0, 0.2, 1.0)


def test_one_room_for_the_mix_sounds_like_a_room_for_each_object() -> None:
    scene = crowded(60, 6, duration_s=3.0)
    alone, whole = render_sound(scene, with_stems=False), render_sound(scene)
    assert torch.equal(alone.mix, whole.mix) and not alone.stems and len(whole.stems) == 6
    assert float((torch.stack(list(whole.stems.values())).sum(0) - whole.mix).abs().max()) < 1e-6
    assert (alone.loudness_db, alone.lasting_db) == (whole.loudness_db, whole.lasting_db)


def test_the_flat_worlds_mix_is_its_stems_sum_to_the_bit() -> None:
    scene = sample_scene(1, 6.0)
    sound = render_sound(scene, with_stems=False)
    assert torch.equal(torch.stack(list(sound.stems.values())).sum(0), sound.mix)


@pytest.mark.parametrize(("size_m", "share"), [(0.15, 0.5), (0.3, 0.5), (0.6, 0.25), (6.0, 0.1)])
def test_a_contacts_partner_rings_too_the_less_the_larger_it_is(size_m: float, share: float) -> None:
    one, other = thing(0, "steel"), thing(1, "steel", size_m)
    struck = scene_of([one, other], [Contact(1.0, "bounce", "body0", 0.5, HERE, partner="body1")])
    swapped = scene_of([one, other], [Contact(1.0, "bounce", "body1", 0.5, HERE)])
    stem, full = render_sound(struck).stems["body1"], render_sound(swapped).stems["body1"]
    assert torch.allclose(stem, share * full, atol=1e-6)
    alone = scene_of([one, other], [Contact(1.0, "bounce", "body0", 0.5, HERE)])
    assert render_sound(struck).loudness_db[0] > render_sound(alone).loudness_db[0]
    record = truth(struck, render_sound(struck), Fraction(24))
    assert [(e["object_id"], e["material"]) for e in record["events"]] == [("body0", "steel")]


def test_many_hard_contacts_at_once_stay_below_full_scale_and_say_how_loud_they_are() -> None:
    objects = [thing(k, "steel") for k in range(20)]
    contacts = [Contact(1.0, "bounce", o.id, 1.0, HERE) for o in objects]
    loud = render_sound(scene_of(objects, contacts))
    assert float(loud.mix.abs().max()) == pytest.approx(CEILING, abs=1e-5)
    single = render_sound(scene_of(objects[:1], contacts[:1]))
    turned_db = loud.loudness_db[0] - single.loudness_db[0]
    gain = float(loud.stems["body0"].abs().max() / single.stems["body0"].abs().max())
    assert turned_db < -3 and turned_db == pytest.approx(20 * np.log10(gain), abs=0.01)


def test_every_second_contact_of_a_rattle_that_dies_away_counts() -> None:
    powers = [Powers(10.0**-k, 1.0) for k in range(4)]
    times_s = [1.0 + 0.025 * k for k in range(4)]
    quiet = torch.zeros(2, 88_200)
    assert audible_events(times_s, powers, quiet, 44_100, dense=True) == (True, False, True, False)
    assert audible_events(times_s, powers, quiet, 44_100) == (True, False, False, False)


def test_a_contact_in_a_louder_ones_ring_is_masked_and_one_beside_it_gives_way() -> None:
    def heard(gap_s: float, impulse: float) -> list[bool]:
        contacts = [Contact(1.0, "bounce", "body0", 1.0, HERE), Contact(1.0 + gap_s, "bounce", "body1", impulse, HERE)]
        return list(render_sound(scene_of([thing(0, "steel"), thing(1, "wood")], contacts)).audible)

    assert heard(0.02, 0.5) == [True, False]  # two at once: the louder
    assert heard(0.2, 0.5) == [True, True]
    assert heard(0.2, 0.001) == [True, False]  # masked by the ring
    assert heard(1.0, 1e-7)[1] is False  # faint


def test_where_many_ring_an_event_must_begin_as_strong_as_the_ring_before_it() -> None:
    ring = torch.full((2, 44_100), 0.1)
    for early_db, heard in ((1.0, (True, True)), (-3.0, (True, False)), (-7.0, (False, False))):
        powers = [Powers(0.01, 0.01 * 10 ** (early_db / 10))]
        assert (
            *audible_events([0.5], powers, ring, 44_100),
            *audible_events([0.5], powers, ring, 44_100, dense=True),
        ) == heard


def test_slow_rolling_is_in_the_truth_as_inaudible() -> None:
    def rolling(level: float) -> dict:
        roll = Friction(0.5, 2.0, "roll", "body0", motion.constant(level), motion.still(HERE))
        scene = scene_of([thing(0)], [], [roll])
        (event,) = truth(scene, render_sound(scene, with_stems=False), Fraction(24))["events"]
        return event

    loud, soft = rolling(0.5), rolling(1e-3)
    assert loud["audible"] and loud["continuous"] and not soft["audible"]
    assert soft["loudness_db"] < FAINT_DB < loud["loudness_db"]
    assert loud["loudness_db"] - soft["loudness_db"] == pytest.approx(20 * np.log10(500), abs=0.1)


def test_an_object_in_two_shots_has_one_stem() -> None:
    scene = scene_of([thing(0)], [Contact(1.0, "bounce", "body0", 0.5, HERE)], duration_s=2.0)
    (shot,) = scene.shots
    (act,) = shot.performances
    later = replace(act, contacts=[replace(act.contacts[0], time_s=3.0)])
    second = replace(shot, start_s=2.0, end_s=4.0, performances=(later,))
    sound = render_sound(replace(scene, duration_s=4.0, shots=(shot, second)))
    stem = sound.stems["body0"]
    assert len(sound.stems) == 1 and torch.allclose(stem, sound.mix, atol=1e-6)
    assert all(float(stem[:, round(at * 44_100) :][:, :500].abs().max()) > 0.01 for at in (1.0, 3.0))
