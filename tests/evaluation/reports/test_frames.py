"""Frames in memory are what the encoders get, at their instants, and their cuts are found as in a file."""

from fractions import Fraction
from pathlib import Path

import pytest
import torch

from openfoley.data.gym_cache import FRAME_RATE as RATE
from openfoley.evaluation.studies import clips
from openfoley.gym.scene import sample_scene
from openfoley.media.frames import FrameRequest
from openfoley.media.source import Source
from openfoley.pipeline import load
from openfoley.synthesis.features import encoded_pictures
from openfoley.timeline.shots import shots_of


@pytest.mark.parametrize("rate", [Fraction(24), Fraction(8), Fraction(25), Fraction(30)])
def test_a_request_gets_the_frames_shown_at_its_instants(rate: Fraction) -> None:
    frames = torch.arange(50, dtype=torch.uint8)[:, None, None, None].expand(50, 3, 2, 2)
    chunks = list(Source.tensor(frames, RATE).chunks([FrameRequest("sync", rate, 2, 2)]))
    numbers = torch.cat([chunk.frames[:, 0, 0, 0] for chunk in chunks]).tolist()
    assert numbers == [int(k * RATE / rate) for k in range(len(numbers))]
    assert len(numbers) == -(-50 * rate // RATE)
    firsts = [chunk.first_index for chunk in chunks]
    assert firsts == [sum(len(chunk.frames) for chunk in chunks[:k]) for k in range(len(chunks))]


def test_features_are_those_of_the_pictures(tiny_model: Path) -> None:
    model = load(tiny_model).model
    frames = torch.randint(0, 256, (48, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    source = Source.tensor(frames, RATE)
    runs = list(encoded_pictures(model, source, shots_of(source.info.duration, [], "none"), model.device))
    for name, every in (("sync", 1), ("semantic", 3)):
        ours = torch.cat([run.features for run in runs if run.name == name])
        assert torch.allclose(ours, model.encoders[name].encode(frames[None, ::every])[0], atol=1e-5)


def test_cuts_are_found_as_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clips, "SIDE", 32)
    scene = sample_scene(20_000_007, 24.0, split="evaluation", silent=False, aspect=1.0)
    video = clips.write_clip(tmp_path, "clip", scene, with_sound=False).video
    source = Source.tensor(clips.pictures_of(scene), RATE)
    assert source.cuts() == Source.file(video).cuts() and len(scene.shots) > 1
    assert source.content_hash != Source.tensor(clips.pictures_of(scene)[1:], RATE).content_hash
