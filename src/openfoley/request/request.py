"""All options of a generation: one frozen, nested record, checked once, without heavy imports.

    Request
      prompting   what it should sound like      sampling   how latents are sampled
      timeline    where, and in which windows    output     what is written

A new option is one field with `option(check, help)`: its check, its command-line option (the field's name with
dashes) and its place in projects and resume keys follow from it. None is the model's default (`Defaults`).
"""

from __future__ import annotations

import difflib
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import Field, dataclass, fields, replace
from pathlib import Path
from typing import Any

from openfoley.checks import Number, path
from openfoley.errors import UsageError
from openfoley.region import Region, box, parsed
from openfoley.request.cues import Cue, one_region
from openfoley.request.output import Output
from openfoley.request.prompting import Prompting
from openfoley.request.sampling import Sampling
from openfoley.request.timeline import Timeline

TAKES_RANGE = (1, 99)


@dataclass(frozen=True)
class Request:
    """All settings of one generation."""

    prompting: Prompting = Prompting()
    sampling: Sampling = Sampling()
    timeline: Timeline = Timeline()
    output: Output = Output()

    @classmethod
    def of(cls, base: Request | None = None, /, **options: object) -> Request:
        """`base` (all defaults) with these options, by their names in any section; a box replaces the mask of `base`,
        a mask its box. UsageError names an option that does not exist or a value that is not allowed."""
        if base is not None and not isinstance(base, Request):
            raise UsageError(f"request must be a Request, got {base!r}")
        request = base or cls()
        known = {one.name: (section, one) for section, one in options_of(request)}
        for name in options:
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
                raise UsageError(f"unknown option {name!r}; {hint}")
        for one, other in (("select_box", "select_mask"), ("select_mask", "select_box")):
            if options.get(one) is not None:
                options = {other: None, **options}
        for section in {known[name][0] for name in options}:
            own = {name: _plain(known[name][1], v) for name, v in options.items() if known[name][0] == section}
            request = replace(request, **{section: replace(getattr(request, section), **own)})
        request.check()
        return request

    def check(self) -> None:
        """UsageError for a value outside its range; what depends on the video or the model is checked with these."""
        for section, one in options_of(self):
            value, name = getattr(getattr(self, section), one.name), one.name
            if value is not None:
                one.metadata["check"](name, value)
            elif one.default is not None:
                raise UsageError(f"{name} must not be None; leave it out for {one.default!r}")
        if self.prompting.reference_span is not None and self.prompting.reference is None:
            raise UsageError("a reference span chooses a part of a reference, which is missing; pass reference too")
        if self.timeline.join == "hard" and self.timeline.overlap:
            raise UsageError(
                f"join hard has no overlap, got {float(self.timeline.overlap):g} s; leave overlap out, "
                "or pass another join"
            )
        one_region("", self.prompting.select_box, self.prompting.select_mask)
        are_read = isinstance(self.timeline.cues, tuple)
        if self.prompting.select_mask_by is not None and are_read and not self.regions:
            raise UsageError(
                "select_mask_by says how a box or a mask acts, which is missing; pass select_box or select_mask too"
            )

    @property
    def regions(self) -> tuple[Region, ...]:
        """Where the things that sound are, of the request and of its cues, once a sheet is read."""
        cues = self.timeline.cues if isinstance(self.timeline.cues, tuple) else ()
        asked = [self.prompting, *(self.prompting.in_cue(cue) for cue in cues)]
        return tuple(dict.fromkeys(region for one in asked if (region := one.region) is not None))

    @property
    def selections(self) -> tuple[str, ...]:
        """All texts that select, of the request and of its cues, once a sheet is read."""
        cues = self.timeline.cues if isinstance(self.timeline.cues, tuple) else ()
        own = (self.prompting.select, *self.prompting.beside)
        return tuple(one for one in (*own, *(cue.select for cue in cues)) if one is not None)

    @property
    def selections_without_prompt(self) -> tuple[str, ...]:
        """Those that stand in for a prompt, or for a negative one."""
        own, cues = self.prompting, self.timeline.cues if isinstance(self.timeline.cues, tuple) else ()
        pairs = [(own.select, own.prompt), *((c.select or own.select, c.prompt or own.prompt) for c in cues)]
        return (*(select for select, prompt in pairs if select and not prompt), *own.beside)

    @property
    def asks_selection(self) -> str | None:
        """The option that needs a selective encoder; None where none is given."""
        if self.selections:
            return "select"
        return None if self.prompting.negative_picture is None else "negative_picture"

    @property
    def asks_picture(self) -> str | None:
        """The option that needs a picture to choose from; None where none is given."""
        return self.asks_selection or next((region.option for region in self.regions), None)

    def given(self) -> dict[str, Any]:
        """The options that differ from their defaults, by name."""
        pairs = ((one, getattr(getattr(self, section), one.name)) for section, one in options_of(self))
        return {one.name: value for one, value in pairs if value != one.default}


def asked_words(asked: Cue | Prompting) -> str:
    """Prompt and selection in one line, for tables."""
    selected = (asked.select, asked.select_box, asked.select_mask)
    return "; ".join([*filter(None, [asked.prompt]), *(f"select {one}" for one in selected if one is not None)])


def options_of(request: Request) -> Iterator[tuple[str, Field[Any]]]:
    """(section, field) of every option."""
    for section in fields(request):
        yield from ((section.name, one) for one in fields(getattr(request, section.name)))


def _plain(one: Field[Any], value: object) -> object:
    """Lists as tuples, paths as Paths, boxes as Boxes: a request is hashable, and equal requests are equal."""
    if one.metadata["check"] is path and isinstance(value, (str, os.PathLike)):
        return Path(value)
    if one.metadata["check"] is box:
        return parsed(one.name, value)
    return tuple(value) if isinstance(value, list) else value


def check_seeds(seeds: Sequence[int]) -> None:
    if not isinstance(seeds, Sequence):
        raise UsageError(f"seeds must be a list of whole numbers, got {seeds!r}; pass [{seeds!r}]")
    for seed in seeds:
        Number(0, math.inf, whole=True)("seed", seed)


def check_takes(takes: int) -> None:
    Number(*TAKES_RANGE, whole=True)("takes", takes)
