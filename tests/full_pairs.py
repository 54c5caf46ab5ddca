"""Published base models of the smallest size, in folders as the Hub lays them out, and clips to train connectors on.

The U-Nets have the sizes and seeded weights of the golden checks (`goldens/svg_seeded.py`); VAEs, vocoder and text
encoders are random. The three repositories lie in three ways in which people have them.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import svg_seeded
import torch
from torch import nn

from openfoley.data.pairs.pair import Pair, PairForm
from openfoley.encoders.clip_tokenizer import END, END_OF_WORD, START, byte_letters

SIZE, RATE, FRAMES, SAMPLES = 16, 8, 8, 16_000
LONGEST = 20
"""Tokens of a prompt, with start and end."""
VIDEO, AUDIO = svg_seeded.TINY.video, svg_seeded.TINY.audio
SD = Path("SG161222/Realistic_Vision_V5.1_noVAE")
MOTION = Path("animatediff-motion-adapter-v1-5-2")
AUDIOLDM = Path("models--cvssp--audioldm-m-full/snapshots/0123456789")


def save_bases(folder: Path) -> Path:
    from diffusers import AutoencoderKL, MotionAdapter, UNet2DConditionModel
    from transformers import (
        ClapTextConfig,
        ClapTextModelWithProjection,
        CLIPTextConfig,
        CLIPTextModel,
        SpeechT5HifiGan,
        SpeechT5HifiGanConfig,
    )  # fmt: skip

    torch.manual_seed(7)
    seeded = svg_seeded.tiny()
    whole = seeded.video.state_dict()
    pictures = UNet2DConditionModel(
        in_channels=4, out_channels=4, block_out_channels=VIDEO.widths, layers_per_block=VIDEO.layers,
        down_block_types=("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",), attention_head_dim=VIDEO.heads,
        up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3, cross_attention_dim=VIDEO.condition,
    )  # fmt: skip
    motion = MotionAdapter(
        block_out_channels=VIDEO.widths, motion_layers_per_block=VIDEO.layers, motion_num_attention_heads=VIDEO.heads,
        motion_max_seq_length=32, use_motion_mid_block=True,
    )  # fmt: skip
    pictures.load_state_dict({key: value for key, value in whole.items() if "motion_modules" not in key})
    motion.load_state_dict({key: value for key, value in whole.items() if "motion_modules" in key})
    small = {"layers_per_block": 1, "norm_num_groups": 2}

    def vae(channels: int, latents: int, widths: tuple[int, ...]) -> AutoencoderKL:
        return AutoencoderKL(
            in_channels=channels, out_channels=channels, latent_channels=latents, block_out_channels=widths,
            down_block_types=("DownEncoderBlock2D",) * len(widths), up_block_types=("UpDecoderBlock2D",) * len(widths),
            scaling_factor=0.5, **small,
        )  # fmt: skip

    wide = {"num_hidden_layers": 1, "intermediate_size": 16, "vocab_size": 600}
    clip = CLIPTextConfig(hidden_size=48, num_attention_heads=4, max_position_embeddings=LONGEST, **wide)
    clap = ClapTextConfig(
        hidden_size=16, num_attention_heads=2, max_position_embeddings=LONGEST + 4, projection_dim=32, **wide
    )
    vocoder = SpeechT5HifiGanConfig(
        model_in_dim=64, upsample_initial_channel=32, upsample_rates=[5, 4, 2, 2, 2],
        upsample_kernel_sizes=[16, 16, 8, 4, 4], resblock_kernel_sizes=[3], resblock_dilation_sizes=[[1]],
    )  # fmt: skip
    pictures.save_pretrained(folder / SD / "unet")
    motion.save_pretrained(folder / MOTION)
    seeded.audio.save_pretrained(folder / AUDIOLDM / "unet", safe_serialization=False)
    parts: dict[Path, nn.Module] = {
        SD / "vae": vae(3, 4, (4, 4)), SD / "text_encoder": CLIPTextModel(clip),
        AUDIOLDM / "vae": vae(1, 8, (4, 4, 4)), AUDIOLDM / "text_encoder": ClapTextModelWithProjection(clap),
        AUDIOLDM / "vocoder": SpeechT5HifiGan(vocoder),
    }  # fmt: skip
    for place, module in parts.items():
        module.save_pretrained(folder / place)
    letters = byte_letters()
    save_tokenizer(folder / SD / "tokenizer", [*letters, *(letter + END_OF_WORD for letter in letters), START, END])
    save_tokenizer(folder / AUDIOLDM / "tokenizer", ["<s>", "<pad>", "</s>", "<unk>", *letters, "<mask>"])
    return folder


def save_tokenizer(folder: Path, pieces: Sequence[str]) -> None:
    """Without merges: a token for each letter."""
    folder.mkdir(parents=True)
    (folder / "vocab.json").write_text(json.dumps({piece: number for number, piece in enumerate(pieces)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")


@dataclass(frozen=True)
class FewClips:
    """Three clips of a second."""

    form: PairForm = PairForm(FRAMES, Fraction(RATE), SIZE)
    digest: str = "clips"
    names: Sequence[str] = ("a", "b", "c")
    captions: Sequence[tuple[str, ...]] = (("a box",), ("a drum",), ("a bell",))

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Pair:
        frames = torch.full((FRAMES, 3, SIZE, SIZE), 40 + 60 * index, dtype=torch.uint8)
        sound = 0.1 * torch.randn(SAMPLES, generator=torch.Generator().manual_seed(index))
        return Pair(self.names[index], frames, sound, self.captions[index])
