"""Test videos whose every frame carries its number, burnt in as bright and dark squares, and a reader for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from openfoley.media.frames import FrameChunk, FrameRequest, VideoInfo
from openfoley.media.read.decode import picked_frames
from openfoley.media.read.scan import scan

BITS = 8


def numbered(index: int, height: int = 64, width: int = 128) -> np.ndarray:
    """A picture uint8 [height, width, 3]: BITS squares (the number) in the upper half, their complement below."""
    picture = np.full((height, width, 3), 128, np.uint8)
    edges = np.linspace(0, width, BITS + 1).round().astype(int)
    for bit in range(BITS):
        on = 225 if index >> bit & 1 else 30
        picture[: height // 2, edges[bit] : edges[bit + 1]] = on
        picture[height // 2 :, edges[bit] : edges[bit + 1]] = 255 - on
    return picture


def number_of(picture) -> int:
    """The number burnt into a picture [3, height, width]; -1 if upper and lower half disagree."""
    grey = np.asarray(picture, dtype=float).mean(0)
    height, width = grey.shape
    centres = ((np.arange(BITS) + 0.5) * width / BITS).astype(int)
    upper, lower = grey[height // 4, centres] > 128, grey[3 * height // 4, centres] > 128
    return int((upper * 2 ** np.arange(BITS)).sum()) if (upper != lower).all() else -1


def write_numbered(
    path: Path,
    pts: list[int],
    time_base: Fraction,
    *,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    size: tuple[int, int] = (64, 128),
    options: dict[str, str] | None = None,
    last_duration: int | None = None,
    rate: Fraction = Fraction(25),
    shift: int = 0,
    sound: bool = False,
    sound_codec: str = "aac",
    sound_rate: int = 44100,
) -> Path:
    """Frame i shows number i at pts[i] * time_base. `shift` is taken off all packet times (negative: an edit list)."""
    defaults = {
        "libx264": {"preset": "ultrafast", "crf": "10", "bf": "2", "g": "12"},
        "libx265": {"preset": "ultrafast", "crf": "10", "x265-params": "log-level=none:pools=none:frame-threads=1"},
        "libsvtav1": {"preset": "12", "crf": "20", "svtav1-params": "lp=1"},
        "mpeg2video": {"qmin": "2", "qmax": "3", "bf": "2", "g": "5"},
        "mjpeg": {"qmin": "2", "qmax": "3"},
        "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8"},
    }
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=rate, options={**defaults.get(codec, {}), **(options or {})})
        stream.height, stream.width, stream.pix_fmt = *size, pixel_format
        stream.codec_context.time_base = time_base
        stream.codec_context.thread_count = 1
        tone = out.add_stream(sound_codec, rate=sound_rate) if sound else None
        durations = dict(zip(pts, np.diff([*pts, pts[-1] + (last_duration or 1)]).tolist(), strict=True))
        if tone is not None:
            samples = (np.sin(np.arange(sound_rate) / 20) * 0.1).astype(np.float32)[None].repeat(2, 0)
            frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="stereo")
            frame.sample_rate, frame.pts = sound_rate, 0
            out.mux([*tone.encode(frame), *tone.encode(None)])

        def put(packets):
            for packet in packets:
                if packet.size:
                    packet.duration = durations.get(packet.pts, 1) if packet.time_base == time_base else packet.duration
                    packet.pts -= shift
                    packet.dts -= shift
                    out.mux(packet)

        for i, time in enumerate(pts):
            frame = av.VideoFrame.from_ndarray(numbered(i, *size), format="rgb24").reformat(format=pixel_format)
            frame.pts, frame.time_base = time, time_base
            put(stream.encode(frame))
        put(stream.encode(None))
    return path


def probe(path: Path) -> VideoInfo:
    return scan(path).info


def pick_frames(
    path: Path, requests: Sequence[FrameRequest], *, chunk: int = 64, strict: bool = False
) -> Iterator[FrameChunk]:
    return picked_frames(scan(path, strict), requests, chunk=chunk)
