"""Recall by the nearest other contact and by level against truths whose figures are known by hand."""

import math

import numpy as np
import pytest

from openfoley.evaluation.metrics.recall import (
    GAP_EDGES_S,
    gaps_s,
    levels_below_db,
    range_words,
    recall_by_gap,
    recall_by_level,
)
from openfoley.evaluation.metrics.truth import Truth, from_dict
from openfoley.evaluation.stats.bootstrap import Estimate


def event(time_s: float, loudness_db: float | None = -20.0, **more: object) -> dict:
    known = {} if loudness_db is None else {"loudness_db": loudness_db}
    return {"time_s": time_s, "end_s": time_s, "action": "hit", "material": "wood", **known, **more}


def clip(*events: dict) -> Truth:
    return from_dict({"duration_s": 8.0, "events": list(events)})


HAND = clip(
    event(1.0, -20),  # 0.05 s from an off-screen contact, 2 dB below the loudest
    event(1.05, -18, visible=False),
    event(2.0, -30),  # 0.1 s: the range 0.1 .. 0.25
    event(2.1, -38),
    event(2.3, -20, audible=False),  # neither near nor loud
    event(3.0, -50),  # alone
    event(3.02, -5, continuous=True),
    event(5.0, -28),  # 0.25 s, 10 dB below
    event(5.25, -18),
)


def table(parts: list) -> list[tuple[float, int]]:
    return [(part.recall.value, part.recall.count) for part in parts]


def test_gap_and_level_are_of_every_discrete_audible_contact() -> None:
    np.testing.assert_allclose(gaps_s(HAND), [0.05, 0.05, 0.1, 0.1, 0.9, 0.25, 0.25])
    np.testing.assert_allclose(levels_below_db(HAND), [2, 0, 12, 20, 32, 10, 0])


def test_recall_of_each_range_is_its_share_of_detected_visible_events() -> None:
    detected = [np.array([1.0, 2.1, 3.04, 5.0])]
    assert table(recall_by_gap(detected, [HAND])) == [(1.0, 1), (0.5, 2), (pytest.approx(2 / 3), 3)]
    assert table(recall_by_level(detected, [HAND])) == [(0.5, 2), (0.5, 2), (1.0, 2)]


def test_an_only_event_is_in_the_last_range_and_one_of_unknown_loudness_in_none() -> None:
    alone = clip(event(1.0, None))
    assert gaps_s(alone).tolist() == [math.inf] and gaps_s(clip()).tolist() == []
    assert [count for _, count in table(recall_by_gap([np.array([1.0])], [alone]))] == [0, 0, 1]
    assert [count for _, count in table(recall_by_level([np.array([1.0])], [alone]))] == [0, 0, 0]


def test_a_detection_between_two_events_is_of_the_nearer_one() -> None:
    truth = clip(event(1.0, -40), event(1.06, -20))
    assert table(recall_by_level([np.array([1.045])], [truth])) == [
        (1.0, 1),
        (pytest.approx(math.nan, nan_ok=True), 0),
        (0.0, 1),
    ]


def test_missing_dense_events_lower_the_first_range_alone_and_the_order_of_clips_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    detected, truths = [], []
    for _ in range(20):
        lone = np.arange(1, 7) + rng.uniform(-0.1, 0.1, 6)
        dense = lone[:3] + 0.06
        truths.append(clip(*(event(float(t)) for t in (*lone, *dense))))
        detected.append(lone if rng.random() < 0.5 else np.sort(np.concatenate([lone, dense])))
    first = recall_by_gap(detected, truths)
    none_dense, all_dense = (
        recall_by_gap([t.scored_s[keep(t)] for t in truths], truths)[0]
        for keep in (lambda t: np.append(True, np.diff(t.scored_s) > 0.5), lambda t: np.ones(len(t.scored_s), bool))
    )
    assert (none_dense.recall.value, all_dense.recall.value) == (0.5, 1.0)
    assert 0.5 < first[0].recall.interval[0] < first[0].recall.value < first[0].recall.interval[1] < 1.0
    assert first[-1].recall.value == 1.0 and first[-1].recall.interval == (1.0, 1.0)
    order = rng.permutation(len(truths))
    second = recall_by_gap([detected[k] for k in order], [truths[k] for k in order])
    assert str(table(first)) == str(table(second))  # as text: a range without events has nan


def test_a_range_with_events_of_one_clip_alone_has_a_count_and_no_interval() -> None:
    dense, lone = clip(event(1.0), event(1.05), event(1.1)), clip(event(2.0), event(5.0))
    first, second, last = recall_by_gap([np.array([1.0, 2.0]), *[lone.scored_s] * 3], [dense, *[lone] * 3])
    assert (first.recall.value, first.recall.count) == (pytest.approx(1 / 3), 3)
    assert second.recall.count == 0 and np.isnan([first.recall.interval, second.recall.interval]).all()
    assert last.recall == Estimate(1.0, (1.0, 1.0), 6)


def test_ranges_have_no_gap_and_are_named() -> None:
    parts = recall_by_gap([np.zeros(0)], [HAND])
    assert [part.low for part in parts] + [parts[-1].high] == list(GAP_EDGES_S)
    assert range_words(0.1, 0.25, "s") == "0.1 .. 0.25 s"
    assert range_words(20.0, None, "dB") == range_words(20.0, math.inf, "dB") == "20 dB or more"
