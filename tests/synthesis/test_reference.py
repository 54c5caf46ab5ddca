"""A reference sound: encoded as it is, known and unseen in front of every window, dropped afterwards."""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from openfoley.checks import edges
from openfoley.errors import UsageError
from openfoley.pipeline import Pipeline, load
from openfoley.request import Sampling
from openfoley.synthesis.reference import encoded_reference
from openfoley.types import Conditions

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def pipeline(tiny_model: Path) -> Pipeline:
    return load(tiny_model)


@pytest.fixture(scope="module")
def video(make_video: Callable[..., Path]) -> Path:
    return make_video("reference.mp4", duration_s=2.0)


@pytest.fixture
def noise(tmp_path: Path) -> Path:
    """6 s of noise at 44.1 kHz, loud from 3 to 4 s, silent in the last one."""
    samples = 0.05 * np.random.default_rng(0).standard_normal((6 * 44100, 2))
    samples[3 * 44100 : 4 * 44100] *= 5
    samples[5 * 44100 :] = 0
    soundfile.write(tmp_path / "noise.wav", samples, 44100, subtype="FLOAT")
    return tmp_path / "noise.wav"


def test_latents_are_those_of_the_whole_sound(pipeline: Pipeline, noise: Path) -> None:
    """A span that begins on a latent: the encoder receives the sound around it."""
    codec = pipeline.model.codec
    whole = codec.encode(torch.from_numpy(soundfile.read(noise, dtype="float32")[0].T.copy())[None])
    start = 60 * 1024 / 44100
    part = encoded_reference(codec, noise, (start, start + 1.0), CPU)
    assert part.shape[1] == 44100 // 1024
    torch.testing.assert_close(part, whole[:, 60 : 60 + 43], atol=1e-4, rtol=1e-4)


def test_without_a_span_the_loudest_part_is_taken(pipeline: Pipeline, noise: Path) -> None:
    codec = pipeline.model.codec
    chosen = encoded_reference(codec, noise, None, CPU)
    assert chosen.shape[1] == int(2.5 * 44100 / 1024)
    loudest = [encoded_reference(codec, noise, (1.5 + k / 20, 4.0 + k / 20), CPU) for k in range(31)]
    assert any(torch.allclose(chosen, one, atol=1e-4) for one in loudest)


def test_a_film_is_not_read_into_memory_for_its_sound(
    pipeline: Pipeline, noise: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from openfoley.synthesis import reference

    wanted, whole = encoded_reference(pipeline.model.codec, noise, (3.0, 4.0), CPU), 60
    real, largest = reference.sound_pieces, []

    def endless(path: Path) -> tuple[int, Iterator[torch.Tensor]]:
        """The sound, and then five minutes of nearly nothing."""
        rate, pieces = real(path)
        return rate, chain(pieces, (torch.full((2, 5 * rate), 1e-5) for _ in range(whole)))

    monkeypatch.setattr(reference, "sound_pieces", endless)
    real_cat = torch.cat

    def cat(tensors: Sequence[torch.Tensor], dim: int = 0) -> torch.Tensor:
        joined = real_cat(tensors, dim)
        largest.append(joined.numel())
        return joined

    monkeypatch.setattr(torch, "cat", cat)
    assert torch.equal(encoded_reference(pipeline.model.codec, noise, (3.0, 4.0), CPU), wanted)
    assert max(largest) < 2 * 10 * 44100


def test_it_stands_known_and_unseen_in_front_of_every_window(
    pipeline: Pipeline, video: Path, noise: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from openfoley.synthesis import windows as engine

    asked = []
    real = engine.sample_latents

    def spy(generator: Any, conditions: Conditions, source: Any, sampling: Sampling, **options: Any) -> torch.Tensor:
        asked.append((conditions, sampling, options["known"]))
        return real(generator, conditions, source, sampling, **options)

    monkeypatch.setattr(engine, "sample_latents", spy)
    take = pipeline.generate(
        video, steps=1, window=2.0, context=0.5, reference=noise, reference_span=(1.0, 1.6), reference_guidance=2.0
    )
    latents = encoded_reference(pipeline.model.codec, noise, (1.0, 1.6), CPU)
    length = latents.shape[1]
    assert take.duration_s == 2.0 and len(asked) == 2
    for number, (conditions, sampling, clean) in enumerate(asked):
        front = length + (22 if number else 0)
        known = clean.is_known[0]
        assert known[:front].all() and not known[front:].any()
        assert torch.equal(clean.latent[:, :length], latents)
        assert sampling.reference_guidance == 2.0
        edge = length * 1024 / 44100
        for name in ("sync", "semantic"):
            time, present = conditions[name].time_s[0], conditions[name].present[0]
            assert time.diff().gt(0).all()
            assert not present[time < edge - 1e-3].any() and present[time >= edge].all()
            assert time[0] <= 1 / 8 and (~present).sum() >= 4


def test_its_own_guidance_changes_the_sound_and_the_default_is_the_guidance(
    pipeline: Pipeline, video: Path, noise: Path
) -> None:
    def make(**settings: object) -> torch.Tensor:
        return pipeline.generate(video, steps=1, reference=noise, guidance=3.0, **settings).audio.samples  # type: ignore[arg-type]

    assert torch.equal(make(), make(reference_guidance=3.0))
    assert not torch.equal(make(), make(reference_guidance=1.0))


def test_useless_references_are_refused(pipeline: Pipeline, video: Path, noise: Path, tmp_path: Path) -> None:
    codec = pipeline.model.codec
    for span, says in [
        ((1.0, 1.01), "one latent"),
        ((5.2, 5.8), "silent"),
        ((0.0, 2.6), "2.5 s long"),
        ((4.0, 7.0), "6.000 s"),
        ((2.0, 1.0), "begin before"),
        (("x", 1.0), "two times"),
    ]:
        with pytest.raises(UsageError, match=says):
            encoded_reference(codec, noise, edges(span, "reference_span"), CPU)
        with pytest.raises(UsageError, match=says):
            pipeline.generate(video, reference=noise, reference_span=span)
    tone = np.clip(2 * np.sin(np.arange(44100) / 20), -1, 1)
    soundfile.write(tmp_path / "clipped.wav", tone, 44100)
    with pytest.raises(UsageError, match="clipped"):
        encoded_reference(codec, tmp_path / "clipped.wav", None, CPU)
    soundfile.write(tmp_path / "loud.wav", 0.999 * np.sin(np.arange(44100) / 20), 44100)
    assert encoded_reference(codec, tmp_path / "loud.wav", None, CPU).isfinite().all()
    with pytest.raises(UsageError, match="does not exist"):
        pipeline.generate(video, reference=tmp_path / "none.wav")
