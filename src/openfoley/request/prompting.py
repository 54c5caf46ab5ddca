"""What it should sound like: prompts, the thing in the picture that sounds and its place, a reference."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from openfoley.checks import OneOf, Several, path, seconds, some_text, text
from openfoley.region import Box, Region, box
from openfoley.request.cues import SAID_BY_CUES, Cue
from openfoley.request.declared import Seconds, option


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
