"""Hard-cut detection: small frames in, frame numbers out, in bounded memory.

PySceneDetect, the usual library, cannot be imported without OpenCV, which is not a dependency of this project.

The distance of two frames is the mean over 24 x 24 pixels of the smallest colour difference to any of the 3 x 3
neighbours: motion by less than 4 % of the picture has no distance. A cut at frame k is distinguished from motion by the
frames around it:

    e[k] = min of distance(k-1, k .. k+2) and distance(k-3 .. k-1, k)      excludes a flash or a lost frame
    m[k] = median of distance(j-1, j) over the 6 frames before and after   excludes fast motion and pans
    s[k] = share of the places that differ by more than 0.02               excludes a jumping object
    cut where e - m > 0.02 and e > 2.5 (m + 0.005) and s > 1/3 and e is the largest within 3 frames

Measured by `openfoley evaluate scenes`. Dissolves and fades are not cuts; a light switched on may be.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from fractions import Fraction

import torch
import torch.nn.functional as F
from torch import Tensor

from openfoley.media.frames import FrameRequest

SIDE = 24  # pixels, height and width of the compared frames
REQUEST_NAME = "scenes"
MAX_RATE = Fraction(60)  # Hz; higher rates are subsampled evenly
AROUND = 6  # frames before and after for the level of motion: 0.25 s at 24 Hz
FLASH = 2  # frames that a flash may last
GAP = 3  # frames: of two candidates this close the larger counts
# On 56 cuts of 14 training scenes the smallest e - m was 0.035, on 10,478 other frames the largest 0.006;
# the smallest s at cuts was 0.50, the largest elsewhere 0.20.
LEAST_RISE = 0.02
LEAST_RATIO = 2.5
RATIO_FLOOR = 0.005
DIFFERS = 0.02  # of 1
LEAST_SHARE = 1 / 3


def scenes_request(frame_rate: Fraction) -> FrameRequest:
    """The detector's frame request for a video of this frame rate (Hz): every frame, up to 60 a second."""
    every = math.ceil(frame_rate / MAX_RATE)
    return FrameRequest(REQUEST_NAME, frame_rate / every, SIDE, SIDE)


class CutDetector:
    """Push frames, get the numbers of those that begin a new shot; they become known 9 frames later."""

    def __init__(self) -> None:
        self._frames = torch.zeros(0, 3, SIDE, SIDE)  # the last FLASH + 1
        self._seen = 0  # frames pushed
        self._decided = 0  # up to this frame
        self._first = 1  # the frame that the first entries of the next two belong to
        self._steps: list[float] = []  # distance(k-1, k)
        self._ahead: list[list[float]] = []  # distance(k-1, k), (k-1, k+1), (k-1, k+2) as far as known
        self._shares: list[float] = []  # of places that differ between k-1 and k

    def push(self, frames: Tensor) -> list[int]:
        """uint8 [n, 3, SIDE, SIDE], the next frames -> numbers of cut frames that have become certain."""
        fresh = frames.detach().cpu().float() / 255
        joined = torch.cat([self._frames, fresh])
        offset = self._seen - len(self._frames)  # number of joined[0]
        for lag in range(1, FLASH + 2):
            first = max(len(self._frames), lag)
            if first < len(joined):
                change = _change(joined[first - lag : len(joined) - lag], joined[first:])
                for place, distance in enumerate(change.mean((1, 2)).tolist(), start=first):
                    self._note(offset + place - lag + 1, lag, distance)
                if lag == 1:
                    self._shares += (change > DIFFERS).float().mean((1, 2)).tolist()
        self._seen += len(fresh)
        self._frames = joined[-(FLASH + 1) :]
        return self._certain(self._seen - 1 - AROUND - GAP)

    def flush(self) -> list[int]:
        """The rest, at the video's end."""
        return self._certain(self._seen - 1)

    def _note(self, k: int, lag: int, distance: float) -> None:
        """distance(k - 1, k - 1 + lag)."""
        while len(self._ahead) <= k - self._first:
            self._ahead.append([])
        self._ahead[k - self._first].append(distance)
        if lag == 1:
            self._steps.append(distance)

    def _certain(self, last: int) -> list[int]:
        """Cuts among the undecided frames up to `last`; drops values that later decisions do not need."""
        begin = self._decided + 1
        cuts = [k for k in range(begin, last + 1) if self._is_cut(k)]
        self._decided = max(begin - 1, last)
        drop = self._decided - AROUND - GAP - self._first
        if drop > 0:
            del self._steps[:drop], self._ahead[:drop], self._shares[:drop]
            self._first += drop
        return cuts

    def _is_cut(self, k: int) -> bool:
        own = self._lasting(k)
        if own <= LEAST_RISE:
            return False
        near = [self._lasting(j) for j in range(k - GAP, k + GAP + 1) if j != k and self._knows(j)]
        at = k - self._first
        around = self._steps[max(0, at - AROUND) : at] + self._steps[at + 1 : at + 1 + AROUND]
        usual = sorted(around)[len(around) // 2] if around else 0.0
        is_largest = all(own >= other for other in near) and self._shares[at] > LEAST_SHARE
        return is_largest and own - usual > LEAST_RISE and own > LEAST_RATIO * (usual + RATIO_FLOOR)

    def _knows(self, k: int) -> bool:
        return 0 <= k - self._first < len(self._ahead)

    def _lasting(self, k: int) -> float:
        """e[k]; (k-2, k) was noted with frame k-1, (k-3, k) with k-2."""
        at = k - self._first
        back = [
            self._ahead[at - lag][lag] for lag in range(1, FLASH + 1) if at >= lag and len(self._ahead[at - lag]) > lag
        ]
        return min(self._ahead[at] + back)


def _change(first: Tensor, second: Tensor) -> Tensor:
    """[n, H, W] differences in 0..1 of pictures [n, 3, H, W] in 0..1, the same both ways."""
    return torch.minimum(_reached(first, second), _reached(second, first))


def _reached(ours: Tensor, theirs: Tensor) -> Tensor:
    """[n, H, W]: the smallest difference to a neighbour of the same place in the other picture."""
    height, width = ours.shape[-2:]
    padded = F.pad(theirs, (1, 1, 1, 1), mode="replicate")
    shifted = [padded[..., y : y + height, x : x + width] for y in range(3) for x in range(3)]
    return torch.stack([(ours - other).abs().mean(1) for other in shifted]).amin(0)


def cut_frames(chunks: Iterable[Tensor]) -> Iterator[int]:
    """Frames of `scenes_request`, uint8 [n, 3, SIDE, SIDE] after another -> the numbers of those that begin a shot."""
    detector = CutDetector()
    for frames in chunks:
        yield from detector.push(frames)
    yield from detector.flush()
