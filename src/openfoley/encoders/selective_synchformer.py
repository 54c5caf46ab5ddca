"""Synchformer whose features a text selects: SelVA's video encoder (arXiv 2512.02650, section 3).

The trunk up to its last norm sees the picture alone and is encoded once for all texts. `select` then lets a text choose
from its tokens (`text_selection`) and pools each tubelet's into one vector, as Synchformer does. SelVA trains the
selection and the pooling, 14 % of the parameters, with Synchformer of the clean picture as the teacher of the mixed
one. Frames are squashed to a square: their aspect is not kept.

A second of trunk is 25 x 196 x 768 numbers, 15 MB in float32: a window of 8 s holds 120 MB of it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Shaped, UInt8
from torch import Tensor, nn

from openfoley.encoders import synchformer
from openfoley.encoders.base import Frames, Inputs, Outputs
from openfoley.encoders.masking import attention_bias
from openfoley.encoders.streams import encoded_by_rows
from openfoley.encoders.synchformer import SynchformerConfig, SynchformerEncoder, SynchformerStream, by_segments
from openfoley.encoders.text_selection import TextSelection, TextSelectionConfig, from_selva
from openfoley.errors import WeightsError
from openfoley.types import WORDS


@dataclass(frozen=True)
class SelectiveSynchformerConfig:
    trunk: SynchformerConfig
    selection: TextSelectionConfig


SELVA = SelectiveSynchformerConfig(
    synchformer.SYNCHFORMER,
    TextSelectionConfig(
        width=768, heads=12, text_dim=768, mlp_width=2048, supplementary=5, start="zero", mixing="cross-attention"
    ),
)


class SelectiveSynchformer(nn.Module):
    """`forward` is for a batch of segments, `stream` (the trunk) and `select` for whole videos."""

    def __init__(self, config: SelectiveSynchformerConfig) -> None:
        super().__init__()
        self.config = config
        self.trunk = SynchformerEncoder(config.trunk)
        self.selection = TextSelection(config.selection)
        self.patches = config.trunk.patches
        self.trunk_dim = self.patches * config.trunk.hidden_size

    def forward(
        self,
        segments: Float[Tensor, "segments frames 3 height width"],
        text: Float[Tensor, "segments tokens text_dim"],
        is_word: Bool[Tensor, "segments tokens"],
    ) -> Float[Tensor, "segments n dim"]:
        """Pictures in -1..1 and the text of each -> features."""
        return self.selected(self.trunk.tokens(segments), *self.selection.words(text, is_word))

    def selected(
        self,
        tokens: Float[Tensor, "segments n places width"],
        words: Float[Tensor, "segments m width"],
        is_word: Bool[Tensor, "segments m"],
        seen: Float[Tensor, "segments n places"] | None = None,
    ) -> Float[Tensor, "segments n width"]:
        """The trunk's tokens and the projected words (`TextSelection.words`) -> features. seen: the share of each
        patch that counts (`masking`)."""
        chosen = self.selection(tokens.flatten(1, 2), words, is_word).unflatten(1, tokens.shape[1:3])
        return self.trunk.spatial_attn_agg(chosen, None if seen is None else attention_bias(seen))

    def select(
        self,
        trunk: Float[Tensor, "batch n trunk_dim"],
        present: Bool[Tensor, "batch n"],
        text: Float[Tensor, "batch tokens text_dim"],
        is_word: Bool[Tensor, "batch tokens"],
        seen: Float[Tensor, "batch n places"] | None = None,
    ) -> Float[Tensor, "batch n dim"]:
        """n: of whole segments. Segments of which nothing is present give zeros."""
        group = self.config.trunk.segment_features
        words, counts = self.selection.words(text.to(self.selection.empty), is_word)
        owner = torch.arange(len(trunk), device=trunk.device).repeat_interleave(trunk.shape[1] // group)

        def selected(index: Tensor, tokens: Tensor, shares: Tensor | None) -> Tensor:
            return self.selected(tokens.to(words.dtype), words[owner[index]], counts[owner[index]], shares)

        return by_segments(self.trunk, selected, trunk, present, seen)

    def encode(self, frames: UInt8[Tensor, "batch time 3 height width"]) -> Float[Tensor, "batch n trunk_dim"]:
        """The trunk, row by row."""
        return encoded_by_rows(self, frames)

    def stream(self, live: bool = False) -> SynchformerStream:
        return SynchformerStream(self.trunk, self.trunk.tokens)

    def mask_stream(self) -> SynchformerStream:
        return self.trunk.mask_stream()

    def trained_parameters(self) -> Iterator[nn.Parameter]:
        """What stage 1 trains: the selection and the pooling."""
        yield from self.selection.parameters()
        yield from self.trunk.spatial_attn_agg.parameters()

    @property
    def inputs(self) -> Inputs:
        trunk = self.trunk
        return Inputs(Frames(trunk.rate, trunk.height, trunk.width, resize="bicubic"), text=True, words=WORDS)

    @property
    def outputs(self) -> Outputs:
        return self.trunk.outputs


def from_selva_checkpoint(state: Mapping[str, Shaped[Tensor, "..."]]) -> dict[str, Float[Tensor, "..."]]:
    """`SelectiveSynchformer`'s state from the published file; the picture-wise `patch_embed`, which is not used, is
    left out by name."""
    trunk = {key: value for key, value in state.items() if key.startswith(synchformer.PREFIX)}
    rest = {key: value for key, value in state.items() if key not in trunk}
    if not trunk or not rest:
        raise WeightsError("this is not SelVA's video encoder: it lacks the trunk or the selection")
    ours = {f"trunk.{key}": value for key, value in synchformer.from_mmaudio(trunk).items()}
    return ours | {f"selection.{key}": value for key, value in from_selva(rest, SELVA.selection.heads).items()}
