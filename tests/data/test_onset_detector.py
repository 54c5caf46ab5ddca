"""The detector against sounds whose onsets are known."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from openfoley.data.onset_detector import detect

RATE = 44100


def ringing(
    times_s: np.ndarray, gains: np.ndarray, duration_s: float = 4.0, rate: int = RATE, seed: int = 0
) -> np.ndarray:
    """Damped inharmonic modes that begin at exact times (rounded to a sample), [2, n]."""
    rng = np.random.default_rng(seed)
    sound = np.zeros(round(duration_s * rate) + rate)
    t = np.arange(rate // 2) / rate
    for time_s, gain in zip(times_s, gains, strict=True):
        modes = rng.uniform(300, 6000, 6)
        wave = sum(np.sin(2 * np.pi * hz * t + 0.5) * np.exp(-t * rng.uniform(15, 60)) for hz in modes)
        start = round(time_s * rate)
        sound[start : start + len(t)] += gain * 0.1 * wave
    return np.stack([sound[: round(duration_s * rate)]] * 2).astype(np.float32)


def noise(seconds: float, level_db: float, seed: int = 0) -> np.ndarray:
    sound = np.random.default_rng(seed).standard_normal((2, round(seconds * RATE)))
    return (sound * 10 ** (level_db / 20)).astype(np.float32)


TIMES = np.array([0.31, 0.75, 0.9, 1.4, 1.47, 2.2, 3.1, 3.33])
GAINS = np.array([1.0, 0.3, 0.6, 0.2, 0.5, 1.0, 0.1, 0.7])


@pytest.mark.parametrize("rate", [16000, 44100, 48000])
def test_known_onsets_are_found_to_two_milliseconds_at_any_rate(rate: int) -> None:
    found = detect(ringing(TIMES, GAINS, rate=rate), rate)
    assert len(found) == len(TIMES)
    np.testing.assert_allclose(found.times_s, TIMES, atol=0.002)


def test_a_shift_of_the_sound_shifts_the_onsets_by_as_much() -> None:
    sound = ringing(TIMES, GAINS)
    late = np.concatenate([np.zeros((2, 1234), np.float32), sound], axis=1)
    np.testing.assert_allclose(detect(late, RATE).times_s - detect(sound, RATE).times_s, 1234 / RATE, atol=0.0011)


def test_loudness_is_the_power_of_the_first_fifty_milliseconds_and_follows_the_gain() -> None:
    sound = ringing(np.array([1.0]), np.array([1.0]))
    loud, soft = detect(sound, RATE), detect(sound * 0.1, RATE)
    expected = 10 * np.log10(np.mean(sound[:, RATE : RATE + RATE // 20] ** 2.0))
    assert loud.loudness_db[0] == pytest.approx(expected, abs=0.3)
    assert soft.loudness_db[0] == pytest.approx(loud.loudness_db[0] - 20, abs=0.1)


@pytest.mark.parametrize("level_db", [-300.0, -90.0, -60.0, -20.0])
def test_silence_and_steady_noise_have_no_events(level_db: float) -> None:
    assert len(detect(noise(4.0, level_db), RATE)) == 0


def test_events_survive_noise_thirty_db_below_them() -> None:
    found = detect(ringing(TIMES, np.ones(8)) + noise(4.0, -52), RATE)
    assert len(found) == len(TIMES)
    np.testing.assert_allclose(found.times_s, TIMES, atol=0.004)


def test_modulated_noise_does_not_give_a_flood() -> None:
    rng = np.random.default_rng(3)
    slow = np.interp(np.arange(4 * RATE) / RATE, np.arange(0, 4.01, 0.06), rng.standard_normal(67))
    rolling = noise(4.0, -30) * 10 ** (3 * slow / 20)
    assert len(detect(rolling, RATE)) <= 4


def test_a_reverberant_tail_is_not_an_event() -> None:
    rng = np.random.default_rng(0)
    t = np.arange(RATE) / RATE
    tail = 0.05 * rng.standard_normal(RATE) * 10 ** (-3 * t / 0.8)
    tail[0] = 1.0
    dry = ringing(TIMES, np.ones(8))
    wet = np.fft.irfft(np.fft.rfft(dry, 8 * RATE) * np.fft.rfft(tail, 8 * RATE), 8 * RATE)[:, : 4 * RATE]
    found = detect(wet.astype(np.float32), RATE)
    assert len(found) == len(TIMES)
    np.testing.assert_allclose(found.times_s, TIMES, atol=0.004)


@given(st.integers(0, 3000))
@settings(max_examples=15, deadline=None)
def test_short_and_odd_lengths_do_not_fail(samples: int) -> None:
    assert (detect(torch.zeros(1, samples), RATE).times_s >= 0).all()


def test_same_input_gives_same_bytes_and_mono_equals_doubled_mono() -> None:
    sound = ringing(TIMES, GAINS)
    np.testing.assert_array_equal(detect(sound, RATE).times_s, detect(sound.copy(), RATE).times_s)
    np.testing.assert_array_equal(detect(sound, RATE).times_s, detect(sound[0], RATE).times_s)


def test_a_ring_cut_off_by_the_end_of_the_file_is_not_an_event() -> None:
    sound = ringing(np.array([1.0]), np.array([1.0]))[:, : round(1.06 * RATE)]
    np.testing.assert_allclose(detect(sound, RATE).times_s, [1.0], atol=0.002)
