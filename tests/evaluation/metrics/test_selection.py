"""Whose events and whose sound, on clips whose answer is known."""

import math

import numpy as np
import pytest
import torch

from openfoley.evaluation.metrics.selection import belonging, margin_db, nearest, powers
from openfoley.evaluation.metrics.truth import Truth, from_dict

RATE = 8000


def truth(*times: float, rolling: tuple[float, float] | None = None) -> Truth:
    events = [{"time_s": t, "action": "hit", "audible": True} for t in times]
    if rolling:
        events.append({"time_s": rolling[0], "end_s": rolling[1], "action": "rolling", "continuous": True})
    return from_dict({"duration_s": 4.0, "events": events})


def test_every_event_of_the_wanted_source_belongs_to_it() -> None:
    wanted, other = truth(0.5, 1.5, 2.5), truth(1.0, 2.0)
    assert belonging(wanted.scored_s, wanted, [other]) == [3, 0, 0]
    assert belonging(other.scored_s, wanted, [other]) == [0, 2, 0]
    assert belonging(wanted.scored_s[::-1] + 0.04, wanted, [other]) == [3, 0, 0]
    assert belonging(np.array([0.7, 1.2, 3.0]), wanted, [other]) == [0, 0, 3]


def test_instants_that_both_share_and_lasting_sounds_are_left_out() -> None:
    wanted, other = truth(0.5, 1.5, rolling=(2.3, 2.6)), truth(0.58, 2.0, rolling=(3.0, 3.5))
    assert belonging(np.array([0.5, 0.58, 1.5, 2.5, 3.2]), wanted, [other]) == [1, 0, 0]
    assert belonging(np.array([3.7]), wanted, [other]) == [0, 0, 1]
    assert belonging(np.array([0.5, 2.0]), wanted, []) == [1, 0, 1]


def test_the_margin_is_the_ratio_of_the_powers_at_their_instants() -> None:
    samples = torch.zeros(2, 4 * RATE)
    for time_s, level in ((0.5, 0.5), (2.0, 0.05)):
        samples[:, round((time_s - 0.05) * RATE) : round((time_s + 0.05) * RATE)] = level
    samples[:, round(3.1 * RATE) :] = 0.9  # beside a wanted event: not an instant of the other alone
    pair = powers(samples, RATE, truth(0.5, 3.0), [truth(2.0, 3.1)])
    assert pair == pytest.approx((0.25, 0.0025)) and margin_db(*pair) == pytest.approx(20.0, abs=1e-3)
    assert math.isnan(margin_db(*powers(samples, RATE, truth(0.5), [])))
    assert margin_db(0.0, 0.0) == 0.0


def test_nearest_is_strict() -> None:
    assert nearest([0.1, 0.2, 0.3], 0) and not nearest([0.1, 0.2], 1) and not nearest([0.2, 0.2], 0)
