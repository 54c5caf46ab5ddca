"""Sync encoders that pool what a mask leaves: the tokens of all patches first, then their pooling, without a text.

An encoder of these kinds streams pooled features. With a mask its tokens are streamed (the trunk: computed once for all
masks) and pooled window by window. A second of Gym-size tokens is 0.4 MB, of Synchformer's 15 MB.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from openfoley.encoders.base import FeatureStream, FrameEncoder, Inputs, MaskedPooling, Outputs
from openfoley.encoders.masking import attention_bias
from openfoley.encoders.streams import encoded_by_rows
from openfoley.encoders.sync import SyncEncoder, SyncStream, pooled
from openfoley.encoders.synchformer import SynchformerEncoder, SynchformerStream, by_segments

Network = TypeVar("Network", SyncEncoder, SynchformerEncoder)


@dataclass(frozen=True)
class _Masked(ABC, Generic[Network]):
    """What both kinds share: the network's inputs and outputs, and its tokens as the trunk."""

    network: Network

    @property
    @abstractmethod
    def patches(self) -> int: ...

    @abstractmethod
    def stream(self, live: bool = False) -> FeatureStream: ...

    @property
    def trunk_dim(self) -> int:
        return self.patches * self.network.dim

    @property
    def inputs(self) -> Inputs:
        return self.network.inputs

    @property
    def outputs(self) -> Outputs:
        return self.network.outputs

    def encode(self, frames: UInt8[Tensor, "batch time 3 height width"]) -> Float[Tensor, "batch n trunk_dim"]:
        """The tokens, row by row."""
        return encoded_by_rows(self, frames)


class MaskedSync(_Masked[SyncEncoder]):
    """SALSA-V's sync encoder."""

    @property
    def patches(self) -> int:
        return self.network.patches

    def stream(self, live: bool = False) -> SyncStream:
        return self.network.token_stream(live)

    def mask_stream(self) -> SyncStream:
        return self.network.mask_stream()

    def pool(
        self,
        trunk: Float[Tensor, "batch n trunk_dim"],
        present: Bool[Tensor, "batch n"],
        seen: Float[Tensor, "batch n patches"] | None,
    ) -> Float[Tensor, "batch n dim"]:
        """Frames that are not present give zeros."""
        network = self.network
        tokens = trunk.unflatten(-1, (-1, network.dim)).to(network.norm.weight)
        features = pooled(tokens, network.pooling, network.peak, network.norm, seen)
        return torch.where(present[..., None], features, 0.0).to(trunk)


class MaskedSynchformer(_Masked[SynchformerEncoder]):
    """Synchformer, as MMAudio uses it."""

    @property
    def patches(self) -> int:
        return self.network.config.patches

    def stream(self, live: bool = False) -> SynchformerStream:
        return SynchformerStream(self.network, self.network.tokens)

    def mask_stream(self) -> SynchformerStream:
        return self.network.mask_stream()

    def pool(
        self,
        trunk: Float[Tensor, "batch n trunk_dim"],
        present: Bool[Tensor, "batch n"],
        seen: Float[Tensor, "batch n patches"] | None,
    ) -> Float[Tensor, "batch n dim"]:
        """n: of whole segments. Segments of which nothing is present give zeros."""
        pooling = self.network.spatial_attn_agg

        def pooled(index: Tensor, tokens: Tensor, shares: Tensor | None) -> Tensor:
            return pooling(tokens.to(pooling.cls_token), None if shares is None else attention_bias(shares))

        return by_segments(self.network, pooled, trunk, present, seen)


def masked(encoder: FrameEncoder) -> MaskedPooling | None:
    """The encoder with masks; None where it does not pool patches that a mask could hide."""
    if isinstance(encoder, SyncEncoder):
        return MaskedSync(encoder)
    return MaskedSynchformer(encoder) if isinstance(encoder, SynchformerEncoder) else None
