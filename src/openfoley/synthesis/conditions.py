"""From features and texts to the conditions of a window: the one place where conditions are built.

Files, live pictures, projects and evaluation all go through `ConditionBuilder`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

import torch
from torch import Tensor

from openfoley.encoders.base import FrameEncoder, MaskedPooling, MaskedSelection, TextConditioned, TextEncoder
from openfoley.generators.base import ReadsStretches
from openfoley.hub.parts import Model
from openfoley.region import Region
from openfoley.request import Prompting
from openfoley.synthesis.feature_reader import FeatureReader, Span
from openfoley.synthesis.features import FeatureRun, frame_encoders, frames_of
from openfoley.synthesis.region_features import MID_GREY, SYNC
from openfoley.synthesis.selection import words_encoders
from openfoley.synthesis.whole_video import LIVE_S, WholeVideo, shots_sequence
from openfoley.timeline.plan import PlannedWindow
from openfoley.timeline.shots import Shot
from openfoley.types import NEAR, SHOTS, TEXT, Conditions, FeatureSequence

logger = logging.getLogger(__name__)

BLANK_FRAMES = 16  # of the empty picture: one snippet, or one segment


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
        self,
        sequences: Mapping[str, FeatureSequence],
        text: str | None,
        part: str = "window",
        shares: Mapping[str, Tensor] | None = None,
    ) -> dict[str, FeatureSequence]:
        """The sequences, where an encoder has its features selected by a text: what this one selects. shares: the seen
        share of each patch, by encoder, where a mask hides some."""
        masks = shares or {}
        return {name: self._of(name, trunk, text, part, masks.get(name)) for name, trunk in sequences.items()}

    def _of(
        self, name: str, trunk: FeatureSequence, text: str | None, part: str, seen: Tensor | None
    ) -> FeatureSequence:
        encoder, key = self.encoders[name], (part, name, text)
        if isinstance(encoder, MaskedPooling):
            return replace(trunk, values=encoder.pool(trunk.values, trunk.present, seen))
        if not isinstance(encoder, TextConditioned):
            return trunk
        if key not in self.made:
            words = self.words[encoder.inputs.words](text)
            self.made[key] = replace(trunk, values=_selected(encoder, trunk, words, seen))
        return self.made[key]


def _selected(encoder: FrameEncoder, trunk: FeatureSequence, words: FeatureSequence, seen: Tensor | None) -> Tensor:
    if seen is not None and isinstance(encoder, MaskedSelection):
        return encoder.select(trunk.values, trunk.present, words.values, words.present, seen)
    assert seen is None and isinstance(encoder, TextConditioned), "the request is checked"
    return encoder.select(trunk.values, trunk.present, words.values, words.present)


class ConditionBuilder:
    """Reads features just ahead of the windows, and builds the conditions of each.

    again: opens the feed once more, for a generator that reads the whole video: the first pass is for the whole, the
    second for the windows. Without it, as live, the whole is what has been read so far. texts: all that
    select, for the whole video (`selecting_texts`).
    """

    def __init__(
        self,
        model: Model,
        shots: Sequence[Shot],
        feed: Iterator[FeatureRun],
        device: torch.device,
        regions: Mapping[Region, FeatureReader] | None = None,
        again: Callable[[], Iterator[FeatureRun]] | None = None,
        texts: Sequence[str | None] = (None,),
    ) -> None:
        self.shots, self.device, self.again = shots, device, again
        self.latent_rate: Fraction = model.codec.latent_rate
        self.encoders: dict[str, FrameEncoder] = frame_encoders(model)
        self.prompt_selects = model.plain is None
        self.texts = Texts(model.text_encoder, device)
        self.words = {name: Texts(encoder, device) for name, encoder in words_encoders(model).items()}
        self.reach = max(Fraction(e.outputs.reach) / e.outputs.rate for e in self.encoders.values())
        only_whole = [name for name, encoder in self.encoders.items() if encoder.inputs.whole_video]
        self.windowed = [name for name in self.encoders if name not in only_whole]
        self.read_whole = list(self.encoders) if model.generator.reads_whole_video else only_whole
        self.stretches = model.generator.whole_input if isinstance(model.generator, ReadsStretches) else None
        self.near = Fraction(0)  # s beyond a window in which sync features are given one by one
        self.whole: WholeVideo | None = None
        if self.read_whole:
            read = {name: self.encoders[name] for name in self.read_whole}
            stretch_s = None if self.stretches is None else self.stretches.stretch_s
            most_s = LIVE_S if again is None and self.stretches is not None else None
            self.whole = WholeVideo(read, self._select_run, stretch_s=stretch_s, texts=texts, most_s=most_s)
        if self.stretches is not None:
            self.near = Fraction(self.stretches.reach) / self.encoders[SYNC].outputs.rate
            self.reach = max(self.reach, self.near)
        on_run = None if self.whole is None or again is not None else self._add_to_whole
        self.reader = FeatureReader(self.encoders, shots, feed, device, on_run)
        self.regions = regions or {}
        self.blanks: dict[str, Tensor] = {}
        self.selections = _WindowSelections(self.encoders, self.words)

    def conditions(
        self, planned: PlannedWindow, prompting: Prompting, reference: int = 0, *, keep: bool = False
    ) -> tuple[Conditions, list[Conditions]]:
        """The conditions of a window that has `reference` latents of another sound in front of it, and a
        negative branch for each negative text: the text itself, and of the picture what it selects
        (`Prompting.negative_picture`). Over the reference and over sound carried on from before a cut nothing
        is seen. Where a text selects, the prompt and what is selected stand in for each other; with a pair beside a
        base (`Model.plain`) the prompt does not select, and a window without `select` is the base's. keep: what lies
        before the window stays readable, for the window before it."""
        window, shot, rate = planned.window, planned.shot, self.latent_rate
        start, end = window.first_latent / rate, window.end_latent / rate
        seen_from = max(start, shot.start) if shot.join == "carry" else start
        span = Span((window.first_latent - reference) / rate, seen_from, start, end)
        self._read_until(shot.index, end + self.reach)
        seen = {name: self.reader.sequence(name, shot, span) for name in self.windowed}
        around = None if self.stretches is None else self.reader.sequence(SYNC, shot, span, self.near)
        seen, shares = self._in_region(prompting.region, seen, shot, span, keep)
        if not keep:
            self.reader.forget(shot.index, start - self.reach)
        self.selections.begin((planned, reference, prompting.region))
        text, chosen = self.texts(prompting.described), chosen_text(prompting, self.prompt_selects)
        own = self.selections(seen, chosen, shares=shares)
        selected = Conditions({**own, TEXT: text}, self._in_whole(chosen, span, own, around))
        nothing = selected.null()
        by_text = {name for name, encoder in self.encoders.items() if isinstance(encoder, TextConditioned)}
        if prompting.negative_picture == "none" or (chosen is None and not self.prompt_selects):
            by_text = set()
        trunk = {name: sequence for name, sequence in seen.items() if name in by_text}

        def against(negative: str) -> Conditions:
            own = self.selections(trunk, negative, shares=shares)
            features = {**nothing.features, **own, TEXT: self.texts(negative)}
            own_whole = self._in_whole(negative, span, own, around) if by_text else {}
            known = {name: one for name, one in own_whole.items() if name in {*by_text, NEAR, SHOTS}}
            return Conditions(features, {**nothing.whole, **known})

        return selected, [against(negative) for negative in prompting.negatives]

    def _in_region(
        self, region: Region | None, sequences: dict[str, FeatureSequence], shot: Shot, span: Span, keep: bool
    ) -> tuple[dict[str, FeatureSequence], dict[str, Tensor]]:
        """The sequences of a window as a region has them, and the seen share of each patch, [1, n, patches], for the
        encoder that it acts in. Where nothing is seen the tokens are those of an empty picture, all of them seen."""
        reader = None if region is None else self.regions.get(region)
        if region is None or reader is None:
            return sequences, {}
        reader.read_until(shot.index, span.end + self.reach)
        own = reader.sequence(SYNC, shot, span)
        if not keep:
            reader.forget(shot.index, span.start - self.reach)
        if region.by == "grey":
            return {**sequences, SYNC: own}, {}
        trunk, is_empty = sequences[SYNC], ~(own.values > 0).any(-1, keepdim=True)
        if is_empty.any():
            blank = self._blank(SYNC)
            filled = blank.repeat(trunk.values.shape[1] // len(blank), 1)
            trunk = replace(trunk, values=torch.where(is_empty, filled, trunk.values))
        return {**sequences, SYNC: trunk}, {SYNC: own.values + is_empty.to(own.values)}

    def _blank(self, name: str) -> Tensor:
        """[group, dim]: what an encoder's stream gives of grey pictures, in which there is nothing."""
        if name not in self.blanks:
            encoder = self.encoders[name]
            frames, group = frames_of(encoder), encoder.outputs.group
            picture = torch.full((1, BLANK_FRAMES, 3, frames.height, frames.width), MID_GREY, dtype=torch.uint8)
            features = encoder.encode(picture.to(self.device))[0].to(self.device, torch.float32)
            middle = len(features) // 2 // group * group
            self.blanks[name] = features[middle : middle + group]
        return self.blanks[name]

    def _in_whole(
        self, text: str | None, span: Span, own: Mapping[str, FeatureSequence], around: FeatureSequence | None
    ) -> dict[str, FeatureSequence]:
        """The whole video, or as much of it as is there, as a text selects from it; and for a generator that reads it
        in stretches its shots and the sync features `around` the window, where `own` are those of the window."""
        if self.whole is None:
            return {}
        zero = span.zero
        found = {name: self.whole.sequence(name, text, zero, self.device) for name in self.read_whole}
        if around is not None:
            found[SHOTS] = shots_sequence(self.shots, zero, self.device)
            if SYNC in own:
                found[NEAR] = self._near(text, own[SYNC], around, span)
        return found

    def _near(self, text: str | None, own: FeatureSequence, around: FeatureSequence, span: Span) -> FeatureSequence:
        """The window's sync features and those that lie beyond its ends."""
        if not own.time_s.shape[1]:
            return own
        half = 0.5 / float(self.encoders[SYNC].outputs.rate)
        first, last = float(own.time_s[0, 0]) - half, float(own.time_s[0, -1]) + half
        before, behind = around.time_s[0] < first, around.time_s[0] > last
        if span.has_unseen:
            before = torch.zeros_like(before)
        parts = []
        for name, chosen in (("before", before), ("behind", behind)):
            part = {SYNC: around.each(lambda rows, chosen=chosen: rows[:, chosen])}
            parts.append(self.selections(part, text, name)[SYNC] if bool(chosen.any()) else None)
        pieces = [piece for piece in (parts[0], own, parts[1]) if piece is not None]
        if len(pieces) == 1:
            return own
        return FeatureSequence(
            *(torch.cat([getattr(piece, name) for piece in pieces], 1) for name in ("values", "time_s", "present"))
        )

    def _select_run(self, name: str, trunk: Tensor, text: str | None) -> Tensor:
        """What a text selects from the next features of the whole video."""
        encoder = self.encoders[name]
        assert isinstance(encoder, TextConditioned)
        present = torch.ones(1, len(trunk), dtype=torch.bool, device=trunk.device)
        sequence = FeatureSequence(trunk[None], torch.zeros(1, len(trunk), device=trunk.device), present)
        return _selected(encoder, sequence, self.words[encoder.inputs.words](text), None)[0]

    def _add_to_whole(self, run: FeatureRun) -> None:
        assert self.whole is not None
        self.whole.add(run, self.reader.origin(run.name, run.shot))

    def _fill_whole(self) -> None:
        """The first pass over the video, for a generator that reads the whole of it."""
        if self.whole is not None and self.again is not None:
            for run in self.reader.feed:
                self._add_to_whole(run)
            self.reader.feed, self.again = self.again(), None

    def _read_until(self, shot: int, time: Fraction) -> None:
        self._fill_whole()
        self.reader.read_until(shot, time)

    def take(self, run: FeatureRun) -> None:
        """The next features of one encoder in one shot."""
        self.reader.take(run)

    def available_until(self, shot: int) -> Fraction:
        """Up to this instant (s) all features of the shot are here."""
        return min(self.reader.buffer(name, shot).end for name in self.encoders)

    def pass_over(self, planned: PlannedWindow) -> None:
        """Read up to a window that is not sampled, and let go of what lies before it."""
        start = planned.window.first_latent / self.latent_rate
        self._fill_whole()
        for reader in (self.reader, *self.regions.values()):
            reader.read_until(planned.shot.index, start)
            reader.forget(planned.shot.index, start - self.reach)


def chosen_text(prompting: Prompting, prompt_selects: bool) -> str | None:
    """What a selective encoder reads."""
    return prompting.selected if prompt_selects else prompting.select


def selecting_texts(model: Model, promptings: Sequence[Prompting]) -> list[str | None]:
    """All texts by which these select from the picture."""
    texts = [chosen_text(one, model.plain is None) for one in promptings]
    return [*texts, *(negative for one in promptings if one.negative_picture != "none" for negative in one.negatives)]
