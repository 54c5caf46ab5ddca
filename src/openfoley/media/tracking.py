"""A simple tracker: a box through the frames of a shot by normalised cross-correlation. No network, no learned weights.

The box with a margin around it is a template. In the next frame the place is taken where the mean of two correlations
is largest, that with the first template and that with a running mean of the latest ones, in a square around the place
that constant velocity predicts; a parabola refines it. The box keeps its size: a thing that comes much nearer, turns
its back or looks like its neighbour is beyond this tracker, and a mask made elsewhere is the better choice.

A correlation under LOST is a miss, over which the box moves on as predicted and the search widens. A run of misses of
LOST_S, or a centre outside of the picture, ends the track in that direction.

A correlation does not tell a track that settled elsewhere (docs/log.md, E17). Two things together do: for LOST_S
another place nearby looked almost as much like the box (or it was found again elsewhere), and a box that starts where
the track ends takes another way back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from openfoley.media.frames import FrameRequest, VideoInfo

REQUEST_NAME = "tracking"
MAX_RATE = Fraction(30)  # Hz; higher rates are subsampled evenly
TEMPLATE_SIDE = 32  # pixels that the box's longer side has where frames are from LEAST_SIDE to MOST_SIDE
LEAST_SIDE, MOST_SIDE = 64, 224  # pixels, longer side of the frames
MARGIN = 0.15  # of the box on each side; an even thing is known by its edges
LEAST_MARGIN = 2  # pixels
REACH = 1.0  # of the template's longer side: how far from the predicted place is searched
LEAST_REACH, MOST_REACH = 8, 36  # pixels
FAR = 0.1  # subtracted from a correlation at the edge of the search, so that of two alike the nearer counts
LOST = 0.5
LOST_S = 0.4  # s
SURE = 0.7  # correlation from which a place goes into the running template
RENEWED = 0.25  # share of the latest place in the running template
RIVAL = 0.1  # of correlation: a place outside of half the box that is less behind the best one
WAY_BACK = 0.5  # of the box's sides: how far the way back may lie beside the way there
PLAIN = 0.01  # of 1: standard deviation below which an area has nothing to correlate
MOST_HELD = 3000  # frames before the first box and behind it that are kept: 2 minutes each at 25 Hz, 230 MB at most


Corners = tuple[float, float, float, float]  # left, top, right, bottom in 0..1
Place = tuple[float, float]  # x, y in 0..1


@dataclass(frozen=True)
class Track:
    """boxes: left, top, right, bottom in 0..1 of the picture on consecutive frames from number `first` on. lost_before,
    lost_after: it ends there before the shot does. is_plain: there was nothing to follow, and the box stands still.
    is_doubtful: it may have settled on something else."""

    first: int
    boxes: Float[Tensor, "n 4"]
    lost_before: bool = False
    lost_after: bool = False
    is_plain: bool = False
    is_doubtful: bool = False

    @property
    def end(self) -> int:
        """Behind the last frame."""
        return self.first + len(self.boxes)


def tracking_request(info: VideoInfo, box: Corners) -> FrameRequest:
    """The frames to follow a box (left, top, right, bottom in 0..1) in: every frame up to 30 a second, as large as
    the box needs."""
    left, top, right, bottom = box
    longer = max(info.width, info.height)
    side = max((right - left) * info.width, (bottom - top) * info.height) / longer
    size = min(MOST_SIDE, max(LEAST_SIDE, round(TEMPLATE_SIDE / side)))
    height, width = (max(16, round(size * edge / longer)) for edge in (info.height, info.width))
    return FrameRequest(REQUEST_NAME, info.frame_rate / ceil(info.frame_rate / MAX_RATE), height, width)


class BoxFollower:
    """Frames of a shot one after another, from number `first` on, at `rate` (Hz) -> the track of a box given on frame
    `start`. It needs no more frames once `is_over`."""

    def __init__(self, box: Corners, start: int, first: int, rate: Fraction) -> None:
        self.rate, self.box, self.start, self.first, self.next = rate, box, start, first, first
        self.held: list[Tensor] = []  # the last frames up to `start`
        self.behind: list[Tensor] = []  # the first ones from `start` on
        self.tracker: Tracker | None = None
        self.places: list[Place] = []  # centres from `start` on
        self.found: list[bool] = []  # in these places, not only expected there
        self.is_over = False

    def push(self, frame: UInt8[Tensor, "3 height width"]) -> None:
        """The next frame."""
        if self.next <= self.start:
            self.held = [*self.held[-MOST_HELD:], frame]
        if self.next >= self.start and len(self.behind) <= MOST_HELD and not self.is_over:
            self.behind.append(frame)
        if self.next == self.start:
            self.tracker = Tracker(frame, self.box, self.rate)
            self.places.append(self.tracker.place)
            self.found.append(True)
        elif self.tracker is not None and not self.is_over:
            self.is_over = not self.tracker.push(frame)
            self.places.append(self.tracker.place)
            self.found.append(self.tracker.misses == 0)
        self.next += 1

    def track(self) -> Track:
        """Of the frames so far. ValueError if frame `start` was not among them."""
        if self.tracker is None:
            raise ValueError(f"frame {self.start} was not pushed; the next one is {self.next}")
        after = self.places[: len(self.places) - self.tracker.misses]
        back, before, found = Tracker(self.held[-1], self.box, self.rate), list[Place](), [True]
        for frame in reversed(self.held[:-1]):
            goes_on = back.push(frame)
            before.append(back.place)
            found.append(back.misses == 0)
            if not goes_on:
                break
        before = before[: len(before) - back.misses]
        centres = torch.tensor([*reversed(before), *after], dtype=torch.float64)
        half = torch.tensor([self.box[2] - self.box[0], self.box[3] - self.box[1]], dtype=torch.float64) / 2
        boxes = torch.cat([centres - half, centres + half], 1).clamp(0, 1).float()
        lost_before = len(before) < self.start - self.first
        first = self.places[0]
        doubts = (
            self._is_doubtful(self.tracker, self.behind, after, self.found),
            self._is_doubtful(back, self.held[::-1], [first, *before], found),
        )
        return Track(self.start - len(before), boxes, lost_before, self.is_over, self.tracker.is_plain, any(doubts))

    def _is_doubtful(
        self, tracker: Tracker, frames: Sequence[Tensor], places: Sequence[Place], found: Sequence[bool]
    ) -> bool:
        """Whether a tracker met a rival, and the way back from its last place is another, where it was found on both.
        places: on the frames; of a track longer than MOST_HELD the part that was kept."""
        frames, places = frames[: len(places)], places[: len(frames)]
        if not tracker.met_rival or len(places) < 2:
            return False
        half = [(self.box[2] - self.box[0]) / 2, (self.box[3] - self.box[1]) / 2]
        box = [centre + sign * side for sign in (-1, 1) for centre, side in zip(places[-1], half, strict=True)]
        way_back = Tracker(frames[-1], (box[0], box[1], box[2], box[3]), self.rate)
        for number in range(len(places) - 2, -1, -1):
            way_back.push(frames[number])
            apart = [abs(a - b) for a, b in zip(way_back.place, places[number], strict=True)]
            is_far = any(far > 2 * WAY_BACK * side for far, side in zip(apart, half, strict=True))
            if is_far and found[number] and way_back.misses == 0:
                return True
        return False


class Tracker:
    """One direction of time. place: the box's centre (x, y) in 0..1 on the latest frame; misses: how many frames up to
    this one did not show it. met_rival: for LOST_S another place looked almost as much like it, or it was found again
    where it was not expected."""

    def __init__(self, frame: UInt8[Tensor, "3 height width"], box: Corners, rate: Fraction) -> None:
        self.size = torch.tensor([frame.shape[2], frame.shape[1]], dtype=torch.float64)  # pixels, x and y
        corners = torch.tensor(box, dtype=torch.float64).unflatten(0, (2, 2)) * self.size
        self.centre = corners.mean(0)  # pixels
        self.sides = corners[1] - corners[0]
        width, height = (round(float(side + 2 * max(LEAST_MARGIN, MARGIN * side))) for side in self.sides)
        self.height, self.width = height, width  # of the template
        self.reach = min(MOST_REACH, max(LEAST_REACH, round(REACH * max(height, width))))
        self.velocity = torch.zeros(2, dtype=torch.float64)  # pixels a frame
        patch = _cut_out(_plain(frame), self.centre, height, width)
        self.is_plain = float(patch.std()) < PLAIN
        self.first = self.latest = _unit(patch)
        self.misses, self.most_misses = 0, ceil(LOST_S * rate)
        self.margins: deque[float] = deque(maxlen=self.most_misses)
        self.met_rival = False

    @property
    def place(self) -> Place:
        x, y = (self.centre / self.size).tolist()
        return x, y

    def push(self, frame: UInt8[Tensor, "3 height width"]) -> bool:
        """The next frame; False if the box is lost."""
        if self.is_plain:
            return True
        picture, predicted = _plain(frame), self.centre + self.velocity
        reach = self.reach + self.misses * self.reach // 2  # what was not seen for a while may be anywhere
        first, latest = self._correlations(picture, predicted, reach)
        steps = torch.arange(-reach, reach + 1) / reach
        score = (first + latest) / 2 - FAR * (steps[:, None].square() + steps.square())
        row, column = divmod(int(score.argmax()), 2 * reach + 1)
        found = float(torch.maximum(first, latest)[row, column])
        if found < (SURE if self.misses else LOST):  # what was not seen is found again only for certain
            self.centre, self.velocity, self.misses = predicted, 0.8 * self.velocity, self.misses + 1
        else:
            offset = (column - reach + _vertex(score[row], column), row - reach + _vertex(score[:, column], row))
            moved = predicted + torch.tensor(offset, dtype=torch.float64) - self.centre
            self.met_rival |= self.misses > 0 and bool((abs(moved) > self.sides / 2).any())
            self.velocity = 0.0 * moved if self.misses else (self.velocity + moved) / 2  # a jump is no velocity
            self.centre, self.misses = self.centre + moved, 0
            self.margins.append(margin((first + latest) / 2, self.height, self.width))
            is_full = len(self.margins) == self.most_misses
            self.met_rival |= is_full and sum(self.margins) / self.most_misses < RIVAL
            if found > SURE:
                seen = _unit(_cut_out(picture, self.centre, self.height, self.width))
                self.latest = _unit((1 - RENEWED) * self.latest + RENEWED * seen)
        inside = bool(((self.centre >= 0) & (self.centre <= self.size)).all())
        if not inside:
            self.misses = max(1, self.misses)
        return inside and self.misses < self.most_misses

    def _correlations(self, picture: Tensor, centre: Tensor, reach: int) -> tuple[Tensor, Tensor]:
        """With the first and the latest template, at each place up to `reach` pixels from a centre."""
        region = _cut_out(picture, centre, self.height + 2 * reach, self.width + 2 * reach)
        first, latest = _correlations(region, torch.stack([self.first, self.latest]))
        return first, latest


def margin(correlations: Float[Tensor, "rows columns"], height: int, width: int) -> float:
    """By how much the best place for a template of height x width leads the next one outside of half of it."""
    row, column = divmod(int(correlations.argmax()), correlations.shape[1])
    others = correlations.clone()
    rows, columns = (slice(max(0, at - side // 4), at + side // 4 + 1) for at, side in ((row, height), (column, width)))
    others[rows, columns] = -1
    return float(correlations[row, column] - others.max())


def _plain(frame: Tensor) -> Tensor:
    return frame.float() / 255


def _cut_out(
    picture: Float[Tensor, "3 h w"], centre: Float[Tensor, "2"], height: int, width: int
) -> Float[Tensor, "3 height width"]:
    """The part around a centre (x, y in pixels), between pixels linearly; beyond the picture its edge is repeated."""
    x, y = centre.tolist()
    xs = (x - width / 2 + 0.5 + torch.arange(width)) * 2 / picture.shape[2] - 1
    ys = (y - height / 2 + 0.5 + torch.arange(height)) * 2 / picture.shape[1] - 1
    grid = torch.stack([xs.expand(height, -1), ys[:, None].expand(-1, width)], -1)
    return F.grid_sample(picture[None], grid[None], padding_mode="border", align_corners=False)[0]


def _unit(patch: Tensor) -> Tensor:
    """Mean 0, norm 1."""
    centred = patch - patch.mean()
    return centred / centred.norm().clamp(min=1e-6)


def _correlations(
    region: Float[Tensor, "3 h w"], templates: Float[Tensor, "templates 3 height width"]
) -> Float[Tensor, "templates rows columns"]:
    """Normalised correlation, -1 to 1, of each template with each part of the region; 0 with even ones."""
    height, width = templates.shape[2:]
    products = F.conv2d(region[None], templates)[0]
    count = templates[0].numel()
    sums, squares = (_sums(part.sum(0), height, width) for part in (region, region.square()))
    spread = squares - sums.square() / count
    return torch.where(spread > count * PLAIN**2, products / spread.clamp(min=1e-9).sqrt(), 0.0).float()


def _sums(values: Float[Tensor, "h w"], height: int, width: int) -> Float[Tensor, "rows columns"]:
    """Sums over all parts of height x width, from a table of sums up to each corner."""
    table = F.pad(values.double(), (1, 0, 1, 0)).cumsum(0).cumsum(1)
    return table[height:, width:] - table[:-height, width:] - table[height:, :-width] + table[:-height, :-width]


def _vertex(values: Tensor, at: int) -> float:
    """Where the parabola through the value at a maximum and its neighbours has its vertex, from `at`; -0.5 to 0.5."""
    if not 0 < at < len(values) - 1:
        return 0.0
    before, own, after = (float(v) for v in values[at - 1 : at + 2])
    bend = before - 2 * own + after
    return max(-0.5, min(0.5, (before - after) / (2 * bend))) if bend < 0 else 0.0
