"""What things look like: a frozen picture tower beside the sync encoder's own backbone, patch by patch.

Beyond the paper, at Gym size (docs/log.md, 2026-11-26). The published sync encoder stands on VideoPrism, which knows
materials and objects from a hundred million clips; a small backbone trained on timing does not, and the semantic
encoder, which does, returns one vector for a whole picture: neither says of several things which one sounds. So the
picture tower of the trained semantic encoder is laid, patch by patch, under the layers that look for events. It sees
one frame in `every`, as looks change slowly.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from openfoley.encoders.conv_stem import PATCH_SIZE, PictureStem
from openfoley.errors import WeightsError

SEMANTIC_TOWER = "siglip.vision_model."
"""Before each key of the picture tower in the weights of a semantic encoder."""


@dataclass(frozen=True)
class AppearanceConfig:
    """Shape of the tower, as `SemanticConfig`'s; every: frames of a snippet to one that is looked at."""

    hidden_size: int
    heads: int
    mlp_size: int
    layers: int
    stem_widths: tuple[int, int, int]
    every: int


GYM = AppearanceConfig(
    hidden_size=128,
    heads=4,
    mlp_size=384,
    layers=3,
    stem_widths=(32, 64, 128),
    every=4,
)


class Appearance(nn.Module):
    """[batch, frames, 3, size, size] in 0..1 -> [batch, frames, patches, dim]: a SigLIP picture tower (transformers),
    never trained here, and a projection that is; it starts at zero."""

    def __init__(self, config: AppearanceConfig, image_size: int, dim: int) -> None:
        from transformers import SiglipVisionConfig
        from transformers.models.siglip.modeling_siglip import SiglipVisionModel

        super().__init__()
        self.every = config.every
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
        # annotated as a convolution there, used as any module that maps pictures to patches
        self.tower.embeddings.patch_embedding = PictureStem(3, config.stem_widths, config.hidden_size)  # type: ignore[assignment]
        self.tower.requires_grad_(False)
        self.out = nn.Linear(config.hidden_size, dim)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, pictures: Tensor) -> Tensor:
        batch, frames = pictures.shape[:2]
        looked_at = pictures[:, self.every // 2 :: self.every]
        with torch.no_grad():
            tokens = self.tower(pixel_values=looked_at.flatten(0, 1) * 2 - 1).last_hidden_state
        tokens = self.out(tokens.unflatten(0, (batch, -1)))
        return tokens.repeat_interleave(self.every, dim=1)[:, :frames]

    def take_tower(self, semantic: dict[str, Tensor]) -> None:
        """Fill the tower from a semantic encoder's weights; raises WeightsError where they do not match."""
        mine = self.tower.state_dict()
        for key, value in mine.items():
            found = semantic.get(SEMANTIC_TOWER + key)
            if found is None or found.shape != value.shape:
                shape = "missing" if found is None else f"{list(found.shape)}"
                raise WeightsError(
                    f"the semantic encoder does not fit the sync encoder's appearance: {SEMANTIC_TOWER + key!r} should "
                    f"be {list(value.shape)}, is {shape}"
                )
        self.tower.load_state_dict({key: semantic[SEMANTIC_TOWER + key] for key in mine})
