"""Which noise a window begins from: that of its place in the picture, and of nothing that is made on its own."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor

import openfoley
from openfoley.flow.noise import NoiseSource
from openfoley.pipeline import Pipeline, load
from openfoley.request import Cue
from openfoley.synthesis import windows as engine
from openfoley.synthesis.windows import own_seed

SETTINGS: dict[str, Any] = {"steps": 1, "cuts": "none"}
SHORT: dict[str, Any] = {**SETTINGS, "window": 2.0, "context": 0.5}
RATE = Fraction(44100, 1024)


@dataclass(frozen=True)
class Drawn:
    """What one window was drawn with."""

    seed: int
    first: int
    latents: int

    @property
    def noise(self) -> dict[int, Tensor]:
        """By the latent's place in the picture."""
        rows = NoiseSource([self.seed], self.latents, self.first).draw(4, torch.device("cpu"))[0]
        return {self.first + k: row for k, row in enumerate(rows)}


@pytest.fixture(scope="module")
def pipeline(tiny_model: Path) -> Pipeline:
    return load(tiny_model)


@pytest.fixture(scope="module")
def video(make_video: Callable[..., Path]) -> Path:
    return make_video("clip.mp4", duration_s=4.0, sound=True)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Drawn]:
    """Every window from here on."""
    windows: list[Drawn] = []
    real = engine.sample_latents

    def spy(generator: Any, conditions: Any, source: NoiseSource, *arguments: Any, **options: Any) -> Tensor:
        windows.append(Drawn(source.seeds[0], source.first, source.latents))
        return real(generator, conditions, source, *arguments, **options)

    monkeypatch.setattr(engine, "sample_latents", spy)
    return windows


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    soundfile.write(tmp_path / "noise.wav", np.random.default_rng(0).uniform(-0.5, 0.5, (44100, 2)), 44100)
    return tmp_path / "noise.wav"


def same_noise(one: Drawn, other: Drawn) -> tuple[bool, int]:
    """Whether two windows begin alike, and in how many latents they meet."""
    shared = one.noise.keys() & other.noise.keys()
    return all(torch.equal(one.noise[k], other.noise[k]) for k in shared), len(shared)


def test_windows_that_share_latents_begin_them_alike(pipeline: Pipeline, video: Path, drawn: list[Drawn]) -> None:
    pipeline.generate(video, seed=3, **SHORT)
    assert len(drawn) >= 2 and drawn[0] == Drawn(3, 0, drawn[0].latents)
    for one, following in zip(drawn, drawn[1:], strict=False):
        alike, shared = same_noise(one, following)
        assert alike and shared >= 22 + 16, "the context and the overlap"


def test_a_reference_in_front_moves_no_noise(
    pipeline: Pipeline, video: Path, reference: Path, drawn: list[Drawn]
) -> None:
    pipeline.generate(video, seed=3, **SETTINGS)
    pipeline.generate(video, seed=3, reference=reference, **SETTINGS)
    plain, with_reference = drawn
    length = with_reference.latents - plain.latents
    assert length > 10 and with_reference.first == -length
    assert same_noise(plain, with_reference) == (True, plain.latents)


def test_a_stream_counts_latents_from_its_beginning(pipeline: Pipeline, drawn: list[Drawn]) -> None:
    frames = torch.randint(0, 256, (72, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(2))
    live = openfoley.stream(pipeline, 24, steps=1, seed=3, chunk=0.5, context=0.5)
    live.push(frames)
    live.finish()
    assert [one.first for one in drawn[:4]] == [0, 0, 22, 44] and {one.seed for one in drawn} == {3}


def test_a_span_regenerated_with_the_seed_of_the_old_sound_has_other_noise(
    pipeline: Pipeline, video: Path, drawn: list[Drawn]
) -> None:
    pipeline.generate(video, seed=0, **SETTINGS)
    pipeline.edit(video, (1.5, 3.0), seed=0, **SETTINGS)
    pipeline.edit(video, (1.5, 3.0), seed=0, **SETTINGS)
    whole, edit, again = drawn
    assert edit == again and edit.first == int(1.5 * RATE) - 22
    alike, shared = same_noise(whole, edit)
    assert not alike and shared > 80
    pipeline.edit(video, (0.0, 2.0), seed=0, **SETTINGS)
    alike, shared = same_noise(whole, drawn[-1])
    assert not alike and shared > 80


def test_takes_of_a_span_differ_inside_a_cue_with_a_seed_too(
    pipeline: Pipeline, video: Path, drawn: list[Drawn]
) -> None:
    cues = [Cue(Fraction(0), Fraction(4), prompt="steel", seed=7)]
    sounds = [pipeline.edit(video, (1.5, 3.0), seed=seed, cues=cues, **SETTINGS).audio.samples for seed in (0, 1)]
    assert len({one.seed for one in drawn}) == 2 and not torch.equal(*sounds)


def test_cues_that_sound_together_do_not_share_their_noise() -> None:
    early, late = (Cue(Fraction(start), Fraction(9)) for start in (1, 2))
    steps, door = (Cue(Fraction(0), Fraction(9), stem=stem) for stem in ("steps", "door"))
    assert len({own_seed(5, None, cue) for cue in (None, early, late, steps, door)}) == 5
    assert own_seed(5, None, None) == 5, "a whole video hangs on its seed alone"
    assert own_seed(5, 80, early) != own_seed(5, None, early)
    assert own_seed(5, 0, None) != 5, "but not what is made anew at its beginning"
