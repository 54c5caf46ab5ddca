"""From features and texts to the conditions of a window: the one place where conditions are built.

Files, live pictures, projects and evaluation all go through `ConditionBuilder`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import torch
from torch import Tensor

from openfoley.encoders.base import FrameEncoder, TextConditioned, TextEncoder, frame_dim
from openfoley.hub.parts import Model
from openfoley.request import Prompting
from openfoley.synthesis.feature_buffer import FeatureBuffer
from openfoley.synthesis.features import FeatureRun, WholeVideo, first_instant, frame_encoders
from openfoley.synthesis.selection import words_encoders
from openfoley.timeline.plan import PlannedWindow
from openfoley.timeline.shots import Shot
from openfoley.types import TEXT, Conditions, FeatureSequence

logger = logging.getLogger(__name__)


class Texts:
    """Texts as one encoder's token sequences, each encoded once."""

    def __init__(self, encoder: TextEncoder, device: torch.device) -> None:
        self.encoder, self.device = encoder, device
        self.known: dict[str, FeatureSequence] = {}

    def __call__(self, prompt: str | None) -> FeatureSequence:
        """[1, tokens, dim]; absent zeros for no text (or only blanks)."""
        text = prompt if prompt and prompt.strip() else ""
        if text not in self.known:
            tokens = self.encoder.encode_text([text]).to(self.device)
            present = torch.full(tokens.shape[:2], bool(text), device=self.device)
            time_s = torch.zeros(tokens.shape[:2], device=self.device)
            self.known[text] = FeatureSequence(tokens if text else torch.zeros_like(tokens), time_s, present)
            self._warn_of_length(text)
        return self.known[text]

    def _warn_of_length(self, text: str) -> None:
        count = self.encoder.token_count(text)
        if count > self.encoder.longest:
            logger.warning(
                "the prompt has %d tokens, the model reads only the first %d; shorten it: %.40r...",
                count, self.encoder.longest, text,
            )  # fmt: skip


@dataclass(frozen=True)
class _Span:
    """What a window covers of its shot, all in s on the video's clock. zero: the start of the sequence; the picture is
    seen from `seen_from` on; the window itself is [start, end)."""

    zero: Fraction
    seen_from: Fraction
    start: Fraction
    end: Fraction

    @property
    def has_unseen(self) -> bool:
        """Something in front has no picture."""
        return self.seen_from > self.start or self.start > self.zero


class _WindowSelections:
    """What texts select from a window, each once: with several names a text selects for its own stem and is a negative
    of the others."""

    def __init__(self, encoders: Mapping[str, FrameEncoder], words: Mapping[str, Texts]) -> None:
        self.encoders, self.words = encoders, words
        self.window: object = None
        self.made: dict[tuple[str, str, str | None], FeatureSequence] = {}

    def begin(self, window: object) -> None:
        """Forget another window's."""
        if window != self.window:
            self.window, self.made = window, {}

    def __call__(
        self, sequences: Mapping[str, FeatureSequence], text: str | None, part: str = "window"
    ) -> dict[str, FeatureSequence]:
        """The sequences, where an encoder has its features selected by a text: what this one selects."""
        return {name: self._of(name, trunk, text, part) for name, trunk in sequences.items()}

    def _of(self, name: str, trunk: FeatureSequence, text: str | None, part: str) -> FeatureSequence:
        encoder, key = self.encoders[name], (part, name, text)
        if not isinstance(encoder, TextConditioned):
            return trunk
        if key not in self.made:
            words = self.words[encoder.inputs.words](text)
            values = encoder.select(trunk.values, trunk.present, words.values, words.present)
            self.made[key] = replace(trunk, values=values)
        return self.made[key]


class ConditionBuilder:
    """Reads features just ahead of the windows, and builds the conditions of each."""

    def __init__(self, model: Model, shots: Sequence[Shot], feed: Iterator[FeatureRun], device: torch.device) -> None:
        self.shots, self.feed, self.device = shots, feed, device
        self.latent_rate: Fraction = model.codec.latent_rate
        self.encoders: dict[str, FrameEncoder] = frame_encoders(model)
        self.texts = Texts(model.text_encoder, device)
        self.words = {name: Texts(encoder, device) for name, encoder in words_encoders(model).items()}
        self.reach = max(Fraction(e.outputs.reach) / e.outputs.rate for e in self.encoders.values())
        self.buffers: dict[tuple[str, int], FeatureBuffer] = {}
        self.ended: set[tuple[str, int]] = set()
        self.is_over = False
        only_whole = [name for name, encoder in self.encoders.items() if encoder.inputs.whole_video]
        self.windowed = [name for name in self.encoders if name not in only_whole]
        self.read_whole = list(self.encoders) if model.generator.reads_whole_video else only_whole
        self.whole = WholeVideo() if self.read_whole else None
        self.selections = _WindowSelections(self.encoders, self.words)

    def conditions(
        self, planned: PlannedWindow, prompting: Prompting, reference: int = 0
    ) -> tuple[Conditions, list[Conditions]]:
        """The conditions of a window that has `reference` latents of another sound in front of it, and a
        negative branch for each negative text: the text itself, and of the picture what it selects
        (`Prompting.negative_picture`). Over the reference and over sound carried on from before a cut nothing
        is seen. Where a text selects, the prompt and what is selected stand in for each other."""
        window, shot, rate = planned.window, planned.shot, self.latent_rate
        start, end = window.first_latent / rate, window.end_latent / rate
        seen_from = max(start, shot.start) if shot.join == "carry" else start
        span = _Span((window.first_latent - reference) / rate, seen_from, start, end)
        self._read_until(shot.index, end + self.reach)
        seen = {name: self._seen(name, shot, span) for name in self.windowed}
        whole = {name: self._in_whole(name, span.zero) for name in self.read_whole}
        self._forget(shot.index, start - self.reach)
        self.selections.begin((planned, reference))
        text, chosen = self.texts(prompting.described), prompting.selected
        selected = Conditions({**self.selections(seen, chosen), TEXT: text}, self.selections(whole, chosen, "whole"))
        nothing = selected.null()
        by_text = {name for name, encoder in self.encoders.items() if isinstance(encoder, TextConditioned)}
        if prompting.negative_picture == "none":
            by_text = set()
        trunk, whole_trunk = ({name: part[name] for name in part if name in by_text} for part in (seen, whole))

        def against(negative: str) -> Conditions:
            own, own_whole = self.selections(trunk, negative), self.selections(whole_trunk, negative, "whole")
            features = {**nothing.features, **own, TEXT: self.texts(negative)}
            return Conditions(features, {**nothing.whole, **own_whole})

        return selected, [against(negative) for negative in prompting.negatives]

    def _seen(self, name: str, shot: Shot, span: _Span) -> FeatureSequence:
        """The features of one encoder in a window."""
        buffer = self._buffer(name, shot.index)
        outputs = self.encoders[name].outputs
        reach = Fraction(outputs.reach) / outputs.rate
        first = span.seen_from if span.has_unseen else span.seen_from - reach
        features, times = buffer.window(span.zero, first, span.end + reach)
        present = torch.ones(len(times), dtype=torch.bool, device=self.device)
        if span.has_unseen or not len(times):
            features, times, present = _padded(features, times, buffer, float(span.seen_from - span.zero), float(reach))
        return FeatureSequence(features[None], times[None], present[None])

    def _in_whole(self, name: str, zero: Fraction) -> FeatureSequence:
        """The features of one encoder in the whole video, or in as much of it as is there."""
        assert self.whole is not None
        origins = {shot.index: self._origin(name, shot.index) for shot in self.shots}
        features, instants = self.whole.features(name, origins, self.encoders[name].outputs.rate)
        times = torch.tensor([float(t - zero) for t in instants], dtype=torch.float32, device=self.device)
        present = torch.ones(1, len(times), dtype=torch.bool, device=self.device)
        return FeatureSequence(features[None], times[None], present)

    def _origin(self, name: str, shot: int) -> Fraction:
        """The instant (s) of the encoder's first feature in a shot."""
        return first_instant(self.encoders[name], self.shots[shot])

    def _buffer(self, name: str, shot: int) -> FeatureBuffer:
        if (name, shot) not in self.buffers:
            encoder = self.encoders[name]
            outputs, origin = encoder.outputs, self._origin(name, shot)
            self.buffers[name, shot] = FeatureBuffer(
                outputs.rate, frame_dim(encoder), self.device, origin, outputs.group
            )
        return self.buffers[name, shot]

    def _read_until(self, shot: int, time: Fraction) -> None:
        """Read until every feature of the shot before `time` (s) is there, or the shot is over; all of the video,
        where the generator reads the whole of it."""

        def is_short(name: str) -> bool:
            return (name, shot) not in self.ended and self._buffer(name, shot).end < time

        while not self.is_over and (self.whole is not None or any(is_short(name) for name in self.encoders)):
            run = next(self.feed, None)
            if run is None:
                self.is_over = True
            else:
                self.take(run)

    def take(self, run: FeatureRun) -> None:
        """The next features of one encoder in one shot."""
        self._buffer(run.name, run.shot).append(run.features)
        if self.whole is not None:
            self.whole.add(run)
        if run.is_last:
            self.ended.add((run.name, run.shot))

    def available_until(self, shot: int) -> Fraction:
        """Up to this instant (s) all features of the shot are here."""
        return min(self._buffer(name, shot).end for name in self.encoders)

    def _forget(self, shot: int, time: Fraction) -> None:
        """Earlier shots, and in this one what lies before `time` (s)."""
        self.buffers = {key: buffer for key, buffer in self.buffers.items() if key[1] >= shot}
        for name in self.encoders:
            self._buffer(name, shot).drop_before(time)

    def finish(self) -> None:
        """Read to the end, so that damage there is noticed."""
        for _ in self.feed:
            pass


def _padded(
    features: Tensor, times: Tensor, buffer: FeatureBuffer, seen_from: float, reach: float
) -> tuple[Tensor, ...]:
    """Features with absent ones in front, spaced evenly back to time -reach: as training marks the picture over clean
    latents absent. Between `seen_from` and the first feature the first one is held."""
    period = float(1 / buffer.rate)
    begin = float(times[0]) if len(times) else seen_from + reach + period / 2
    count = max(0 if len(times) else 1, int((begin + reach) / period + 1e-6))
    count = -(-count // buffer.group) * buffer.group
    early = torch.tensor([begin - period * k for k in range(count, 0, -1)], dtype=times.dtype, device=times.device)
    held = features[:1].expand(count, -1) if len(features) else features.new_zeros(count, features.shape[1])
    is_held = (early >= seen_from) & bool(len(features))
    present = torch.cat([is_held, torch.ones(len(times), dtype=torch.bool, device=times.device)])
    return torch.cat([held, features]), torch.cat([early, times]), present
