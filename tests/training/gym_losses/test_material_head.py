"""The auxiliary loss on the material of the next event."""

import math

import pytest
import torch
from torch import Tensor, nn

from openfoley.data.event_labels import CLASSES, UNLABELLED
from openfoley.training.gym_losses.material_head import NOTHING_WEIGHT, MaterialHead

WIDTH = 8


class Joint(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(WIDTH, WIDTH)

    def forward(self, audio: Tensor, semantic: Tensor) -> tuple[Tensor, Tensor]:
        return self.linear(audio), semantic


class TwoBlocks(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.joint = nn.ModuleList([Joint(), Joint()])

    def forward(self, audio: Tensor, semantic: Tensor) -> Tensor:
        for block in self.joint:
            audio, semantic = block(audio, semantic)
        return audio.sum()

    def weights(self) -> list[nn.Parameter]:
        return [parameter for name, parameter in self.named_parameters() if name.endswith("weight")]


def test_it_reads_the_stream_behind_the_last_joint_block_and_teaches_the_blocks() -> None:
    torch.manual_seed(0)
    generator = TwoBlocks()
    head = MaterialHead(generator, WIDTH)
    labels = torch.tensor([[0, 0, 3, 3, UNLABELLED]])
    audio = torch.randn(1, 5, WIDTH)
    optimizer = torch.optim.Adam([*generator.parameters(), *head.parameters()], 0.05)
    losses = []
    for _ in range(40):
        generator(audio, torch.zeros(1, 2, WIDTH))
        losses.append(head.loss(labels))
        optimizer.zero_grad()
        losses[-1].backward()
        assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in generator.weights())
        optimizer.step()
    assert losses[0] > 1.5 and losses[-1] < 0.1
    with pytest.raises(RuntimeError, match="has made no pass"):
        head.loss(labels)


def test_unlabelled_latents_do_not_count_and_nothing_counts_less() -> None:
    generator = TwoBlocks()
    head = MaterialHead(generator, WIDTH)
    for parameter in head.parameters():
        nn.init.zeros_(parameter)
    with torch.no_grad():
        dict(head.named_parameters())["layers.1.bias"][0] = math.log(CLASSES - 1)  # nothing has the chance 1/2

    def loss(*labels: int) -> float:
        generator(torch.randn(1, len(labels), WIDTH), torch.zeros(1, 2, WIDTH))
        return float(head.loss(torch.tensor([labels])).detach())

    nothing, something = math.log(2), math.log(2 * (CLASSES - 1))
    assert loss(0, 0) == pytest.approx(nothing) and loss(5, UNLABELLED) == pytest.approx(something)
    assert loss(UNLABELLED, UNLABELLED) == 0
    assert loss(0, 5) == pytest.approx((NOTHING_WEIGHT * nothing + something) / (NOTHING_WEIGHT + 1))
