"""MMDiT-X and DiT blocks (arXiv 2510.02916, section 3; MMDiT-X of Stable Diffusion 3.5; DiT, arXiv 2212.09748)."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from openfoley.generators.salsa_v.config import SalsaVConfig
from openfoley.nn.adaln import Modulation, modulate, normalise
from openfoley.nn.attention import HeadProjection, attend, join
from openfoley.nn.rope import Positions

Audio = Float[Tensor, "batch latents width"]
Semantic = Float[Tensor, "batch n width"]


class Mlp(nn.Module):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.expand = nn.Linear(width, hidden)
        self.contract = nn.Linear(hidden, width)

    def forward(self, x: Float[Tensor, "batch tokens width"]) -> Float[Tensor, "batch tokens width"]:
        return self.contract(F.gelu(self.expand(x), approximate="tanh"))


class JointBlock(nn.Module):
    """MMDiT-X: audio and semantic tokens attend together with weights of their own; optionally the audio tokens attend
    among themselves as well, from the same normed input; then an MLP per stream.

    last: no further block reads the semantic stream, so it ends in the attention.
    """

    def __init__(self, config: SalsaVConfig, *, extra_attention: bool, last: bool) -> None:
        super().__init__()
        width, heads = config.width, config.heads
        self.audio_modulation = Modulation(width, 9 if extra_attention else 6, config.modulation_rank)
        self.audio_heads = HeadProjection(width, heads)
        self.audio_out = nn.Linear(width, width)
        self.audio_mlp = Mlp(width, config.mlp_width)
        self.extra_heads = HeadProjection(width, heads) if extra_attention else None
        self.extra_out = nn.Linear(width, width) if extra_attention else None
        self.semantic_modulation = Modulation(width, 2 if last else 6, config.modulation_rank)
        self.semantic_heads = HeadProjection(width, heads)
        self.semantic_out = None if last else nn.Linear(width, width)
        self.semantic_mlp = None if last else Mlp(width, config.mlp_width)

    def forward(
        self,
        audio: Audio,
        semantic: Semantic,
        local: Audio,
        overall: Float[Tensor, "batch 1 width"],
        at_audio: Positions,
        at_semantic: Positions,
    ) -> tuple[Audio, Semantic]:
        """local, overall: conditions, after SiLU."""
        pieces = self.audio_modulation(local)
        shift, scale, gate, mlp_shift, mlp_scale, mlp_gate = pieces[:6]
        semantic_pieces = self.semantic_modulation(overall)
        normed = normalise(audio)
        audio_part = self.audio_heads(modulate(normed, shift, scale), *at_audio)
        semantic_part = self.semantic_heads(modulate(normalise(semantic), *semantic_pieces[:2]), *at_semantic)
        mixed = attend(join(audio_part, semantic_part))
        from_audio, from_semantic = mixed.split((audio.shape[1], semantic.shape[1]), dim=1)

        audio = torch.addcmul(audio, gate, self.audio_out(from_audio))
        if self.extra_heads is not None and self.extra_out is not None:
            extra_shift, extra_scale, extra_gate = pieces[6:]
            among = attend(self.extra_heads(modulate(normed, extra_shift, extra_scale), *at_audio))
            audio = torch.addcmul(audio, extra_gate, self.extra_out(among))
        audio = torch.addcmul(audio, mlp_gate, self.audio_mlp(modulate(normalise(audio), mlp_shift, mlp_scale)))

        if self.semantic_out is not None and self.semantic_mlp is not None:
            _, _, gate, mlp_shift, mlp_scale, mlp_gate = semantic_pieces
            semantic = semantic + gate * self.semantic_out(from_semantic)
            semantic = semantic + mlp_gate * self.semantic_mlp(modulate(normalise(semantic), mlp_shift, mlp_scale))
        return audio, semantic


class AudioBlock(nn.Module):
    """DiT: self-attention and MLP over the audio tokens."""

    def __init__(self, config: SalsaVConfig) -> None:
        super().__init__()
        self.modulation = Modulation(config.width, 6, config.modulation_rank)
        self.heads = HeadProjection(config.width, config.heads)
        self.out = nn.Linear(config.width, config.width)
        self.mlp = Mlp(config.width, config.mlp_width)

    def forward(self, audio: Audio, local: Audio, at_audio: Positions) -> Audio:
        shift, scale, gate, mlp_shift, mlp_scale, mlp_gate = self.modulation(local)
        mixed = attend(self.heads(modulate(normalise(audio), shift, scale), *at_audio))
        audio = torch.addcmul(audio, gate, self.out(mixed))
        return torch.addcmul(audio, mlp_gate, self.mlp(modulate(normalise(audio), mlp_shift, mlp_scale)))
