"""Training of a judge: AdamW with one learning-rate cycle, deterministic on one machine."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch
from jaxtyping import Shaped
from torch import Tensor, nn

logger = logging.getLogger(__name__)

Judge = TypeVar("Judge", bound=nn.Module)


@dataclass(frozen=True)
class Recipe:
    """Settings of a training."""

    epochs: int
    batch: int
    learning_rate: float
    weight_decay: float
    seed: int = 0


def fit(
    build: Callable[[], Judge],
    examples: Shaped[Tensor, "n ..."],
    labels: Shaped[Tensor, "n ..."],
    loss_of: Callable[[Tensor, Tensor], Tensor],
    recipe: Recipe,
) -> Judge:
    """A judge trained on examples and their labels, in evaluation mode. Keeps the global random state."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        model = build()
        optimiser = torch.optim.AdamW(model.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay)
        steps = recipe.epochs * (len(labels) // recipe.batch + 1)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, recipe.learning_rate, total_steps=steps)
        for epoch in range(recipe.epochs):
            model.train()
            losses = []
            for chosen in torch.randperm(len(labels)).split(recipe.batch):
                if len(chosen) < 2:  # batch normalisation needs two
                    continue
                loss = loss_of(model(examples[chosen]), labels[chosen])
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                schedule.step()
                losses.append(loss.item())
            mean = sum(losses) / max(len(losses), 1)
            logger.info("%s: epoch %d of %d, loss %.3f", type(model).__name__, epoch + 1, recipe.epochs, mean)
    return model.eval()
