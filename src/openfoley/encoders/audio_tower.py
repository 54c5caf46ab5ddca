"""The audio side of the contrastive training: AST with attention pooling over frequency (arXiv 2510.02916, 3.1, A.4).

A snippet of 0.667 s becomes patches of the log-mel picture; after the transformer (f, t_a, d) tokens are pooled over
frequency to (t_a, d). Used in training and for judging sync, never for generating: the generator only receives
pictures.
"""

from dataclasses import dataclass

from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from openfoley.encoders.fbank import Fbank, fbank_frame_count
from openfoley.encoders.pooling import AttentionPooling


@dataclass(frozen=True)
class AudioTowerConfig:
    """snippet_samples at 16 kHz; strides in mel bands and in 10 ms steps."""

    snippet_samples: int
    mel_bands: int
    patch_size: int
    frequency_stride: int
    time_stride: int
    hidden_size: int
    heads: int
    mlp_size: int
    layers: int
    output_dim: int


FULL = AudioTowerConfig(  # the published AST-base shape (arXiv 2104.01778), cut to 0.667 s
    snippet_samples=10667,
    mel_bands=128,
    patch_size=16,
    frequency_stride=10,
    time_stride=10,
    hidden_size=768,
    heads=12,
    mlp_size=3072,
    layers=12,
    output_dim=768,
)

GYM = AudioTowerConfig(
    snippet_samples=10667,
    mel_bands=128,
    patch_size=16,
    frequency_stride=16,
    time_stride=8,  # 80 ms apart: seven columns of patches per snippet
    hidden_size=96,
    heads=3,
    mlp_size=192,
    layers=3,
    output_dim=128,
)


class AudioTower(nn.Module):
    """Mono snippets of snippet_samples at 16 kHz -> their features."""

    def __init__(self, config: AudioTowerConfig) -> None:
        from transformers import ASTConfig, ASTModel

        super().__init__()
        self.config = config
        self.fbank = Fbank(config.mel_bands)
        ast = ASTConfig(
            hidden_size=config.hidden_size,
            num_hidden_layers=config.layers,
            num_attention_heads=config.heads,
            intermediate_size=config.mlp_size,
            patch_size=config.patch_size,
            frequency_stride=config.frequency_stride,
            time_stride=config.time_stride,
            max_length=fbank_frame_count(config.snippet_samples),
            num_mel_bins=config.mel_bands,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        )
        self.ast = ASTModel(ast)
        self.ast.set_attn_implementation("eager")  # measured: CPU flash attention is 10x slower at these lengths
        nn.init.trunc_normal_(self.ast.embeddings.position_embeddings, std=ast.initializer_range)
        self.frequencies = (config.mel_bands - config.patch_size) // config.frequency_stride + 1
        self.pooling = AttentionPooling(config.hidden_size, config.heads, config.mlp_size)
        self.out = nn.Linear(config.hidden_size, config.output_dim)

    def forward(self, samples: Float[Tensor, "batch samples"]) -> Float[Tensor, "batch t_a dim"]:
        tokens = self.ast(self.fbank(samples)).last_hidden_state[:, 2:]  # without the class and distillation tokens
        columns = rearrange(tokens, "b (f t) d -> (b t) f d", f=self.frequencies)
        return rearrange(self.out(self.pooling(columns)), "(b t) d -> b t d", b=len(samples))
