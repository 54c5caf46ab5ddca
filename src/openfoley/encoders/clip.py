"""DFN5B CLIP ViT-H/14 (arXiv 2309.17425), as MMAudio uses it (arXiv 2412.15322, section 3.3).

A frame at 8 fps becomes one vector, projected and of unit length. A prompt becomes 77 vectors, each the text tower's
last state of one token, of unit length, neither pooled nor projected; padding tokens are kept and were attended to.
The networks are transformers' CLIP classes; the public weights are open_clip's (`from_open_clip`).

MMAudio shows 384 x 384 pixels to a network of 378: patches of 14 leave the last 6 rows and columns unseen.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, Shaped, UInt8
from torch import Tensor, nn

from openfoley.encoders.base import Frames, Inputs, Outputs
from openfoley.encoders.clip_tokenizer import cleaned, token_rows
from openfoley.encoders.streams import GroupStream, encoded_by_rows
from openfoley.encoders.tokenizer import load_tokenizer
from openfoley.errors import WeightsError

FRAMES_PER_CALL = 8  # frames through the network at once; fixed, so that chunking cannot change a rounding
PIXEL_MEAN = (0.48145466, 0.4578275, 0.40821073)  # CLIP, arXiv 2103.00020
PIXEL_STD = (0.26862954, 0.26130258, 0.27577711)
UNUSED = ("logit_scale", "text_projection", "attn_mask")  # of the checkpoint


@dataclass(frozen=True)
class ClipTextConfig:
    """Shape of the text tower."""

    text_width: int
    text_layers: int
    text_heads: int
    text_mlp: int
    text_length: int
    vocabulary: int


@dataclass(frozen=True)
class ClipConfig(ClipTextConfig):
    """Shape of both towers. shown_size: pixels requested of the decoder, of which the network receives image_size."""

    rate: Fraction
    shown_size: int
    image_size: int
    patch_size: int
    vision_width: int
    vision_layers: int
    vision_heads: int
    vision_mlp: int
    embedding: int


DFN5B_TEXT = ClipTextConfig(
    text_width=1024, text_layers=24, text_heads=16, text_mlp=4096, text_length=77, vocabulary=49408
)
DFN5B_VIT_H_14 = ClipConfig(
    rate=Fraction(8),
    shown_size=384,
    image_size=378,
    patch_size=14,
    vision_width=1280,
    vision_layers=32,
    vision_heads=16,
    vision_mlp=5120,
    embedding=1024,
    **asdict(DFN5B_TEXT),
)


class ClipTextEncoder(nn.Module):
    """Prompts. tokenizer: path of tokenizer.json, or its JSON text (`clip_tokenizer.clip_tokenizer`)."""

    def __init__(self, config: ClipTextConfig, tokenizer: Path | str) -> None:
        from transformers import CLIPTextConfig, CLIPTextModel

        super().__init__()
        self.config = config
        self.text_dim = config.text_width
        self.tokenizer = load_tokenizer(tokenizer, config.vocabulary)
        self.text = CLIPTextModel(
            CLIPTextConfig(
                vocab_size=config.vocabulary,
                hidden_size=config.text_width,
                intermediate_size=config.text_mlp,
                num_hidden_layers=config.text_layers,
                num_attention_heads=config.text_heads,
                max_position_embeddings=config.text_length,
                hidden_act="quick_gelu",
            )
        )
        number_places(self.text)

    def texts(self, ids: Int[Tensor, "batch tokens"]) -> Float[Tensor, "batch tokens text_dim"]:
        """Token numbers -> vectors of unit length."""
        return F.normalize(self.text(input_ids=ids).last_hidden_state.float(), dim=-1)

    def token_ids(self, texts: list[str]) -> Int[Tensor, "texts tokens"]:
        """UsageError for a text that is too long."""
        return token_rows(self.tokenizer, texts, self.config.text_length)

    @torch.no_grad()
    def encode_text(self, texts: list[str]) -> Float[Tensor, "texts tokens text_dim"]:
        return self.texts(self.token_ids(texts).to(next(self.parameters()).device))

    @property
    def text_length(self) -> int:
        """Tokens of a text; a longer one is refused."""
        return self.config.text_length - 2

    def token_count(self, text: str) -> int:
        return len(self.tokenizer.encode(cleaned(text), add_special_tokens=False).ids)


class ClipEncoder(ClipTextEncoder):
    """Frames and prompts."""

    def __init__(self, config: ClipConfig, tokenizer: Path | str) -> None:
        from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

        super().__init__(config, tokenizer)
        self.rate, self.image_size = config.rate, config.image_size
        self.height = self.width = config.shown_size
        self.dim = config.embedding
        self.vision = CLIPVisionModelWithProjection(
            CLIPVisionConfig(
                hidden_size=config.vision_width,
                intermediate_size=config.vision_mlp,
                num_hidden_layers=config.vision_layers,
                num_attention_heads=config.vision_heads,
                image_size=config.image_size,
                patch_size=config.patch_size,
                projection_dim=config.embedding,
                hidden_act="quick_gelu",
            )
        )
        number_places(self.vision)

    def pictures(self, pictures: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch dim"]:
        """Pictures in 0..1 -> vectors of unit length."""
        seen = pictures[..., : self.image_size, : self.image_size]
        mean, std = (seen.new_tensor(value)[:, None, None] for value in (PIXEL_MEAN, PIXEL_STD))
        vectors = self.vision(pixel_values=((seen - mean) / std).to(self.vision.dtype)).image_embeds
        return F.normalize(vectors.float(), dim=-1)

    def encode(self, frames: UInt8[Tensor, "batch time 3 height width"]) -> Float[Tensor, "batch n dim"]:
        return encoded_by_rows(self, frames)

    def stream(self, live: bool = False) -> GroupStream:
        return GroupStream(self._of_frames, FRAMES_PER_CALL)

    @torch.no_grad()
    def _of_frames(self, frames: UInt8[Tensor, "frames 3 height width"]) -> Float[Tensor, "frames dim"]:
        return self.pictures(frames.to(next(self.parameters()).device).float() / 255)

    @property
    def inputs(self) -> Inputs:
        """The aspect is not kept."""
        return Inputs(Frames(self.rate, self.height, self.width, resize="bicubic"))

    @property
    def outputs(self) -> Outputs:
        return Outputs(self.dim, self.rate)


def number_places(network: nn.Module) -> None:
    """The position numbers are constants outside the state: real ones, even where the network is built on the meta
    device and its weights are assigned later."""
    with torch.device("cpu"):
        for module in network.modules():
            if (numbers := module._buffers.get("position_ids")) is not None:
                numbers = torch.arange(numbers.shape[-1])[None]
                module.register_buffer("position_ids", numbers, persistent=False)


def from_open_clip(state_dict: Mapping[str, Shaped[Tensor, "..."]]) -> dict[str, Float[Tensor, "..."]]:
    """`ClipEncoder`'s state from open_clip's names and layouts; q, k and v come apart (views, no copies), the
    projection is turned."""
    converted: dict[str, Tensor] = {}
    for name, tensor in state_dict.items():
        if name not in UNUSED:
            converted |= _converted(name, tensor.float())
    if not any(name.startswith("vision.") for name in converted):
        raise WeightsError("these are not open_clip's weights: no key starts with 'visual.'")
    return converted


_LAYER_NAMES = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "attn.out_proj": "self_attn.out_proj",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}
_OTHER_NAMES = {
    "visual.class_embedding": "vision.vision_model.embeddings.class_embedding",
    "visual.positional_embedding": "vision.vision_model.embeddings.position_embedding.weight",
    "visual.conv1.weight": "vision.vision_model.embeddings.patch_embedding.weight",
    "visual.ln_pre.weight": "vision.vision_model.pre_layrnorm.weight",  # transformers' spelling
    "visual.ln_pre.bias": "vision.vision_model.pre_layrnorm.bias",
    "visual.ln_post.weight": "vision.vision_model.post_layernorm.weight",
    "visual.ln_post.bias": "vision.vision_model.post_layernorm.bias",
    "token_embedding.weight": "text.embeddings.token_embedding.weight",
    "positional_embedding": "text.embeddings.position_embedding.weight",
    "ln_final.weight": "text.final_layer_norm.weight",
    "ln_final.bias": "text.final_layer_norm.bias",
}


def _converted(name: str, tensor: Tensor) -> dict[str, Tensor]:
    if name == "visual.proj":
        return {"vision.visual_projection.weight": tensor.mT.contiguous()}
    if name in _OTHER_NAMES:
        return {_OTHER_NAMES[name]: tensor}
    tower = "vision.vision_model" if name.startswith("visual.") else "text"
    _, found, rest = name.removeprefix("visual.").partition("transformer.resblocks.")
    if not found:
        raise WeightsError(f"CLIP: key {name!r} is not part of open_clip's ViT-H/14")
    index, _, inner = rest.partition(".")
    layer = f"{tower}.encoder.layers.{index}"
    if inner.startswith("attn.in_proj_"):
        kind = inner.removeprefix("attn.in_proj_")
        return {f"{layer}.self_attn.{p}_proj.{kind}": t for p, t in zip("qkv", tensor.chunk(3), strict=True)}
    inner, _, kind = inner.rpartition(".")
    if inner not in _LAYER_NAMES:
        raise WeightsError(f"CLIP: key {name!r} is not part of open_clip's ViT-H/14")
    return {f"{layer}.{_LAYER_NAMES[inner]}.{kind}": tensor}
