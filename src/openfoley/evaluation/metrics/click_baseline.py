"""A trivial baseline: a click at every peak of the difference between frames.

If it scored well, the Gym could be solved from changes of brightness alone, without motion or material.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from openfoley.data.onset_detector import Onsets

NEIGHBOURS = 1
"""Frames to either side that a peak must exceed."""
ABOVE_MEDIAN = 1.0
"""A peak must be this many times the clip's median difference. Both values are the best on 40 evaluation scenes (F1
0.27 at 50 ms)."""
CLICK_DB = -20.0


Frames = UInt8[np.ndarray, "time 3 height width"] | UInt8[Tensor, "time 3 height width"]


def click_times(frames: Frames, fps: float) -> np.ndarray:
    """Times (s) of the peaks of mean |frame - previous frame|."""
    pictures = torch.as_tensor(np.asarray(frames)).float()
    change = (pictures[1:] - pictures[:-1]).abs().mean((1, 2, 3)).numpy()
    around = np.lib.stride_tricks.sliding_window_view(np.pad(change, NEIGHBOURS), 2 * NEIGHBOURS + 1).max(1)
    peaks = np.flatnonzero((change >= around) & (change > ABOVE_MEDIAN * np.median(change)) & (change > 0))
    return (peaks + 1) / fps  # the later of the two frames shows the change


def click_onsets(frames: Frames, fps: float) -> Onsets:
    """The baseline's events as the detector would detect them in its clicks."""
    times = click_times(frames, fps)
    return Onsets(times, np.full(len(times), CLICK_DB), np.ones(len(times)))
