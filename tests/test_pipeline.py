"""The line end to end with tiny random weights: lengths, repeatability, continuity, memory."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch

import openfoley
from openfoley.errors import MediaError, UsageError
from openfoley.flow.masking import Known
from openfoley.flow.noise import NoiseSource
from openfoley.media import source
from openfoley.media.read.decode import picked_frames
from openfoley.media.source import Source
from openfoley.pipeline import Pipeline, load
from openfoley.request import Prompting
from openfoley.synthesis.assembler import TakeAssembler
from openfoley.synthesis.conditions import ConditionBuilder
from openfoley.synthesis.features import encoded_pictures
from openfoley.timeline.plan import PlannedWindow, make_plan
from openfoley.timeline.shots import shots_of
from openfoley.types import Conditions

MakeVideo = Callable[..., Path]


@pytest.fixture(scope="module")
def pipeline(tiny_model: Path) -> Pipeline:
    return load(tiny_model)


@pytest.fixture(scope="module")
def video(make_video: MakeVideo) -> Path:
    return make_video(duration_s=1.0)


@pytest.fixture(scope="module")
def long_video(make_video: MakeVideo) -> Path:
    return make_video("long.mp4", duration_s=11.0)


@pytest.mark.parametrize(("frames", "rate"), [(1, Fraction(25)), (24, Fraction(24)), (31, Fraction(30000, 1001))])
def test_sound_is_exactly_as_long_as_the_picture(
    pipeline: Pipeline, make_video: MakeVideo, frames: int, rate: Fraction
) -> None:
    video = make_video("exact.mp4", duration_s=float(frames / rate), rate=rate)
    take = pipeline.generate(video, steps=1)
    assert take.sample_rate == 44100
    assert take.audio.samples.shape == (2, round(frames / rate * 44100))
    assert take.audio.samples.isfinite().all() and take.audio.samples.abs().max() > 0


def test_same_seed_gives_the_same_bytes_and_another_seed_does_not(pipeline: Pipeline, video: Path) -> None:
    first, again = (pipeline.generate(video, steps=2, seed=3).audio.samples for _ in range(2))
    other = pipeline.generate(video, steps=2, seed=4).audio.samples
    assert torch.equal(first, again)
    assert not torch.allclose(first, other)


def test_a_video_is_decoded_once_if_its_pictures_fit(
    pipeline: Pipeline, video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes: list[int] = []

    def counting(*arguments: Any, **options: Any) -> Any:
        passes.append(1)
        return picked_frames(*arguments, **options)

    monkeypatch.setattr(source, "picked_frames", counting)
    once = pipeline.generate(video, steps=1).audio.samples
    assert len(passes) == 1
    twice = pipeline.generate(Source.file(video, kept_bytes=0), steps=1).audio.samples
    assert len(passes) == 3 and torch.equal(once, twice)


def test_takes_together_are_the_takes_alone(pipeline: Pipeline, long_video: Path) -> None:
    together = pipeline.generate_takes(long_video, [7, 8], steps=1)
    for take, seed in zip(together, (7, 8), strict=True):
        assert take.request.sampling.seed == seed
        assert torch.equal(take.audio.samples, pipeline.generate(long_video, steps=1, seed=seed).audio.samples)


@pytest.mark.parametrize("prompt", [None, "a ball"])
def test_takes_in_one_batch_are_close_to_the_takes_alone(
    pipeline: Pipeline, long_video: Path, monkeypatch: pytest.MonkeyPatch, prompt: str | None
) -> None:
    from openfoley.synthesis import windows as module

    rows: list[int] = []
    real = module.sample_latents

    def spy(generator: Any, conditions: Conditions, source: NoiseSource, *arguments: Any, **options: Any) -> Any:
        assert conditions.batch == len(source.seeds)
        rows.append(conditions.batch)
        return real(generator, conditions, source, *arguments, **options)

    monkeypatch.setattr(module, "sample_latents", spy)
    asked: dict[str, Any] = {"steps": 2, "prompt": prompt, "negative_prompt": "rain"}
    batched = pipeline.generate_takes(long_video, [7, 8, 9], batch_takes=True, **asked)
    assert rows == [3, 3]
    alone = pipeline.generate_takes(long_video, [7, 8, 9], batch_takes=False, **asked)
    assert rows == [3, 3] + 6 * [1]
    for one, other in zip(batched, alone, strict=True):
        torch.testing.assert_close(one.audio.samples, other.audio.samples, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(alone[0].audio.samples, alone[1].audio.samples, atol=1e-3)
    single = pipeline.generate(long_video, seed=8, batch_takes=False, **asked)
    assert torch.equal(alone[1].audio.samples, single.audio.samples)


def test_progress_of_a_batch_and_of_takes_alone_counts_up_to_the_duration(pipeline: Pipeline, long_video: Path) -> None:
    for batch_takes in (True, False):
        logs: list[float] = []
        pipeline.generate_takes(
            long_video, [7, 8], steps=2, batch_takes=batch_takes, progress=lambda done, _, logs=logs: logs.append(done)
        )
        assert logs == sorted(logs) and logs[-1] == 11.0 and all(0 <= done <= 11.0 for done in logs)


@pytest.mark.parametrize("setting", ["prompt", "negative_prompt"])
def test_texts_change_the_sound(pipeline: Pipeline, video: Path, setting: str) -> None:
    without = pipeline.generate(video, steps=2).audio.samples
    blank = pipeline.generate(video, steps=2, **{setting: "  "}).audio.samples
    with_text = pipeline.generate(video, steps=2, **{setting: "a wooden ball"}).audio.samples
    assert torch.equal(without, blank)
    assert not torch.equal(without, with_text)


def test_guidance_of_one_ignores_the_negative_prompt(pipeline: Pipeline, video: Path) -> None:
    first = pipeline.generate(video, steps=1, guidance=1.0).audio.samples
    second = pipeline.generate(video, steps=1, guidance=1.0, negative_prompt="rain").audio.samples
    assert torch.equal(first, second)


def test_conditions_of_a_later_window_are_those_of_a_whole_pass(pipeline: Pipeline, long_video: Path) -> None:
    """Features at absolute times: streaming and dropping change nothing."""
    codec = pipeline.model.codec
    shots = shots_of(Fraction(11), [], "auto")
    windows = make_plan(shots, codec.latent_rate)
    assert len(windows) == 2

    def listener() -> ConditionBuilder:
        feed = encoded_pictures(pipeline.model, Source.file(long_video), shots, pipeline.device)
        return ConditionBuilder(pipeline.model, shots, feed, pipeline.device)

    streaming, whole = listener(), listener()
    streamed = [streaming.conditions(window, Prompting(prompt="a ball"))[0] for window in windows][1]
    whole._read_until(0, Fraction(11))
    late, _ = whole.conditions(windows[1], Prompting(prompt="a ball"))
    assert list(streamed.features) == list(late.features) == ["sync", "semantic", "text"]
    for name, sequence in streamed.features.items():
        for part, value in vars(sequence).items():
            assert torch.equal(value, getattr(late[name], part)), (name, part)
    zero = windows[1].window.first_latent / codec.latent_rate
    absolute = (streamed["sync"].time_s[0].double() + float(zero)) * 24
    torch.testing.assert_close(absolute, absolute.round(), atol=1e-4, rtol=0)
    assert absolute.round().diff().eq(1).all()


def test_progress_ends_at_the_duration(pipeline: Pipeline, long_video: Path) -> None:
    logs: list[tuple[float, float]] = []
    pipeline.generate(long_video, steps=2, progress=lambda done, total: logs.append((done, total)))
    done = [d for d, _ in logs]
    assert done == sorted(done) and logs[-1] == (11.0, 11.0)


@pytest.mark.parametrize(
    "settings",
    [{"steps": 0}, {"steps": 129}, {"steps": 2.5}, {"guidance": -1}, {"guidance": 21}, {"guidance": float("nan")}]
    + [{"seed": -1}],
)
def test_settings_out_of_range_are_usage_errors(pipeline: Pipeline, video: Path, settings: dict) -> None:
    with pytest.raises(UsageError, match=next(iter(settings))):
        pipeline.generate(video, **settings)


def test_missing_video_and_folder_are_usage_errors(pipeline: Pipeline, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        pipeline.generate(tmp_path / "none.mp4")
    with pytest.raises(UsageError, match="directory"):
        pipeline.generate(tmp_path)


def test_text_named_mp4_is_a_media_error(pipeline: Pipeline, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("not a video")
    with pytest.raises(MediaError):
        pipeline.generate(tmp_path / "text.mp4")


def test_a_take_leaves_no_temporary_file(
    pipeline: Pipeline, video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its samples are in a file without a name, so that a killed process leaves nothing behind."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    take = pipeline.generate(video, steps=1)
    assert take.audio.samples.shape[1] == take.samples.length > 0
    assert not list(tmp_path.iterdir())


def test_context_is_kept_between_windows(pipeline: Pipeline, long_video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the second window calls known is what the first one made and kept, bit for bit; what that made beyond its
    end fades into the second."""
    from openfoley.synthesis import windows as module
    from openfoley.synthesis.crossfade import crossfade_latents

    made = []
    real = module.sample_latents

    def spy(*arguments: Any, known: Known, **options: Any) -> torch.Tensor:
        latent = real(*arguments, known=known, **options)
        made.append((latent, known.is_known))
        return latent

    voiced: list[torch.Tensor] = []
    real_add = TakeAssembler.add

    def add(voice: TakeAssembler, planned: PlannedWindow, latent: torch.Tensor) -> None:
        real_add(voice, planned, latent)
        voiced.append(voice.latents)

    monkeypatch.setattr(module, "sample_latents", spy)
    monkeypatch.setattr(TakeAssembler, "add", add)
    overlap = 13  # other than the context
    pipeline.generate(long_video, steps=2, overlap=0.3)
    (first, known_first), (second, known_second) = made
    context = int(known_second.sum())
    assert not known_first.any() and context == 22
    kept = first[:, :-overlap]
    assert torch.equal(second[:, :context], kept[:, -context:])
    new = crossfade_latents(first[:, -overlap:], second[:, context:])
    assert torch.equal(voiced[1], torch.cat([kept, new], 1)) and not torch.equal(new, second[:, context:])


def test_the_public_surface_is_this_pipeline(tiny_model: Path, video: Path, tmp_path: Path) -> None:
    take = openfoley.load(tiny_model).generate(video, prompt="a ball", steps=1, seed=1)
    assert take.request.prompting.prompt == "a ball" and take.request.sampling.seed == 1 and take.model == "tiny"
    assert isinstance(take.audio, openfoley.Audio)
    assert take.save(tmp_path / "sound.wav").stat().st_size > 0


@pytest.mark.slow
def test_memory_does_not_grow_with_length(tiny_model: Path, make_video: MakeVideo, tmp_path: Path) -> None:
    """Peak memory of a 10-minute file stays within 150 MB of that of a 30-second file (own processes)."""
    import subprocess
    import sys

    code = (
        "import sys, resource, openfoley; t = openfoley.load(sys.argv[1]).generate(sys.argv[2], steps=1);"
        "t.save(sys.argv[3]); print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)"
    )
    peaks_mb = []
    for seconds in (30, 600):
        video = make_video(f"{seconds}.mp4", duration_s=float(seconds))
        command = [sys.executable, "-c", code, str(tiny_model), str(video), str(tmp_path / f"{seconds}.foley.mp4")]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        peaks_mb.append(int(done.stdout))
    assert peaks_mb[1] < peaks_mb[0] + 150, peaks_mb
