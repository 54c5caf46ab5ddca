"""The ways to join windows, end to end with tiny random weights: each does what it says, resumes, and refuses what it
cannot do."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch

import openfoley
from openfoley.errors import UsageError
from openfoley.pipeline import Pipeline, load
from openfoley.request import Cue, Cut, Request
from openfoley.request.timeline import JOINS
from openfoley.synthesis import windows as engine
from openfoley.synthesis.assembler import TakeAssembler
from openfoley.synthesis.crossfade import rising
from openfoley.timeline.plan import PlannedWindow, join_place

SHORT: dict[str, Any] = {"steps": 2, "cuts": "none", "window": 2.0, "context": 0.5}
HOP = 1024


@pytest.fixture(scope="module")
def pipeline(tiny_model: Path) -> Pipeline:
    return load(tiny_model)


@pytest.fixture(scope="module")
def video(make_video: Callable[..., Path]) -> Path:
    return make_video("clip.mp4", duration_s=4.0, sound=True)


def made(pipeline: Pipeline, video: Path, **asked: Any) -> torch.Tensor:
    return pipeline.generate(video, **{**SHORT, **asked}).audio.samples


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch) -> list[tuple[PlannedWindow, torch.Tensor]]:
    """Every window with its latents, as it is made."""
    windows: list[tuple[PlannedWindow, torch.Tensor]] = []
    real = TakeAssembler.add

    def add(take: TakeAssembler, planned: PlannedWindow, latent: torch.Tensor) -> None:
        windows.append((planned, latent))
        real(take, planned, latent)

    monkeypatch.setattr(TakeAssembler, "add", add)
    return windows


def test_each_join_has_its_own_sound_of_the_same_length_and_the_default_is_the_crossfade(
    pipeline: Pipeline, video: Path
) -> None:
    sounds = {join: made(pipeline, video, join=join) for join in JOINS}
    assert torch.equal(sounds["crossfade"], made(pipeline, video))
    assert {sound.shape for sound in sounds.values()} == {(2, 4 * 44100)}
    assert all(sound.isfinite().all() for sound in sounds.values())
    for one in JOINS:
        assert all(one == other or not torch.equal(sounds[one], sounds[other]) for other in JOINS)


def test_hard_joins_follow_one_another_without_overlap(
    pipeline: Pipeline, video: Path, added: list[tuple[PlannedWindow, torch.Tensor]]
) -> None:
    sound = made(pipeline, video, join="hard")
    pieces = [latent[:, planned.window.context :] for planned, latent in added]
    assert all(planned.window.overlap == 0 for planned, _ in added) and len(pieces) > 2
    whole = pipeline.model.codec.decode(torch.cat(pieces, 1))[0, :, : sound.shape[-1]]
    torch.testing.assert_close(sound, whole, atol=1e-4, rtol=1e-4)


def test_equal_power_joins_decode_both_windows_and_crossfade_their_samples(
    pipeline: Pipeline, video: Path, added: list[tuple[PlannedWindow, torch.Tensor]]
) -> None:
    sound = made(pipeline, video, join="equal-power")
    (first, before), (second, behind) = added[:2]
    faded = second.window.faded
    assert faded == first.window.overlap == 16 and second.window.crossfaded == 0
    decode = pipeline.model.codec.decode
    one, other = decode(before)[0], decode(behind)[0]
    start, weight = second.first_new * HOP, rising(faded * HOP)
    other = other[:, second.window.context * HOP :][:, : faded * HOP]
    mixed = one[:, start : start + faded * HOP] * weight.flip(0) + other * weight
    torch.testing.assert_close(sound[:, start : start + faded * HOP], mixed, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(sound[:, : start - HOP], one[:, : start - HOP], atol=1e-4, rtol=1e-4)


def test_equal_power_joins_that_the_decoder_finishes_in_several_pieces(
    pipeline: Pipeline, make_video: Callable[..., Path], added: list[tuple[PlannedWindow, torch.Tensor]]
) -> None:
    """Of a window of 6 s the decoder's last piece begins within the fade."""
    sound = made(pipeline, make_video("twelve.mp4", duration_s=12.0), join="equal-power", window=None)
    (_, before), (second, behind) = added[:2]
    faded, start = second.window.faded, second.first_new * HOP
    one, other = (pipeline.model.codec.decode(latent)[0] for latent in (before, behind))
    assert faded == 22 and one.shape[-1] >= start + faded * HOP
    weight = rising(faded * HOP)
    mixed = (
        one[:, start:][:, : faded * HOP] * weight.flip(0)
        + other[:, second.window.context * HOP :][:, : faded * HOP] * weight
    )
    torch.testing.assert_close(sound[:, start : start + faded * HOP], mixed, atol=1e-4, rtol=1e-4)


def test_a_window_with_swap_is_denoised_with_the_next_whose_known_latents_are_what_both_made(
    pipeline: Pipeline, video: Path, added: list[tuple[PlannedWindow, torch.Tensor]], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    real = engine.sample_beside_next

    def spy(generator: Any, one: Any, beside: Any, shared: Any, *rest: Any) -> torch.Tensor:
        noise = [w.source.draw(4) for w in (one, beside)]
        here, there = (slice(k, k + shared.count) for k in (shared.left, shared.right))
        assert torch.equal(noise[0][:, here], noise[1][:, there]), "they begin alike"
        assert not one.known.is_known[:, here].any() and not beside.known.is_known[:, there].any()
        calls.append(shared)
        return real(generator, one, beside, shared, *rest)

    monkeypatch.setattr(engine, "sample_beside_next", spy)
    made(pipeline, video, join="swap")
    assert len(calls) == len(added) - 1 and {one.count for one in calls} == {22 + 16}
    for (before, one), (after, other) in zip(added, added[1:], strict=False):
        assert before.window.shared == after.window.context == 38 and before.window.overlap == 0
        assert torch.equal(one[:, -38:], other[:, :38])
    place, width = join_place(added[0][0].window, added[1][0].window)
    assert (place, width) == (added[1][0].first_new - 19, 38)


def test_swap_also_joins_windows_of_a_generator_that_was_trained_without_known_latents(
    selva: Pipeline, film: Path, added: list[tuple[PlannedWindow, torch.Tensor]]
) -> None:
    short: dict[str, Any] = {"steps": 2, "cuts": "none", "window": 1.5, "context": 0.5}
    faded = selva.generate(film, **short).audio.samples
    added.clear()
    sound = selva.generate(film, **short, join="swap").audio.samples
    assert sound.shape == faded.shape and not torch.equal(sound, faded) and sound.isfinite().all()
    swapped = [(planned.window, latent) for planned, latent in added if planned.window.shared]
    assert swapped
    for before, latent in swapped:
        behind = next(latents for one, latents in added if one.window.first_latent == before.end_latent - before.shared)
        torch.testing.assert_close(behind[:, : before.shared], latent[:, -before.shared :])


def broken_off(pipeline: Pipeline, video: Path, monkeypatch: pytest.MonkeyPatch, after: int, **asked: Any) -> None:
    """Generate two takes until `after` windows of both are made."""
    real, calls = TakeAssembler.add, []

    def breaks(take: TakeAssembler, planned: PlannedWindow, latent: torch.Tensor) -> None:
        calls.append(planned)
        if len(calls) > after:
            raise KeyboardInterrupt
        real(take, planned, latent)

    with monkeypatch.context() as patch:
        patch.setattr(TakeAssembler, "add", breaks)
        with pytest.raises(KeyboardInterrupt):
            pipeline.generate_takes(video, [1, 2], **asked)


@pytest.mark.parametrize("join", ["equal-power", "swap"])
def test_interrupted_work_resumes_to_the_same_samples(
    pipeline: Pipeline, video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, join: str
) -> None:
    cuts = [Cut(Fraction(19, 10), "carry"), Cut(Fraction(31, 10), "reset")]
    asked = {**SHORT, "join": join, "cuts": cuts, "window": 1.5}
    whole = [take.audio.samples for take in pipeline.generate_takes(video, [1, 2], **asked)]
    broken_off(pipeline, video, monkeypatch, 5, work=tmp_path / "work", **asked)
    again = pipeline.generate_takes(video, [1, 2], work=tmp_path / "work", **asked)
    assert all(torch.equal(one.audio.samples, other) for one, other in zip(again, whole, strict=True))
    assert again[0].work is not None
    again[0].work.remove()


@pytest.mark.parametrize("join", JOINS)
def test_joins_go_with_cuts_cues_spans_and_batches(pipeline: Pipeline, video: Path, join: str) -> None:
    cues = [Cue(Fraction(0), Fraction(3, 2), prompt="wood"), Cue(Fraction(5, 2), Fraction(4), prompt="steel")]
    cuts = [Cut(Fraction(1), "carry"), Cut(Fraction(3), "reset")]
    asked = Request.of(join=join, cues=cues, cuts=cuts, steps=1, window=1.2, context=0.3)
    both = pipeline.generate_takes(video, [1, 2], asked, batch_takes=True)
    alone = pipeline.generate_takes(video, [1, 2], asked, batch_takes=False)
    for one, other in zip(both, alone, strict=True):
        torch.testing.assert_close(one.audio.samples, other.audio.samples, atol=1e-4, rtol=1e-4)
    edit = pipeline.edit(video, (0.5, 3.5), steps=1, window=1.5, context=0.3, join=join)
    assert edit.audio.samples.shape[-1] >= 4 * 44100 and edit.audio.samples.isfinite().all()


def test_a_longer_overlap_is_asked_for_in_seconds(pipeline: Pipeline, video: Path) -> None:
    plan = pipeline.plan(video, **{**SHORT, "overlap": 0.3})
    assert {one.window.crossfaded for one in plan[1:]} == {13}
    assert pipeline.plan(video, **SHORT, join="hard")[1].window.crossfaded == 0


def test_what_cannot_work_is_refused_before_heavy_work(pipeline: Pipeline, video: Path) -> None:
    with pytest.raises(UsageError, match="join hard has no overlap, got 0.5 s; leave overlap out"):
        pipeline.generate(video, join="hard", overlap=0.5)
    with pytest.raises(UsageError, match="join"):
        pipeline.generate(video, join="soft")
    with pytest.raises(UsageError, match="no cuts, cues, spans, windows, joins or reference"):
        openfoley.stream(pipeline, 24, join="swap")
