"""The fields of a model card and of its weight files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ForeignPart = Literal[
    "network", "vae", "vocoder", "sync", "selective", "clip", "words", "tokenizer", "words-tokenizer", "connectors"
]
ENCODERS: tuple[ForeignPart, ...] = ("sync", "selective", "clip", "words")


@dataclass(frozen=True)
class WeightFile:
    """One file. name: on disk; variant: the content expected of it (`hub.checkpoint.recognise`).

    md5: the publisher's; without one a file must match every key and shape of its network, and the SHA-256 of the
    first download. only_by_name: another published file has the same keys and shapes, so that it is not searched by
    content. loaded_bytes: of what is used, if that is not all.
    """

    name: str
    url: str
    part: ForeignPart
    variant: str
    size_bytes: int  # approximate: 4 bytes per published element
    md5: str | None
    licence: str
    only_by_name: bool = False
    loaded_bytes: int | None = None

    @property
    def used_bytes(self) -> int:
        """Of what is used of it."""
        return self.size_bytes if self.loaded_bytes is None else self.loaded_bytes


@dataclass(frozen=True)
class Card:
    """A named model. files: downloads of a published model; none for a shipped one."""

    name: str
    family: str  # kind of generator: salsa-v, mmaudio
    variant: str  # of the network, in its family
    task: str
    scope: str  # what it was trained on and is for, in one sentence
    sample_rate: int  # Hz
    channels: int
    parameters: int  # of the generator
    weights_bytes: int  # of all parts in memory, float32
    working_bytes: int  # beside the weights on a CPU: activations, Python, libraries; measured (docs/results)
    trained_s: float  # s, length of its training clips
    licence: str
    kernel_bytes: int = 0  # of convolution kernels that the generator caches on a CPU where they fit
    files: tuple[WeightFile, ...] = ()
    words: tuple[str, ...] = ()  # all words of its training captions, where they are few enough to list

    @property
    def encoder_bytes(self) -> int:
        """Of the weights that stay in their files on a CPU (`hub.memory.release_after_use`)."""
        return sum(file.used_bytes for file in self.files if file.part in ENCODERS)

    @property
    def only_by_name(self) -> frozenset[str]:
        """Names of the files that their content does not identify: others have the same keys and shapes."""
        return frozenset(file.name for file in self.files if file.only_by_name)

    @property
    def memory_bytes(self) -> int:
        """Peak on a CPU, without cached kernels."""
        return self.weights_bytes - self.encoder_bytes + self.working_bytes

    @property
    def download_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)
