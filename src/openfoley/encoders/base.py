"""What an encoder declares and does. It is frozen; it turns frames, a text, or both into features.

Frame k of an encoder is the frame shown at k / rate seconds, feature k belongs to the instant `Outputs.offset` + k /
`Outputs.rate` (arXiv 2510.02916, section 3: sync features at 24 fps, semantic features at 8 fps). Nothing about an
encoder is guessed: what it takes is in `inputs`, when its features belong to is in `outputs`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, Protocol, runtime_checkable

from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from openfoley.types import TEXT

CUBIC_REACH = 2  # features beyond each end of a window that cubic interpolation reads


@dataclass(frozen=True)
class Frames:
    """How an encoder takes its frames; fit and resize as in `media.frames.FrameRequest`."""

    rate: Fraction  # Hz
    height: int  # pixels
    width: int  # pixels
    fit: Literal["squash", "cover"] = "squash"
    resize: Literal["area", "bicubic"] = "area"


@dataclass(frozen=True)
class Inputs:
    """What an encoder reads. frames and text: features that text selects from the picture (`TextConditioned`); words:
    the text encoder whose tokens it reads, by its name in `Model.encoders`.
    whole_video: its features are handed to the generator for the whole video (`Conditions.whole`), not by windows."""

    frames: Frames | None = None
    text: bool = False
    words: str = TEXT
    whole_video: bool = False


@dataclass(frozen=True)
class Outputs:
    """The features that come out.

    rate: Hz, of features. offset: s, the instant of the first feature after that of the first frame. group: features
    that belong together (a segment's); a window holds whole groups. reach: features beyond each end of a window that
    its generator reads. live_lag: frames after its own until a feature is there in a live stream; None: the encoder
    has no live stream of its own, features come in the groups of `stream`.
    """

    dim: int
    rate: Fraction = Fraction(0)  # 0: a text has no times
    offset: Fraction = Fraction(0)
    group: int = 1
    reach: int = 0
    live_lag: int | None = None


class FeatureStream(Protocol):
    """Frames in, features out, in bounded memory. Chunks of any size give the same features as one big push."""

    def push(self, frames: UInt8[Tensor, "frames 3 height width"], first_index: int) -> list[Float[Tensor, "m dim"]]:
        """Take the next frames (the first is frame `first_index`).

        Returns what has become final: consecutive runs of features, possibly none.
        """
        ...

    def flush(self) -> list[Float[Tensor, "m dim"]]:
        """The video has ended: the remaining features."""
        ...


class Encoder(Protocol):
    """The part that all encoders share."""

    @property
    def inputs(self) -> Inputs: ...
    @property
    def outputs(self) -> Outputs: ...


@runtime_checkable
class FrameEncoder(Encoder, Protocol):
    """Frames to features."""

    def encode(self, frames: UInt8[Tensor, "batch time 3 height width"]) -> Float[Tensor, "batch n dim"]: ...

    def stream(self, live: bool = False) -> FeatureStream:
        """live: features as soon as they can be there, one frame at a time."""
        ...


@runtime_checkable
class TextConditioned(FrameEncoder, Protocol):
    """Features that depend on a text, as two functions: `stream` gives the text-independent trunk, [n, trunk_dim],
    computed once for all texts; `select` turns a window of it into features.

    is_word: the tokens that count; none in a row without a text, which selects nothing in particular."""

    trunk_dim: int

    def select(
        self,
        trunk: Float[Tensor, "batch n trunk_dim"],
        present: Bool[Tensor, "batch n"],
        text: Float[Tensor, "batch tokens text_dim"],
        is_word: Bool[Tensor, "batch tokens"],
    ) -> Float[Tensor, "batch n dim"]: ...


@runtime_checkable
class Maskable(FrameEncoder, Protocol):
    """Features pooled from the tokens of patches, of which a mask may hide some (`encoders.masking`): its pooling, or
    `TextConditioned.select`, takes `seen`, the share of each patch that is seen."""

    @property
    def trunk_dim(self) -> int: ...
    @property
    def patches(self) -> int: ...

    def mask_stream(self) -> FeatureStream:
        """Frames of a mask in three equal channels, 0 hidden to 255 seen -> shares [m, patches] for the features that
        `stream` gives of as many frames."""
        ...


@runtime_checkable
class MaskedPooling(Maskable, Protocol):
    """The same without a text, as two functions: `stream` gives the tokens, [n, trunk_dim], `pool` the features."""

    def pool(
        self,
        trunk: Float[Tensor, "batch n trunk_dim"],
        present: Bool[Tensor, "batch n"],
        seen: Float[Tensor, "batch n patches"] | None,
    ) -> Float[Tensor, "batch n dim"]: ...


@runtime_checkable
class MaskedSelection(Maskable, Protocol):
    """A `TextConditioned` encoder with masks."""

    def select(
        self,
        trunk: Float[Tensor, "batch n trunk_dim"],
        present: Bool[Tensor, "batch n"],
        text: Float[Tensor, "batch tokens text_dim"],
        is_word: Bool[Tensor, "batch tokens"],
        seen: Float[Tensor, "batch n patches"] | None = None,
    ) -> Float[Tensor, "batch n dim"]: ...


@runtime_checkable
class TextEncoder(Encoder, Protocol):
    """Texts to tokens. longest: tokens of a text that are read; further ones are cut off, or refused."""

    longest: int

    def encode_text(self, texts: Sequence[str]) -> Float[Tensor, "texts tokens dim"]: ...

    def token_count(self, text: str) -> int:
        """Tokens of a text, however long."""
        ...


class HasTextTower(Protocol):
    """A network with a text tower beside its picture tower."""

    text_dim: int

    @property
    def text_length(self) -> int: ...

    def encode_text(self, texts: list[str]) -> Float[Tensor, "texts *tokens dim"]: ...

    def token_count(self, text: str) -> int: ...


@dataclass(frozen=True)
class TextTower:
    """The text side of a network that encodes pictures and texts, as an encoder of its own."""

    network: HasTextTower
    inputs = Inputs(text=True)

    @property
    def outputs(self) -> Outputs:
        return Outputs(self.network.text_dim)

    @property
    def longest(self) -> int:
        return self.network.text_length

    def encode_text(self, texts: Sequence[str]) -> Float[Tensor, "texts tokens dim"]:
        encoded = self.network.encode_text(list(texts))
        return encoded if encoded.dim() == 3 else encoded[:, None]

    def token_count(self, text: str) -> int:
        return self.network.token_count(text)


def frame_dim(encoder: FrameEncoder) -> int:
    """Numbers per feature of what `stream` gives: of the trunk, where a text selects from it or a mask hides some."""
    return encoder.trunk_dim if isinstance(encoder, (TextConditioned, Maskable)) else encoder.outputs.dim
