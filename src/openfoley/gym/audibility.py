"""Which events of a scene are audible in its mix: loud enough, not masked by what rings just before, and not beside
a louder one."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

LOUDNESS_WINDOW_S = 0.05
MASKING_WINDOW_S = 0.02
MASKED_BELOW_DB, DENSE_MASKED_BELOW_DB = 6.0, 0.0
"""How far below the ring just before it an event may begin; where many ring at once, the onset detector finds in the
true sound 0.54 of the events that begin 0 to 6 dB below it and 0.88 of the others."""
FAINT_DB = -62.0
"""Events fainter than this (mean power over 50 ms, re full scale) count as inaudible."""
APART_S = 0.03
"""Of events nearer than this the loudest counts."""


@dataclass
class Powers:
    """Mean powers of one event's own sound before the room, of all that it sets ringing: over the loudness window and
    over the masking window."""

    loudness: float = 0.0
    early: float = 0.0

    def add(self, wave: Float[Tensor, " samples"], sample_rate: int, gain_power: float) -> None:
        """An object's wave, rendered with `gain_power`, mean over both sides."""
        self.loudness += _power(wave, LOUDNESS_WINDOW_S, sample_rate) * gain_power
        self.early += _power(wave, MASKING_WINDOW_S, sample_rate) * gain_power


def _power(wave: Tensor, window_s: float, sample_rate: int) -> float:
    count = int(window_s * sample_rate)
    return float(wave[:count].square().sum()) / count


def decibels(power: float) -> float:
    return 10 * float(np.log10(power + 1e-12))


def audible_events(
    times_s: Sequence[float],
    powers: Sequence[Powers],
    mix: Float[Tensor, "2 samples"],
    sample_rate: int,
    *,
    dense: bool = False,
) -> tuple[bool, ...]:
    """For events in order of time, and the mix that they are part of. dense: where many ring at once."""
    rings_db = [ring_db(mix, round(time_s * sample_rate), sample_rate) for time_s in times_s]
    return audible_beside(times_s, powers, rings_db, dense=dense)


def ring_db(mix: Float[Tensor, "2 samples"], at: int, sample_rate: int) -> float:
    """Level of what rings just before a sample of the mix."""
    before = mix[:, max(at - int(MASKING_WINDOW_S * sample_rate), 0) : at]
    power = before.square().mean() if at > 0 else torch.tensor(0.0)
    return 10 * float(torch.log10(power + 1e-12))


def audible_beside(
    times_s: Sequence[float], powers: Sequence[Powers], rings_db: Sequence[float], *, dense: bool = False
) -> tuple[bool, ...]:
    """For events in order of time, and the level of what rings before each."""
    masked_below_db = DENSE_MASKED_BELOW_DB if dense else MASKED_BELOW_DB
    loudness = [decibels(one.loudness) for one in powers]
    unmasked = [
        own_db > FAINT_DB and decibels(one.early) > ring - masked_below_db
        for one, own_db, ring in zip(powers, loudness, rings_db, strict=True)
    ]
    if dense:
        kept = _loudest_apart([k for k, one in enumerate(unmasked) if one], times_s, loudness)
        return tuple(k in kept for k in range(len(times_s)))
    return tuple(one and _is_loudest(k, times_s, loudness) for k, one in enumerate(unmasked))


def _is_loudest(k: int, times_s: Sequence[float], loudness: Sequence[float]) -> bool:
    """Whether no other event within APART_S is as loud."""
    return all(
        loudness[k] > loudness[j] for j in range(len(times_s)) if j != k and abs(times_s[j] - times_s[k]) < APART_S
    )


def _loudest_apart(events: Sequence[int], times_s: Sequence[float], loudness: Sequence[float]) -> set[int]:
    """Events from the loudest down, each unless it is within APART_S of one taken before. An event that gives way does
    not silence another: of a rattle that dies away every 25 ms every second contact counts, not the first alone."""
    taken: set[int] = set()
    for k in sorted(events, key=lambda k: -loudness[k]):
        if all(abs(times_s[k] - times_s[j]) >= APART_S for j in taken):
            taken.add(k)
    return taken
