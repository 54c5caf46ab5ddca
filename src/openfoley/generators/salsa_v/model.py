"""The SALSA-V generator: joint blocks over audio and semantic tokens, then audio blocks (arXiv 2510.02916, Fig. 1)."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from openfoley.flow.times import trained_step
from openfoley.generators.salsa_v.blocks import AudioBlock, JointBlock, Positions
from openfoley.generators.salsa_v.conditioning import ConditionEmbedding
from openfoley.generators.salsa_v.config import DEFAULTS, SUPPORTED_OPTIONS, SalsaVConfig
from openfoley.nn.adaln import Modulation, modulate, normalise
from openfoley.nn.rope import rotary
from openfoley.types import Conditions


class Prepared(NamedTuple):
    """Conditions of a window, embedded."""

    overall: Tensor  # [batch, 1, width], text and pooled semantics
    semantic: Tensor  # [batch, n, width]
    sync: Tensor  # [batch, latents, width], of the modulation
    sync_input: Tensor | None  # [batch, latents, width], added to the latents' embedding
    at_audio: Positions
    at_semantic: Positions


class SalsaVGenerator(nn.Module):
    """v_theta(x_t, c, t, d). Times of the conditions count from the start of the first latent."""

    window_latents = 345  # 8 s, the longest sequence that the recipes train with (training/salsa_v/train.py)
    accepts_known = True  # trained with clean latents (flow/masking.py)
    reads_whole_video = False
    defaults, supported_options = DEFAULTS, SUPPORTED_OPTIONS

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
        """The step size that the model receives for `steps` steps: the largest trained one not above 1 / steps."""
        return trained_step(steps, self.config.smallest_step)

    def latent_time(self, latents: int, device: torch.device | str | None = None) -> Tensor:
        """Centres of the latents in seconds, float32 [latents]."""
        index = torch.arange(latents, device=device, dtype=torch.float64)
        return ((index + 0.5) * self.config.hop_length / self.config.sample_rate).float()

    def prepare(self, conditions: Conditions, latents: int) -> Prepared:
        """The conditions of a window of `latents` latents, embedded: everything that does not depend on t."""
        latent_time = self.latent_time(latents, conditions.device).expand(conditions.batch, -1)
        overall, semantic, sync = self.conditions(conditions, latent_time)
        # Under autocast the stream stays in bfloat16: casts to float32 and back cost as much as the products here.
        head_width, dtype = self.config.width // self.config.heads, semantic.dtype
        return Prepared(
            overall[:, None],
            semantic,
            self.conditions.sync(sync),
            None if self.sync_in is None else self.sync_in(sync),
            Positions(*rotary(latent_time, head_width, dtype)),
            Positions(*rotary(conditions["semantic"].time_s, head_width, dtype)),
        )

    def velocity(self, x_t: Tensor, t: Tensor, step: Tensor, known: Tensor, prepared: Prepared) -> Tensor:
        """dx/dt like x_t [batch, latents, latent_dim]; t [batch] or [batch, latents]; step [batch]; known bool
        [batch, latents] (their time is 1 whatever t says)."""
        overall, local = self._clocks(t, step, known, prepared)
        audio = self.embed(x_t)
        audio = audio + torch.where(known[..., None], self.known_token, self.unknown_token).to(audio.dtype)
        overall, local = overall.to(audio.dtype), local.to(audio.dtype)
        if prepared.sync_input is not None:
            audio = audio + prepared.sync_input
        semantic = prepared.semantic
        for block in self.joint:
            audio, semantic = block(audio, semantic, local, overall, prepared.at_audio, prepared.at_semantic)
        for block in self.audio:
            audio = block(audio, local, prepared.at_audio)
        return self.out(modulate(normalise(audio), *self.modulation(local)))

    def forward(self, x_t: Tensor, t: Tensor, step: Tensor, known: Tensor, conditions: Conditions) -> Tensor:
        """As `velocity`, of conditions that are used once, as in training."""
        return self.velocity(x_t, t, step, known, self.prepare(conditions, x_t.shape[1]))

    def _clocks(self, t: Tensor, step: Tensor, known: Tensor, prepared: Prepared) -> tuple[Tensor, Tensor]:
        """Global [batch, 1, width] and local [batch, latents, width] conditions with the time, both through SiLU."""
        base = prepared.overall + self.conditions.step_size(step)[:, None]
        clean = self.conditions.time(torch.ones_like(t[:1]).reshape(-1)[:1])
        # The sequence as a whole is as noisy as its noisiest latent.
        whole = self.conditions.time(t if t.dim() == 1 else t.amin(1))[:, None]
        per_latent = torch.where(known[..., None], clean, whole if t.dim() == 1 else self.conditions.time(t))
        return F.silu(base + whole), F.silu(base + per_latent + prepared.sync)
