"""The SALSA-V generator: joint blocks over audio and semantic tokens, then audio blocks (arXiv 2510.02916, Fig. 1)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from openfoley.flow.times import trained_step
from openfoley.generators.salsa_v.blocks import AudioBlock, JointBlock, Positions
from openfoley.generators.salsa_v.conditioning import ConditionEmbedding
from openfoley.generators.salsa_v.config import SalsaVConfig
from openfoley.nn.adaln import Modulation, modulate, normalise
from openfoley.nn.rope import rotary
from openfoley.types import Conditions


class SalsaVGenerator(nn.Module):
    """v_theta(x_t, c, t, d). Times of the conditions count from the start of the first latent."""

    window_latents = 345  # 8 s, the longest sequence that the recipes train with (training/salsa_v/train.py)
    accepts_known = True  # trained with clean latents (flow/masking.py)

    def __init__(self, config: SalsaVConfig) -> None:
        super().__init__()
        self.config = config
        self.latent_dim = config.latent_dim
        width = config.width
        self.conditions = ConditionEmbedding(config)
        self.embed = nn.Linear(config.latent_dim, width)
        self.known_token = nn.Parameter(0.02 * torch.randn(width))
        self.unknown_token = nn.Parameter(0.02 * torch.randn(width))
        self.sync_in = nn.Linear(config.sync_dim, width) if config.sync_in_input else None
        self.joint = nn.ModuleList(
            JointBlock(
                config,
                extra_attention=number < config.extra_attention_blocks,
                last=number == config.joint_blocks - 1,
            )
            for number in range(config.joint_blocks)
        )
        self.audio = nn.ModuleList(AudioBlock(config) for _ in range(config.audio_blocks))
        self.modulation = Modulation(width, 2, config.modulation_rank)
        self.out = nn.Linear(width, config.latent_dim)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def trained_step(self, steps: int) -> float:
        """The step size to tell the model when `steps` steps are taken: the largest trained one not above 1 / steps."""
        return trained_step(steps, self.config.smallest_step)

    def latent_time(self, latents: int, device: torch.device | str | None = None) -> Tensor:
        """Centres of the latents in seconds, float32 [latents]."""
        index = torch.arange(latents, device=device, dtype=torch.float64)
        return ((index + 0.5) * self.config.hop_length / self.config.sample_rate).float()

    def velocity(self, x_t: Tensor, t: Tensor, step: Tensor, known: Tensor, conditions: Conditions) -> Tensor:
        """dx/dt like x_t [batch, latents, latent_dim]; t [batch] or [batch, latents]; step [batch]; known bool
        [batch, latents] (their time is 1 whatever t says)."""
        latent_time = self.latent_time(x_t.shape[1], x_t.device).expand(x_t.shape[0], -1)
        return self(x_t, t, step, known, latent_time, conditions)

    def forward(
        self, x_t: Tensor, t: Tensor, step: Tensor, known: Tensor, latent_time: Tensor, conditions: Conditions
    ) -> Tensor:
        """As `velocity`, at latent_time [batch, latents] s."""
        overall, local, sync = self._condition(t, step, known, latent_time, conditions)
        audio = self.embed(x_t)
        # Under autocast the stream stays in bfloat16: casts to float32 and back cost as much as the products here.
        audio = audio + torch.where(known[..., None], self.known_token, self.unknown_token).to(audio.dtype)
        overall, local = overall.to(audio.dtype), local.to(audio.dtype)
        head_width = self.config.width // self.config.heads
        at_audio = Positions(*rotary(latent_time, head_width, audio.dtype))
        at_semantic = Positions(*rotary(conditions.semantic_time, head_width, audio.dtype))
        if self.sync_in is not None:
            audio = audio + self.sync_in(sync)
        semantic = self.conditions.semantic_tokens(conditions)
        for block in self.joint:
            audio, semantic = block(audio, semantic, local, overall, at_audio, at_semantic)
        for block in self.audio:
            audio = block(audio, local, at_audio)
        return self.out(modulate(normalise(audio), *self.modulation(local)))

    def _condition(
        self, t: Tensor, step: Tensor, known: Tensor, latent_time: Tensor, conditions: Conditions
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Global [batch, 1, width] and local [batch, latents, width] conditions, both through SiLU, and v~_syn."""
        embed = self.conditions
        base = embed.global_vector(step, conditions)[:, None]
        clean = embed.time(torch.ones_like(t[:1]).reshape(-1)[:1])
        if t.dim() == 1:
            whole = embed.time(t)[:, None]
            per_latent = whole
        else:  # the sequence as a whole is as noisy as its noisiest latent
            whole = embed.time(t.amin(1))[:, None]
            per_latent = embed.time(t)
        per_latent = torch.where(known[..., None], clean, per_latent)
        sync = embed.sync_at(latent_time, conditions)
        local = base + per_latent + embed.sync(sync)
        return F.silu(base + whole), F.silu(local), sync
