"""Which part of each picture is seen: a box followed through its shot, or the pictures of a mask file.

A mask is given as frames for any request of frames: at its times, in its size and fit, so that it lies on what an
encoder sees. Its pixels are 0 (hidden) to 255 (seen); those of a file are the mean of red, green and blue.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from pathlib import Path
from typing import Protocol

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from openfoley.errors import UsageError
from openfoley.media.frames import FrameChunk, FrameRequest, VideoInfo
from openfoley.media.read.content_hash import file_hash
from openfoley.media.read.frame_picker import as_requested
from openfoley.media.read.opening import shown
from openfoley.media.read.still import is_still, upright
from openfoley.media.source import FRAMES_PER_CHUNK, Source, phase
from openfoley.media.tracking import BoxFollower, Corners, Track, tracking_request
from openfoley.region import Box
from openfoley.timeline.shots import Shot

logger = logging.getLogger(__name__)

ASPECT_TOLERANCE = 0.02  # of the aspect: sizes are rounded to even numbers of pixels
BLACK = 16  # of 255: darker than this is what a codec leaves of black
PROBE = FrameRequest("probe", Fraction(25), 90, 160)  # frames to look for anything white in


class PictureMask(Protocol):
    def frames(self, request: FrameRequest) -> Iterator[FrameChunk]:
        """The mask of the frames that a source gives for this request, three equal channels."""
        ...


def is_empty(mask: PictureMask, request: FrameRequest) -> bool:
    """Nothing is seen at any time."""
    return not any(bool(chunk.frames.any()) for chunk in mask.frames(request))


@dataclass(frozen=True)
class FollowedBox:
    """A box that moves. track: at `rate` (Hz), in `shot`; everything is hidden elsewhere. info: of the video."""

    track: Track
    rate: Fraction
    shot: Shot
    info: VideoInfo

    def frames(self, request: FrameRequest) -> Iterator[FrameChunk]:
        for first, count in _chunks(self.info.duration, request.rate):
            masks = [self._mask(k / request.rate, request) for k in range(first, first + count)]
            yield FrameChunk(request.name, first, torch.stack(masks))

    def _mask(self, time: Fraction, request: FrameRequest) -> UInt8[Tensor, "3 height width"]:
        first = ceil(self.shot.start * self.rate)  # a picture shown before that frame has its box
        number = max(first, floor(time * self.rate)) - self.track.first
        if not (self.shot.start <= time < self.shot.end and 0 <= number < len(self.track.boxes)):
            return torch.zeros(3, request.height, request.width, dtype=torch.uint8)
        left, top, right, bottom = _fitted(self.track.boxes[number].tolist(), request, self.info)
        rows, columns = _covered(top, bottom, request.height), _covered(left, right, request.width)
        return (255 * rows[:, None] * columns).round().byte().expand(3, -1, -1)


@dataclass(frozen=True)
class MaskFile:
    """The pictures of a video, or one still image for all times. info: of the video that is masked; said: how the two
    differ."""

    path: Path
    info: VideoInfo
    source: Source | None  # None: a still image
    said: tuple[str, ...] = ()

    def frames(self, request: FrameRequest) -> Iterator[FrameChunk]:
        """The last picture is held to the end of the masked video."""
        pictures = iter(self._pictures(request))
        last = torch.zeros(3, request.height, request.width, dtype=torch.uint8)
        for first, count in _chunks(self.info.duration, request.rate):
            masks = []
            for _ in range(count):
                last = next(pictures, last)
                masks.append(last)
            yield FrameChunk(request.name, first, torch.stack(masks))

    def _pictures(self, request: FrameRequest) -> Iterator[Tensor]:
        if self.source is None:
            yield _levels(as_requested(upright(self.path), request))
            return
        for chunk in self.source.chunks([request]):
            yield from (_levels(frame) for frame in chunk.frames)


def mask_file(path: Path, info: VideoInfo) -> MaskFile:
    """The masks of a file for a video. Its size may be another, if its aspect is the same; its rate too: frames are
    those shown at the same time. UsageError for another aspect, a mask that ends early or is black; MediaError."""
    if not path.is_file():
        raise UsageError(f"select_mask: {shown(path)} does not exist or is not a file; check the path")
    still = is_still(path)
    source = None if still else Source.file(path)
    if source is None:
        height, width = upright(path).shape[1:]
    else:
        height, width = source.info.height, source.info.width
    given, wanted = f"{width}x{height}", f"{info.width}x{info.height}"
    if abs(width * info.height - height * info.width) > ASPECT_TOLERANCE * height * info.width:
        raise UsageError(
            f"select_mask: {shown(path)} is {given}, the video {wanted}: a mask has the aspect of its video; "
            "export it from the same picture"
        )
    said = [f"its {given} are scaled to {wanted}"] if given != wanted else []
    if source is not None:
        said += _matched(path, source.info, info)
    mask = MaskFile(path, info, source, tuple(said))
    if is_empty(mask, PROBE):
        raise UsageError(f"select_mask: {shown(path)} is black throughout and selects nothing; paint what sounds white")
    return mask


def _matched(path: Path, mask: VideoInfo, video: VideoInfo) -> list[str]:
    """What is said of a mask's rate and length. UsageError if it ends more than a frame before its video."""
    frame = 1 / min(mask.frame_rate, video.frame_rate)
    lengths = f"{float(mask.duration):.3f} s"
    if mask.duration < video.duration - frame:
        raise UsageError(
            f"select_mask: {shown(path)} ends at {lengths}, the video at {float(video.duration):.3f} s; export a mask "
            "of the whole video, or pass a still image, which holds at all times"
        )
    said = []
    if mask.frame_rate != video.frame_rate:
        rates = (f"{float(one.frame_rate):.5g}" for one in (mask, video))
        said.append("its {} frames per second are matched by time with the video's {}".format(*rates))
    if mask.duration > video.duration + frame:
        said.append(f"of its {lengths} the first {float(video.duration):.3f} are used")
    return said


def followed_box(box: Box, shot: Shot, source: Source) -> FollowedBox:
    """The box, followed from its time (s; None: the first picture of the shot) to both ends of the shot, or until it is
    lost, which is told."""
    request = tracking_request(source.info, box.corners)
    rate, time = request.rate, box.time
    assert not isinstance(time, str), "timecode was read"
    first, end = ceil(shot.start * rate), ceil(min(shot.end, source.info.duration) * rate)
    end = max(end, first + 1)
    start = first if time is None else max(first, floor(time * rate))
    phase.info("following the box from %.2f to %.2f s", float(shot.start), float(shot.end))
    follower = BoxFollower(box.corners, start, first, rate)
    for chunk in source.chunks([request]):
        for number, frame in enumerate(chunk.frames, chunk.first_index):
            if first <= number < end:
                follower.push(frame)
        if chunk.first_index + len(chunk.frames) >= end or follower.is_over:
            break
    track = follower.track()
    _tell(box, track, rate)
    return FollowedBox(track, rate, shot, source.info)


def _tell(box: Box, track: Track, rate: Fraction) -> None:
    if track.is_plain:
        logger.warning("select_box %s: there is nothing to follow in it, and it stands still", box)
    elif track.lost_before or track.lost_after:
        ends = f"{float(track.first / rate):.2f} to {float(track.end / rate):.2f} s"
        logger.warning(
            "select_box %s: it could be followed from %s only, nothing is selected elsewhere; try a tighter box, "
            "another time, cues with a box each, or --select-mask", box, ends,
        )  # fmt: skip
    if track.is_doubtful:
        logger.warning(
            "select_box %s: something else nearby may have been followed; if the sound is not that of the thing, try a "
            "tighter box, another time, cues with a box each, or --select-mask", box,
        )  # fmt: skip


def mask_hash(path: Path) -> str:
    """sha256 of a mask's file; empty if there is none."""
    return file_hash(path) if path.is_file() else ""


def greyed(
    pictures: UInt8[Tensor, "frames 3 height width"], masks: UInt8[Tensor, "frames 3 height width"], grey: int
) -> UInt8[Tensor, "frames 3 height width"]:
    """The pictures, grey where they are hidden."""
    share = masks.float() / 255
    return (pictures * share + grey * (1 - share)).round().byte()


def _chunks(duration: Fraction, rate: Fraction) -> Iterator[tuple[int, int]]:
    """(first frame, count) of the frames of a request, a few at once."""
    total = ceil(duration * rate)
    for first in range(0, total, FRAMES_PER_CHUNK):
        yield first, min(FRAMES_PER_CHUNK, total - first)


def _levels(frame: UInt8[Tensor, "3 height width"]) -> UInt8[Tensor, "3 height width"]:
    """A picture of a mask as 0 to 255."""
    level = frame.float().mean(0)
    return torch.where(level < BLACK, 0.0, level).round().byte().expand(3, -1, -1)


def _fitted(box: Sequence[float], request: FrameRequest, info: VideoInfo) -> Corners:
    """A box of the whole picture in 0..1 as one of the requested frame, which may be the picture's centre."""
    left, top, right, bottom = box
    if request.fit == "squash":
        return left, top, right, bottom
    scale = max(Fraction(request.height, info.height), Fraction(request.width, info.width))
    width, height = (float(side * scale) for side in (info.width, info.height))
    beside, above = (width - request.width) / 2, (height - request.height) / 2
    xs = [(edge * width - beside) / request.width for edge in (left, right)]
    ys = [(edge * height - above) / request.height for edge in (top, bottom)]
    return xs[0], ys[0], xs[1], ys[1]


def _covered(start: float, end: float, count: int) -> Float[Tensor, " pixels"]:
    """How much of each of `count` pixels a stretch of 0..1 covers."""
    edges = torch.arange(count + 1) / count
    low, high = edges[:-1].clamp(min=start), edges[1:].clamp(max=end)
    return (high - low).clamp(min=0) * count
