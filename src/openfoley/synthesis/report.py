"""What came out: peak, loudness and onsets of a sound, measured piece by piece, so that silence does not go unsaid."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from av.audio.frame import AudioFrame
from av.error import BlockingIOError as NothingYet
from av.error import EOFError as NothingMore
from av.filter.graph import Graph
from torch import Tensor

from openfoley.data.onset_detector import detect

SILENT_PEAK_DB = -60.0  # dBFS: below the noise of a quiet recording, not audible as an event
LOUDNESS_FLOOR = -70.0  # LUFS, the absolute gate of ITU-R BS.1770: what FFmpeg gives for silence
BLOCK_S = 60  # s of sound per call of the onset detector
EDGE_S = 1  # s around a block, so that onsets at its ends are seen with their surroundings


@dataclass(frozen=True)
class Report:
    """peak_db: dBFS of the largest sample. loudness_lufs: integrated, ITU-R BS.1770; None below its gate."""

    peak_db: float
    loudness_lufs: float | None
    onsets: int

    @property
    def is_silent(self) -> bool:
        return self.peak_db < SILENT_PEAK_DB

    def __str__(self) -> str:
        loudness = "" if self.loudness_lufs is None else f"{self.loudness_lufs:.1f} LUFS, "
        return f"peak {self.peak_db:.1f} dBFS, {loudness}{self.onsets} onset{'s' * (self.onsets != 1)}"


def measured(chunks: Iterator[Tensor], sample_rate: int, channels: int) -> Report:
    """The report of a sound in pieces [channels, n] at `sample_rate` Hz."""
    peak, onsets, loudness = 0.0, 0, _Loudness(sample_rate, channels)
    block, edge = BLOCK_S * sample_rate, EDGE_S * sample_rate
    held, before = torch.zeros(channels, 0), 0  # samples from `before` samples ahead of the block on
    for chunk in chunks:
        peak = max(peak, float(chunk.abs().max()) if chunk.shape[-1] else 0.0)
        loudness.push(chunk)
        held = torch.cat([held, chunk], -1)
        while held.shape[-1] >= before + block + edge:
            onsets += _onsets(held[:, : before + block + edge], sample_rate, before, before + block)
            held, before = held[:, before + block - edge :], edge
    onsets += _onsets(held, sample_rate, before, held.shape[-1])
    return Report(20 * math.log10(max(peak, 1e-10)), loudness.integrated(), onsets)


def _onsets(samples: Tensor, sample_rate: int, first: int, end: int) -> int:
    """Onsets in the samples [first, end)."""
    if samples.shape[-1] < sample_rate // 20 or not bool(samples.any()):
        return 0
    times = detect(samples, sample_rate).times_s
    return int(((times >= first / sample_rate) & (times < end / sample_rate)).sum())


class _Loudness:
    """FFmpeg's ebur128 filter, fed piece by piece."""

    def __init__(self, sample_rate: int, channels: int) -> None:
        self.rate, self.layout = sample_rate, "mono" if channels == 1 else "stereo"
        graph = Graph()
        source = graph.add_abuffer(sample_rate=sample_rate, format="fltp", layout=self.layout, time_base=None)
        meter, sink = graph.add("ebur128", "metadata=1"), graph.add("abuffersink")
        source.link_to(meter)
        meter.link_to(sink)
        graph.configure()
        self.graph, self.last = graph, None

    def push(self, samples: Tensor) -> None:
        if not samples.shape[-1]:
            return
        planar = samples[:2].detach().cpu().float().contiguous().numpy()
        frame = AudioFrame.from_ndarray(planar, format="fltp", layout=self.layout)
        frame.sample_rate = self.rate
        self.graph.push(frame)
        self._pull()

    def integrated(self) -> float | None:
        """LUFS; None below the absolute gate, or where there was too little sound to measure."""
        self.graph.push(None)
        self._pull()
        return None if self.last is None or self.last <= LOUDNESS_FLOOR else self.last

    def _pull(self) -> None:
        while True:
            try:
                frame = self.graph.pull()
            except (NothingYet, NothingMore):
                return
            value = frame.metadata.get("lavfi.r128.I") if hasattr(frame, "metadata") else None
            self.last = self.last if value is None else float(value)
