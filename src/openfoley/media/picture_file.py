"""Write pictures (and their sound) as an H.264 .mp4 with exact timestamps: the Gym's videos.

Frame k is shown from k / rate to (k + 1) / rate; no B-frames, so that nothing is reordered or offset. Odd sizes keep
every pixel (4:4:4 sampling).
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import numpy as np
from torch import Tensor

from openfoley.types import Audio

CRF = "18"  # visually lossless for x264
SOUND_BIT_RATE = 256_000  # bit/s, AAC stereo


def write_video(path: Path, pictures: Iterable[Tensor], rate: Fraction, sound: Audio | None = None) -> int:
    """Chunks of pictures uint8 [n, 3, height, width] at `rate` Hz, with stereo sound; returns the number of frames."""
    import av

    count = 0
    with av.open(str(Path(path).absolute()), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        video, audio = None, None
        for chunk in pictures:
            if video is None:
                video = _picture_stream(container, rate, *chunk.shape[-2:])
                audio = _sound_stream(container, sound) if sound is not None else None
            for picture in chunk.permute(0, 2, 3, 1).contiguous().cpu().numpy():
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                frame.pts, frame.time_base = count, 1 / rate
                _mux(container, video.encode(frame), 1 / rate)
                count += 1
        if video is not None:
            _mux(container, video.encode(None), 1 / rate)
        if audio is not None and sound is not None:
            _mux_sound(container, audio, sound)
    return count


def _picture_stream(container, rate: Fraction, height: int, width: int):
    stream = container.add_stream("libx264", rate=rate, options={"crf": CRF, "preset": "veryfast", "bf": "0"})
    stream.height, stream.width = height, width
    stream.pix_fmt = "yuv420p" if height % 2 == 0 and width % 2 == 0 else "yuv444p"
    stream.time_base = stream.codec_context.time_base = 1 / rate
    return stream


def _sound_stream(container, sound: Audio):
    stream = container.add_stream("aac", rate=sound.sample_rate)
    stream.layout = "stereo"
    stream.bit_rate = SOUND_BIT_RATE
    return stream


def _mux(container, packets, frame_duration: Fraction) -> None:
    for packet in packets:
        if not packet.duration:  # else the last frame would last one tick
            packet.duration = max(1, round(frame_duration / packet.time_base))
        container.mux(packet)


def _mux_sound(container, stream, sound: Audio) -> None:
    import av

    samples = np.ascontiguousarray(sound.samples.detach().cpu().clamp(-1, 1).numpy().astype(np.float32))
    frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="stereo")
    frame.sample_rate, frame.pts, frame.time_base = sound.sample_rate, 0, Fraction(1, sound.sample_rate)
    for packet in stream.encode(frame):
        container.mux(packet)
    for packet in stream.encode(None):
        container.mux(packet)
