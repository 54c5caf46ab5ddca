"""Sound files, resampling, limiting, mel spectrograms: against the samples that went in, or theory."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
import soundfile
import torch
from numbered_videos import number_of, numbered, pick_frames, probe

from openfoley.errors import MediaError, UsageError
from openfoley.media.frames import FrameRequest
from openfoley.media.limiter import Limiter, true_peak_dbtp
from openfoley.media.read.sound_file import read_audio
from openfoley.media.resample import StreamingResampler, resample
from openfoley.media.spectrogram import hz_to_mel, log_mel, mel_filterbank, mel_to_hz
from openfoley.media.write import sound_file
from openfoley.media.write.encode import write_video
from openfoley.media.write.sound_file import AudioWriter
from openfoley.types import Audio

RATE = 44100


def noise(count, channels=2, scale=0.1, seed=0):
    return torch.randn(channels, count, generator=torch.Generator().manual_seed(seed)) * scale


def in_pieces(machine, samples, size):
    return torch.cat([*(machine.push(p) for p in samples.split(size, dim=-1)), machine.flush()], dim=-1)


@pytest.mark.parametrize(
    ("suffix", "depth", "step"),
    [
        (".wav", "16", 2**-15),
        (".wav", "24", 2**-23),
        (".wav", "32f", 0),
        (".flac", "16", 2**-15),
        (".flac", "24", 2**-23),
    ],
)
@pytest.mark.parametrize("channels", [1, 2])
def test_written_sound_reads_back(tmp_path, suffix, depth, step, channels):
    samples = noise(30001, channels).clamp(-1, 1 - 2**-15)
    path = tmp_path / f"a{suffix}"
    with AudioWriter(path, RATE, channels, depth) as writer:
        for piece in samples.split(7000, dim=-1):
            writer.write(piece)
    theirs, rate = soundfile.read(path, dtype="float32", always_2d=True)
    assert rate == RATE and theirs.shape == (30001, channels)
    assert np.abs(theirs.T - samples.numpy()).max() <= step * 0.51
    ours = read_audio(path)
    assert torch.equal(ours.samples, torch.from_numpy(theirs.T.copy())) and ours.sample_rate == RATE


def test_wav_beyond_the_limit_becomes_rf64(tmp_path, monkeypatch):
    monkeypatch.setattr(sound_file, "RIFF_LIMIT_BYTES", 20000)
    with AudioWriter(tmp_path / "a.wav", RATE, 2, "24") as writer:
        writer.write(noise(10000))
    raw = (tmp_path / "a.wav").read_bytes()
    assert raw[:4] == b"RF64" and raw[12:16] == b"ds64"
    assert soundfile.info(tmp_path / "a.wav").frames == 10000
    assert torch.allclose(read_audio(tmp_path / "a.wav").samples, noise(10000), atol=2**-23)


def test_what_cannot_be_written_or_read(tmp_path):
    with pytest.raises(UsageError, match="floating point"):
        AudioWriter(tmp_path / "a.flac", RATE, 2, "32f")
    with pytest.raises(UsageError, match=r"\.wav or \.flac"):
        AudioWriter(tmp_path / "a.mp3", RATE)
    with pytest.raises(UsageError, match="16, 24, 32f"):
        AudioWriter(tmp_path / "a.wav", RATE, 2, "20")
    write_video(tmp_path / "silent.mp4", [torch.zeros(5, 3, 32, 32, dtype=torch.uint8)], Fraction(25))
    with pytest.raises(MediaError, match="no sound"):
        read_audio(tmp_path / "silent.mp4")


@pytest.mark.parametrize("out_rate", [16000, 48000, 22050])
def test_resampling_keeps_length_level_and_instants(out_rate):
    time = torch.arange(RATE * 2, dtype=torch.float64) / RATE
    sine = torch.sin(2 * math.pi * 1000 * time).float().repeat(2, 1)
    out = in_pieces(StreamingResampler(RATE, out_rate, 2), sine, 1234)
    assert out.shape == (2, round(RATE * 2 * out_rate / RATE))
    ideal = torch.sin(2 * math.pi * 1000 * torch.arange(out.shape[-1], dtype=torch.float64) / out_rate)
    assert (out - ideal)[:, 500:-500].abs().max() < 1e-4
    assert torch.allclose(out, resample(Audio(sine, RATE), out_rate).samples, atol=1e-6)


def test_limiter_is_transparent_below_the_ceiling():
    samples = noise(50000, scale=0.05)
    assert true_peak_dbtp(samples, RATE) < -1
    assert torch.equal(in_pieces(Limiter(RATE), samples, 999), samples)
    quiet_then_loud = torch.cat([samples, noise(5000, scale=2.0)], dim=-1)
    assert torch.equal(in_pieces(Limiter(RATE), quiet_then_loud, 999)[:, :45000], samples[:, :45000])


@pytest.mark.parametrize("size", [512, 44100])
def test_limited_sound_stays_below_the_ceiling_and_in_place(size):
    loud = noise(2 * RATE, scale=1.5)
    loud[:, 30000] = 5.0
    out = in_pieces(Limiter(RATE), loud, size)
    assert out.shape == loud.shape and -1.3 < true_peak_dbtp(out, RATE) <= -1.0
    assert out[:, 29900:30100].abs().argmax(dim=1).tolist() == [100, 100]
    whole = in_pieces(Limiter(RATE), loud, loud.shape[-1])
    assert torch.allclose(out, whole, atol=1e-5)


def test_true_peak_includes_values_between_the_samples():
    """A sine at a quarter of the rate with phase 45 degrees has samples at 0.707 of its peak (BS.1770-4 Annex 2)."""
    sine = torch.sin(math.pi / 2 * torch.arange(RATE, dtype=torch.float64) + math.pi / 4)[None].float() * 0.5
    assert abs(20 * math.log10(sine.abs().max()) + 9.03) < 0.01
    fade = torch.ones(RATE)
    fade[:2000] = torch.linspace(0, 1, 2000)
    fade[-2000:] = torch.linspace(1, 0, 2000)
    assert abs(true_peak_dbtp(sine * fade, RATE) + 6.02) < 0.02
    assert true_peak_dbtp(torch.zeros(2, 100), RATE) == -math.inf


def test_mel_filters_are_slaneys():
    hz = torch.tensor([0.0, 200.0, 1000.0, 6400.0], dtype=torch.float64)
    assert torch.allclose(hz_to_mel(hz), torch.tensor([0.0, 3.0, 15.0, 42.0], dtype=torch.float64))
    assert torch.allclose(mel_to_hz(hz_to_mel(hz)), hz)
    from transformers.audio_utils import mel_filter_bank

    theirs = mel_filter_bank(1025, 80, 0.0, 22050.0, RATE, norm="slaney", mel_scale="slaney").T
    assert np.abs(mel_filterbank(RATE, 2048, 80).numpy() - theirs).max() < 1e-6


def test_a_tone_lights_its_own_mel_band():
    tone = torch.sin(2 * math.pi * 3000 * torch.arange(RATE) / RATE)
    mel = log_mel(tone, RATE, n_mels=80)
    assert mel.shape == (80, 1 + RATE // 512)
    centres = mel_to_hz(torch.linspace(0, float(hz_to_mel(torch.tensor(RATE / 2.0))), 82))[1:-1]
    assert mel.mean(-1).argmax() == (centres - 3000).abs().argmin()


@pytest.mark.parametrize(("height", "width"), [(64, 128), (63, 127)])
@pytest.mark.parametrize("rate", [Fraction(25), Fraction(30000, 1001)])
def test_written_video_has_exact_times_sound_and_is_reproducible(tmp_path, height, width, rate):
    frames = torch.stack([torch.from_numpy(numbered(i, height, width)).permute(2, 0, 1) for i in range(30)])
    click = torch.zeros(2, round(30 / rate * RATE))
    click[:, 11025] = 0.5
    for name in ("a.mp4", "b.mp4"):
        assert write_video(tmp_path / name, frames.split(8), rate, audio=Audio(click, RATE)) == 30
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()
    info = probe(tmp_path / "a.mp4")
    assert (info.duration, info.start, info.height, info.width) == (30 / rate, 0, height, width)
    got = [f for c in pick_frames(tmp_path / "a.mp4", [FrameRequest("x", rate, height, width)]) for f in c.frames]
    assert [number_of(f) for f in got] == list(range(30))
    assert (torch.stack(got).float() - frames.float()).abs().mean() < 6
    assert read_audio(tmp_path / "a.mp4").samples[0].abs().argmax() == 11025


@pytest.mark.parametrize("size", [(96, 96), (720, 1280)])
def test_colours_survive_writing_and_picking(tmp_path, size):
    colours = torch.tensor([[200, 40, 40], [40, 200, 40], [40, 40, 200], [128, 128, 128]], dtype=torch.uint8)
    frames = colours[:, :, None, None].expand(4, 3, *size)
    write_video(tmp_path / "a.mp4", [frames], Fraction(25))
    got = next(pick_frames(tmp_path / "a.mp4", [FrameRequest("x", Fraction(25), 8, 8)])).frames
    assert (got.float() - frames[:, :, :8, :8].float()).abs().max() < 8
