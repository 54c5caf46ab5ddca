"""Clips as latents without a learned codec: nothing is lost but phases, and a sound's moments stay."""

import svg_seeded
import torch

from openfoley.codecs.folded import GYM, FoldedCodec, mel_of, sound_of

CODEC = FoldedCodec(GYM)


def test_log_mel_equals_the_published_one() -> None:
    given = svg_seeded.golden("logmel")
    torch.testing.assert_close(mel_of(given["wave"][None]), given["logmel"], atol=1e-4, rtol=0)


def test_pictures_come_back_to_the_bit() -> None:
    frames = torch.randint(256, (2, 16, 3, 32, 32), dtype=torch.uint8)
    latents = CODEC.encode_video(frames)
    assert latents.shape[1:] == CODEC.video_shape(16) and latents.abs().max() <= 1
    assert torch.equal(CODEC.decode_video(latents), frames)


def test_shapes_are_those_announced() -> None:
    latents = CODEC.encode_audio(torch.randn(2, 32_000))
    assert latents.shape[1:] == CODEC.audio_shape(32_000)
    assert CODEC.decode_audio(latents).shape == (2, 32_000)


def test_a_sound_from_its_spectrogram_has_that_spectrogram() -> None:
    """A decaying ring from 0.5 s on: within 1 dB (0.115) on average where it is heard, and it begins when it did."""
    time = torch.arange(32_000) / 16_000
    after = (time - 0.5).clamp(min=0)
    sound = 0.5 * torch.sin(2 * torch.pi * 700 * after) * (-6 * after).exp() * (time >= 0.5)
    level = mel_of(sound[None])
    again = CODEC.decode_audio(CODEC.encode_audio(sound[None]))
    found = mel_of(again)
    loud = level > level.max() - 6
    assert (found - level)[loud].abs().mean() < 0.23
    begins = (again[0].abs() > 0.05).nonzero()[0, 0] / 16_000
    assert abs(float(begins) - 0.5) < 0.03


def test_the_same_levels_give_the_same_sound() -> None:
    level = torch.randn(1, 40, 64) - 6
    assert torch.equal(sound_of(level), sound_of(level))
