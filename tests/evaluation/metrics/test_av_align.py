"""AV-Align: the published readings against the authors' cases, its peaks against the libraries behind it."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from openfoley.evaluation.metrics.av_align import READINGS, Reading, av_align, motion_peaks, pair_av_align
from openfoley.evaluation.metrics.flow import farneback, mean_flow
from openfoley.evaluation.metrics.onset_peaks import onset_peaks, spectral_flux

CASES = json.loads((Path(__file__).parents[2] / "goldens" / "svg_av_align.json").read_text())


@pytest.mark.parametrize("case", CASES, ids=range(len(CASES)))
def test_the_svg_reading_and_its_motion_peaks_are_the_authors(case: dict) -> None:
    sound_s, picture_s = np.array(case["audio_peaks"]), np.array(case["video_peaks"])
    assert av_align(sound_s, picture_s, case["fps"], "svg") == pytest.approx(case["score"], abs=1e-12)
    assert motion_peaks(np.array(case["flow"]), case["fps"]) == pytest.approx(case["flow_peaks"])


def test_three_readings_of_one_clip_differ() -> None:
    sound_s, picture_s = np.array([0.50, 0.55, 0.60, 3.0]), np.array([0.5, 0.6, 1.5])
    scores = {reading: av_align(sound_s, picture_s, 8.0, reading) for reading in READINGS}
    assert scores["tempotokens"] == 3 / (4 + 3 - 3)
    assert scores["one-to-one"] == 2 / (4 + 3 - 2)
    precision, recall = 3 / 4, 2 / 3
    assert scores["svg"] == pytest.approx(precision * recall / (precision + recall - precision * recall))


@pytest.mark.parametrize("reading", READINGS)
def test_equal_peaks_score_one_distant_ones_zero_and_a_whole_frame_is_too_far(reading: Reading) -> None:
    peaks = np.array([0.25, 1.0, 1.5])
    assert av_align(peaks, peaks, 8.0, reading) == 1.0
    assert av_align(peaks, peaks + 0.125, 8.0, reading) == 0.0
    assert av_align(peaks, peaks[:0], 8.0, reading) == av_align(peaks[:0], peaks, 8.0, reading) == 0.0


def test_taken_picture_peaks_leave_the_next_to_a_later_sound() -> None:
    assert av_align(np.array([0.5, 0.52]), np.array([0.45, 0.55]), 8.0, "one-to-one") == 1.0


def image(side: int, dx: float, dy: float) -> np.ndarray:
    y, x = np.mgrid[:side, :side].astype(float)
    x, y = x - dx, y - dy
    v = np.sin(0.31 * x + 0.12 * y) + np.sin(0.17 * y - 0.4) + np.sin(0.09 * x * 1.7 - 0.22 * y)
    return np.clip(np.floor(128 + 35 * v + 0.5), 0, 255).astype(np.float32)


OPENCV = {32: (1.41928, 1.29449, -0.69815, 1.21806), 48: (1.44089, 1.29502, -0.68676, 1.21806),
          100: (1.46044, 1.30499, -0.69263, 1.21809)}  # fmt: skip
"""Mean length, x and y near the middle, x near a corner: cv2.calcOpticalFlowFarneback of OpenCV 5.0.0."""


@pytest.mark.parametrize("side", OPENCV)
def test_the_flow_is_opencvs(side: int) -> None:
    flow = farneback(image(side, 0, 0), image(side, 1.3, -0.7))
    middle = flow[:, side // 2, side // 3]
    found = (np.hypot(*flow).mean(), *middle, flow[0, 2, 5])
    assert found == pytest.approx(OPENCV[side], abs=2e-5)


def test_a_picture_that_jumps_moves_most_at_the_jump() -> None:
    places = [0, 0, 0.2, 1.5, 1.6, 1.6, 1.6, 1.6]
    frames = torch.from_numpy(np.stack([image(48, place, 0) for place in places])).to(torch.uint8)
    flow = mean_flow(frames[:, None].expand(-1, 3, -1, -1))
    assert flow.argmax() == 3 and flow[0] == flow[1] and flow[3] == pytest.approx(1.3, abs=0.15)
    assert motion_peaks(flow, 8.0).tolist() == [3 / 8]


LIBROSA = (0.32, 0.352, 0.768, 0.8, 1.632, 1.76, 2.528, 3.328)
"""librosa.onset.onset_detect of librosa 0.11.0, in s."""


def struck(sample_rate: int = 16_000) -> np.ndarray:
    t = np.arange(4 * sample_rate) / sample_rate
    x = 1e-3 * np.sin(2 * np.pi * 50 * t)
    for k, at in enumerate((0.3, 0.75, 1.6, 1.72, 2.5, 3.3)):
        own = t - at
        ring = np.exp(-(12 + 5 * k) * np.maximum(own, 0)) * np.sin(2 * np.pi * (300 + 400 * k) * own)
        x += np.where(own >= 0, (0.1 + 0.08 * k) * ring, 0)
    return x.astype(np.float32)


def test_the_peaks_of_the_sound_are_librosas() -> None:
    found = onset_peaks(struck(), 16_000)
    assert found == pytest.approx(LIBROSA)
    assert spectral_flux(struck(), 16_000).sum() == pytest.approx(196.49805, abs=1e-2)
    assert len(onset_peaks(np.zeros(16_000, dtype=np.float32), 16_000)) == 0


def test_a_clip_has_every_reading() -> None:
    frames = torch.zeros(16, 3, 32, 32, dtype=torch.uint8)
    scores = pair_av_align(frames, torch.from_numpy(struck()[:32_000]), 8.0, 16_000)
    assert scores == dict.fromkeys(READINGS, 0.0)
