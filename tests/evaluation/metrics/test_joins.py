"""Steps of energy and events at joins: alike gives the best value, known damage moves them by what it is, order does
not matter."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from openfoley.evaluation.metrics.joins import (
    delta_change,
    delta_figures,
    delta_sums,
    energy_deltas,
    event_sums_by_region,
    precision_behind,
)
from openfoley.evaluation.metrics.truth import Truth, from_dict

RATE = 44100


def stepped(after: float = 0.2) -> torch.Tensor:
    return torch.cat([torch.full((4410,), 0.1), torch.full((4410,), after)])


def test_energy_deltas_are_those_that_were_made() -> None:
    deltas = energy_deltas(stepped(), RATE, [0.1, 0.05])
    assert deltas == pytest.approx(np.array([[0.1, 6.02], [0.0, 0.0]]), abs=0.01)
    assert energy_deltas(stepped(), RATE, [0.09, 0.09], 0.06)[:, 1] == pytest.approx([6.02, 6.02], abs=0.01)
    assert energy_deltas(torch.zeros(8820), RATE, [0.1]).tolist() == [[0.0, 0.0]]


def sums(after: float, true_after: float = 0.2, clips: int = 6) -> list[list[float]]:
    ours, true = (energy_deltas(stepped(a), RATE, [0.1, 0.1]) for a in (after, true_after))
    return [delta_sums(ours, true)] * clips


def test_the_true_sound_is_at_distance_zero_and_both_more_and_less_step_are_farther() -> None:
    assert delta_figures(sums(0.2))["waveform_to_true"]["value"] == 0.0
    more, less = (delta_figures(sums(after)) for after in (0.35, 0.1))
    assert more["waveform_to_true"]["value"] == pytest.approx(0.15, abs=1e-4)
    assert less["waveform_to_true"]["value"] == pytest.approx(0.1, abs=1e-4), "no step at all is no virtue"
    assert more["waveform_mean"]["value"] == pytest.approx(0.25, abs=1e-4)
    assert less["db_true"]["value"] == pytest.approx(6.02, abs=0.01)


def test_forty_percent_nearer_is_a_ratio_of_six_tenths_whatever_the_order() -> None:
    base, better = sums(0.3) + sums(0.4), sums(0.26) + sums(0.32)
    change = delta_change(better, base)
    assert change["ratio"] == pytest.approx(0.6, abs=1e-3) and change["difference"] < 0
    low, high = change["ratio_interval"]
    assert low <= 0.6 + 1e-3 and high >= 0.6 - 1e-3
    order = np.random.default_rng(0).permutation(len(base))
    again = delta_change([better[k] for k in order], [base[k] for k in order])
    assert again["ratio"] == pytest.approx(change["ratio"])


def truth_at(times: list[float]) -> Truth:
    events = [{"time_s": t, "action": "hit", "material": "wood", "audible": True, "visible": True} for t in times]
    return from_dict({"duration_s": 10.0, "events": events})


def test_all_events_found_are_a_precision_of_one_in_every_region() -> None:
    times = [1.05, 2.0, 3.9, 4.1, 7.0]
    regions = event_sums_by_region(np.array(times), truth_at(times), [1.0, 4.0])
    assert regions == {"behind": [2, 2, 2], "around": [3, 3, 3], "elsewhere": [2, 2, 2]}
    found = precision_behind([regions] * 4)
    assert found["behind"] == found["elsewhere"] == found["ratio"] == 1.0 and found["detections"] == 8


def test_false_events_behind_joins_lower_that_precision_alone() -> None:
    times = [1.05, 2.0, 4.1, 7.0]
    detected = np.array([*times, 1.15, 4.15])
    regions = event_sums_by_region(detected, truth_at(times), [1.0, 4.0])
    found = precision_behind([regions] * 3)
    assert found["behind"] == 0.5 and found["elsewhere"] == 1.0 and found["ratio"] == 0.5
    shuffled = event_sums_by_region(detected[::-1], truth_at(times), [4.0, 1.0])
    assert shuffled == regions, "order does not matter"


def test_detections_in_ignored_spans_are_not_false() -> None:
    truth = replace(truth_at([2.0]), ignored_spans=np.array([[0.9, 1.3]]))
    assert event_sums_by_region(np.array([1.1, 2.0]), truth, [1.0])["behind"] == [0, 0, 0]


def test_without_detections_behind_joins_there_is_no_ratio() -> None:
    regions = event_sums_by_region(np.array([2.0]), truth_at([2.0]), [5.0])
    assert np.isnan(precision_behind([regions] * 2)["ratio"])
