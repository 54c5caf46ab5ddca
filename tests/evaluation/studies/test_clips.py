"""Excerpts of long scenes."""

from dataclasses import replace

import numpy as np
import pytest

from body_scenes import at, crowded
from openfoley.evaluation.metrics.f1 import visible_sums
from openfoley.evaluation.metrics.truth import from_dict
from openfoley.evaluation.studies import clips
from openfoley.evaluation.studies.clips import RATE, excerpt, only_in, pictures_of, times_in
from openfoley.gym.bodies.records import Motion
from openfoley.gym.scene import sample_scene
from openfoley.gym.sound import render_sound
from openfoley.gym.truth import truth


@pytest.fixture(scope="module")
def scene():
    return sample_scene(20_000_007, 24.0, split="evaluation", silent=False, aspect=1.0)


def test_an_excerpt_has_the_events_of_its_stretch_on_its_own_clock(scene) -> None:
    assert len(scene.shots) > 1
    part = excerpt(scene, 4.0, 12.0)
    events = truth(part, render_sound(part, sample_rate=8000), RATE)["events"]
    whole = truth(scene, render_sound(scene, sample_rate=8000), RATE)["events"]

    def contacts(of: list[dict], shift: float) -> list[tuple]:
        return [
            (round(e["time_s"] + shift, 5), e["action"], e["object_id"], e["visible"])
            for e in of
            if not e.get("continuous") and 4.0 <= e["time_s"] + shift < 12.0
        ]

    assert contacts(events, 4.0) == contacts(whole, 0.0) and len(contacts(whole, 0.0)) > 0


def test_an_excerpt_looks_like_its_stretch(scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Same pictures but for the grain, whose seed counts frames."""
    monkeypatch.setattr(clips, "SIDE", 32)
    ours = pictures_of(excerpt(scene, 4.0, 5.0)).float()
    theirs = pictures_of(scene)[96:120].float()
    assert ours.shape == theirs.shape == (24, 3, 32, 32)
    assert (ours - theirs).abs().mean() < 12


def test_an_excerpt_of_bodies_moves_its_solids_too() -> None:
    whole = crowded(20, 2, duration_s=6.0)
    (shot,) = whole.shots
    assert shot.stage is not None
    path = Motion(
        np.linspace([0.0, 0.5, 0.0], [1.0, 0.5, 0.0], 601), at(0, 0, 0).rotation.repeat(601, axis=0), 0.0, 100.0
    )
    body = tuple(replace(shot.stage.solids[0], motion=path, shown=(2.5, 5.0), offset=(0.1 * k, 0, 0)) for k in (0, 1))
    stage = replace(shot.stage, solids=(*body, *shot.stage.solids[1:]))
    part = excerpt(replace(whole, shots=(replace(shot, stage=stage),)), 2.0, 4.0)
    moved = part.shots[0].stage
    assert moved is not None and moved.solids[0].motion is moved.solids[1].motion  # still one body
    times = np.array([0.0, 0.7, 2.0])
    assert np.array_equal(moved.solids[0].motion.at(times)[0], path.at(times + 2.0)[0])
    assert moved.solids[0].shown == (0.5, 3.0)
    kept = [c.time_s - 2.0 for c in shot.performances[0].contacts if 2.0 <= c.time_s < 4.0]
    assert [c.time_s for c in part.shots[0].performances[0].contacts] == kept


def test_only_in_scores_the_events_inside_on_its_own_clock() -> None:
    events = [{"time_s": t, "action": "hit", "material": "wood", "audible": True} for t in (0.5, 1.2, 1.9, 2.5)]
    part = only_in(from_dict({"duration_s": 3.0, "events": events}), 1.0, 2.0)
    assert part.scored_s.tolist() == pytest.approx([0.2, 0.9]) and part.duration_s == 1.0
    assert visible_sums(times_in(np.array([0.5, 1.21, 1.5]), 1.0, 2.0), part) == [1, 2, 2]
