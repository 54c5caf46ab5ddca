"""From the conditions to what the blocks are conditioned on (arXiv 2510.02916, Figure 1 and A.4).

global = text + pooled semantics + time t + step d          one vector per sequence
local  = global + v~_syn                                     one vector per latent
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from openfoley.generators.salsa_v.config import SalsaVConfig
from openfoley.nn.embeddings import ScalarEmbedding
from openfoley.nn.resampling import cubic_weights, fractional_index, linear_weights
from openfoley.types import TEXT, Conditions

KERNEL_STEPS = 4  # features that reach one output of the transposed convolution, as many as cubic interpolation reads
TIME_SCALE = 1000.0  # brings t in 0..1 to the range that the sinusoids resolve (as DiT's 1000 diffusion steps)
FINEST_LEVEL = -8.0  # log2 of a step that counts as zero: half of the smallest step the paper's 128-step base knows
LEVEL_SCALE = 32.0  # brings levels -8..0 to the range that the sinusoids resolve


class LengthUnification(nn.Module):
    """Sync features at the latents' instants, Eq. 4:

        v~_syn = LayerNorm(stopgrad(interp(v_syn))) + tanh(g) ConvTranspose(v_syn)

    Both terms are read at absolute times: stretching by shape (192 features to 345 latents) drifts by 11 ms over 8 s.
    interp is cubic; the transposed convolution's output lies `factor` times as dense as the features and is read
    linearly in between. Outside the features' times the edge value is held.
    """

    def __init__(self, channels: int, factor: int) -> None:
        super().__init__()
        self.factor = factor
        self.norm = nn.LayerNorm(channels)
        self.gate = nn.Parameter(torch.zeros(()))
        kernel = KERNEL_STEPS * factor
        self.upsample = nn.ConvTranspose1d(channels, channels, kernel, stride=factor, padding=(kernel - factor) // 2)

    def forward(
        self,
        features: Float[Tensor, "batch n channels"],
        feature_time: Float[Tensor, "batch n"],
        latent_time: Float[Tensor, "batch latents"],
    ) -> Float[Tensor, "batch latents channels"]:
        """Features at feature_time s, read at latent_time s."""
        count = features.shape[1]
        index = fractional_index(feature_time, latent_time)
        interpolated = cubic_weights(index, count).to(features.dtype) @ features.detach()
        edge = KERNEL_STEPS // 2
        padded = F.pad(features.transpose(1, 2), (edge, edge), mode="replicate")
        dense = self.upsample(padded).transpose(1, 2)
        # Output j of the transposed convolution is centred at input (j + 1/2) / factor - 1/2 (padding counted).
        dense_index = (index + edge + 0.5) * self.factor - 0.5
        learned = linear_weights(dense_index, dense.shape[1]).to(dense.dtype) @ dense
        return self.norm(interpolated) + self.gate.tanh() * learned


class ConditionEmbedding(nn.Module):
    """Learned nulls for what is absent, projections to the blocks' width."""

    def __init__(self, config: SalsaVConfig) -> None:
        super().__init__()
        width = config.width
        self.time = ScalarEmbedding(width, TIME_SCALE)
        self.step = ScalarEmbedding(width, LEVEL_SCALE)
        self.text_norm = nn.LayerNorm(config.text_dim)
        self.text = nn.Sequential(nn.Linear(config.text_dim, width), nn.SiLU(), nn.Linear(width, width))
        self.semantic_norm = nn.LayerNorm(config.semantic_dim)
        self.semantic = nn.Linear(config.semantic_dim, width)
        self.pooled = nn.Sequential(nn.Linear(config.semantic_dim, width), nn.SiLU(), nn.Linear(width, width))
        self.unify = LengthUnification(config.sync_dim, config.upsampling)
        self.sync = nn.Linear(config.sync_dim, width)
        self.null_text = nn.Parameter(torch.randn(config.text_dim))
        self.null_semantic = nn.Parameter(torch.randn(config.semantic_dim))
        self.null_sync = nn.Parameter(torch.randn(config.sync_dim))

    def forward(
        self, conditions: Conditions, latent_time: Float[Tensor, "batch latents"]
    ) -> tuple[Float[Tensor, "batch width"], Float[Tensor, "batch n width"], Float[Tensor, "batch latents sync_dim"]]:
        """What does not depend on t: text with pooled semantics, semantic tokens, and v~_syn.

        Semantics are pooled over the tokens that are present, before any is replaced by the null.
        """
        text, semantic, sync = (conditions[name] for name in (TEXT, "semantic", "sync"))
        words = torch.where(text.present[:, :1], self.text_norm(text.values[:, 0]), self.null_text)
        tokens = self.semantic_norm(semantic.values)
        present = semantic.present[..., None].to(tokens.dtype)
        count = present.sum(1)
        mean = (tokens * present).sum(1) / count.clamp(min=1)
        mean = torch.where(count > 0, mean, self.null_semantic)
        tokens = torch.where(semantic.present[..., None], tokens, self.null_semantic)
        features = torch.where(sync.present[..., None], sync.values, self.null_sync)
        unified = self.unify(features, sync.time_s, latent_time)
        return self.text(words) + self.pooled(mean), self.semantic(tokens), unified

    def step_size(self, step: Float[Tensor, " batch"]) -> Float[Tensor, "batch width"]:
        return self.step(step.clamp(min=2.0**FINEST_LEVEL).log2() - FINEST_LEVEL)
