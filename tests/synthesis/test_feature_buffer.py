"""A window reads the right features at exact times, however much was dropped before."""

from fractions import Fraction

import torch

from openfoley.synthesis.feature_buffer import FeatureBuffer

RATE = Fraction(24)


def filled(count: int) -> FeatureBuffer:
    buffer = FeatureBuffer(RATE, dim=1)
    for first in range(0, count, 7):
        buffer.append(torch.arange(first, min(first + 7, count), dtype=torch.float32)[:, None])
    return buffer


def test_window_holds_features_of_its_stretch_at_relative_times() -> None:
    zero = Fraction(323 * 1024, 44100)
    features, times = filled(400).window(zero, zero, zero + 4)
    indices = features[:, 0].int().tolist()
    assert indices == list(range(181, 181 + 96))  # the window starts 0.05 ms after frame 180
    torch.testing.assert_close(times, torch.tensor([float(Fraction(k, 24) - zero) for k in indices]))
    assert 0 <= times.min() and times.max() < 4


def test_dropping_the_past_changes_no_later_window() -> None:
    kept, dropped = filled(400), filled(400)
    dropped.drop_before(Fraction(6))
    assert dropped.first_index == 144 and len(dropped.features) == 256
    for a, b in zip(
        kept.window(Fraction(7), Fraction(6), Fraction(9)),
        dropped.window(Fraction(7), Fraction(6), Fraction(9)),
        strict=True,
    ):
        assert torch.equal(a, b)


def test_window_past_the_end_is_empty() -> None:
    features, times = filled(24).window(Fraction(5), Fraction(5), Fraction(6))
    assert features.shape == (0, 1) and times.shape == (0,)


def test_windows_hold_whole_groups() -> None:
    """Synchformer's segments: 8 features each, 25 a second; a window starts at or before its time, with a segment."""
    buffer = FeatureBuffer(Fraction(25), 1, group=8)
    buffer.append(torch.arange(80.0)[:, None])
    for zero in (Fraction(0), Fraction(1), Fraction(32, 100), Fraction(7, 5)):
        features, times = buffer.window(zero, zero, zero + 1)
        first, last = int(features[0]), int(features[-1])
        assert first % 8 == 0 and last % 8 == 7
        assert Fraction(first, 25) <= zero < Fraction(first + 8, 25) and Fraction(last + 1, 25) >= min(zero + 1, 3)
        assert times[0].item() == torch.tensor(first / 25 - float(zero), dtype=torch.float32).item()
    buffer.drop_before(Fraction(1))
    assert buffer.first_index == 24
