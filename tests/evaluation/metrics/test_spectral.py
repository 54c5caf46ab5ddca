"""Each metric: the best value for equal sounds, a known damage moves it by a known amount, order does not matter."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from openfoley.evaluation.metrics.click_baseline import click_times
from openfoley.evaluation.metrics.spectral import (
    bandwidth,
    isolated,
    mean_power_spectrum,
    mel_distance_db,
    rise_time_ms,
    si_sdr_db,
    stft_distance,
    swsd,
    t20_s,
)

RATE = 44100


def noise(seconds: float = 1.0, seed: int = 0, level: float = 0.1) -> Tensor:
    return level * torch.randn(2, round(seconds * RATE), generator=torch.Generator().manual_seed(seed))


def low_passed(samples: Tensor, corner_hz: float) -> Tensor:
    spectrum = torch.fft.rfft(samples)
    spectrum[:, int(corner_hz * samples.shape[1] / RATE) :] = 0
    return torch.fft.irfft(spectrum, samples.shape[1])


def decaying(t60_s: float, onset_s: float = 0.2, seconds: float = 1.0) -> Tensor:
    t = torch.arange(round(seconds * RATE)) / RATE - onset_s
    return noise(seconds) * torch.where(t >= 0, 10 ** (-3 * t / t60_s), 0.0)


def test_equal_sounds_have_the_best_value() -> None:
    sound = noise()
    assert mel_distance_db(sound, sound, RATE) == 0
    assert stft_distance(sound, sound) == 0
    assert si_sdr_db(sound, 0.5 * sound) > 100
    assert swsd(sound, sound, RATE) == 0


def test_a_gain_of_six_db_moves_the_mel_distance_by_six_and_si_sdr_not_at_all() -> None:
    sound, other = noise(), noise(seed=1)
    assert mel_distance_db(2 * sound, sound, RATE) == pytest.approx(20 * math.log10(2), abs=0.01)
    assert stft_distance(2 * sound, sound) == pytest.approx(1 + math.log(2), abs=0.01)
    assert si_sdr_db(2 * sound + other, sound) == pytest.approx(si_sdr_db(4 * sound + 2 * other, sound))


def test_added_noise_twenty_db_down_gives_an_si_sdr_of_twenty() -> None:
    assert si_sdr_db(noise() + 0.1 * noise(seed=1), noise()) == pytest.approx(20, abs=0.2)


def test_channel_order_does_not_matter() -> None:
    one, two = noise(), noise(seed=1)
    for metric in (lambda a, b: mel_distance_db(a, b, RATE), stft_distance, si_sdr_db, lambda a, b: swsd(a, b, RATE)):
        assert metric(one.flip(0), two.flip(0)) == pytest.approx(metric(one, two), rel=1e-4)
    assert swsd(one.flip(1), two, RATE) == pytest.approx(swsd(one, two, RATE), rel=0.1)  # nor does time


@pytest.mark.parametrize("corner_hz", [2000.0, 8000.0])
def test_bandwidth_of_low_passed_white_noise_is_the_corner(corner_hz: float) -> None:
    reach = bandwidth(mean_power_spectrum(low_passed(noise(2.0), corner_hz)), RATE)
    assert reach.roll_off_95_hz == pytest.approx(0.95 * corner_hz, rel=0.03)
    assert reach.roll_off_99_hz == pytest.approx(0.99 * corner_hz, rel=0.03)
    assert reach.minus_60_db_hz == pytest.approx(corner_hz, rel=0.1)
    assert np.isnan(bandwidth(np.zeros(100), RATE).roll_off_95_hz)


@pytest.mark.parametrize("t60_s", [0.2, 0.4, 0.8])
def test_t20_of_an_exponential_decay_is_its_decay_time(t60_s: float) -> None:
    assert t20_s(decaying(t60_s), RATE, 0.2, 1.0) == pytest.approx(t60_s, rel=0.1)


def test_t20_does_not_mind_onsets_that_are_smeared_backwards() -> None:
    """As by a codec's window: 8 ms of rising sound before this onset and the next."""
    sound = decaying(0.3)
    for onset_s in (0.2, 0.9):
        end = round(onset_s * RATE)
        sound[:, end - round(0.008 * RATE) : end] += noise(seed=2, level=0.1)[:, : round(0.008 * RATE)]
    assert t20_s(sound, RATE, 0.2, 0.9) == pytest.approx(0.3, rel=0.1)


def test_t20_ignores_steady_noise_and_refuses_what_does_not_decay() -> None:
    assert t20_s(decaying(0.3) + noise(seed=1, level=0.001), RATE, 0.2, 1.0) == pytest.approx(0.3, rel=0.2)
    assert np.isnan(t20_s(noise(), RATE, 0.2, 1.0))
    assert np.isnan(t20_s(torch.zeros(2, RATE), RATE, 0.2, 1.0))


@pytest.mark.parametrize("ramp_ms", [5.0, 15.0])
def test_rise_time_is_four_fifths_of_a_linear_ramp(ramp_ms: float) -> None:
    t = torch.arange(RATE) / RATE
    ramp = ((t - 0.5 + ramp_ms / 2000) / (ramp_ms / 1000)).clamp(0, 1) * torch.where(
        t < 0.5 + ramp_ms / 2000 + 0.002, 1, 0.5
    )
    tone = 0.3 * torch.sin(2 * torch.pi * 3000 * t) * ramp
    assert rise_time_ms(tone[None], RATE, 0.5) == pytest.approx(0.8 * ramp_ms, abs=1.0)


def test_a_smear_widens_the_rise() -> None:
    sharp = decaying(0.2)
    kernel = torch.hann_window(441, periodic=False)
    smeared = torch.nn.functional.conv1d(sharp.abs()[:, None], (kernel / kernel.sum())[None, None], padding=220)[:, 0]
    assert rise_time_ms(sharp, RATE, 0.2) < 2 < rise_time_ms(smeared, RATE, 0.2) < 10


def test_isolated_events_have_their_room() -> None:
    assert isolated(np.array([0.5, 1.0, 1.1, 3.0]), 3.2, 0.2, 0.3) == [(0.5, 1.0)]


def test_clicks_are_placed_where_the_picture_jumps() -> None:
    frames = np.zeros((48, 3, 8, 8), np.uint8)
    frames[10:], frames[30:] = 50, 90
    frames += (np.arange(48) % 2).astype(np.uint8)[:, None, None, None]
    np.testing.assert_allclose(click_times(frames, 24.0), [10 / 24, 30 / 24])
    assert len(click_times(np.zeros((10, 3, 4, 4), np.uint8), 24.0)) == 0
