"""The frames of a damaged sound: what its decoder rejects is left out, and recorded.

A broken packet can also change the form of the frames behind it (AAC's program config element: 11 channels in the place
of one), until the decoder is made again. FFmpeg raises no error for that.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
from av.audio.codeccontext import AudioCodecContext
from av.error import FFmpegError

from openfoley.media.read.opening import reason, shown

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.packet import Packet

BROKEN = "a broken packet"
UNKNOWN_CODEC = "sound {number} of {path} has a codec that this FFmpeg cannot decode; convert it to AAC or PCM"
NAMED = 3  # places in a message


class SoundDecoder:
    """Decodes one sound. problem: the first reason why something was left out; None where nothing was."""

    def __init__(self, stream: AudioStream) -> None:
        self._stream, self._context = stream, stream.codec_context
        self._form: tuple[str, str, int] | None = None  # layout, sample format and rate (Hz) of the first frame
        self.problem: str | None = None
        self.is_after_loss = False  # something was left out in front of the next frame

    def decode(self, packet: Packet | None) -> list[AudioFrame]:
        """The frames of a packet; of None those that the decoder holds back. None of it is raised."""
        if packet is not None and packet.is_corrupt:
            self._lose(BROKEN)
        try:
            frames = self._context.decode(packet)
        except FFmpegError as error:
            self._lose(reason(error))
            return []
        kept = [frame for frame in frames if self._has_its_form(frame)]
        if len(kept) < len(frames):
            self._lose(BROKEN)
            self._begin_again()
        return kept

    def take_loss(self) -> bool:
        """Whether something was left out in front of this frame; asked once for each."""
        was, self.is_after_loss = self.is_after_loss, False
        return was

    def _lose(self, why: str) -> None:
        self.problem, self.is_after_loss = self.problem or why, True

    def _has_its_form(self, frame: AudioFrame) -> bool:
        form = (frame.layout.name, frame.format.name, frame.sample_rate)
        self._form = self._form or form
        return form == self._form

    def _begin_again(self) -> None:
        """A decoder that has seen none of the packets."""
        old, codec = self._context, self._stream.codec_context.codec
        new = av.CodecContext.create(codec, "r")
        assert isinstance(new, AudioCodecContext) and self._form is not None
        new.extradata, new.layout, new.sample_rate = old.extradata, self._form[0], self._form[2]
        self._context = new


def sound_problem(path: Path, problem: str, spans: Sequence[tuple[Fraction, Fraction | None]]) -> str:
    """One line: what is wrong, and where (s; the end None: up to the file's) nothing was decoded."""
    words = [
        f"from {float(start):.2f} s on" if end is None else f"{float(start):.2f} to {float(end):.2f} s"
        for start, end in spans
    ]
    more = [f"{len(words) - NAMED} more places"] if len(words) > NAMED else []
    where = f": {', '.join([*words[:NAMED], *more])} cannot be decoded" if words else ""
    return f"the sound of {shown(path)} is damaged ({problem}){where}"
