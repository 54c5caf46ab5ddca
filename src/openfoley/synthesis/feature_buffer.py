"""The features of a moving stretch of the video, however long the file.

Feature k of a shot belongs to the instant origin + k / r on the video's clock (time 0 is the first shown frame; the
origin is the shot's first frame). Features arrive in order while the file is decoded, are read by one window after the
other, and are then dropped.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil

import torch
from torch import Tensor


class FeatureBuffer:
    """Consecutive features float32 [n, dim] of one encoder; the oldest are dropped when no window needs them.

    rate: Hz. origin: s, the instant of feature 0. group: features that belong together (an encoder's segment); windows
    hold whole groups, so that they may start a little earlier and end a little later than asked.
    """

    def __init__(
        self,
        rate: Fraction,
        dim: int,
        device: torch.device | str = "cpu",
        origin: Fraction = Fraction(0),
        group: int = 1,
    ) -> None:
        self.rate, self.origin, self.group = rate, origin, group
        self.first_index = 0
        self.features = torch.zeros(0, dim, device=device)

    @property
    def end_index(self) -> int:
        return self.first_index + len(self.features)

    @property
    def end(self) -> Fraction:
        """Up to this instant (s) every feature is here."""
        return self.origin + self.end_index / self.rate

    def append(self, features: Tensor) -> None:
        """Features [n, dim] that follow those already here."""
        self.features = torch.cat([self.features, features.to(self.features)])

    def drop_before(self, time: Fraction) -> None:
        """Forget features of instants before `time` (s)."""
        keep_from = min(max(self._group_start(self._index(time)), self.first_index), self.end_index)
        self.features = self.features[keep_from - self.first_index :].clone()
        self.first_index = keep_from

    def window(self, zero: Fraction, start: Fraction, end: Fraction) -> tuple[Tensor, Tensor]:
        """Features of instants in [start, end) s as ([n, dim], times [n] in s relative to `zero`).

        Times are differences of rationals, rounded once: a window an hour into the file is as exact as the first.
        """
        first = min(max(self._group_start(self._index(start)), self.first_index), self.end_index)
        last = min(max(-self._group_start(-self._index(end)), first), self.end_index)
        times = [float(self.origin + k / self.rate - zero) for k in range(first, last)]
        chosen = self.features[first - self.first_index : last - self.first_index]
        return chosen, torch.tensor(times, dtype=torch.float32, device=chosen.device)

    def _index(self, time: Fraction) -> int:
        """The first feature at `time` (s) or later."""
        return ceil((time - self.origin) * self.rate)

    def _group_start(self, index: int) -> int:
        """The first feature of the group that feature `index` is in."""
        return index // self.group * self.group
