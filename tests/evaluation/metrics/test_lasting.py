"""The level of lasting sounds: alike gives no difference, a window that is louder shows by how much, the order of clips
does not matter."""

from typing import Any

import numpy as np
import pytest
import torch

from openfoley.evaluation.metrics.lasting import (
    covered_windows,
    lasting_change,
    lasting_figures,
    spreads_db,
    window_levels_db,
)

RATE = 8000
STARTS = [0.0, 4.0, 8.0, 12.0, 16.0]


def noise(gains: list[float]) -> torch.Tensor:
    sound = torch.randn(len(gains) * 4 * RATE, generator=torch.Generator().manual_seed(3)) * 0.05
    return sound * torch.tensor(gains).repeat_interleave(4 * RATE)


def record(*spans: tuple[str, float, float], **more: Any) -> dict[str, Any]:
    events = [
        {"object_id": id, "time_s": a, "end_s": b, "continuous": True, "audible": True, **more} for id, a, b in spans
    ]
    return {"duration_s": 20.0, "events": events}


def test_windows_count_where_one_source_sounds_throughout_over_cuts_too() -> None:
    assert covered_windows(record(("rain", 0.0, 20.0))) == STARTS
    assert covered_windows(record(("rain", 0.0, 6.2), ("rain", 6.2, 13.0))) == [0.0, 4.0, 8.0]
    assert covered_windows(record(("rain", 0.0, 6.0), ("fan", 6.0, 20.0))) == [0.0, 8.0, 12.0, 16.0]
    assert covered_windows(record(("rain", 0.0, 20.0), audible=False)) == []
    assert covered_windows(record(("rain", 1.0, 7.9))) == []


def test_a_steady_sound_has_no_spread_and_events_do_not_change_it() -> None:
    steady = noise([1.0] * 5)
    levels = window_levels_db(steady, RATE, STARTS)
    assert np.ptp(levels) < 0.3
    struck = steady.clone()
    for at in (1.0, 5.0, 5.6, 13.0):
        struck[round(at * RATE) :][:400] += 0.8
    assert window_levels_db(struck, RATE, STARTS) == pytest.approx(levels, abs=0.2)
    alike = spreads_db(levels.tolist(), levels.tolist())
    assert alike["against_true"] == 0.0 and alike["offset"] == 0.0 and alike["own"] == alike["true"] < 0.2


def test_a_window_that_is_louder_moves_the_spread_by_what_it_is() -> None:
    true = window_levels_db(noise([1.0] * 5), RATE, STARTS).tolist()
    ours = window_levels_db(noise([1.0, 1.0, 2.0, 1.0, 1.0]), RATE, STARTS).tolist()
    moved = spreads_db(ours, true)
    assert moved["offset"] == pytest.approx(6.02 / 5, abs=0.02)
    assert moved["against_true"] == pytest.approx(6.02 * 0.4, abs=0.02)  # of one in five: sqrt(1/5 * 4/5)
    turned_down = spreads_db((np.array(true) - 10).tolist(), true)
    assert turned_down["against_true"] == pytest.approx(0.0, abs=1e-9) and turned_down["offset"] == pytest.approx(-10)
    assert np.isnan(spreads_db(ours[:3], true[:3])["own"])


def test_the_order_of_clips_does_not_matter_and_a_change_is_paired() -> None:
    base = [{"own": 3.0 + k, "true": 1.0, "against_true": 2.0 + k, "offset": 0.0} for k in range(5)]
    better = [{**one, "own": one["own"] - 1, "against_true": one["against_true"] - 1} for one in base]
    assert lasting_change(better, base)["mean"] == -1.0 and lasting_change(better, base)["interval"] == (-1.0, -1.0)
    figures, again = lasting_figures(base), lasting_figures(base[::-1])
    assert figures["own"]["mean"] == again["own"]["mean"] == 5.0 and figures["own_minus_true"]["mean"] == 4.0
    assert figures["clips"] == 5
