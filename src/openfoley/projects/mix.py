"""The project's mix: the chosen takes layered over one another, read and mixed in chunks.

Takes are 24-bit files; where only one take is audible its samples are unchanged. Where a take of a span begins or
ends inside the video it is crossfaded with the one below over 10 ms.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from openfoley.errors import MediaError
from openfoley.media.read.content_hash import file_hash
from openfoley.media.read.opening import open_media, shown
from openfoley.projects.record import TakeEntry
from openfoley.synthesis.crossfade import blend_weights

FADE_S = 0.010  # s, inside the span: short against an event, long against a click
CHUNK_SAMPLES = 1 << 16


@dataclass(frozen=True)
class Region:
    """Samples [start, end) of a take's file on the video's clock, and the lengths of its fades."""

    start: int
    end: int
    fade_in: int
    fade_out: int


def sample_at(time, sample_rate: int) -> int:
    """The sample at a time (s), rounded half up: exact for a Fraction."""
    return int(2 * time * sample_rate + 1) // 2


def region_of(take: TakeEntry, sample_rate: int, total: int) -> Region:
    """A take's position in a sound of `total` samples."""
    start, end = sample_at(take.start, sample_rate), min(total, sample_at(take.end, sample_rate))
    fade = min(round(FADE_S * sample_rate), (end - start) // 2)
    return Region(start, end, fade if start else 0, fade if end < total else 0)


def mixed(folder: Path, takes: Sequence[TakeEntry], sample_rate: int, channels: int, total: int) -> Iterator[Tensor]:
    """The sound of layered takes, lowest first: chunks [channels, n], `total` samples in all.

    Raises MediaError if a take's file is missing or has changed.
    """
    for take in takes:
        check_take(folder, take)
    readers = [(region_of(take, sample_rate, total), _Reader(folder / take.file, channels)) for take in takes]
    for first in range(0, total, CHUNK_SAMPLES):
        count = min(CHUNK_SAMPLES, total - first)
        piece = torch.zeros(channels, count)
        for region, reader in readers:
            begin, end = max(first, region.start), min(first + count, region.end)
            if begin < end:
                _lay(piece[:, begin - first : end - first], reader.read(end - begin), region, begin)
            if end == region.end:
                reader.close()
        yield piece


def _lay(below: Tensor, above: Tensor, region: Region, first: int) -> None:
    """Replace `below` by `above` [channels, n], with fades at the region's ends. first: sample number of both."""
    count = below.shape[-1]
    place = torch.arange(first, first + count)
    weight = torch.ones(count)
    for fade, passed in ((region.fade_in, place - region.start), (region.fade_out, region.end - 1 - place)):
        inside = passed < fade
        weight[inside] = blend_weights(fade)[passed[inside]]
    whole = weight == 1
    below[:] = torch.where(whole, above, below + weight * (above - below))


class _Reader:
    """Reads a sound file from its start in chunks; silence after its end."""

    def __init__(self, path: Path, channels: int) -> None:
        self.channels, self.pieces = channels, _decoded(path)
        self.held = torch.zeros(channels, 0)

    def read(self, count: int) -> Tensor:
        while self.held.shape[-1] < count:
            piece = next(self.pieces, None)
            if piece is None:
                piece = torch.zeros(self.channels, count - self.held.shape[-1])
            self.held = torch.cat([self.held, piece.expand(self.channels, -1)], -1)
        taken, self.held = self.held[:, :count], self.held[:, count:]
        return taken

    def close(self) -> None:
        """Close the file: a project of many edits must not run out of file handles."""
        self.pieces.close()


def _decoded(path: Path) -> Generator[Tensor, None, None]:
    """A sound file's samples float32 [channels, n]."""
    import av

    with open_media(path) as container:
        resampler = av.AudioResampler(format="fltp")
        for frame in container.decode(container.streams.audio[0]):
            for part in resampler.resample(frame):
                yield torch.from_numpy(part.to_ndarray())
        for part in resampler.resample(None):
            yield torch.from_numpy(part.to_ndarray())


def check_take(folder: Path, take: TakeEntry) -> None:
    """MediaError if a take's file is missing or has changed."""
    path = folder / take.file
    if not path.is_file():
        raise MediaError(
            f"the file of take {take.number}, {shown(path)}, is missing; put it back or choose another take"
        )
    if file_hash(path) != take.sha256:
        raise MediaError(
            f"the file of take {take.number}, {shown(path)}, has changed since it was made; "
            "put the old one back or choose another take"
        )
