"""Sample frames at any rate and size from a video, exactly, in one decoding pass.

`scan` determines the frame shown at every time k / rate before decoding; here the decoder's frames are matched with
that list, scaled (once per frame and size, by swscale) and returned in chunks. Only the current chunk is kept, so
memory does not depend on the file's length. Packets that no request needs are not decoded in intra-only codecs (ProRes,
MJPEG) or if they are disposable.
"""

from __future__ import annotations

import logging
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from av.error import FFmpegError
from av.video.reformatter import Colorspace, Interpolation, VideoReformatter
from torch import Tensor

from openfoley.errors import MediaError, UsageError
from openfoley.media.frames import FrameChunk, FrameRequest
from openfoley.media.read.first_frame import REPORT_DAMAGE, from_key_frame
from openfoley.media.read.frame_times import shown_indices
from openfoley.media.read.opening import open_media, picture_stream, reason, shown
from openfoley.media.read.orientation import Orientation
from openfoley.media.read.packet_pass import read_to_damage
from openfoley.media.read.scan import Timeline
from openfoley.media.time.clock import Clock

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

log = logging.getLogger(__name__)

BT709_MIN_HEIGHT = 720  # pixels; players treat an untagged picture of this height as BT.709, a lower one as BT.601
UNSPECIFIED_COLORSPACE = 2  # ITU-T H.273 table 4
MAX_LOST_RUN = 2  # consecutive packets without a picture: the second field of a frame may have none, three never do


class _Filling:
    """One request's position and the chunk being filled."""

    def __init__(self, request: FrameRequest, timeline: Timeline, chunk: int) -> None:
        if request.rate <= 0 or request.height < 1 or request.width < 1:
            raise UsageError(f"a frame request needs rate, height and width > 0, got {request}")
        self.request, self.chunk = request, chunk
        self.indices = shown_indices(timeline.instants, timeline.unit, timeline.info.duration, Fraction(request.rate))
        self.wanted = next(self.indices, None)
        self.first, self.pictures = 0, []

    def offer(self, index: int, picture: Tensor) -> Iterator[FrameChunk]:
        """Use the picture for every time that needs frame `index` (or an earlier, lost one)."""
        while self.wanted is not None and self.wanted <= index:
            self.pictures.append(picture)
            self.wanted = next(self.indices, None)
            if len(self.pictures) == self.chunk or self.wanted is None:
                yield FrameChunk(self.request.name, self.first, torch.stack(self.pictures))
                self.first, self.pictures = self.first + len(self.pictures), []


def picked_frames(timeline: Timeline, requests: Sequence[FrameRequest], *, chunk: int = 64) -> Iterator[FrameChunk]:
    """The frames shown at k / rate of every request, k = 0 ... ceil(duration * rate) - 1, as uint8 [n, 3, H, W].

    One pass serves all requests, in time order, in chunks of at most `chunk` frames; frames are rotated and scaled
    to the requested size without keeping the aspect ratio. Undecodable frames are replaced by the next decodable one
    (at the end by the last) with a warning; MediaError if the timeline is `strict` or nothing can be decoded.
    """
    fillings = [_Filling(request, timeline, chunk) for request in requests]
    scaler = _Scaler(timeline.orientation)
    frame: VideoFrame | None = None
    for index, frame in _decoded(timeline, requests):
        yield from _offered(index, frame, fillings, scaler)
    if frame is not None and any(filling.wanted is not None for filling in fillings):  # the end is lost
        yield from _offered(len(timeline.pts), frame, fillings, scaler)


def _offered(index: int, frame: VideoFrame, fillings: Sequence[_Filling], scaler: _Scaler) -> Iterator[FrameChunk]:
    """The chunks that this frame completes; each size is computed once, if needed."""
    pictures: dict[tuple[int, int, str, str], Tensor] = {}
    for filling in fillings:
        if filling.wanted is None or filling.wanted > index:
            continue
        request = filling.request
        size = (request.height, request.width, request.fit, request.resize)
        if size not in pictures:
            pictures[size] = scaler.picture(frame, request)
        yield from filling.offer(index, pictures[size])


def _decoded(timeline: Timeline, requests: Sequence[FrameRequest]) -> Iterator[tuple[int, VideoFrame]]:
    """(index on the timeline, frame) of every decoded frame; each index once, ascending. Where the file is damaged (and
    the timeline not `strict`) it is decoded once more from its beginning, with the decoder's own repairs."""
    last = -1
    try:
        for last, frame in _decoded_whole(timeline, requests):
            yield last, frame
        return
    except MediaError as damage:
        if timeline.strict:
            raise
        log.warning("%s: what can be decoded is used", str(damage).partition(";")[0])
        first_error = damage
    repaired = False
    for index, frame in _decoded_repaired(timeline):
        repaired = True
        if index > last:
            last = index
            yield index, frame
    if not repaired:
        raise first_error


def _decoded_whole(timeline: Timeline, requests: Sequence[FrameRequest]) -> Iterator[tuple[int, VideoFrame]]:
    """As `_decoded`; MediaError at the first damage."""
    path, pts = timeline.path, timeline.pts
    needed = _needed(timeline, requests) if timeline.intra_only and not timeline.untimed else None
    at, count, indices = 0.0, 0, _Index(timeline)
    with open_media(path) as container:
        stream = picture_stream(container, path)
        stream.thread_type = "AUTO"
        stream.codec_context.options = REPORT_DAMAGE
        packets = Clock(timeline.times).continuous(container.demux(stream))
        for packet in from_key_frame(packets, timeline.drop_leading):
            if needed is not None and packet.size and packet.pts is not None and packet.pts not in needed:
                continue
            try:
                frames = packet.decode()
            except FFmpegError as error:
                raise MediaError(_damaged(path, at, reason(error))) from error
            for frame in frames:
                last, index = indices.last, indices.of(frame)
                if index is None:
                    continue
                at = float(timeline.instants[index] * timeline.unit)
                if frame.is_corrupt or (needed is None and index - last - 1 > MAX_LOST_RUN):
                    raise MediaError(_damaged(path, at, "frames are missing or broken"))
                count += 1
                yield index, frame
    if needed is not None and count + MAX_LOST_RUN < len(needed):
        raise MediaError(_damaged(path, at, f"{len(needed) - count} frames cannot be decoded"))
    if (needed is None and indices.last + 1 < len(pts)) or indices.last < 0:
        raise MediaError(_damaged(path, at, f"{len(pts) - indices.last - 1} frames at the end cannot be decoded"))


def _decoded_repaired(timeline: Timeline) -> Iterator[tuple[int, VideoFrame]]:
    """Frames of a damaged file, decoded with error concealment; rejected packets are skipped."""
    indices = _Index(timeline)
    with open_media(timeline.path) as container:
        stream = picture_stream(container, timeline.path)
        stream.thread_type = "AUTO"
        packets = Clock(timeline.times).continuous(read_to_damage(container.demux(stream), []))
        for packet in from_key_frame(packets, timeline.drop_leading):
            try:
                frames = packet.decode()
            except FFmpegError:
                continue
            for frame in frames:
                index = indices.of(frame)
                if index is not None:
                    yield index, frame


class _Index:
    """Matches decoded frames, in the order of the decoder, with those of the timeline. last: index of the last one."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline, self.last = timeline, -1
        self._delay: int | None = None  # frames from decoding to display, where the file has only times of decoding

    def of(self, frame: VideoFrame) -> int | None:
        """The frame's index; None if it has none after the last."""
        pts, following = self._timeline.pts, self.last + 1
        if self._timeline.untimed or frame.pts is None:
            index = following
        elif self._timeline.decode_timed:
            decoded = len(pts) if frame.dts is None else bisect_left(pts, frame.dts)
            self._delay = decoded if self._delay is None else self._delay
            index = following if frame.dts is None else max(following, decoded - self._delay)
        else:
            index = bisect_left(pts, frame.pts)
            index = index if index < len(pts) and pts[index] == frame.pts else -1
        if not following <= index < len(pts):
            return None
        self.last = index
        return index


def _needed(timeline: Timeline, requests: Sequence[FrameRequest]) -> set[int]:
    """The pts of all requested frames."""
    return {
        timeline.pts[i]
        for rate in {Fraction(r.rate) for r in requests}
        for i in shown_indices(timeline.instants, timeline.unit, timeline.info.duration, rate)
    }


def _damaged(path: Path, at: float, why: str) -> str:
    return f"{shown(path)} is damaged near {at:.2f} s ({why}); export or copy it again"


class _Scaler:
    """Frames as shown, in the requested sizes."""

    def __init__(self, orientation: Orientation) -> None:
        self._orientation = orientation
        self._reformatters = defaultdict[tuple[int, int], VideoReformatter](VideoReformatter)
        # of each size: a new one computes its filters, as long as the scaling of a 720p frame takes

    def picture(self, frame: VideoFrame, request: FrameRequest) -> Tensor:
        """The frame in the request's size, uint8 [3, height, width]."""
        if request.fit == "squash" and request.resize == "area":
            return self._scaled(frame, request.height, request.width)
        size = (frame.width, frame.height) if self._orientation.transposed else (frame.height, frame.width)
        return _bicubic(self._scaled(frame, *size), request.height, request.width, covers=request.fit == "cover")

    def _scaled(self, frame: VideoFrame, height: int, width: int) -> Tensor:
        """The whole frame as shown, uint8 [3, height, width]."""
        if self._orientation.transposed:
            height, width = width, height
        shrinks = width * height < frame.width * frame.height
        untagged_hd = frame.colorspace == UNSPECIFIED_COLORSPACE and min(frame.width, frame.height) >= BT709_MIN_HEIGHT
        picture = self._reformatters[height, width].reformat(
            frame,
            width=width,
            height=height,
            format="rgb24",
            src_colorspace=Colorspace.ITU709 if untagged_hd else None,
            interpolation=Interpolation.AREA if shrinks else Interpolation.BICUBIC,
        )
        pixels = torch.from_numpy(picture.to_ndarray())  # [height, width, 3]
        return self._orientation.apply(pixels.permute(2, 0, 1))


def _bicubic(pixels: Tensor, height: int, width: int, covers: bool) -> Tensor:
    """uint8 [3, ...] -> uint8 [3, height, width]: scaled without keeping the aspect ratio, or (covers) scaled to the
    shorter side and centre-cropped."""
    from torch.nn.functional import interpolate

    above, before = pixels.shape[1:]
    scale = max(Fraction(height, above), Fraction(width, before))
    inner = (int(above * scale), int(before * scale)) if covers else (height, width)
    resized = interpolate(pixels[None], inner, mode="bicubic", antialias=True, align_corners=False)[0]
    top, left = (round((large - small) / 2) for large, small in zip(inner, (height, width), strict=True))
    return resized[:, top : top + height, left : left + width]
