"""Whose sound is it? Measures of a sound that should be that of one source in a picture of several (the wanted one).

belonging      of the detected events, those within 50 ms of an event of the wanted source, of another, of none
margin_db      mean power around the wanted source's events over that around the others' events
nearest        which source's own sound is nearest (SelFoley's same-scene selection accuracy, averaged)

Instants that two sources share tell nothing of the two: `belonging` leaves them out, and powers are those of instants
that are at least 200 ms from the other sources' events.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from torch import Tensor

from openfoley.data.onset_detector import MEAN_SQUARE_FLOOR
from openfoley.evaluation.metrics.f1 import MAIN_TOLERANCE_S, score
from openfoley.evaluation.metrics.matching import match
from openfoley.evaluation.metrics.truth import Truth

AROUND_S = 0.1  # length of an instant, centred on its event
APART_S = 0.2  # from the other sources' events


def belonging(times_s: np.ndarray, wanted: Truth, others: Sequence[Truth]) -> list[float]:
    """[of the wanted source, of another, of none] of the detected events of one clip. Those of none are neither near an
    event nor in a span that is ignored (a lasting sound)."""
    own, foreign = wanted.scored_s, _events(others)
    reach = 2 * MAIN_TOLERANCE_S  # nearer events can both be within 50 ms of one detection
    shared = np.concatenate([own[_distance(own, foreign) <= reach], foreign[_distance(foreign, own) <= reach]])
    times_s = times_s[_distance(times_s, shared) > MAIN_TOLERANCE_S]
    of_wanted, _ = match(times_s, own, MAIN_TOLERANCE_S)
    of_others, _ = match(times_s, foreign, MAIN_TOLERANCE_S)
    rest = np.delete(times_s, np.concatenate([of_wanted, of_others]))
    spans = np.concatenate([truth.ignored_spans for truth in (wanted, *others)])
    lasting = wanted.kept(np.zeros(len(own), dtype=bool), spans)
    return [len(of_wanted), len(of_others), score(rest, lasting, MAIN_TOLERANCE_S).detections]


def powers(
    samples: Float[Tensor, "channels time"], sample_rate: int, wanted: Truth, others: Sequence[Truth]
) -> tuple[float, float]:
    """Mean power in the 100 ms around events of the wanted source, and of the others; nan without any apart."""
    own, foreign = wanted.scored_s, _events(others)
    squares = samples.double().square().mean(0).cpu().numpy()
    return (
        _power(squares, sample_rate, own[_distance(own, foreign) > APART_S]),
        _power(squares, sample_rate, foreign[_distance(foreign, own) > APART_S]),
    )


def margin_db(wanted: float, others: float) -> float:
    """How far, in dB, the power of the others' instants is below that of the wanted one's; nan without either. Powers
    below -120 dB re full scale count as that."""
    return 10 * math.log10((wanted + MEAN_SQUARE_FLOOR) / (others + MEAN_SQUARE_FLOOR))


def nearest(distances: Sequence[float], wanted: int) -> bool:
    """Whether the wanted source's distance is below all others."""
    return all(distances[wanted] < one for k, one in enumerate(distances) if k != wanted)


def _power(squares: np.ndarray, sample_rate: int, times_s: np.ndarray) -> float:
    half = round(AROUND_S / 2 * sample_rate)
    centres = np.round(times_s * sample_rate).astype(np.int64)
    parts = [squares[max(0, k - half) : k + half].mean() for k in centres if k - half < len(squares)]
    return float(np.mean(parts)) if parts else float("nan")


def _events(truths: Sequence[Truth]) -> np.ndarray:
    return np.concatenate([np.zeros(0), *(truth.scored_s for truth in truths)])


def _distance(times_s: np.ndarray, others_s: np.ndarray) -> np.ndarray:
    """From each time to the nearest of the others (s); infinite without any."""
    return np.abs(times_s[:, None] - others_s[None]).min(1, initial=math.inf)
