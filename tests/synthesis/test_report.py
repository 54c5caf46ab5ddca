"""Peak, loudness and onsets of sounds that are known."""

import math

import pytest
import torch

from openfoley.synthesis.report import measured

RATE = 48000


@pytest.mark.parametrize("pieces", [5000, 480000])
def test_a_tone_has_the_loudness_that_the_standard_gives_it(pieces: int) -> None:
    """EBU Tech 3341, case 1: a stereo tone of 1 kHz at -23 dBFS has -23 LUFS."""
    tone = 10 ** (-23 / 20) * torch.sin(2 * math.pi * 1000 * torch.arange(10 * RATE) / RATE).expand(2, -1)
    report = measured(iter(tone.split(pieces, -1)), RATE, 2)
    assert report.loudness_lufs == pytest.approx(-23, abs=0.1) and report.peak_db == pytest.approx(-23, abs=0.01)
    assert not report.is_silent


def test_onsets_are_counted_once_whatever_block_they_lie_in() -> None:
    sound = torch.zeros(1, 130 * RATE)
    decay = torch.exp(-torch.arange(4000) / 400)
    for second in range(1, 130):
        sound[:, second * RATE : second * RATE + 4000] += 0.3 * decay * torch.randn(4000)
    assert measured(iter(sound.split(9999, -1)), RATE, 1).onsets == 129


@pytest.mark.parametrize("length", [0, 10, RATE])
def test_silence_is_silent(length: int) -> None:
    report = measured(iter([torch.zeros(2, length)]), RATE, 2)
    assert report.is_silent and report.loudness_lufs is None and report.onsets == 0


def test_the_line_says_all_three() -> None:
    click = torch.zeros(2, RATE)
    click[:, RATE // 2] = 0.5
    assert str(measured(iter([click]), RATE, 2)).startswith("peak -6.0 dBFS, ")
    assert str(measured(iter([click]), RATE, 2)).endswith("1 onset")
