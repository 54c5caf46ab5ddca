"""Warnings about prompt words and video that are unlike the training data."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
import torch

from openfoley.gym.picture import scene_frames
from openfoley.gym.scene import sample_scene
from openfoley.hub.familiarity import Familiarity, SeenPictures
from openfoley.hub.knowledge import real_footage_words, unknown_words
from openfoley.media.source import Source
from openfoley.pipeline import load


def test_words_outside_of_the_captions_are_listed_in_order() -> None:
    assert unknown_words("salsa-v-gym", ["a wooden ball", None, "A dog barks and a car passes"]) == [
        "dog",
        "barks",
        "car",
        "passes",
    ]
    assert unknown_words("salsa-v-gym", ["Tür 2_3", "мяч, ボール"]) == ["tür", "мяч", "ボール"], "of any script"
    assert unknown_words("mmaudio-small-16k", ["a dog barks"]) == []
    assert "mmaudio-large-44k-v2" in real_footage_words("salsa-v-gym") and real_footage_words("mmaudio-small-16k") == ""


def test_the_distance_of_the_training_itself_is_one_and_grows_with_what_is_strange() -> None:
    random = torch.Generator().manual_seed(0)
    features = torch.randn(4000, 16, generator=random) * torch.linspace(0.5, 2, 16) + 3
    known = Familiarity.of(features, threshold=1.5)
    near, far = SeenPictures(known), SeenPictures(known)
    for part in features.split(37):
        near.add(part)
        far.add(part + 4)
    assert near.distance == pytest.approx(1, abs=0.05) and not near.is_unlike_training and far.is_unlike_training


def test_it_survives_its_file(tmp_path: Path) -> None:
    known = Familiarity.of(torch.randn(200, 8), threshold=1.25)
    known.save(tmp_path)
    read = Familiarity.load(tmp_path)
    assert read is not None and torch.equal(read.precision, known.precision) and read.threshold == 1.25
    assert Familiarity.load(tmp_path / "none") is None


def test_the_shipped_model_takes_a_gym_scene_for_known_and_bars_for_strange(caplog: pytest.LogCaptureFixture) -> None:
    pipeline = load()
    scene = sample_scene(5, 2.0, aspect=1.0)
    frames = torch.cat(list(scene_frames(scene, Fraction(24), 96, 96, torch.device("cpu"))))
    pipeline.generate(Source.tensor(frames, 24), steps=1, prompt="a wooden ball", cuts="none")
    assert "unlike" not in caplog.text and "never saw" not in caplog.text
    colours = torch.tensor([[255, 255, 0, 0], [255, 0, 255, 0], [0, 255, 255, 0]], dtype=torch.uint8)
    bars = colours.repeat_interleave(24, 1)[:, None].expand(3, 96, 96).repeat(48, 1, 1, 1)
    pipeline.generate(Source.tensor(bars, 24), steps=1, prompt="a dog barks", cuts="none")
    assert "never saw the words dog, barks" in caplog.text and "there is --model mmaudio-large" in caplog.text
    caplog.clear()
    pipeline.generate(Source.tensor(bars, 24), steps=1, select="a dog", cuts="none")
    assert caplog.text.count("for real footage there is --model selva-large-44k") == 2, "words and pictures"
    assert "mmaudio" not in caplog.text


def test_a_silent_result_is_reported_with_what_to_do(
    tiny_model: Path, make_video: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    from openfoley.cli import main
    from openfoley.codecs.oobleck import OobleckCodec

    monkeypatch.setattr(OobleckCodec, "decode", lambda self, latent: torch.zeros(1, 2, latent.shape[1] * 1024))
    video = make_video(duration_s=0.5)
    assert (
        main(["generate", str(video), "--model", str(tiny_model), "--steps", "1", "--out", str(tmp_path / "o.wav")])
        == 0
    )
    said = capsys.readouterr().err
    assert "peak -200.0 dBFS, 0 onsets" in said and "the result is silent" in said and "--prompt" in said
