"""MMAudio's blocks (arXiv 2412.15322, section 3.3): three streams that attend together, then latents alone.

Latents are modulated per token: the conditions of a latent are those of the sync feature that it reads, and several
latents read the same one, so shift, scale and gate are computed once per feature and handed out.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from openfoley.generators.mmaudio.config import MMAudioConfig
from openfoley.nn.adaln import Modulation, modulate, normalise
from openfoley.nn.attention import HeadProjection, Projected, attend
from openfoley.nn.gated import GatedUnit, projection
from openfoley.nn.rope import Positions, rotate

LAYER_NORM_EPSILON = 1e-5  # PyTorch's default, which the weights were trained with
HEAD_NORM_EPSILON = 2.0**-23  # float32's spacing at 1, kept in every dtype (the reference's follows the dtype)
TIME_KERNEL = 3  # tokens
PIECES = 6  # shift, scale, gate of the attention; shift, scale, gate of the gated unit


Tokens = Float[Tensor, "batch tokens width"]
Overall = Float[Tensor, "batch 1 width"]
Pieces = tuple[Float[Tensor, "#batch #tokens width"], ...]  # shifts, scales and gates


class Handout(NamedTuple):
    """Conditions as distinct rows, after SiLU, and which of them each token takes."""

    rows: Float[Tensor, "rows width"]
    row: Int[Tensor, "batch tokens"]


class Stream(nn.Module):
    """One stream's weights in a block. ends_here: nobody reads it afterwards, only its keys and values matter."""

    def __init__(self, config: MMAudioConfig, kernel: int, *, ends_here: bool = False) -> None:
        super().__init__()
        width = config.width
        self.modulation = Modulation(width, 2 if ends_here else PIECES, None)
        self.heads = HeadProjection(width, config.heads, HEAD_NORM_EPSILON)
        self.out = None if ends_here else projection(width, width, kernel)
        self.unit = None if ends_here else GatedUnit(width, config.mlp_width, kernel)

    def pieces(self, condition: Overall | Handout) -> Pieces:
        """For all tokens together, or for each of its own."""
        if not isinstance(condition, Handout):
            return self.modulation(condition)
        return tuple(F.embedding(condition.row, piece) for piece in self.modulation(condition.rows))

    def attention_input(self, x: Tokens, pieces: Pieces) -> Tokens:
        return modulate(normalise(x, LAYER_NORM_EPSILON), pieces[0], pieces[1])

    def update(self, x: Tokens, mixed: Tokens, pieces: Pieces) -> Tokens:
        """Add what attention brought, then the gated unit."""
        _, _, gate, unit_shift, unit_scale, unit_gate = pieces
        assert self.out is not None and self.unit is not None
        x = x + gate * self.out(mixed)
        return x + unit_gate * self.unit(modulate(normalise(x, LAYER_NORM_EPSILON), unit_shift, unit_scale))


class AudioBlock(Stream):
    """Self-attention and gated unit over the latents."""

    def __init__(self, config: MMAudioConfig) -> None:
        super().__init__(config, TIME_KERNEL)

    def forward(self, x: Tokens, local: Handout, at_audio: Positions) -> Tokens:
        pieces = self.pieces(local)
        return self.update(x, attend(self.heads(self.attention_input(x, pieces), *at_audio)), pieces)


class JointBlock(nn.Module):
    """Latents, pictures and text attend together, each with weights of its own."""

    def __init__(self, config: MMAudioConfig, *, last: bool) -> None:
        super().__init__()
        self.audio = Stream(config, TIME_KERNEL)
        self.semantic = Stream(config, TIME_KERNEL, ends_here=last)
        self.text = Stream(config, 1, ends_here=last)

    def forward(
        self,
        audio: Float[Tensor, "batch latents width"],
        semantic: Float[Tensor, "batch n width"],
        text: Float[Tensor, "batch m width"],
        local: Handout,
        overall: Overall,
        at_audio: Positions,
        at_semantic: Positions,
    ) -> tuple[Float[Tensor, "batch latents width"], Float[Tensor, "batch n width"], Float[Tensor, "batch m width"]]:
        """local, overall: conditions, after SiLU."""
        pieces = self.audio.pieces(local)
        semantic_pieces, text_pieces = self.semantic.pieces(overall), self.text.pieces(overall)
        from_audio = self.audio.heads(self.audio.attention_input(audio, pieces), *at_audio)
        semantic_in = self.semantic.attention_input(semantic, semantic_pieces)
        text_in = self.text.attention_input(text, text_pieces)
        if self.semantic.out is None:
            others = (
                keys_and_values(self.semantic.heads, semantic_in, at_semantic),
                keys_and_values(self.text.heads, text_in, None),
            )
            keys = torch.cat([from_audio.key, *(key for key, _ in others)], dim=2)
            values = torch.cat([from_audio.value, *(value for _, value in others)], dim=2)
            mixed = attend(Projected(from_audio.query, keys, values))
            return self.audio.update(audio, mixed, pieces), semantic, text
        cosine, sine = (part[..., :1, :] for part in at_audio)
        still = Positions(torch.ones_like(cosine), torch.zeros_like(sine))
        streams = (from_audio, self.semantic.heads(semantic_in, *at_semantic), self.text.heads(text_in, *still))
        mixed = attend(Projected(*(torch.cat(parts, dim=2) for parts in zip(*streams, strict=True))))
        lengths = (audio.shape[1], semantic.shape[1], text.shape[1])
        to_audio, to_semantic, to_text = mixed.split(lengths, dim=1)
        return (
            self.audio.update(audio, to_audio, pieces),
            self.semantic.update(semantic, to_semantic, semantic_pieces),
            self.text.update(text, to_text, text_pieces),
        )


Heads = Float[Tensor, "batch heads tokens head_width"]


def keys_and_values(heads: HeadProjection, x: Tokens, at: Positions | None) -> tuple[Heads, Heads]:
    """Keys (turned to their positions) and values, without queries."""
    batch, tokens, width = x.shape
    weight, bias = heads.project.weight[width:], heads.project.bias[width:]
    stacked = F.linear(x, weight, bias).view(batch, tokens, 2, heads.heads, -1).permute(2, 0, 3, 1, 4)
    key = F.rms_norm(stacked[0], stacked.shape[-1:], heads.key_scale.to(stacked.dtype), heads.epsilon)
    return key if at is None else rotate(key, *at), stacked[1]
