"""Codec training: losses judge right, crops are seeded, a short training learns and resumes, judges can learn."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from openfoley.codecs.oobleck import OobleckCodec, OobleckConfig, fold_weight_norm
from openfoley.codecs.spectral_oobleck import GYM, SpectralOobleckCodec
from openfoley.hub.load import load_part
from openfoley.training.codec.crops import random_crops, to_float
from openfoley.training.codec.discriminator import Discriminator, codec_losses, judge_loss
from openfoley.training.codec.losses import (
    FLOOR,
    kl_to_normal,
    level_distance,
    magnitudes,
    mel_triangles,
    reconstruction_loss,
)
from openfoley.training.codec.start import add_weight_norm
from openfoley.training.codec.train import CPU, importance, set_latent_statistics, train_codec

RATE = 44100
TINY = OobleckConfig(RATE, 2, 8, 8, (8, 16, 16), (8, 16), 0.1)


PRESET = replace(
    CPU,
    architecture=TINY,
    steps=16,
    batch=2,
    crop=8 * 1024,
    learning_rate=3e-3,
    warmup_steps=4,
    validate_every=12,
)


@pytest.fixture(scope="module")
def sound() -> np.ndarray:
    """int16 [12, 2, 44100]: decaying partials, a noise burst and silence at random places."""
    random = np.random.default_rng(0)
    time = np.arange(RATE) / RATE
    clips = []
    for _ in range(12):
        clip = np.zeros(RATE)
        for _ in range(4):
            onset = random.uniform(0, 1)
            age = np.maximum(time - onset, 0)
            ring = np.exp(-age * random.uniform(5, 40)) * (time >= onset)
            clip += 0.2 * ring * np.sin(2 * np.pi * random.uniform(200, 8000) * age)
        clips.append(np.stack([clip, random.uniform(0.3, 1) * clip]) + 1e-3 * random.standard_normal((2, RATE)))
    return (np.clip(np.stack(clips), -1, 1) * 32767).astype(np.int16)


def test_full_scale_sine_has_magnitude_one() -> None:
    sine = torch.sin(2 * torch.pi * RATE / 64 * torch.arange(8192) / RATE).expand(1, 2, -1)
    found = magnitudes(sine, 1024)
    assert found[0, 0, 16, 8].item() == pytest.approx(1, abs=1e-3)  # left
    assert found[0, 3].max().item() < FLOOR  # side of a mono sound


@pytest.mark.parametrize("window", [64, 128, 256, 512, 1024, 2048])
def test_mel_triangles_are_means(window: int) -> None:
    triangles = mel_triangles(window, RATE)
    torch.testing.assert_close(triangles.sum(1), torch.ones(len(triangles)))
    assert triangles.min() >= 0


def test_loss_is_zero_for_the_same_sound_and_grows_with_damage() -> None:
    true = 0.1 * torch.randn(1, 2, 8192, generator=torch.Generator().manual_seed(0))
    noise = torch.randn(true.shape, generator=torch.Generator().manual_seed(1))
    losses = [
        reconstruction_loss(true + level * noise, true, CPU.spectral, step=0, rate=RATE) for level in (0, 0.01, 0.1)
    ]
    assert losses[0] == 0 and losses[0] < losses[1] < losses[2]


def test_silence_for_sound_has_a_gradient_back_to_sound() -> None:
    """A decoder far below the floor must not be stuck there."""
    tone = 0.1 * torch.sin(0.2 * torch.arange(8192.0)).expand(1, 2, -1)
    whisper = (1e-7 * tone).requires_grad_()
    reconstruction_loss(whisper, tone, CPU.spectral, step=0, rate=RATE).backward()
    assert whisper.grad is not None and (whisper.grad * tone).sum() < -1


def test_loss_detects_noise_in_silence_and_a_swapped_stereo_image() -> None:
    silence = torch.zeros(1, 2, 8192)
    hiss = 1e-3 * torch.randn(silence.shape, generator=torch.Generator().manual_seed(0))  # -60 dBFS
    assert reconstruction_loss(hiss, silence, CPU.spectral, step=0, rate=RATE) > 1
    one_sided = torch.stack([hiss[:, 0], torch.zeros_like(hiss[:, 0])], 1)
    assert reconstruction_loss(one_sided.flip(1), one_sided, CPU.spectral, step=0, rate=RATE) > 0.5


def test_kl_is_zero_at_the_standard_normal() -> None:
    assert kl_to_normal(torch.zeros(1, 2, 3), torch.ones(1, 2, 3)) == 0
    assert kl_to_normal(torch.ones(1, 2, 3), torch.ones(1, 2, 3)) == 0.5


def test_crops_depend_on_the_generator_alone(sound: np.ndarray) -> None:
    one, again = (random_crops(sound, 4, 1024, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(one, again) and one.shape == (4, 2, 1024) and one.abs().max() <= 1
    assert not torch.equal(one, random_crops(sound, 4, 1024, torch.Generator().manual_seed(4)))


def test_folded_weights_compute_the_same() -> None:
    codec = OobleckCodec(TINY)
    samples = torch.randn(1, 2, 4096)
    before = codec.encode(samples)
    add_weight_norm(codec)
    plain = OobleckCodec(TINY)
    plain.load_state_dict(fold_weight_norm(codec.state_dict()))
    torch.testing.assert_close(plain.encode(samples), before, atol=1e-5, rtol=1e-4)


def test_latents_have_unit_variance_over_the_data(sound: np.ndarray) -> None:
    codec = OobleckCodec(TINY).eval()
    samples = to_float(sound[:4])
    with torch.no_grad():
        set_latent_statistics(codec, samples)
        latents = codec.encode(samples).flatten(0, 1)
    torch.testing.assert_close(latents.mean(0), torch.zeros(8), atol=1e-3, rtol=0)
    torch.testing.assert_close(latents.std(0), torch.ones(8), atol=1e-2, rtol=0)


def test_training_learns_and_writes_a_loadable_codec(sound: np.ndarray, tmp_path: Path) -> None:
    path = train_codec(PRESET, tmp_path, resume=False, sound=sound)
    rows = [line.split(",") for line in (tmp_path / "log.csv").read_text().splitlines()]
    losses = [float(value) for _, name, value in rows[1:] if name == "spectra"]
    assert losses[-1] < 0.8 * losses[0]
    codec = load_part("codec", path.parent)
    assert isinstance(codec, OobleckCodec) and codec.config == TINY
    assert (tmp_path / "pictures" / "reconstruction-0000016.png").exists()
    assert json.loads((tmp_path / "report.json").read_text())["silence_dbfs"] < 0


def test_a_codec_between_spectra_starts_from_components_and_learns(sound: np.ndarray, tmp_path: Path) -> None:
    tiny = replace(GYM, latent_dim=16, widths=(8, 8, 16))
    preset = replace(PRESET, architecture=tiny, steps=6, learning_rate=2e-4)
    codec = load_part("codec", train_codec(preset, tmp_path, resume=False, sound=sound).parent)
    assert isinstance(codec, SpectralOobleckCodec) and codec.config == tiny
    true = to_float(sound[:1])
    with torch.no_grad():
        predicted, _ = codec.predicted(codec.posterior(true)[0])
        level = codec.log_magnitude(codec.spectrum(true))
        mean = level.mean(-1, keepdim=True).expand_as(level)
    assert level_distance(predicted, level) < level_distance(mean, level)


def test_components_of_a_sound_give_it_back() -> None:
    """As many components as a sound has dimensions lose nothing of its magnitudes."""
    codec = SpectralOobleckCodec(replace(GYM, widths=(8, 8, 16)))
    random = torch.Generator().manual_seed(0)
    colours = torch.rand(6, 1, 1, generator=random)
    noises = [colour * torch.randn(1, 2, 1024, generator=random) for colour in colours]
    sound = torch.cat([torch.cat(noises, -1)] * 2, 0)
    codec.start_from_components([sound])
    level = codec.log_magnitude(codec.spectrum(sound))
    with torch.no_grad():
        latents = codec.analysis(level.flatten(1, 2))
        again = codec.synthesis(latents).unflatten(1, (2, codec.bins))
    assert latents.std() < 3 and (again - level).abs().mean() < 0.3 * (level - level.mean()).abs().mean()
    assert not any(p.requires_grad for p in (*codec.analysis.parameters(), *codec.synthesis.parameters()))


def test_channels_that_move_more_are_larger_for_the_generator() -> None:
    codec = SpectralOobleckCodec(replace(GYM, latent_dim=4, widths=(8, 8, 16)))
    codec.synthesis.weight.copy_(
        torch.ones_like(codec.synthesis.weight) * torch.tensor([9.0, 4.0, 1.0, 1.0])[:, None, None]
    )
    deviations = importance(codec, torch.tensor([1.0, 1.0, 1.0, 0.25]))
    torch.testing.assert_close(deviations / deviations[2], torch.tensor([3.0, 2.0, 1.0, 0.5]))
    assert deviations.square().mean().item() == pytest.approx(1)
    assert torch.equal(importance(OobleckCodec(TINY), torch.rand(8)), torch.ones(8))


def test_inaudible_differences_count_little() -> None:
    floor = torch.full((1, 1000), FLOOR).log()
    loud = floor.clone()
    loud[:, :10] += 6.0  # nepers
    same = level_distance(loud, loud)
    missed = level_distance(torch.where(loud > floor, loud - 1.0, loud), loud)
    noisy = level_distance(torch.where(loud > floor, loud, loud + 0.1), loud)
    assert same == 0 and missed > 10 / 1000 and missed > noisy


def test_discriminators_learn_to_separate_noise_from_tone() -> None:
    torch.manual_seed(0)
    judges = Discriminator((256, 128), channels=2, width=4)
    optimizer = torch.optim.Adam(judges.parameters(), 1e-2)
    tone = torch.sin(torch.arange(4096) * 0.1).expand(2, 2, -1)
    noise = 0.5 * torch.randn(2, 2, 4096)
    losses = []
    for _ in range(15):
        loss = judge_loss(judges(tone), judges(noise))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    adversarial, features = codec_losses(judges(tone), judges(tone))
    assert features == 0 and adversarial < codec_losses(judges(tone), judges(noise))[0]


@pytest.mark.parametrize("adversarial_from", [None, 0])
def test_interrupted_training_ends_with_the_same_loss(
    adversarial_from: int | None, sound: np.ndarray, tmp_path: Path
) -> None:
    preset = replace(PRESET, steps=4, crop=4 * 1024, adversarial_from=adversarial_from, judge_width=2, validate_every=1)
    train_codec(preset, tmp_path / "whole", resume=False, sound=sound)
    train_codec(replace(preset, time_limit_s=1e-9), tmp_path / "parts", resume=False, sound=sound)  # one step
    train_codec(preset, tmp_path / "parts", resume=True, sound=sound)
    whole, parts = ((tmp_path / name / "log.csv").read_text() for name in ("whole", "parts"))
    assert whole == parts and "held_out" in whole
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "parts")]
    assert weights[0] == weights[1]


def test_judges_change_what_is_learned(sound: np.ndarray, tmp_path: Path) -> None:
    weights = []
    for name, adversarial_from in (("with", 1), ("without", None)):
        preset = replace(PRESET, steps=3, adversarial_from=adversarial_from, judge_width=2, crop=4 * 1024)
        weights.append(train_codec(preset, tmp_path / name, resume=False, sound=sound).read_bytes())
    assert weights[0] != weights[1]


def test_gym_preset_is_the_shipped_architecture() -> None:
    assert CPU.architecture == GYM and CPU.crop % GYM.hop_length == 0
