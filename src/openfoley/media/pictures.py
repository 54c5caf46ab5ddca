"""A video's pictures for several readers: who looks for cuts comes first, and the encoders need not decode again.

Cuts must be known before the first window is planned, so the video has to be seen once before the features are made.
Where the encoders' small pictures fit into `KEPT_BYTES` they are kept from that pass; a longer video is decoded again,
and memory does not grow with length.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import ceil
from pathlib import Path

from openfoley.media.decode import pick_frames
from openfoley.types import FrameChunk, FrameRequest

KEPT_BYTES = 192 * 2**20  # 3.7 minutes of the Gym-size encoders' pictures
FRAMES_PER_CHUNK = 64


class Pictures:
    """The pictures of one file for `requests`. Errors as `media.decode.pick_frames`."""

    def __init__(self, path: Path, requests: Sequence[FrameRequest], kept_bytes: int = KEPT_BYTES) -> None:
        self.path, self.requests, self.kept_bytes = path, list(requests), kept_bytes
        self._kept: deque[FrameChunk] | None = None

    def beside(self, other: FrameRequest, duration: Fraction) -> Iterator[FrameChunk]:
        """The chunks of another request from a pass of its own, in which ours are kept if they fit. duration: s."""
        self._kept = None
        kept: deque[FrameChunk] | None = deque() if self._bytes(duration) <= self.kept_bytes else None
        both = [*self.requests, other] if kept is not None else [other]
        for chunk in pick_frames(self.path, both, chunk=FRAMES_PER_CHUNK):
            if chunk.name == other.name:
                yield chunk
            elif kept is not None:
                kept.append(chunk)
        self._kept = kept

    def chunks(self) -> Iterator[FrameChunk]:
        """Our chunks in time order; what was kept is given once and let go."""
        kept, self._kept = self._kept, None
        if kept is None:
            yield from pick_frames(self.path, self.requests, chunk=FRAMES_PER_CHUNK)
        while kept:
            yield kept.popleft()

    def _bytes(self, duration: Fraction) -> int:
        return sum(ceil(duration * r.rate) * 3 * r.height * r.width for r in self.requests)
