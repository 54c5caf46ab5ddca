"""Live sound: the same whatever the pieces, as long as the picture, and blind to what has not been shown yet."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import openfoley
from openfoley.errors import UsageError
from openfoley.pipeline import Pipeline, load

RATE = 24
SETTINGS: dict[str, Any] = {"steps": 1, "seed": 1, "chunk": 0.5, "context": 0.5}


@pytest.fixture(scope="module")
def pipeline(tiny_model: Path) -> Pipeline:
    return load(tiny_model)


@pytest.fixture(scope="module")
def frames() -> Tensor:
    return torch.randint(0, 256, (72, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(2))


def play(pipeline: Pipeline, frames: Tensor, piece: int, rate: float | Fraction = RATE) -> tuple[list[Tensor], Tensor]:
    """The pieces as they came, and the whole."""
    live = openfoley.stream(pipeline, rate, **SETTINGS)
    pieces = [live.push(part) for part in frames.split(piece)]
    pieces.append(live.finish())
    return pieces, torch.cat(pieces, -1)


@pytest.mark.parametrize("rate", [24, Fraction(30000, 1001), 12])
def test_sound_is_as_long_as_the_picture(pipeline: Pipeline, frames: Tensor, rate: float | Fraction) -> None:
    _, whole = play(pipeline, frames[:50], 7, rate)
    assert whole.shape == (2, round(50 / rate * 44100))
    assert whole.isfinite().all() and whole.abs().max() > 0


def test_a_temperature_reaches_the_sampler(pipeline: Pipeline, frames: Tensor) -> None:
    settings = {**SETTINGS, "steps": 4}
    sounds = []
    for options in ({}, {"temperature": 0.0}, {"temperature": 1.0}):
        live = openfoley.stream(pipeline, RATE, **settings, **options)
        sounds.append(torch.cat([live.push(frames), live.finish()], -1))
    assert not torch.equal(sounds[0], sounds[1]) and not torch.equal(sounds[0], sounds[2])
    with pytest.raises(UsageError, match="temperature must be from 0 to 1"):
        openfoley.stream(pipeline, RATE, temperature=2.0)


def test_the_size_of_the_pieces_changes_nothing(pipeline: Pipeline, frames: Tensor) -> None:
    assert torch.equal(play(pipeline, frames, 1)[1], play(pipeline, frames, 72)[1])


def test_later_frames_change_nothing_before_the_look_ahead(pipeline: Pipeline, frames: Tensor) -> None:
    look_ahead_s = openfoley.stream(pipeline, RATE, **SETTINGS).look_ahead_s
    _, before = play(pipeline, frames, 8)
    for changed_from in (48, 60):
        other = frames.clone()
        other[changed_from:] = 255 - other[changed_from:]
        _, after = play(pipeline, other, 8)
        safe = max(0, int((changed_from / RATE - look_ahead_s) * 44100))
        assert safe > 0 and torch.equal(before[:, :safe], after[:, :safe])
        assert not torch.equal(before, after)


def test_samples_leave_within_the_look_ahead(pipeline: Pipeline, frames: Tensor) -> None:
    look_ahead_s = openfoley.stream(pipeline, RATE, **SETTINGS).look_ahead_s
    pieces, _ = play(pipeline, frames, 1)
    given = 0
    for number, piece in enumerate(pieces[:-1], start=1):
        given += piece.shape[-1]
        assert given / 44100 >= number / RATE - look_ahead_s


def test_a_stream_without_frames_is_silent_and_wrong_ones_are_refused(pipeline: Pipeline) -> None:
    live = openfoley.stream(pipeline, 24, **SETTINGS)
    assert live.finish().shape == (2, 0)
    with pytest.raises(UsageError, match="uint8"):
        live.push(torch.zeros(1, 3, 8, 8))
    with pytest.raises(UsageError, match="training length"):
        openfoley.stream(pipeline, 24, chunk=8.0, context=2.0)
    with pytest.raises(UsageError, match="rate"):
        openfoley.stream(pipeline, 0)
