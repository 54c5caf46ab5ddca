"""Project files of earlier formats, read strictly and converted to the current one.

Format 1 has flat settings where format 2 has a nested Request. The next change of the project rewrites the file and
keeps the one of format 1 as project.format-1.json.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

from openfoley.config import from_dict
from openfoley.request import Cue, Prompting, Request, Sampling, Timeline


@dataclass(frozen=True)
class _Settings:
    prompt: str | None = None
    negative_prompt: str | None = None
    steps: int = 8
    guidance: float = 4.0
    seed: int = 0
    cuts: Literal["auto", "carry", "reset", "none"] = "auto"
    temperature: float | None = None

    def request(self, cues: tuple[Cue, ...]) -> Request:
        sampling = Sampling(self.steps, self.guidance, temperature=self.temperature, seed=self.seed)
        return Request(Prompting(self.prompt, self.negative_prompt), sampling, Timeline(self.cuts, cues))


@dataclass(frozen=True)
class _Reference:
    path: str
    sha256: str
    span: tuple[Fraction, Fraction] | None = None
    guidance: float | None = None


@dataclass(frozen=True)
class _Take:
    number: int
    file: str
    sha256: str
    start: Fraction
    end: Fraction
    seed: int
    steps: int
    guidance: float
    prompt: str | None = None
    negative_prompt: str | None = None
    stem: str | None = None
    reference: _Reference | None = None
    temperature: float | None = None
    made_over: tuple[int, ...] = ()

    def request(self) -> Request:
        reference = self.reference
        prompting = Prompting(self.prompt, self.negative_prompt)
        weight = None
        if reference is not None:
            prompting = replace(prompting, reference=Path(reference.path), reference_span=reference.span)
            weight = reference.guidance
        sampling = Sampling(
            self.steps, self.guidance, reference_guidance=weight, temperature=self.temperature, seed=self.seed
        )
        return Request(prompting, sampling)


@dataclass(frozen=True)
class _Format1:
    format: int
    video: dict[str, Any]
    model: dict[str, Any]
    settings: _Settings
    cuts: tuple[Any, ...]
    cues: tuple[Cue, ...]
    takes: tuple[_Take, ...]
    history: tuple[Any, ...]
    position: int


def migrated(data: dict[str, Any], plain: Any, to_format: int) -> dict[str, Any]:
    """JSON values of format 1 as those of format 2. WeightsError names a wrong key."""
    old = from_dict(_Format1, data, where="project")

    def take(one: _Take) -> dict[str, Any]:
        kept = {name: getattr(one, name) for name in ("number", "file", "sha256", "start", "end", "stem", "made_over")}
        sha = None if one.reference is None else one.reference.sha256
        return {
            name: plain(value) for name, value in {**kept, "request": one.request(), "reference_sha256": sha}.items()
        }

    takes = [take(one) for one in old.takes]
    kept = {name: data[name] for name in ("video", "model", "cuts", "history", "position")}
    return {"format": to_format, **kept, "request": plain(old.settings.request(old.cues)), "takes": takes}
