"""The MMAudio generator (arXiv 2412.15322, Figure 2): joint blocks over three streams, then latents alone."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from openfoley.flow.path import IsKnown, Latents, Rows
from openfoley.generators.mmaudio.blocks import LAYER_NORM_EPSILON, AudioBlock, Handout, JointBlock
from openfoley.generators.mmaudio.conditioning import INPUT_KERNEL, ConditionEmbedding, Prepared
from openfoley.generators.mmaudio.config import DEFAULTS, SUPPORTED_OPTIONS, MMAudioConfig
from openfoley.nn.adaln import Modulation, modulate, normalise
from openfoley.nn.gated import FAST_KERNEL, GatedUnit, TimeConv
from openfoley.types import Conditions


class MMAudioGenerator(nn.Module):
    """v(x_t, c, t). It was trained by plain flow matching on whole windows: no steps, no known latents."""

    accepts_known = False
    reads_whole_video = False
    defaults, supported_options = DEFAULTS, SUPPORTED_OPTIONS
    selective_tensors = ("conditions.sync.*", "joint.*.audio.modulation.*", "audio.*.modulation.*")
    """What SelVA's stage 2 trains: the sync projection and the audio stream's adaLN."""

    def __init__(self, config: MMAudioConfig) -> None:
        super().__init__()
        self.config = config
        self.latent_dim, self.window_latents = config.latent_dim, config.window_latents
        width = config.width
        self.conditions = ConditionEmbedding(config)
        self.embed = TimeConv(config.latent_dim, width, INPUT_KERNEL)
        self.embed_activation = nn.SiLU() if config.version == 2 else nn.SELU()
        self.embed_unit = GatedUnit(width, config.mlp_width, INPUT_KERNEL)
        last = config.joint_blocks - 1
        self.joint = nn.ModuleList(JointBlock(config, last=number == last) for number in range(config.joint_blocks))
        self.audio = nn.ModuleList(AudioBlock(config) for _ in range(config.audio_blocks))
        self.modulation = Modulation(width, 2, None)
        self.out = TimeConv(width, config.latent_dim, INPUT_KERNEL)
        initialise(self)

    def remember_kernels(self) -> None:
        """Faster float32 inference on the CPU, for twice the memory of the weights (`nn.gated.TimeConv`)."""
        for module in self.modules():
            if isinstance(module, TimeConv) and module.kernel_size[0] == FAST_KERNEL:
                module.remember_kernels()

    def trained_step(self, steps: int) -> float:
        """Always the instantaneous velocity."""
        return 0.0

    def prepare(self, conditions: Conditions, latents: int) -> Prepared:
        """The conditions of a window of `latents` latents, embedded."""
        return self.conditions(conditions, latents)

    def forward(self, x_t: Latents, t: Rows, step: Rows, known: IsKnown, conditions: Conditions) -> Latents:
        """As `velocity`, of conditions that are used once, as in training."""
        return self.velocity(x_t, t, step, known, self.prepare(conditions, x_t.shape[1]))

    def velocity(
        self, x_t: Latents, t: Rows, step: Rows, known: IsKnown, prepared: Prepared
    ) -> Float[Tensor, "rows latents dim"]:
        """dx/dt of x_t at t, for as many branches as `prepared` holds along its batch. `step` and `known` mean nothing
        here: every latent is at time t.

        What depends on x_t and t alone is computed once for all branches.
        """
        dtype = self.out.weight.dtype
        branches = len(prepared.overall) // len(x_t)
        time = self.conditions.time(t).to(dtype).repeat(branches, 1)
        audio = self.embed_unit(self.embed_activation(self.embed(x_t.to(dtype)))).repeat(branches, 1, 1)
        overall = time + prepared.overall
        local = Handout(F.silu(overall[prepared.row_owner] + prepared.sync_rows), prepared.latent_row)
        overall = F.silu(overall)[:, None]
        semantic, text = prepared.semantic, prepared.text
        for block in self.joint:
            audio, semantic, text = block(
                audio, semantic, text, local, overall, prepared.at_audio, prepared.at_semantic
            )
        for block in self.audio:
            audio = block(audio, local, prepared.at_audio)
        shift, scale = self.modulation(overall)
        return self.out(modulate(normalise(audio, LAYER_NORM_EPSILON), shift, scale))


def initialise(model: MMAudioGenerator) -> None:
    """Xavier for linear layers, small normal for the clock, zero where a block or the output starts."""
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    time = model.conditions.time
    for layer in (time.first, time.second):
        nn.init.normal_(layer.weight, std=TIME_STD)
    for module in model.modules():
        if isinstance(module, Modulation):
            nn.init.zeros_(module.project.weight)
    nn.init.zeros_(model.out.weight)
    assert model.out.bias is not None
    nn.init.zeros_(model.out.bias)


TIME_STD = 0.02  # of the clock's two layers at the start
