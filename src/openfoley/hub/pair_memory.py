"""How much memory a joint model of published size needs, said before it is loaded; counted, not measured.

Weights, gradients, optimiser states and the average are counts times bytes; activations are those of one real forward
pass (or training step) on the meta device (`hub.live_bytes`). Left out: Python and torch themselves (about 1 GB), an
allocator's reserve, convolution workspaces.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
from torch import nn

from openfoley.codecs.latent_pairs import TIME_MULTIPLE
from openfoley.generators.joint.config import JointConfig
from openfoley.generators.joint.model import JointGenerator, Pair, PairText
from openfoley.generators.joint.sampling import LocalSteps, PairSampling, sample_pair
from openfoley.hub.cards.svg import ANIMATEDIFF_AUDIOLDM, PartName
from openfoley.hub.live_bytes import peak_bytes
from openfoley.hub.memory import check_fits

HELPERS: tuple[PartName, ...] = ("vae", "clip", "mel-vae", "vocoder", "clap")
"""Networks in float32 that encode and decode."""
CLIP_TOKENS = 77
STEPS_A_SECOND, ROWS = 25, 16
"""Of a sound's latents (`codecs.latent_pairs`)."""
PICTURE_LATENTS = 32
"""Rows and columns of 256 x 256 pixels."""


@dataclass(frozen=True)
class PairMemory:
    """In bytes. trained: gradients, two moments of AdamW and the average of what is trained."""

    weights: int
    helpers: int
    activations: int
    trained: int = 0

    @property
    def total(self) -> int:
        return self.weights + self.helpers + self.activations + self.trained

    def __str__(self) -> str:
        parts = {
            "weights": self.weights,
            "VAEs, texts and vocoder": self.helpers,
            "activations": self.activations,
            "gradients, optimiser and average": self.trained,
        }
        said = ", ".join(f"{count / 1e9:.1f} {name}" for name, count in parts.items() if count)
        return f"{self.total / 1e9:.1f} GB ({said})"


def helper_bytes() -> int:
    """Of the card, in float32."""
    return sum(part.bytes for base in ANIMATEDIFF_AUDIOLDM.bases for part in base.parts if part.name in HELPERS)


def on_meta(config: JointConfig, dtype: torch.dtype = torch.float32) -> JointGenerator:
    """The networks, without memory."""
    with torch.device("meta"):
        return JointGenerator(config).to(dtype)


def parameter_bytes(network: nn.Module) -> int:
    return sum(value.numel() * value.element_size() for value in network.parameters())


def meta_latents(config: JointConfig, clips: int, frames: int) -> tuple[Pair, PairText]:
    """Latents and texts of clips at full size, in float32."""
    steps = round(STEPS_A_SECOND * frames / config.connectors.fps)
    steps = -(-steps // TIME_MULTIPLE) * TIME_MULTIPLE
    made = [
        torch.empty(clips, *shape, device="meta")
        for shape in (
            (config.video.channels, frames, PICTURE_LATENTS, PICTURE_LATENTS), (config.audio.channels, steps, ROWS),
            (CLIP_TOKENS, config.video.condition), (config.audio.condition,),
        )
    ]  # fmt: skip
    return Pair(*made[:2]), PairText(*made[2:])


@cache
def sampling_memory(config: JointConfig, frames: int, dtype: torch.dtype) -> PairMemory:
    """Of one pair, with guidance: two rows at once."""
    generator = on_meta(config, dtype).requires_grad_(False)
    noise, text = meta_latents(config, 1, frames)
    how = PairSampling(LocalSteps.of(config, 1, 1.0))
    activations = peak_bytes(lambda: sample_pair(generator, noise, text, text, how))
    return PairMemory(parameter_bytes(generator), helper_bytes(), activations)


def check_sampling_memory(
    name: str, config: JointConfig, frames: int, device: torch.device, dtype: torch.dtype
) -> None:
    """WeightsError if it does not fit."""
    needed = sampling_memory(config, frames, dtype)
    other = "" if dtype == torch.bfloat16 else ", or pass --precision bfloat16"
    check_fits(name, needed.total, device, f"close other programs{other}")
