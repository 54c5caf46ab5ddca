"""What the Gym's truth teaches a generator beside the velocity; passed into `salsa_v.train.train_generator`."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from openfoley.data.feature_cache import Batch, FeatureCache
from openfoley.training.gym_losses.contradiction import MaterialMeans, labels_of
from openfoley.training.gym_losses.material_head import MaterialHead
from openfoley.training.salsa_v.objective import TrainedGenerator
from openfoley.training.salsa_v.presets import GeneratorTraining
from openfoley.training.salsa_v.report import whole_clips

VALIDATION_CLIPS = 32


@dataclass(frozen=True)
class GymLosses:
    """The settings. material_weight: of the loss of `MaterialHead`, beside the flow's."""

    material_weight: float

    def __call__(self, model: nn.Module, features: FeatureCache, preset: GeneratorTraining) -> "GymTraining":
        """For one training; the head's random weights come from its seed."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(preset.seed)
            head = MaterialHead(model, preset.architecture.width)
        is_exchanged = preset.use_sync and preset.objective.dropout.swapped > 0
        means = MaterialMeans.of(features) if is_exchanged else None
        return GymTraining(head, means, self.material_weight)


@dataclass(frozen=True)
class GymTraining:
    """`salsa_v.train.ExtraLosses` of the Gym."""

    module: MaterialHead
    means: MaterialMeans | None
    material_weight: float

    def other_sync(self, batch: Batch, random: torch.Generator) -> Float[Tensor, "batch frames sync_dim"] | None:
        return None if self.means is None else self.means.exchanged(batch, random)

    def losses(self, batch: Batch) -> tuple[Float[Tensor, ""], dict[str, Float[Tensor, ""]]]:
        material = self.module.loss(labels_of(batch))
        return self.material_weight * material, {"material": material}

    @torch.no_grad()
    def validate(self, model: TrainedGenerator, validation: FeatureCache) -> dict[str, float]:
        """Share of the latents of visible events whose material is recognised from the picture, the sound being
        noise."""
        batch = whole_clips(validation, VALIDATION_CLIPS)
        data, labels = batch.latents, labels_of(batch)
        noise = torch.randn(data.shape, generator=torch.Generator().manual_seed(0)).to(data.device)
        zero = torch.zeros(len(data), device=data.device)
        with torch.autocast(data.device.type, dtype=torch.bfloat16):
            model(noise, zero, zero, torch.zeros_like(labels, dtype=torch.bool), batch.conditions)
            found = self.module.logits().argmax(-1)
        return {"validation_material": float((found == labels)[labels > 0].float().mean().nan_to_num())}
