"""Clips as latents without a learned codec: nothing is lost but phases, and a sound's moments stay."""

import svg_seeded
import torch

from openfoley.codecs.folded import GYM, FoldedCodec, mel_of, sound_of
from openfoley.data.pairs.gym_pairs import render_pair
from openfoley.gym.seeds import seeds_of

CODEC = FoldedCodec(GYM)


def test_log_mel_equals_the_published_one() -> None:
    given = svg_seeded.golden("logmel")
    torch.testing.assert_close(mel_of(given["wave"][None]), given["logmel"], atol=1e-4, rtol=0)


def test_pictures_come_back_to_the_bit() -> None:
    frames = torch.randint(256, (2, 16, 3, 32, 32), dtype=torch.uint8)
    latents = CODEC.encode_video(frames)
    assert latents.shape[1:] == CODEC.video_shape(16)
    assert torch.equal(CODEC.decode_video(latents), frames)


def test_latents_of_close_ups_have_unit_variance() -> None:
    pairs = [render_pair(seed)[0] for seed in seeds_of("validation", 8, world="close-up")]
    video = CODEC.encode_video(torch.stack([pair.frames for pair in pairs]))
    audio = CODEC.encode_audio(torch.stack([pair.sound for pair in pairs]))
    for latents in (video, audio):
        assert abs(latents.mean()) < 0.4 and 0.7 < latents.std() < 1.3


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
