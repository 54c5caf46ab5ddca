"""Blocks that keep no activations: the same values and gradients, computed twice."""

import torch
from torch import Tensor, nn

from openfoley.generators.joint.layers import Recomputable


class Block(Recomputable):
    def __init__(self) -> None:
        super().__init__()
        self.layer, self.calls = nn.Linear(3, 3), 0

    def forward(self, x: Tensor, factor: Tensor) -> Tensor:
        self.calls += 1
        return self.layer(x).sigmoid() * factor


def test_a_recomputing_block_runs_again_on_the_way_back_with_the_same_gradients() -> None:
    block, x, gradients, calls = Block(), torch.randn(2, 3), list[Tensor](), list[int]()
    for block.recomputes in (False, True):
        block.zero_grad()
        block.calls = 0
        block(x, factor=torch.tensor(2.0)).square().sum().backward()
        assert block.layer.weight.grad is not None
        gradients.append(block.layer.weight.grad.clone())
        calls.append(block.calls)
    assert torch.equal(*gradients) and calls == [1, 2]
