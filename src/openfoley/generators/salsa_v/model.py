"""The SALSA-V generator: joint blocks over audio and semantic tokens, then audio blocks (arXiv 2510.02916, Fig. 1)."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from openfoley.flow.path import IsKnown, Latents, Rows
from openfoley.flow.shortcut import trained_step
from openfoley.generators.base import Places, latent_times
from openfoley.generators.salsa_v.blocks import AudioBlock, JointBlock
from openfoley.generators.salsa_v.conditioning import ConditionEmbedding
from openfoley.generators.salsa_v.config import DEFAULTS, SUPPORTED_OPTIONS, SalsaVConfig
from openfoley.nn.adaln import Modulation, modulate, normalise
from openfoley.nn.rope import Positions, rotary
from openfoley.types import Conditions


class Prepared(NamedTuple):
    """Conditions of a window, embedded."""

    overall: Float[Tensor, "batch 1 width"]  # text and pooled semantics
    semantic: Float[Tensor, "batch n width"]
    sync: Float[Tensor, "batch latents width"]  # of the modulation
    sync_input: Float[Tensor, "batch latents width"] | None  # added to the latents' embedding
    at_audio: Positions
    at_semantic: Positions
    latent_time: Float[Tensor, "batch latents"]

    @property
    def places(self) -> Places:
        batch, latents = self.latent_time.shape
        owner = torch.arange(batch, device=self.latent_time.device).repeat_interleave(latents)
        return Places(owner, self.latent_time.flatten())

    def plus(self, overall: Float[Tensor, "batch width"], rows: Float[Tensor, "rows width"]) -> Prepared:
        """As `generators.base.Extensible`; the input embedding stays as it is."""
        local = rows.unflatten(0, self.latent_time.shape)
        return self._replace(overall=self.overall + overall[:, None], sync=self.sync + local)


class SalsaVGenerator(nn.Module):
    """v_theta(x_t, c, t, d). Times of the conditions count from the start of the first latent."""

    window_latents = 345  # 8 s, the longest sequence that the recipes train with (training/salsa_v/train.py)
    accepts_known = True  # trained with clean latents (flow/masking.py)
    reads_whole_video = False
    defaults, supported_options = DEFAULTS, SUPPORTED_OPTIONS
    selective_tensors = (  # what SelVA's stage 2 trains: the sync projection and the audio stream's adaLN
        "conditions.unify.*", "conditions.sync.*", "sync_in.*", "joint.*.audio_modulation.*", "audio.*.modulation.*",
    )  # fmt: skip

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

    def prepare(self, conditions: Conditions, latents: int) -> Prepared:
        """The conditions of a window of `latents` latents, embedded: everything that does not depend on t."""
        config = self.config
        times = latent_times(latents, config.hop_length, config.sample_rate, conditions.device)
        latent_time = times.expand(conditions.batch, -1)
        overall, semantic, sync = self.conditions(conditions, latent_time)
        # Under autocast the stream stays in bfloat16: casts to float32 and back cost as much as the products here.
        head_width, dtype = config.width // config.heads, semantic.dtype
        return Prepared(
            overall[:, None],
            semantic,
            self.conditions.sync(sync),
            None if self.sync_in is None else self.sync_in(sync),
            rotary(latent_time, head_width, dtype),
            rotary(conditions["semantic"].time_s, head_width, dtype),
            latent_time,
        )

    def velocity(self, x_t: Latents, t: Rows, step: Rows, known: IsKnown, prepared: Prepared) -> Latents:
        """dx/dt. The time of known latents is 1 whatever t says."""
        audio = self.embed(x_t)
        audio = audio + torch.where(known[..., None], self.known_token, self.unknown_token).to(audio.dtype)
        overall, local = (one.to(audio.dtype) for one in self._clocks(t, step, known, prepared))
        if prepared.sync_input is not None:
            audio = audio + prepared.sync_input
        semantic = prepared.semantic
        for block in self.joint:
            audio, semantic = block(audio, semantic, local, overall, prepared.at_audio, prepared.at_semantic)
        for block in self.audio:
            audio = block(audio, local, prepared.at_audio)
        return self.out(modulate(normalise(audio), *self.modulation(local)))

    def forward(self, x_t: Latents, t: Rows, step: Rows, known: IsKnown, conditions: Conditions) -> Latents:
        """As `velocity`, of conditions that are used once, as in training."""
        return self.velocity(x_t, t, step, known, self.prepare(conditions, x_t.shape[1]))

    def _clocks(self, t: Rows, step: Rows, known: IsKnown, prepared: Prepared) -> tuple[Tensor, Tensor]:
        """Global [batch, 1, width] and local [batch, latents, width] conditions with the time, both through SiLU."""
        base = prepared.overall + self.conditions.step_size(step)[:, None]
        clean, whole = self.conditions.time(torch.ones_like(t[:1])), self.conditions.time(t)[:, None]
        per_latent = torch.where(known[..., None], clean, whole)
        return F.silu(base + whole), F.silu(base + per_latent + prepared.sync)
