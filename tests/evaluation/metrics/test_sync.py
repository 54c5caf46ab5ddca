"""Figures of synchronization against lists of events whose score is known."""

import json
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from openfoley.data.onset_detector import Onsets
from openfoley.errors import UsageError
from openfoley.evaluation.metrics.f1 import score
from openfoley.evaluation.metrics.sync import rank_correlation, sync_report
from openfoley.evaluation.metrics.truth import Truth, from_dict


def event(time_s: float, length_s: float = 0.0, action: str = "bounce", **more: object) -> dict:
    base = {"time_s": time_s, "end_s": time_s + length_s, "action": action, "object_id": "a", "material": "wood"}
    return {**base, "loudness_db": -20.0 - 5 * time_s, "x": 0.5, "y": 0.5, "visible": True, "audible": True, **more}


def clip(*events: dict, name: str = "a", duration_s: float = 8.0) -> Truth:
    return from_dict({"duration_s": duration_s, "fps": 24, "caption": "", "objects": [], "events": list(events)}, name)


def onsets(times_s: np.ndarray, loudness_db: np.ndarray | None = None) -> Onsets:
    times_s = np.asarray(times_s, dtype=np.float64)
    return Onsets(times_s, -20 - 5 * times_s if loudness_db is None else loudness_db, np.ones(len(times_s)))


def random_set(seed: int = 0, clips: int = 30) -> tuple[list[Onsets], list[Truth]]:
    rng = np.random.default_rng(seed)
    times = [np.sort(rng.uniform(0.2, 7.8, rng.integers(4, 12))) for _ in range(clips)]
    return [onsets(t) for t in times], [clip(*(event(x) for x in t), name=f"{k}") for k, t in enumerate(times)]


def test_true_events_score_one_and_the_controls_stay_low() -> None:
    report = sync_report(*random_set())
    assert [s.f1 for s in report.visible] == [1.0, 1.0, 1.0]
    assert report.f1(50).f1_interval == (1.0, 1.0)
    assert report.f1(50).shuffled < 0.3 and report.f1(50).random < 0.3
    assert report.f1(50).corrected == 1.0
    assert report.median_abs_error_ms.value == 0.0
    assert report.loudness_pooled.value == pytest.approx(1.0)
    assert report.loudness_within.value == pytest.approx(1.0)


def test_a_known_delay_is_the_signed_error_and_moves_only_the_narrow_tolerance() -> None:
    detected, truths = random_set()
    report = sync_report([onsets(d.times_s + 0.030) for d in detected], truths)
    assert report.median_signed_error_ms.value == pytest.approx(30.0)
    assert report.f1(50).f1 == 1.0
    assert report.f1(25).f1 < 0.5


def test_missing_and_added_events_move_recall_and_precision_by_their_share() -> None:
    truths = [clip(*(event(0.5 + k) for k in range(6)))] * 2
    half = sync_report([onsets(np.arange(3) + 0.5)] * 2, truths).f1(50)
    assert (half.precision, half.recall) == (1.0, 0.5)
    double = sync_report([onsets(np.concatenate([np.arange(6) + 0.5, np.arange(6) + 0.8]))] * 2, truths).f1(50)
    assert (double.precision, double.recall) == (0.5, 1.0)


def test_order_of_clips_does_not_change_the_figures() -> None:
    detected, truths = random_set(1)
    late = [onsets(d.times_s + 0.04 * (k % 2)) for k, d in enumerate(detected)]
    first = sync_report(late, truths)
    order = np.random.default_rng(0).permutation(len(truths))
    second = sync_report([late[k] for k in order], [truths[k] for k in order])
    assert [s.f1 for s in first.everything] == [s.f1 for s in second.everything]
    assert first.median_abs_error_ms.value == second.median_abs_error_ms.value
    assert first.loudness_within.value == pytest.approx(second.loudness_within.value)


def test_continuous_inaudible_and_rattling_sounds_are_neither_right_nor_wrong() -> None:
    truth = clip(
        event(1.0),
        event(2.0, 1.0, "roll"),
        event(3.5, 0.4, "gargle"),
        event(4.0, audible=False),
        event(5.0, 0.1, "rattle"),
        event(6.0, 0.02, "hum", continuous=False),
    )
    np.testing.assert_array_equal(truth.scored_s, [1.0, 5.0, 6.0])
    counts = score(np.array([1.0, 2.0, 2.5, 3.6, 4.01, 5.0, 5.08, 6.0, 7.0]), truth, 0.05)
    assert (counts.hits, counts.detections, counts.events) == (3, 4, 3)  # only 7.0 is false


def test_visible_and_off_screen_events_are_scored_apart() -> None:
    truth = clip(event(1.0), event(2.0, visible=False), event(3.0))
    report = sync_report([onsets(np.array([1.0, 2.0]))] * 3, [truth] * 3)
    assert (report.f1(50).precision, report.f1(50).recall) == (1.0, 0.5)
    off = report.f1(50, of="off_screen")
    assert (off.precision, off.recall) == (1.0, 1.0)


def test_false_events_per_minute_are_counted_in_clips_without_audible_events_only() -> None:
    silent, loud = clip(name="s"), clip(event(1.0))
    report = sync_report([onsets([1.0, 3.0]), onsets([]), onsets([1.0, 2.0, 3.0])], [silent, silent, loud])
    assert report.silent_false_per_minute.value == pytest.approx(2 / (16 / 60))
    assert report.silent_clips == 2


def test_rank_correlation_is_spearmans() -> None:
    assert rank_correlation(np.array([1, 2, 3, 4.0]), np.array([2, 4, 8, 16.0])) == pytest.approx(1.0)
    assert rank_correlation(np.array([1, 2, 3, 4.0]), -np.arange(4.0)) == pytest.approx(-1.0)
    assert np.isnan(rank_correlation(np.array([1.0]), np.array([1.0])))


def test_200_clips_are_scored_in_seconds() -> None:
    start = time.process_time()
    sync_report(*random_set(clips=200))
    assert time.process_time() - start < 10


def clicks(times_s: list[float]) -> np.ndarray:
    sound = np.zeros((44100 * 4, 2), dtype=np.float32)
    for time_s in times_s:
        start = round(time_s * 44100)
        sound[start : start + 4410] += (0.3 * np.exp(-np.arange(4410) / 400) * np.sin(np.arange(4410) * 0.3))[:, None]
    return sound


def test_folders_are_scored_and_missing_sounds_count_as_silence(tmp_path: Path) -> None:
    made, truth = tmp_path / "made", tmp_path / "truth"
    made.mkdir(), truth.mkdir()
    from openfoley.evaluation.reports.sync_files import evaluate_sync

    for k, times in enumerate([[0.5, 1.5, 3.0], [0.7, 2.0, 2.6]]):
        record = {"duration_s": 4.0, "fps": 24, "caption": "", "objects": [], "events": [event(t) for t in times]}
        (truth / f"{k}.json").write_text(json.dumps(record))
        soundfile.write(truth / f"{k}.flac", clicks(times), 44100)
    with pytest.raises(UsageError):
        evaluate_sync(made, truth)
    soundfile.write(made / "0.wav", clicks([0.5, 1.5, 3.0]), 44100)
    result = evaluate_sync(made, truth)
    assert result.missing == ("1",)
    assert (result.generated.f1(50).precision, result.generated.f1(50).recall) == (1.0, 0.5)
    assert result.ceiling is not None and result.ceiling.f1(25).f1 == 1.0
    record = json.loads(json.dumps(result.to_dict()))["generated"]
    assert record["clips"] == 2
    lone = record["recall_by_gap"][-1]
    assert (lone["low"], lone["high"], lone["recall"]["value"], lone["recall"]["count"]) == (0.25, None, 0.5, 6)
    assert [one["recall"]["count"] for one in record["recall_by_level"]] == [5, 1, 0]
    text = result.text()
    assert "shuffled" in text and "recall, nearest other contact 0.25 s or more       0.500" in text
    assert "recall, below the loudest contact 0 .. 10 dB" in text
    assert "recall, below the loudest contact 20 dB or more        -  no interval  (n = 0)" in text
    assert "nan" not in text and "counted as silence: 1 (1)" in text
