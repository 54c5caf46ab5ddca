"""Memory of the joint model of published size (arXiv 2409.17550), by `hub.pair_memory`; with --run the time and peak of
one real sampling step on this machine's CPU, with random weights.

    python benchmarks/joint_memory.py [--run] [--frames N] [--threads N]

The table is counted on the meta device, in about a minute. --run needs about 8 GB.
"""

import argparse
import resource
import time
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from openfoley.generators.joint.config import FULL
from openfoley.generators.joint.model import JointGenerator, Pair, PairText
from openfoley.generators.joint.sampling import LocalSteps, PairSampling, sample_pair
from openfoley.generators.joint.unets import picture_vae
from openfoley.hub.cards.svg import ANIMATEDIFF_AUDIOLDM
from openfoley.hub.filling import unfilled
from openfoley.hub.live_bytes import peak_bytes
from openfoley.hub.pair_memory import meta_latents, sampling_memory
from openfoley.training.joint import presets
from openfoley.training.joint.full import training_memory


def helpers() -> dict[str, nn.Module]:
    """Networks that encode and decode, as their libraries configure them for these base models."""
    from transformers import (
        ClapTextConfig,
        ClapTextModelWithProjection,
        CLIPTextConfig,
        CLIPTextModel,
        SpeechT5HifiGan,
        SpeechT5HifiGanConfig,
    )  # fmt: skip

    def vae(channels: int, latents: int, widths: tuple[int, ...]) -> nn.Module:
        made: dict[str, Any] = {
            "in_channels": channels,
            "out_channels": channels,
            "latent_channels": latents,
            "layers_per_block": 2,
            "down_block_types": ("DownEncoderBlock2D",) * len(widths),
            "up_block_types": ("UpDecoderBlock2D",) * len(widths),
            "block_out_channels": widths,
        }
        return picture_vae(made)

    vocoder = SpeechT5HifiGanConfig(
        model_in_dim=64, upsample_initial_channel=1024, upsample_rates=[5, 4, 2, 2, 2],
        upsample_kernel_sizes=[16, 16, 8, 4, 4],
    )  # fmt: skip
    clip = CLIPTextConfig(hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12)
    with torch.device("meta"):
        return {
            "vae": vae(3, 4, (128, 256, 512, 512)), "mel-vae": vae(1, 8, (128, 256, 512)),
            "vocoder": SpeechT5HifiGan(vocoder), "clip": CLIPTextModel(clip),
            "clap": ClapTextModelWithProjection(ClapTextConfig()),
        }  # fmt: skip


def table(frames: int) -> None:
    known = {part.name: part.bytes for base in ANIMATEDIFF_AUDIOLDM.bases for part in base.parts}
    made = helpers()
    for name, network in made.items():
        count = sum(value.numel() for value in network.parameters())
        print(f"{name:<8} {count} parameters, the card has {known[name] // 4}")
    vae: Any = made["vae"].eval().requires_grad_(False)
    for batch in (1, 4):
        with torch.no_grad():
            down = peak_bytes(lambda batch=batch: vae.encode(torch.empty(batch, 3, 256, 256, device="meta")))
            up = peak_bytes(lambda batch=batch: vae.decode(torch.empty(batch, 4, 32, 32, device="meta")))
        print(f"VAE of {batch} pictures of 256 x 256: {down / 1e9:.2f} GB to latents, {up / 1e9:.2f} GB back")
    for dtype in (torch.bfloat16, torch.float32):
        print(f"sampling, {frames} frames, {str(dtype).removeprefix('torch.')}: {sampling_memory(FULL, frames, dtype)}")
    for trained in ("connectors", "motion", "everything"):
        needed = training_memory(replace(presets.FULL, trained=trained), frames)
        print(f"training {trained}, {frames} frames, one clip a pass: {needed}")


def one_step(frames: int) -> None:
    """Both U-Nets and the encoders, guided, in bfloat16."""
    generator = unfilled(lambda: JointGenerator(FULL)).to(torch.bfloat16)
    assert isinstance(generator, JointGenerator)
    random = torch.Generator().manual_seed(1)
    for module in generator.modules():
        for name, value in list(module.named_parameters(recurse=False)):
            made = torch.empty(value.shape, dtype=torch.bfloat16).uniform_(-0.02, 0.02, generator=random)
            module.register_parameter(name, nn.Parameter(made, requires_grad=False))
    generator.eval()
    noise, text = meta_latents(FULL, 1, frames)
    noise = Pair(*(torch.randn(each.shape, generator=random) for each in noise))
    text = PairText(*(torch.randn(each.shape, generator=random) for each in text))
    started = time.perf_counter()
    found = sample_pair(generator, noise, text, text, PairSampling(LocalSteps.of(FULL, 1, 1.5)))
    seconds = time.perf_counter() - started
    assert all(each.shape == given.shape for each, given in zip(found, noise, strict=True))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    print(f"one sampling step, {frames} frames, bfloat16, {torch.get_num_threads()} threads: {seconds:.1f} s, ", end="")
    print(f"peak {peak:.1f} GB of this process")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", action="store_true", help="one real sampling step")
    parser.add_argument("--frames", type=int, default=32)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.run:
        one_step(options.frames)
    else:
        table(options.frames)


if __name__ == "__main__":
    main()
