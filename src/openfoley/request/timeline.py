"""Where, and in which windows, sound is generated: cuts, cues, span, duration, context and joins."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal, get_args

from openfoley.checks import Number, OneOf, edges, instants, path
from openfoley.errors import UsageError
from openfoley.media.settings import LONGEST_SILENT_S
from openfoley.request.cues import Cue, Cut, rule_or_cuts, sheet_or_cues
from openfoley.request.declared import Seconds, option

SHORTEST_SPAN_S = Fraction(1, 20)  # two latents, and two fades of 10 ms with sound between them

Join = Literal["crossfade", "hard", "equal-power", "swap"]
JOINS: tuple[Join, ...] = get_args(Join)


@dataclass(frozen=True)
class Timeline:
    """Where and in which windows sound is generated.

    cuts: a rule (`timeline.shots.CUT_RULES`), a file with a list of cuts, or Cuts. span: the part of existing sound to
    regenerate, s. duration: s, without a video. context, window: s of known and of all sound in a window; None is
    0.5 and 10, the latter at most the model's training length. join: how a window follows the one before
    (`timeline.plan`); overlap: s that both generate, at most a quarter of
    what a window adds, None is 0.5. sound: a file whose sound is edited, if not the
    video's own; audio_stream: which of the file's audio streams.
    """

    cuts: str | Path | tuple[Cut, ...] = option(
        rule_or_cuts,
        "the sound at cuts: reset (start afresh), carry (continue), auto (reset, but carry into shots up to half "
        "a second), none (no cut detection), or a text file with a list of cuts",
        "RULE|FILE",
        usual="auto",
        default="auto",
    )
    cues: str | Path | tuple[Cue, ...] = option(
        sheet_or_cues,
        "a cue sheet, .csv or .json: start, end, prompt, negative_prompt, seed, guidance, stem, select, select_box, "
        "select_mask",
        "FILE",
        (),
    )
    span: tuple[Seconds | str, Seconds | str] | None = option(instants)
    sound: Path | None = option(path)
    audio_stream: int | None = option(Number(0, math.inf, whole=True))
    duration: Seconds | None = option(Number(0, LONGEST_SILENT_S, " s"))
    context: Seconds | None = option(Number(0, 15, " s"), "known sound at a window's start, seconds", "S", usual="0.5")
    window: Seconds | None = option(
        Number(0.5, 120, " s"),
        "length of a window including the context, seconds",
        "S",
        usual="10, at most the model's training length",
    )
    join: Join = option(
        OneOf(JOINS),
        "how windows are joined: crossfade (of latents), equal-power (crossfade of samples), hard (no overlap), swap "
        "(denoised together with the next window, at twice the cost)",
        usual="crossfade",
        default="crossfade",
    )
    overlap: Seconds | None = option(
        Number(0, 5, " s"), "how long neighbouring windows overlap, seconds", "S", usual="0.5"
    )

    @property
    def cue_list(self) -> tuple[Cue, ...]:
        """The cues, once a sheet is read (`synthesis.job.with_times`)."""
        assert isinstance(self.cues, tuple), "the cue sheet was not read"
        return self.cues

    @property
    def span_s(self) -> tuple[Fraction, Fraction] | None:
        """The span in s, once a timecode is read."""
        return None if self.span is None else edges(self.span, "span")


def windows_asked(timeline: Timeline, default_context: Fraction, default_new: Fraction) -> tuple[Fraction, Fraction]:
    """(context, window) in s: how much of a window is known from the one before, and how long it is in all."""
    known = default_context if timeline.context is None else Fraction(timeline.context)
    whole = known + default_new if timeline.window is None else Fraction(timeline.window)
    if 2 * known >= whole:
        raise UsageError(f"the context must be under half of the window, got {float(known):g} of {float(whole):g} s")
    return known, whole


def check_span(span: object, duration: Fraction) -> tuple[Fraction, Fraction]:
    """A span in s, inside [0, duration]."""
    start, end = edges(span, "span")
    if not 0 <= start < end <= duration:
        raise UsageError(
            f"the span must begin before it ends and lie from 0 to {float(duration):.3f} s, "
            f"got {float(start):g} to {float(end):g}"
        )
    if end - start < SHORTEST_SPAN_S:
        raise UsageError(f"the span must be at least {float(SHORTEST_SPAN_S):g} s long, got {float(end - start):g}")
    return start, end
