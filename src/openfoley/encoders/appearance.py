"""What things look like: a picture tower beside the sync encoder's own backbone, patch by patch.

Beyond the paper, at Gym size (docs/log.md, E5 and E6). The published sync encoder stands on VideoPrism, which knows
materials and objects from a hundred million clips; a small backbone trained on timing does not, and the semantic
encoder, which does, returns one vector for a whole picture: neither distinguishes which of several things sounds. So
the output of the trained semantic encoder's picture tower is added, patch by patch, below the layers that detect
events. It receives one frame in `every`, as looks change slowly.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from openfoley.encoders import semantic
from openfoley.encoders.conv_stem import PATCH_SIZE, PictureStem
from openfoley.encoders.semantic import SemanticConfig, SemanticEncoder
from openfoley.errors import WeightsError


@dataclass(frozen=True)
class AppearanceConfig:
    """Shape of the tower, as `SemanticConfig`'s; every: frames of a snippet to one that is looked at."""

    hidden_size: int
    heads: int
    mlp_size: int
    layers: int
    stem_widths: tuple[int, int, int]
    every: int


def appearance_of(shape: SemanticConfig, every: int) -> AppearanceConfig:
    """The tower of a semantic encoder; raises ValueError for one without a convolutional stem."""
    if shape.stem_widths is None:
        raise ValueError("the appearance needs a semantic encoder with a convolutional stem")
    return AppearanceConfig(
        shape.hidden_size, shape.heads, shape.mlp_size, shape.vision_layers, shape.stem_widths, every
    )


GYM = appearance_of(semantic.GYM, every=4)


class Appearance(nn.Module):
    """Pictures in 0..1 -> patch tokens: a SigLIP picture tower (transformers), frozen unless its weights require
    gradients, and a projection that starts at zero."""

    def __init__(self, config: AppearanceConfig, image_size: int, dim: int) -> None:
        from transformers import SiglipVisionConfig
        from transformers.models.siglip.modeling_siglip import SiglipVisionModel

        super().__init__()
        self.config = config
        self.tower = SiglipVisionModel(
            SiglipVisionConfig(
                hidden_size=config.hidden_size,
                num_attention_heads=config.heads,
                intermediate_size=config.mlp_size,
                num_hidden_layers=config.layers,
                image_size=image_size,
                patch_size=PATCH_SIZE,
                vision_use_head=False,
            )
        )
        self.tower.set_attn_implementation("eager")
        # a convolution there, used as any module that maps pictures to patches
        self.tower.embeddings.add_module("patch_embedding", PictureStem(3, config.stem_widths, config.hidden_size))
        self.tower.requires_grad_(False)
        self.out = nn.Linear(config.hidden_size, dim)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, pictures: Float[Tensor, "batch frames 3 size size"]) -> Float[Tensor, "batch frames patches dim"]:
        looked_at = pictures[:, self.config.every // 2 :: self.config.every]
        is_trained = next(self.tower.parameters()).requires_grad
        with torch.set_grad_enabled(torch.is_grad_enabled() and is_trained):
            tokens = self.tower(pixel_values=looked_at.flatten(0, 1) * 2 - 1).last_hidden_state
        tokens = self.out(tokens.unflatten(0, (len(pictures), -1)))
        return tokens.repeat_interleave(self.config.every, dim=1)

    def take_tower(self, meaning: SemanticEncoder) -> None:
        """Fill the tower from a semantic encoder's; raises WeightsError for one of another shape."""
        size, theirs = self.tower.config.image_size, appearance_of(meaning.config, self.config.every)
        if self.config != theirs or size != meaning.config.image_size:
            raise WeightsError(
                f"the sync encoder's appearance is {self.config} of {size} pixels, the semantic encoder's {theirs} of "
                f"{meaning.config.image_size}"
            )
        weights = meaning.siglip.vision_model.state_dict()
        self.tower.load_state_dict({key: weights[key] for key in self.tower.state_dict()})  # all but the pooling head
