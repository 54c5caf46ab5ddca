"""Semantic encoder: what is there, and of what is it made? SigLIP-2 (arXiv 2502.14786; used by arXiv 2510.02916, 3).

Frames at 8 fps become one vector each, a text becomes one vector of the same space. The networks are transformers'
SigLIP classes (fixed resolution, as the published "siglip2-so400m-patch14-384" style checkpoints use them); the Gym
size is the same classes, small, trained by `openfoley.training.semantic.train`.

Vectors are returned with length sqrt(dim), so that their numbers have unit mean square whatever the network's scale.
"""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn

from openfoley.encoders.base import Frames, Inputs, Outputs
from openfoley.encoders.conv_stem import PATCH_SIZE, PictureStem
from openfoley.encoders.streams import GroupStream, encoded_by_rows
from openfoley.encoders.tokenizer import load_tokenizer, token_ids

FRAMES_PER_CALL = 32  # frames through the network at once; fixed, so that chunking cannot change a rounding


@dataclass(frozen=True)
class SemanticConfig:
    """Shape of both towers; text_length in tokens. stem_widths: of convolutions in the place of the patch projection
    (beyond the paper, at Gym size: a vision transformer from scratch learned nothing in 90,000 pictures)."""

    rate: Fraction
    image_size: int
    patch_size: int
    stem_widths: tuple[int, int, int] | None
    hidden_size: int
    heads: int
    mlp_size: int
    vision_layers: int
    text_layers: int
    text_length: int
    vocabulary: int


FULL = SemanticConfig(  # SigLIP-2 so400m: 1152 wide
    rate=Fraction(8),
    image_size=384,
    patch_size=14,
    stem_widths=None,
    hidden_size=1152,
    heads=16,
    mlp_size=4304,
    vision_layers=27,
    text_layers=27,
    text_length=64,
    vocabulary=256000,
)

GYM = SemanticConfig(
    rate=Fraction(8),
    image_size=96,
    patch_size=16,
    stem_widths=(32, 64, 128),
    hidden_size=128,
    heads=4,
    mlp_size=384,
    vision_layers=3,
    text_layers=2,
    text_length=40,
    vocabulary=1536,
)


class SemanticEncoder(nn.Module):
    """Frames and texts into one space. tokenizer: path of tokenizer.json, or its JSON text."""

    def __init__(self, config: SemanticConfig, tokenizer: Path | str) -> None:
        from transformers import SiglipConfig, SiglipModel, SiglipTextConfig, SiglipVisionConfig

        super().__init__()
        if config.stem_widths is not None and config.patch_size != PATCH_SIZE:
            raise ValueError(f"convolutions make patches of {PATCH_SIZE} pixels, got patch_size {config.patch_size}")
        self.config = config
        self.rate = config.rate
        self.height = self.width = config.image_size
        self.dim = self.text_dim = config.hidden_size
        self.tokenizer = load_tokenizer(tokenizer, config.vocabulary)
        vision = SiglipVisionConfig(
            hidden_size=config.hidden_size,
            num_attention_heads=config.heads,
            intermediate_size=config.mlp_size,
            num_hidden_layers=config.vision_layers,
            image_size=config.image_size,
            patch_size=config.patch_size,
        )
        text = SiglipTextConfig(
            hidden_size=config.hidden_size,
            num_attention_heads=config.heads,
            intermediate_size=config.mlp_size,
            num_hidden_layers=config.text_layers,
            max_position_embeddings=config.text_length,
            vocab_size=config.vocabulary,
            projection_size=config.hidden_size,
            pad_token_id=0,
            bos_token_id=0,
            eos_token_id=0,
        )
        self.siglip = SiglipModel(SiglipConfig(text_config=text.to_dict(), vision_config=vision.to_dict()))
        for tower in (self.siglip.vision_model, self.siglip.text_model):
            tower.set_attn_implementation("eager")  # measured: CPU flash attention is slower at these lengths
        if config.stem_widths is not None:
            # annotated as a convolution there, used as any module that maps pictures to patches
            stem = PictureStem(3, config.stem_widths, config.hidden_size)
            self.siglip.vision_model.embeddings.patch_embedding = stem  # type: ignore[assignment]
        del self.siglip.logit_scale, self.siglip.logit_bias  # the loss owns them

    def pictures(self, pictures: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch dim"]:
        """Pictures in 0..1 -> vectors of any length."""
        return self.look(pictures)[0]

    def look(
        self, pictures: Float[Tensor, "batch 3 height width"]
    ) -> tuple[Float[Tensor, "batch dim"], Float[Tensor, "batch patches dim"]]:
        """Pictures in 0..1 -> their vectors, and patch tokens row by row."""
        seen = self.siglip.vision_model(pixel_values=pictures * 2 - 1)
        return seen.pooler_output, seen.last_hidden_state

    def texts(self, ids: Int[Tensor, "batch tokens"]) -> Float[Tensor, "batch dim"]:
        """Token numbers -> vectors of any length."""
        return self.siglip.text_model(input_ids=ids).pooler_output

    def token_ids(self, texts: list[str]) -> Int[Tensor, "texts tokens"]:
        return token_ids(self.tokenizer, texts, self.config.text_length)

    @torch.no_grad()
    def encode_text(self, texts: list[str]) -> Float[Tensor, "texts dim"]:
        """Vectors of length sqrt(dim)."""
        device = next(self.parameters()).device
        return self._scaled(self.texts(self.token_ids(texts).to(device)))

    def encode(self, frames: UInt8[Tensor, "batch time 3 height width"]) -> Float[Tensor, "batch n dim"]:
        """Vectors of length sqrt(dim); on a GPU all rows together."""
        if frames.device.type != "cpu":
            return self.encode_together(frames)
        return encoded_by_rows(self, frames)

    def encode_together(self, frames: UInt8[Tensor, "batch time 3 height width"]) -> Float[Tensor, "batch time dim"]:
        """As `encode`, all frames of all rows through the network at once: memory grows with rows and time."""
        return self._of_frames(frames.flatten(0, 1)).unflatten(0, frames.shape[:2])

    @torch.no_grad()
    def _of_frames(self, frames: UInt8[Tensor, "frames 3 height width"]) -> Float[Tensor, "frames dim"]:
        parameter = next(self.parameters())
        return self._scaled(self.pictures(frames.to(parameter.device, parameter.dtype) / 255))

    def stream(self, live: bool = False) -> GroupStream:
        """live: frames go through the network one at a time, which gives features soonest."""
        return GroupStream(self._of_frames, 1 if live else FRAMES_PER_CALL)

    @property
    def inputs(self) -> Inputs:
        return Inputs(Frames(self.rate, self.height, self.width))

    @property
    def outputs(self) -> Outputs:
        return Outputs(self.dim, self.rate, live_lag=0)

    @property
    def text_length(self) -> int:
        """Tokens of a text that are read; `encode_text` leaves further ones out."""
        return self.config.text_length

    def token_count(self, text: str) -> int:
        return len(self.tokenizer.encode(text, add_special_tokens=False).ids)

    def _scaled(self, vectors: Tensor) -> Tensor:
        return F.normalize(vectors.float(), dim=-1) * self.dim**0.5
