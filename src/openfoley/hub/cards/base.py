"""What a card says about a model, and about each of its files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ForeignPart = Literal["network", "vae", "vocoder", "sync", "clip", "tokenizer"]


@dataclass(frozen=True)
class WeightFile:
    """One file. name: what it is called on disk; variant: what content it must have (hub.recognise).

    md5: the publisher's; without one a file is held to every key and shape of the network that it is for, and to the
    SHA-256 of the first download.
    """

    name: str
    url: str
    part: ForeignPart
    variant: str
    size_bytes: int  # about: 4 bytes per published element
    md5: str | None
    licence: str


@dataclass(frozen=True)
class Card:
    """A model that has a name. files: what is fetched of a published model; none for one that OpenFoley ships."""

    name: str
    family: str  # kind of generator: salsa-v, mmaudio
    variant: str  # of the network, in its family
    task: str
    scope: str  # what it knows and is for, in one sentence
    sample_rate: int  # Hz
    channels: int
    parameters: int  # of the generator
    weights_bytes: int  # of all parts in memory, float32
    trained_s: float  # length of its training clips
    licence: str
    files: tuple[WeightFile, ...] = ()
    words: tuple[str, ...] = ()  # all words of its training captions, where they are few enough to list

    @property
    def download_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)
