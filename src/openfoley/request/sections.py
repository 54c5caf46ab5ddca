"""The sections of a request, each a record of options: what it should sound like, how latents are sampled, where, what
is written.

A new option is one field with `option(check, help)`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, get_args

from openfoley.checks import (
    FRAMES_PATTERN,
    NUDGE,
    Check,
    Kind,
    Number,
    OneOf,
    Several,
    edges,
    flag,
    instants,
    nudge,
    path,
    seconds,
    some_text,
    text,
)
from openfoley.errors import UsageError
from openfoley.flow.settings import Replacement, Solver
from openfoley.media.settings import LONGEST_SILENT_S, AudioMode, BitDepth
from openfoley.region import Box, Region, box
from openfoley.request.cues import SAID_BY_CUES, WEIGHT, Cue, Cut, rule_or_cuts, sheet_or_cues

Seconds = float | Fraction
SHORTEST_SPAN_S = Fraction(1, 20)  # two latents, and two fades of 10 ms with sound between them


def option(check: Check, help: str = "", metavar: str = "", default: Any = None, usual: str = "") -> Any:
    """A field of a section. help: its help text on the command line; empty if it has no command-line option. usual:
    the default in the help text."""
    return field(default=default, metadata={"check": check, "help": help, "metavar": metavar, "usual": usual})


@dataclass(frozen=True)
class Defaults:
    """Default sampling settings of a kind of generator. temperature: None if it has none."""

    steps: int
    guidance: float
    temperature: float | None = None


@dataclass(frozen=True)
class Prompting:
    """What it should sound like.

    select: the thing in the picture that sounds, for models with a selective encoder. select_box, select_mask: its
    place, without words or beside them (`region`); a Box, its text or four numbers. negative_picture: what guidance
    moves away from besides the negative prompt's text: what that text selects from the picture, or (None is "selected")
    nothing of it, as SelVA was released. whole_video: whether each window is conditioned on the whole video (live: on
    the past) through the model's adapters (`generators.adapters`). beside: further negative texts, each a branch of its
    own: what the other stems select (`synthesis.selected_stems`).
    """

    prompt: str | None = option(text, "what it should sound like", "T")
    negative_prompt: str | None = option(text, "what it should not sound like", "T")
    select: str | None = option(
        some_text,
        "the thing in the picture that sounds, with models that select by text: salsa-v-gym, selva",
        "T",
        usual="everything; selva: what --prompt says, if it is given",
    )
    select_box: Box | None = option(
        box,
        "where the thing that sounds is: left, top, right, bottom, 0 to 1, at a time in seconds or timecode; it is "
        "followed through its shot, the rest is not heard",
        "X0,Y0,X1,Y1@S",
        usual="the first picture of the shot",
    )
    select_mask: Path | None = option(
        path, "a video or still image of the picture's aspect, white where the thing that sounds is", "FILE"
    )
    select_mask_by: Literal["attention", "grey"] | None = option(
        OneOf(("attention", "grey")),
        "how box or mask act: inside the encoder, or by mid-grey around it in the encoder's pictures",
        usual="attention",
    )
    negative_picture: Literal["selected", "none"] | None = option(
        OneOf(("selected", "none")),
        "what the negative prompt selects from the picture, with models that select; none: as SelVA was released",
        usual="selected",
    )
    whole_video: Literal["auto", "on", "off"] = option(
        OneOf(("auto", "on", "off")),
        "condition every window on the whole video, with a model that has adapters; auto: where there is more than one "
        "window",
        usual="auto",
        default="auto",
    )
    beside: tuple[str, ...] = option(Several(some_text), default=())
    reference: Path | None = option(path, "a sound file whose timbre the result should match", "FILE")
    reference_span: tuple[Seconds, Seconds] | None = option(
        seconds, "the part of it to use, in seconds, up to 2.5 s", "A B", usual="the loudest 2.5"
    )

    @property
    def selected(self) -> str | None:
        """What a selective encoder reads; what is described, if nothing is selected."""
        return self.select or self.prompt

    @property
    def described(self) -> str | None:
        """The prompt; what is selected, if there is none."""
        return self.prompt or self.select

    @property
    def region(self) -> Region | None:
        """Where the thing that sounds is; None: anywhere."""
        if self.select_box is None and self.select_mask is None:
            return None
        return Region(self.select_box, self.select_mask, self.select_mask_by or "attention")

    def in_cue(self, cue: Cue) -> Prompting:
        """The same as a cue has it, in what the cue says."""
        said = {name: value for name in SAID_BY_CUES if (value := getattr(cue, name)) is not None}
        if "select_box" in said or "select_mask" in said:
            said = {"select_box": None, "select_mask": None, **said}
        return replace(self, **said)

    @property
    def negatives(self) -> tuple[str, ...]:
        """The texts that guidance moves away from."""
        own = self.negative_prompt
        return ((own,) if own and own.strip() else ()) + self.beside


@dataclass(frozen=True)
class Sampling:
    """How latents are sampled (`generators.base.sample_latents`).

    Guidance is Eq. 3 of arXiv 2510.02916; picture, text, negative text and known latents can have a weight each.
    rescale: 0 is Eq. 3 as it stands, 1 gives the guided end point the spread of the conditional one (flow.guidance).
    temperature: flow.noise_scale. solver: flow.samplers. replacement: flow.replacement. batch_takes: several takes are
    sampled as one batch, whose products may round differently; None: on a GPU.
    """

    steps: int | None = option(Number(1, 128, whole=True), "sampling steps", "N")
    guidance: float | None = option(WEIGHT, "how closely to follow picture and prompt", "W")
    text_guidance: float | None = option(
        WEIGHT, "guidance weight of the prompt", "W", usual="twice --guidance; mmaudio: --guidance"
    )
    picture_guidance: float | None = option(
        WEIGHT,
        "guidance weight of the picture",
        "W",
        usual="--guidance; with a prompt half of it, except mmaudio",
    )
    negative_guidance: float | None = option(
        WEIGHT, "mmaudio: guidance weight of the negative prompt", "W", usual="--guidance"
    )
    reference_guidance: float | None = option(
        WEIGHT, "guidance weight of the reference and the sound before", "W", usual="--guidance; not mmaudio"
    )
    temperature: float | None = option(
        Number(0, 1), "sampling temperature; lower: fewer false events, more missed", "T"
    )
    rescale: float | None = option(Number(0, 1))
    solver: Solver | None = option(Kind(Solver, "flow.settings.MULTISTEP or SHORTCUT"))
    replacement: Replacement | None = option(Kind(Replacement, "flow.settings.DEFAULT_REPLACEMENT or PLAIN"))
    seed: int = option(Number(0, math.inf, whole=True), "the same seed gives the same sound", "S", usual="0", default=0)
    batch_takes: bool | None = option(flag)

    def resolved(self, defaults: Defaults) -> Sampling:
        """With the generator's default steps and guidance filled in."""
        return replace(
            self,
            steps=defaults.steps if self.steps is None else self.steps,
            guidance=defaults.guidance if self.guidance is None else self.guidance,
        )

    def unsupported(self, supported: frozenset[str]) -> str | None:
        """The first given option that a generator does not support."""
        given = (f.name for f in fields(self) if f.name not in ("seed", "batch_takes"))
        return next((name for name in given if getattr(self, name) is not None and name not in supported), None)


Join = Literal["crossfade", "hard", "equal-power", "swap"]
JOINS: tuple[Join, ...] = get_args(Join)


@dataclass(frozen=True)
class Timeline:
    """Where and in which windows sound is generated.

    cuts: a rule (`timeline.shots.CUT_RULES`), a file with a list of cuts, or Cuts. span: the part of existing sound to
    regenerate, s. duration: s, without a video. context, window: s of known and of all sound in a window; None is
    0.5 and 10, the latter at most the model's training length. join: how a window follows the one before
    (`timeline.plan`); overlap: s that both generate, None is 0.19. sound: a file whose sound is edited, if not the
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
        "(denoised together with the next window, at twice the cost; not mmaudio)",
        usual="crossfade",
        default="crossfade",
    )
    overlap: Seconds | None = option(
        Number(0, 5, " s"), "how long neighbouring windows overlap, seconds", "S", usual="0.19"
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


@dataclass(frozen=True)
class Output:
    """What is written, and how. audio: in addition to the video's own sound, or instead of it. sample_rate: Hz, None
    keeps the model's. bit_depth: None is 24. nudge: delay of the sound, ms."""

    audio: AudioMode = option(
        OneOf(("add", "replace")), "add to the video's own sound (the default) or replace it", default="add"
    )
    sample_rate: int | None = option(Number(8000, 192_000, " Hz", whole=True), "Hz", "R", usual="the model's")
    bit_depth: BitDepth | None = option(
        OneOf(("16", "24", "32f")), "bits per sample where the format has them", usual="24"
    )
    start_timecode: str | None = option(text, "timecode of the first frame, HH:MM:SS:FF", "TC", usual="the file's own")
    nudge: float | str = option(
        nudge, "delay of the sound in ms, or frames as 2f, -60000 to 60000", "MS|Nf", 0.0, usual="0"
    )
    force: bool = option(flag, default=False)

    def nudge_ms(self, frame_rate: Fraction) -> float:
        """The nudge in ms; one in frames is converted at `frame_rate` Hz."""
        if not isinstance(self.nudge, str):
            return self.nudge
        frames = FRAMES_PATTERN.fullmatch(self.nudge)
        assert frames is not None, "the request is checked"
        milliseconds = float(1000 * Fraction(frames[1]) / frame_rate)
        NUDGE("nudge", milliseconds)
        return milliseconds


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
