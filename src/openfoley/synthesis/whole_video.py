"""Whole-video features for a generator: the features of each shot as means over short stretches, or each of them.

Every window is conditioned on all of them. An hour in stretches of 1 s is 3.7 MB for the Gym's encoders; what
is larger than `IN_MEMORY_BYTES` is mapped from a temporary file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

import torch
from jaxtyping import Float
from torch import Tensor

from openfoley.encoders.base import FrameEncoder, TextConditioned
from openfoley.media.sample_file import SampleFile
from openfoley.synthesis.features import FeatureRun
from openfoley.timeline.shots import Shot
from openfoley.types import FeatureSequence

IN_MEMORY_BYTES = 4_000_000  # of one sequence
LIVE_S = 300  # s of a stream without an end that stay: the longest video of the training

Select = Callable[[str, Tensor, str | None], Tensor]
"""The features that a text selects from a run of an encoder's trunk [n, trunk_dim]."""


class WholeVideo:
    """Collects runs as they come. stretch_s: None keeps every feature. texts: those that select, where an encoder has
    its features selected. most_s: only the latest so many seconds stay."""

    def __init__(
        self,
        encoders: Mapping[str, FrameEncoder],
        select: Select,
        *,
        stretch_s: Fraction | None,
        texts: Sequence[str | None] = (None,),
        most_s: int | None = None,
    ) -> None:
        self.encoders, self.select, self.texts = encoders, select, tuple(dict.fromkeys(texts))
        self.stretches: dict[tuple[str, str | None], Stretches] = {}
        for name, encoder in encoders.items():
            rate, dim = encoder.outputs.rate, encoder.outputs.dim
            count = 1 if stretch_s is None else max(1, round(stretch_s * rate))
            most = None if most_s is None else int(most_s * rate / count)
            for text in self._texts_of(name):
                self.stretches[name, text] = Stretches(rate, dim, count, most)

    def add(self, run: FeatureRun, origin: Fraction) -> None:
        """origin: the instant (s) of the encoder's first feature in the run's shot."""
        for text in self._texts_of(run.name) if run.name in self.encoders else ():
            is_selected = isinstance(self.encoders[run.name], TextConditioned) and len(run.features) > 0
            own = self.select(run.name, run.features, text) if is_selected else run.features
            dim = self.encoders[run.name].outputs.dim
            self.stretches[run.name, text].push(own if len(own) else own.new_zeros(0, dim), origin, run.is_last)

    def sequence(self, name: str, text: str | None, zero: Fraction, device: torch.device) -> FeatureSequence:
        """What has been collected of one encoder, as `text` selects it; times count from `zero` (s)."""
        own = self.stretches[name, text if isinstance(self.encoders[name], TextConditioned) else None]
        values = own.values.tensor().to(device)
        times = (torch.tensor(own.times, dtype=torch.float64) - float(zero)).float().to(device)
        present = torch.ones(1, len(times), dtype=torch.bool, device=device)
        return FeatureSequence(values[None], times[None], present)

    def _texts_of(self, name: str) -> tuple[str | None, ...]:
        return self.texts if isinstance(self.encoders[name], TextConditioned) else (None,)


class Stretches:
    """Means over `count` consecutive features of a shot, of fewer at its end, each at its middle. most: how many stay;
    None: all."""

    def __init__(self, rate: Fraction, dim: int, count: int, most: int | None = None) -> None:
        self.rate, self.count, self.most = rate, count, most
        self.values, self.times = GrowingRows(dim), list[float]()
        self.pending: list[Tensor] = []
        self.done = 0  # features of the shot that are in means

    def push(self, features: Float[Tensor, "n dim"], origin: Fraction, is_last: bool) -> None:
        """The next features of a shot, whose first lies at `origin` s; is_last: it has no more."""
        self.pending.append(features)
        waiting = sum(map(len, self.pending))
        if waiting < self.count and not is_last:
            return
        rows = torch.cat(self.pending)
        whole = len(rows) // self.count
        if whole:
            self._put(rows[: whole * self.count].unflatten(0, (whole, self.count)).mean(1), self.count, origin)
        rest = rows[whole * self.count :]
        if is_last and len(rest):
            self._put(rest.mean(0, keepdim=True), len(rest), origin)
        self.pending, self.done = ([], 0) if is_last else ([rest], self.done)

    def _put(self, means: Tensor, count: int, origin: Fraction) -> None:
        for number in range(len(means)):
            middle = self.done + count * number + Fraction(count - 1, 2)
            self.times.append(float(origin + middle / self.rate))
        self.done += count * len(means)
        self.values.append(means)
        if self.most is not None and len(self.times) > 2 * self.most:
            self.values.keep_last(self.most)
            self.times = self.times[-self.most :]


class GrowingRows:
    """Rows float32 [n, dim] on the CPU that only grow: in memory, or where they are many mapped from a file."""

    def __init__(self, dim: int) -> None:
        self.dim, self.count = dim, 0
        self._held: list[Tensor] = []
        self._file: SampleFile | None = None

    def append(self, rows: Float[Tensor, "n dim"]) -> None:
        rows = rows.detach().to("cpu", torch.float32)
        self.count += len(rows)
        if self._file is None:
            self._held.append(rows)
            if 4 * self.count * self.dim > IN_MEMORY_BYTES:
                self._file = SampleFile(self.dim)
                rows, self._held = torch.cat(self._held), []
        if self._file is not None:
            self._file.append(rows.T)

    def keep_last(self, count: int) -> None:
        assert self._file is None, "a few minutes stay in memory"
        self._held, self.count = [torch.cat(self._held)[-count:].clone()], count

    def tensor(self) -> Float[Tensor, "n dim"]:
        if self._file is None:
            self._held = [torch.cat([torch.zeros(0, self.dim), *self._held])]
            return self._held[0]
        self._file.close()
        return self._file.mapped().T


def shots_sequence(shots: Sequence[Shot], zero: Fraction, device: torch.device) -> FeatureSequence:
    """The shots as `types.SHOTS`."""
    starts = torch.tensor([[float(shot.start - zero) for shot in shots]], device=device)
    lengths = torch.tensor([[[float(shot.end - shot.start)] for shot in shots]], device=device)
    return FeatureSequence(lengths, starts, torch.ones(1, len(shots), dtype=torch.bool, device=device))
