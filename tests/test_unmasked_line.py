"""The whole line with a generator of MMAudio's kind: video, long video, still image and text alone."""

import json
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from openfoley.cli import main
from openfoley.errors import UsageError
from openfoley.flow.settings import SHORTCUT
from openfoley.pipeline import Pipeline, load

TEST_SEED = 1234


@pytest.fixture(scope="session")
def unmasked_model(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with Synchformer and a stretched MMAudio generator in the places of SALSA-V's."""
    from openfoley.encoders import synchformer
    from openfoley.generators.mmaudio.config import GYM
    from openfoley.generators.mmaudio.model import MMAudioGenerator
    from openfoley.hub.load import load_model
    from openfoley.hub.parts import Model
    from openfoley.hub.save import save_model

    torch.manual_seed(TEST_SEED)
    tiny = load_model(tiny_model)
    small = {"image_size": 32, "hidden_size": 32, "heads": 2, "mlp_size": 32, "layers": 1}
    seeing = synchformer.SynchformerEncoder(replace(synchformer.SYNCHFORMER, **small))
    sizes = {"semantic_dim": 32, "sync_dim": 32, "text_dim": 32, "width": 32, "heads": 1, "mlp_width": 32}
    generator = MMAudioGenerator(
        replace(GYM, **sizes, audio_blocks=1, sync_segment=8, window_latents=86, clock="stretched")
    )
    for parameter in [*seeing.parameters(), *generator.parameters()]:
        torch.nn.init.normal_(parameter, std=0.1)
    parts = {**tiny.parts, "sync": seeing, "generator": generator}
    model = Model.of_parts("tiny-unmasked", parts, config={})
    return save_model(tmp_path_factory.mktemp("model") / "unmasked", model)


@pytest.fixture(scope="module")
def pipeline(unmasked_model: Path) -> Pipeline:
    return load(unmasked_model)


def test_a_video_of_several_windows_gets_sound_of_its_length(
    pipeline: Pipeline, make_video: Callable[..., Path]
) -> None:
    video = make_video(duration_s=4.48, rate=Fraction(25))
    assert len(pipeline.plan(video, cuts="none")) > 1
    take = pipeline.generate(video, seed=3, steps=3, guidance=2.0, cuts="none")
    assert take.samples.length == round(4.48 * 44100) and take.audio.samples.isfinite().all()
    again = pipeline.generate(video, seed=3, steps=3, guidance=2.0, cuts="none")
    assert torch.equal(take.audio.samples, again.audio.samples)


def test_guidance_of_its_own_reaches_the_sound(
    pipeline: Pipeline, tiny_model: Path, make_video: Callable[..., Path]
) -> None:
    video = make_video(duration_s=1.0)
    asked = {"prompt": "a ball", "steps": 2, "guidance": 3.0}
    plain = pipeline.generate(video, **asked).audio.samples
    assert not torch.equal(plain, pipeline.generate(video, **asked, text_guidance=7.0).audio.samples)
    assert not torch.equal(plain, pipeline.generate(video, **asked, negative_prompt="rain").audio.samples)
    ours = load(tiny_model)
    other = ours.generate(video, **asked, text_guidance=7.0).audio.samples
    assert not torch.equal(ours.generate(video, **asked).audio.samples, other)
    with pytest.raises(UsageError, match="temperature must be from 0 to 1"):
        ours.generate(video, **asked, temperature=1.5)
    with pytest.raises(UsageError, match="negative_guidance is not an option of tiny; it has guidance, .*temperature"):
        ours.generate(video, **asked, negative_guidance=7.0)
    with pytest.raises(UsageError, match="picture_guidance must be from 0 to 20, got -1"):
        pipeline.generate(video, **asked, picture_guidance=-1.0)


def test_a_solver_of_the_other_kind_of_model_is_refused(pipeline: Pipeline) -> None:
    with pytest.raises(UsageError, match="solver is not an option of tiny-unmasked; it has guidance, negative_"):
        pipeline.generate(duration=1, prompt="rain", solver=SHORTCUT)
    with pytest.raises(
        UsageError, match="temperature is not an option of tiny-unmasked; it has guidance, negative_guidance"
    ):
        pipeline.generate(duration=1, prompt="rain", temperature=0.5)


def test_a_length_far_from_the_training_is_reported(
    pipeline: Pipeline, make_video: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    pipeline.generate(make_video(duration_s=0.5), steps=1)
    assert "trained on 2 s" in caplog.text and "0.5 s is far" in caplog.text


@pytest.mark.parametrize("folder", ["unmasked_model", "tiny_model"])
def test_text_alone_and_a_still_image_make_sound(
    folder: str, tmp_path: Path, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    model = str(request.getfixturevalue(folder))
    out = tmp_path / "rain.wav"
    words = ["generate", "--model", model, "--duration", "1.25", "--steps", "2", "--prompt", "rain", "--json"]
    assert main([*words, "--out", str(out)]) == 0
    data = json.loads(capsys.readouterr().out)
    assert out.is_file() and data["video"] is None and data["duration_s"] == 1.25

    import av

    image = tmp_path / "scene.png"
    pixels = np.random.default_rng(0).integers(0, 255, (35, 51, 3), dtype=np.uint8)
    with av.open(str(image), "w", format="image2", options={"update": "1"}) as container:
        stream = container.add_stream("png", rate=1)
        stream.width, stream.height, stream.pix_fmt = 51, 35, "rgb24"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))
    assert main([*words[:3], str(image), *words[3:]]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["takes"][0]["path"].endswith("scene.foley.wav") and data["duration_s"] == pytest.approx(1.25, abs=0.01)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["generate"], "pass a VIDEO, or --duration"),
        (["generate", "--duration", "3"], "pass --prompt"),
        (["generate", "--duration", "0", "--prompt", "x"], "duration must be above 0"),
        (["generate", "--duration", "3", "--prompt", "x", "--out", "x.mp4"], "should end in .wav or .flac"),
        (["generate", "--model", "mmaudio-tiny-3k", "--duration", "1", "--prompt", "x"], "unknown model"),
    ],
)
def test_what_is_missing_is_reported_first(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert message in capsys.readouterr().err


def test_duration_with_a_video_is_refused(make_video: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", str(make_video()), "--duration", "3"]) == 2
    assert "as long as it is" in capsys.readouterr().err


def test_offline_without_weights_the_command_names_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from openfoley.hub import memory

    monkeypatch.setattr(memory, "available_bytes", lambda _device: None)
    monkeypatch.setenv("OPENFOLEY_CACHE", str(tmp_path))
    out = str(tmp_path / "x.wav")
    words = ["generate", "--model", "mmaudio-small-16k", "--duration", "8", "--prompt", "rain", "--out", out]
    assert main(words) == 1
    error = capsys.readouterr().err
    assert "mmaudio_small_16k.pth" in error and "best_netG.pt" in error and "--weights-dir" in error
