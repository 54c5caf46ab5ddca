"""Items of SelVA's first stage: a picture with several things, the name of one, and the picture of that one alone.

An item is a true scene of several sources, single sources mixed into one picture (`data.auto_mixing`; the partner often
of the same material or action), or a scene with the name of something that is not there, whose clean picture is the
empty scene.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, Protocol, TypeVar

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from openfoley.data.auto_mixing import PARTNERS, Mix, Mixing, draw_mix, mixed
from openfoley.data.gym_sources import Source
from openfoley.errors import UsageError

LABELS = 20261129  # stream of random numbers: which sources have noisy labels
Picture = UInt8[Tensor, "frames 3 height width"]
T = TypeVar("T")
Kind = Literal["scene", "mixed", "alone", "absent"]


class Pictured(Protocol):
    """Sources and rows of pictures, of which a source names those that it is in (`data.gym_sources.Source`)."""

    @property
    def sources(self) -> Sequence[Source]: ...

    def length(self, row: int) -> int:
        """Frames of a row."""
        ...

    def snippet(self, row: int, first: int, count: int) -> UInt8[Tensor, "count 3 height width"]: ...

    def heard(self, number: int, sample_rate: int, channels: int, samples: int) -> Float[Tensor, "channels samples"]:
        """The sound of a source alone."""
        ...


@dataclass(frozen=True)
class ItemDraws:
    """scene_share, absent_share: of the items, true scenes and names of what is absent; the others are auto-mixed.
    same_class: of the auto-mixed, with a partner of the same material or action. labels_only: a source goes by its
    plainest name alone, without other wordings and attributes. wrong_share, coarse_share: of the sources, those that
    always go by another one's name, and by their own without the material."""

    mixing: Mixing = field(default_factory=lambda: Mixing(probability=1.0))
    scene_share: float = 0.5
    absent_share: float = 0.1
    same_class: float = 0.5
    labels_only: bool = False
    wrong_share: float = 0.0
    coarse_share: float = 0.0


@dataclass(frozen=True)
class Item:
    """source, partners: their numbers. start: the first frame. mix: None unless the partners are mixed in."""

    source: int
    partners: tuple[int, ...]
    start: int
    mix: Mix | None
    kind: Kind


@dataclass(frozen=True)
class Items:
    """What is drawn from sources. frames: of an item."""

    pictured: Pictured
    draws: ItemDraws
    frames: int

    @cached_property
    def present(self) -> list[int]:
        return [k for k, one in enumerate(self.pictured.sources) if not one.absent and one.is_seen]

    @cached_property
    def absent(self) -> list[int]:
        return [k for k, one in enumerate(self.pictured.sources) if one.absent]

    def draw(self, random: torch.Generator) -> Item:
        """UsageError where all sources are of one kind, so that none can be the partner of another."""
        draws, chance = self.draws, _uniform(random)
        is_absent = chance < draws.absent_share and len(self.absent) > 0
        source = _one_of(self.absent if is_absent else self.present, random)
        record = self.pictured.sources[source]
        start = _integer(self.pictured.length(record.alone) - self.frames + 1, random)
        if is_absent:
            return Item(source, (), start, None, "absent")
        if chance < draws.absent_share + draws.scene_share:
            return Item(source, (), start, None, "scene")
        mix = draw_mix(draws.mixing, random)
        if mix is None:
            return Item(source, (), start, None, "alone")
        partners = tuple(self._partner(source, random) for _ in range(PARTNERS[mix.layout]))
        return Item(source, partners, start, mix, "mixed")

    def pictures(self, item: Item) -> tuple[Picture, Picture]:
        """The mixed picture (the student's input) and the named source's alone (the teacher's)."""
        sources = self.pictured.sources
        source = sources[item.source]
        clean = self._snippet(source.alone, item.start)
        if item.mix is not None:
            others = torch.stack([self._snippet(sources[one].alone, item.start) for one in item.partners])
            return mixed(clean, others, item.mix), clean
        if item.kind == "alone":
            return clean, clean
        return self._snippet(source.whole, item.start), clean

    def shown(self, number: int) -> Picture:
        """The picture from which stage 2 selects a source: its true scene, or an auto-mix, fixed by its number. frames:
        of a whole row."""
        source = self.pictured.sources[number]
        if source.absent or source.whole != source.alone:
            return self._snippet(source.whole, 0)
        random = torch.Generator().manual_seed(number)
        mix = draw_mix(self.draws.mixing, random)
        if mix is None:
            return self._snippet(source.alone, 0)
        partners = tuple(self._partner(number, random) for _ in range(PARTNERS[mix.layout]))
        return self.pictures(Item(number, partners, 0, mix, "mixed"))[0]

    def picture_number(self, number: int) -> tuple[int, int]:
        """The same for sources that `shown` gives the same picture."""
        source = self.pictured.sources[number]
        is_scene = source.absent or source.whole != source.alone
        return source.whole, 0 if is_scene else number + 1

    def name(self, item: Item, random: torch.Generator) -> str:
        """One of the names that mean no partner."""
        sources = self.pictured.sources
        names = self.names[item.source]
        fitting = [n for n in names if not any(sources[item.source].shares(n, sources[k]) for k in item.partners)]
        return _one_of(fitting or names, random)

    @cached_property
    def names(self) -> list[tuple[str, ...]]:
        """The names that each source goes by."""
        return [self._names(number, source) for number, source in enumerate(self.pictured.sources)]

    def _names(self, number: int, source: Source) -> tuple[str, ...]:
        draws, names = self.draws, source.names[:1] if self.draws.labels_only else source.names
        random = np.random.default_rng([LABELS, number])
        chance = random.random()
        if source.absent or chance >= draws.wrong_share + draws.coarse_share:
            return names
        if chance >= draws.wrong_share:
            return (source.coarse_name,)
        return self.pictured.sources[int(random.choice(self._others[number][0] or [number]))].names[:1]

    @cached_property
    def _others(self) -> list[tuple[list[int], list[int]]]:
        """The possible partners of each source, and those that are like it."""
        sources, result = self.pictured.sources, []
        for source in sources:
            every = [
                k
                for k in self.present
                if sources[k].whole != source.whole and not source.shares(source.names[0], sources[k])
            ]
            result.append((every, [k for k in every if source.is_near(sources[k])]))
        return result

    def _partner(self, source: int, random: torch.Generator) -> int:
        every, near = self._others[source]
        chosen = near if near and _uniform(random) < self.draws.same_class else every
        if not chosen:
            raise UsageError("these pictures show one kind of thing alone; auto-mixing needs others, give more")
        return _one_of(chosen, random)

    def _snippet(self, row: int, start: int) -> Picture:
        return self.pictured.snippet(row, min(start, self.pictured.length(row) - self.frames), self.frames)


def _integer(high: int, random: torch.Generator) -> int:
    return int(torch.randint(high, (), generator=random))


def _one_of(of: Sequence[T], random: torch.Generator) -> T:
    return of[_integer(len(of), random)]


def _uniform(random: torch.Generator) -> float:
    return float(torch.rand((), generator=random))
