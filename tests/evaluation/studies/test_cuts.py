"""Which cuts are scored."""

from openfoley.evaluation.metrics.truth import Truth, from_dict
from openfoley.evaluation.studies import cuts
from openfoley.evaluation.studies.clips import RATE
from openfoley.gym.scene import sample_scene
from openfoley.gym.sound import render_sound
from openfoley.gym.truth import truth


def test_scored_cuts_lie_between_different_materials_with_an_event_behind() -> None:
    found = 0
    for seed in range(20_000_000, 20_000_006):
        scene = sample_scene(seed, 20.0, split="evaluation", silent=False, aspect=1.0)
        record = truth(scene, render_sound(scene, sample_rate=8000), RATE)
        seen: Truth = from_dict(record).only(True)
        for number in cuts.scored_cuts(scene, from_dict(record)):
            start = scene.shots[number].start_s
            assert ((seen.scored_s >= start) & (seen.scored_s < start + 1)).any()
            found += 1
    assert found > 0
