"""Thresholds and average precision against lists whose figures are known."""

import numpy as np
import pytest

from openfoley.evaluation.metrics.candidates import THRESHOLDS, Candidates, average_precision, best_threshold
from openfoley.evaluation.metrics.truth import Truth, from_dict


def clip(*times_s: float) -> Truth:
    return from_dict({"duration_s": 8.0, "events": [{"time_s": t, "action": "hit"} for t in times_s]})


TRUTHS = [clip(1.0, 2.0, 3.0, 4.0)] * 6
PERFECT = [Candidates(np.array([1.0, 2.0, 3.0, 4.0, 6.0]), np.array([0.9, 0.8, 0.7, 0.6, 0.1]))] * 6


def test_true_events_above_all_others_have_average_precision_one_and_a_threshold_between() -> None:
    result = average_precision(PERFECT, TRUTHS)
    assert result.value == pytest.approx(1.0) and result.interval == pytest.approx((1.0, 1.0)) and result.count == 24
    threshold, f1 = best_threshold(PERFECT, TRUTHS)
    assert 0.1 < threshold <= 0.6 and f1 == 1.0
    assert PERFECT[0].above(threshold).tolist() == [1.0, 2.0, 3.0, 4.0]
    assert PERFECT[0].onsets(threshold).times_s.tolist() == [1.0, 2.0, 3.0, 4.0]


def test_known_mistakes_lower_it_by_known_amounts() -> None:
    missing = [Candidates(one.times_s[1:], one.scores[1:]) for one in PERFECT]
    assert average_precision(missing, TRUTHS).value == pytest.approx(0.75)
    # ranks: false, true, false, true; two events are never found: (1/2 + 2/4) / 4
    mixed = [Candidates(np.array([1.0, 1.5, 2.0, 2.5]), np.array([0.7, 0.9, 0.3, 0.5]))] * 6
    assert average_precision(mixed, TRUTHS).value == pytest.approx(0.25)
    assert np.isnan(average_precision(mixed, [clip()] * 6).value)


def test_order_of_clips_does_not_matter_and_the_thresholds_fall() -> None:
    rng = np.random.default_rng(0)
    truths = [clip(*np.sort(rng.uniform(0, 8, 5))) for _ in range(10)]
    found = [Candidates(np.sort(rng.uniform(0, 8, 20)), rng.uniform(0, 1, 20)) for _ in range(10)]
    order = rng.permutation(10)
    again = [found[k] for k in order], [truths[k] for k in order]
    assert average_precision(found, truths).value == pytest.approx(average_precision(*again).value)
    assert best_threshold(found, truths) == best_threshold(*again)
    assert (np.diff(THRESHOLDS) < 0).all()
