"""Write a video from pictures in memory: exact frame times, the same bytes for the same input on the same machine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from openfoley.errors import UsageError
from openfoley.media.write.sound_track import SoundTrack, sound_format
from openfoley.types import Audio

if TYPE_CHECKING:
    from av.video.frame import VideoFrame
    from av.video.reformatter import VideoReformatter
    from av.video.stream import VideoStream

DEFAULT_CRF = 18  # libx264: visually without loss
ENCODER_THREADS = 2  # fixed: x264's bytes depend on the number of threads
BT709 = 1  # ITU-T H.273 tables 2, 3 and 4: primaries, transfer and matrix
LIMITED_RANGE = 1  # AVCOL_RANGE_MPEG


def write_video(
    path: str | Path,
    frames: Iterable[Tensor],
    rate: Fraction,
    *,
    codec: str = "libx264",
    crf: int = DEFAULT_CRF,
    audio: Audio | None = None,
    bit_depth: str = "24",
    options: dict[str, str] | None = None,
    sound_options: dict[str, str] | None = None,
) -> int:
    """Write uint8 pictures [3, H, W] or [n, 3, H, W] as frames k / rate, with `audio` from time 0; their number.

    4:2:0 where both sides are even, else 4:4:4. The container and the sound's codec follow from the suffix. options,
    sound_options: FFmpeg's, of the two encoders.
    """
    import av
    from av.video.reformatter import VideoReformatter

    path = Path(path)
    pictures = _single(frames)
    first = next(pictures, None)
    if first is None:
        raise UsageError("a video needs at least one frame, got none")
    _, height, width = first.shape
    # bitexact: no library versions and no date in the file
    with av.open(f"file:{path}", "w", format=_muxer(path), container_options={"fflags": "+bitexact"}) as out:
        stream = _picture_stream(out, codec, crf, rate, height, width, options or {})
        reformatter = VideoReformatter()  # one of its own for each frame would set up its tables each time
        track = None
        if audio is not None:
            sound = sound_format(path.suffix, bit_depth)
            track = SoundTrack(out, sound, audio.sample_rate, audio.samples.shape[0], options=sound_options)
        out.start_encoding()
        count, written = 0, 0  # frames, samples
        for picture in chain([first], pictures):
            if tuple(picture.shape) != (3, height, width):
                raise UsageError(f"frame {count} is {tuple(picture.shape)}, the first was {(3, height, width)}")
            _put(out, stream, _frame(picture, stream.pix_fmt or "yuv420p", count, reformatter))
            count += 1
            if track is not None and audio is not None:
                due = round(count / rate * audio.sample_rate)
                for packet in track.push(audio.samples[:, written:due]):
                    out.mux(packet)
                written = due
        _put(out, stream, None)
        if track is not None and audio is not None:
            for packet in chain(track.push(audio.samples[:, written:]), track.flush()):
                out.mux(packet)
    return count


def _single(frames: Iterable[Tensor]) -> Iterator[Tensor]:
    for piece in frames:
        yield from (piece if piece.ndim == 4 else piece[None])


def _muxer(path: Path) -> str | None:
    return {".mkv": "matroska", ".m4v": "mp4"}.get(path.suffix.lower(), path.suffix.lower().removeprefix(".") or None)


def _picture_stream(out, codec: str, crf: int, rate: Fraction, height: int, width: int, options: dict[str, str]):
    stream: VideoStream = out.add_stream(codec, rate=rate, options={"crf": str(crf), **options})
    stream.height, stream.width = height, width
    stream.pix_fmt = "yuv420p" if height % 2 == 0 and width % 2 == 0 else "yuv444p"
    context = stream.codec_context
    context.time_base = 1 / Fraction(rate)
    context.thread_count = ENCODER_THREADS
    context.color_primaries = context.color_trc = context.colorspace = BT709
    context.color_range = LIMITED_RANGE
    return stream


def _frame(picture: Tensor, pixel_format: str, index: int, reformatter: VideoReformatter) -> VideoFrame:
    import av
    from av.video.reformatter import ColorRange, Colorspace

    pixels = picture.detach().cpu().permute(1, 2, 0).contiguous().numpy()
    frame = reformatter.reformat(
        av.VideoFrame.from_ndarray(pixels, format="rgb24"),
        format=pixel_format,
        dst_colorspace=Colorspace.ITU709,
        dst_color_range=ColorRange.MPEG,
    )
    frame.pts = index
    return frame


def _put(out, stream: VideoStream, frame: VideoFrame | None) -> None:
    """Encode and write; every frame lasts one tick of 1 / rate (a container would else give the last one no length)."""
    for packet in stream.encode(frame):
        if packet.size:
            packet.duration = 1
            out.mux(packet)
