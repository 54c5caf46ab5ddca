"""From a duration, its cuts and its cues to windows in whole latents: plain data that can be printed.

arXiv 2510.02916 extends a sound window by window: 0.5 s of what is there, 9.5 s new (section 4.1). Here a window also
never straddles a cut, may start afresh at one, belongs to one cue, and may end in front of existing sound.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil, floor
from typing import Literal

from openfoley.errors import UsageError
from openfoley.media.time.timecode import Timecode, timecode_at
from openfoley.request import Cue, asked_words
from openfoley.request.timeline import Join as JoinKind
from openfoley.timeline.shots import CUT_FADE_S, Shot

WINDOW_LATENTS = 345  # 8 s at 44100/1024 Hz, the training length of the shipped models
CONTEXT_LATENTS = 22  # 0.5 s, inside the 1 to 88 latents kept clean in training (section 3.2)
CONTEXT_S = Fraction(1, 2)  # section 4.1
OVERLAP_S = Fraction(1, 2)
"""The last latents of a window do not depend on what follows, and are a little louder than others; the first new ones
of the window that follows are a little quieter. So neighbouring windows overlap, and where both follow the same cue
they are crossfaded, long enough that a lasting sound of the new window rises slowly (beyond the paper; docs/log.md, L2,
L3 and L12)."""
OVERLAP_LATENTS = 22  # at 43 Hz
NEW_S = Fraction(19, 2)  # section 4.1; windows are no longer than the generator's training length (8 s as shipped)

Join = Literal["start", "continue", "carry", "reset"]


@dataclass(frozen=True)
class WindowLayout:
    """How windows follow each other; lengths in latents. A window has at most `window`; a later one knows `context` of
    the one before, which in the same shot generated `overlap` more; these are crossfaded with its own, but not across a
    cue's edge. join "hard": nothing overlaps; "equal-power": the samples are crossfaded; "swap": a later window knows
    these latents too, which the one before makes together with it (SaFa, arXiv 2502.05130, its neighbours in pairs).
    """

    window: int = WINDOW_LATENTS
    context: int = CONTEXT_LATENTS
    join: JoinKind = "crossfade"
    overlap: int = OVERLAP_LATENTS

    def __post_init__(self) -> None:
        if not 0 <= self.context < self.window:
            allowed = f"from 0 to {self.window - 1} latents (less than the window)"
            raise UsageError(f"context must be {allowed}, got {self.context}")

    @property
    def applied(self) -> WindowLayout:
        """With the context and overlap that `join` leaves."""
        overlap = 0 if self.join == "hard" else min(self.overlap, (self.window - self.context) // 4)
        if self.join == "swap":  # what would be crossfaded is known too
            return replace(self, context=self.context + overlap, overlap=0)
        return replace(self, overlap=overlap)


@dataclass(frozen=True)
class Window:
    """A run of latents generated at once. The first `context` of them are known (clean): the end of the window before,
    or of existing sound; so are the last `after`, where a span is generated in front of existing sound. The last
    `overlap` lie beyond what the window adds: the window that follows in the same shot generates them too. The first
    `crossfaded` new latents are crossfaded with those that the window before generated beyond its end (where both
    follow the same cue). With join "equal-power" these are `faded` instead: both are decoded, and the samples are
    crossfaded. With join "swap" the last `shared` latents are denoised together with the window that follows, which
    knows them.
    """

    first_latent: int
    latent_count: int
    context: int
    after: int = 0
    overlap: int = 0
    crossfaded: int = 0
    faded: int = 0
    shared: int = 0

    @property
    def end_latent(self) -> int:
        return self.first_latent + self.latent_count

    @property
    def new_end(self) -> int:
        """Behind the last latent that the window adds."""
        return self.end_latent - self.after - self.overlap


@dataclass(frozen=True)
class PlannedWindow:
    """A window, the shot that it shows, how its sound begins, and the cue that it follows.

    join: "start" of everything; "continue": from the window before, in the same shot; "carry": from the sound before a
    cut, whose picture is kept out; "reset": from nothing, at a cut. silent: it is not sampled, its sound is not needed.
    """

    window: Window
    shot: Shot
    join: Join
    cue: Cue | None = None
    silent: bool = False

    @property
    def first_new(self) -> int:
        """The first latent that the window adds."""
        return self.window.first_latent + self.window.context


@dataclass(frozen=True)
class _Stretch:
    """New latents [first, end) of one shot and one cue."""

    first: int
    end: int
    shot: Shot
    join: Join
    cue: Cue | None


def make_plan(
    shots: Sequence[Shot],
    latent_rate: Fraction,
    layout: WindowLayout = WindowLayout(),
    *,
    cues: Sequence[Cue] = (),
    span: tuple[Fraction, Fraction] | None = None,
    existing_end: Fraction | None = None,
) -> list[PlannedWindow]:
    """Windows over all shots, or over `span` (s) with existing sound on its outside.

    With `span` the first window also knows up to `context` latents before it and the last as many behind it, both only
    within their shot (before: across a carried cut too) and, behind it, within the existing sound (existing_end: where
    that ends, s; None: with the shot).
    """
    layout = layout.applied
    window, context = layout.window, layout.context
    if span is not None and 2 * context >= window:  # the last window of a span knows both of its sides
        known = "context and overlap together" if layout.join == "swap" else "context"
        raise UsageError(
            f"{known} must be under {float(window // 2 / latent_rate):.2f} s (half a window) on both sides of a span, "
            f"got {float(context / latent_rate):.2f} s"
        )
    planned: list[PlannedWindow] = []
    run_start = 0  # first latent that what comes can continue from
    for number, stretch in enumerate(stretches := _stretches(shots, latent_rate, cues, span)):
        before = 0
        if number == 0 and span is not None:
            before = min(context, stretch.first - _first_latent_to_continue(stretch.shot, shots, latent_rate))
            run_start = stretch.first - before
        elif stretch.join in ("start", "reset"):
            run_start = stretch.first
        else:
            before = min(context, stretch.first - run_start)
        after = 0
        if span is not None and number == len(stretches) - 1:
            known_end = stretch.shot.end if existing_end is None else min(stretch.shot.end, existing_end)
            after = max(0, min(context, floor(known_end * latent_rate) - stretch.end))
        beyond = stretches[number + 1] if number + 1 < len(stretches) else None
        follows = beyond.end - beyond.first if beyond is not None and beyond.join == "continue" else 0
        planned += _windows(stretch, layout, before, after, follows)
    if layout.join == "equal-power":
        return [_changed(one, crossfaded=0, faded=one.window.crossfaded) for one in planned]
    return _sharing(planned) if layout.join == "swap" else planned


def _sharing(plan: Sequence[PlannedWindow]) -> list[PlannedWindow]:
    """Each window shares what it makes and the next one of the same cue knows."""

    def shared(one: PlannedWindow, beyond: PlannedWindow | None) -> int:
        if beyond is None or beyond.join not in ("continue", "carry") or beyond.cue != one.cue:
            return 0
        return max(0, one.window.new_end - max(beyond.window.first_latent, one.first_new))

    return [_changed(one, shared=shared(one, beyond)) for one, beyond in zip(plan, [*plan[1:], None], strict=True)]


def _changed(planned: PlannedWindow, **fields: int) -> PlannedWindow:
    return replace(planned, window=replace(planned.window, **fields))


def join_place(before: Window, window: Window) -> tuple[Fraction, int]:
    """Where a window follows another, in latents: the middle of what both make, and how many latents that is."""
    first, both = window.first_latent + window.context, window.crossfaded or window.faded
    return first + Fraction(both or -before.shared, 2), both or before.shared


def sampled_for(plan: Sequence[PlannedWindow], cues: Sequence[Cue], latent_rate: Fraction) -> list[PlannedWindow]:
    """The plan of a stem that only sounds inside its cues. Sampled are the windows in a cue and, within the same run,
    the one before it (from which it continues) and the one after it (into which the decoder looks)."""
    inside = {index for cue in cues for index in _within(plan, cue, latent_rate)}
    before = {index - 1 for index in inside if plan[index].join not in ("start", "reset")}
    after = {index + 1 for index in inside if index + 1 < len(plan) and plan[index + 1].join not in ("start", "reset")}
    sampled = inside | before | after
    found: list[PlannedWindow] = []
    for index, one in enumerate(plan):
        window = one.window
        if index + 1 not in sampled:
            one = _changed(one, shared=0)
        if index not in sampled:
            one = replace(one, silent=True)
        elif window.context and index - 1 not in sampled:  # nothing is there to continue from
            count = window.latent_count - window.context
            one = _changed(one, first_latent=one.first_new, latent_count=count, context=0, crossfaded=0, faded=0)
        found.append(one)
    return found


def _within(plan: Sequence[PlannedWindow], cue: Cue, latent_rate: Fraction) -> list[int]:
    """The windows that follow a cue; of a cue too short for a latent of its own those that it lies in."""
    own = [index for index, one in enumerate(plan) if one.cue == cue]
    return own or [
        index
        for index, one in enumerate(plan)
        if one.first_new < cue.end * latent_rate and one.window.new_end > cue.start * latent_rate
    ]


def _stretches(
    shots: Sequence[Shot], latent_rate: Fraction, cues: Sequence[Cue], span: tuple[Fraction, Fraction] | None
) -> list[_Stretch]:
    """Shots cut at the cues' edges, each with whole latents. Where the sound starts afresh neighbours overlap, so that
    both have samples for the fade at the cut."""
    start, end = span or (shots[0].start, shots[-1].end)
    inside = [s for s in shots if s.start < end and s.end > start]
    found: list[_Stretch] = []
    for number, shot in enumerate(inside):
        is_last = number == len(inside) - 1
        low, high = max(shot.start, start), min(shot.end, end)
        edges = sorted({edge for cue in cues for edge in (cue.start, cue.end) if low < edge < high})
        first = floor(low * latent_rate)
        if number:
            first = found[-1].end if shot.join == "carry" else floor((low - CUT_FADE_S / 2) * latent_rate)
        if is_last:
            last = max(first + 1, ceil(high * latent_rate))
        elif inside[number + 1].join == "carry":
            last = max(first + 1, round(high * latent_rate))
        else:
            last = ceil((high + CUT_FADE_S / 2) * latent_rate)
        join: Join = shot.join if number else "start"
        marks = [first, *(min(max(round(edge * latent_rate), first), last) for edge in edges), last]
        times = [low, *edges]
        for time, begun, ended in zip(times, marks[:-1], marks[1:], strict=True):
            if ended > begun:
                found.append(_Stretch(begun, ended, shot, join, _cue_at(cues, time)))
                join = "continue"
    return found


def _cue_at(cues: Sequence[Cue], time: Fraction) -> Cue | None:
    return next((cue for cue in cues if cue.start <= time < cue.end), None)


def _first_latent_to_continue(shot: Shot, shots: Sequence[Shot], latent_rate: Fraction) -> int:
    """The first latent of the shot, or of the shots whose sound was carried into it."""
    while shot.join == "carry":
        shot = shots[shot.index - 1]
    return ceil(shot.start * latent_rate)


def _windows(stretch: _Stretch, layout: WindowLayout, before: int, after: int, follows: int) -> list[PlannedWindow]:
    """The fewest windows that hold the stretch, evenly filled: none is tiny. follows: latents of the same shot after
    the stretch that are still to be generated (`after` are there already)."""
    before, window, context, overlap = max(0, before), layout.window, layout.context, layout.overlap
    fresh, last_overlap = stretch.end - stretch.first, min(overlap, follows)
    taken_at_end = after + last_overlap
    count = max(1, ceil(Fraction(fresh + before + taken_at_end - context - overlap, window - context - overlap)))
    known = [before, *[context] * (count - 1)]
    behind = [*[overlap] * (count - 1), taken_at_end]
    taken = [k + b for k, b in zip(known, behind, strict=True)]
    planned, end, extra = [], stretch.first, 0
    for index, new in enumerate(_share(fresh, taken, window)):
        is_last, crossfaded = index == count - 1, min(extra, new)
        extra = last_overlap if is_last else min(overlap, stretch.end + follows - end - new)
        first, size = end - known[index], known[index] + new + extra + (after if is_last else 0)
        one = Window(first, size, known[index], after=after if is_last else 0, overlap=extra, crossfaded=crossfaded)
        planned.append(PlannedWindow(one, stretch.shot, "continue" if index else stretch.join, stretch.cue))
        end += new
    return planned


def _share(fresh: int, taken: Sequence[int], window: int) -> list[int]:
    """How many of `fresh` latents each window gets, whose known latents are `taken`: such that the windows' lengths
    differ by at most one, larger ones first; where a window has no room for that, the first ones are filled."""
    count = len(taken)
    size, larger = divmod(fresh + sum(taken), count)
    shares = [size + (index < larger) - known for index, known in enumerate(taken)]
    if min(shares) >= 1:
        return shares
    shares, left = [], fresh
    for index, known in enumerate(taken):
        shares.append(min(window - known, left - (count - 1 - index)))
        left -= shares[-1]
    return shares


def describe(plan: Sequence[PlannedWindow], latent_rate: Fraction, first_frame: Timecode | None = None) -> str:
    """The plan as a table, one line a window; with the timecode of the first frame each window's start as timecode."""
    lines = ["window  shot   start s     end s   latents   known   after overlap   begins     prompt"]
    if first_frame is not None:
        lines[0] = "timecode     " + lines[0]
    for index, one in enumerate(plan):
        window = one.window
        start, end = one.first_new / latent_rate, window.new_end / latent_rate
        prompt = "" if one.cue is None else asked_words(one.cue)
        join = "silent" if one.silent else one.join
        code = f"{timecode_at(start, first_frame)}  " if first_frame is not None else ""
        lines.append(
            f"{code}{index:6d} {one.shot.index:5d} {float(start):9.3f} {float(end):9.3f} {window.latent_count:9d} "
            f"{window.context:7d} {window.after:7d} {window.overlap:7d}   {join:8s}   {prompt}".rstrip()
        )
    return "\n".join(lines)
