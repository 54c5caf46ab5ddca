"""The third kind of connector: one attention over both modalities' tokens, on one clock."""

from dataclasses import replace

import pytest
import torch

from openfoley.generators.joint.blocks import ConnectorBlock, clock
from openfoley.generators.joint.config import FULL

CONFIG = replace(FULL.connectors, kind="joint-attention", width=64)


@pytest.mark.parametrize(("steps", "other"), [(16, 52), (52, 16), (32, 32), (7, 16)])
def test_positions_agree_where_times_do(steps: int, other: int) -> None:
    own, theirs = clock(steps, other)
    duration_s = 2.0
    times, other_times = torch.arange(steps) * duration_s / steps, torch.arange(other) * duration_s / other
    rate = max(steps, other) / duration_s
    torch.testing.assert_close(own, times * rate)
    torch.testing.assert_close(theirs, other_times * rate)


def test_nothing_is_added_before_training() -> None:
    block = ConnectorBlock(64, CONFIG, by_frame=True)
    assert not block(torch.randn(2, 64, 5, 2, 3), torch.randn(2, 64, 9)).any()


def test_every_tensor_gets_a_gradient() -> None:
    block = ConnectorBlock(64, CONFIG, by_frame=False)
    torch.nn.init.normal_(block.leave.weight)
    block(torch.randn(2, 64, 6, 4, 1), torch.randn(2, 64, 9)).square().mean().backward()
    assert [name for name, value in block.named_parameters() if value.grad is None or not value.grad.any()] == []


def test_a_faint_sequence_counts_as_much_as_a_strong_one() -> None:
    block = ConnectorBlock(64, CONFIG, by_frame=True)
    torch.nn.init.normal_(block.leave.weight)
    x, condition = torch.randn(1, 64, 5, 2, 2), torch.randn(1, 64, 9)
    torch.testing.assert_close(block(x, 0.1 * condition), block(x, condition), atol=2e-3, rtol=2e-3)


def test_the_sequence_matters_by_its_order() -> None:
    block = ConnectorBlock(64, CONFIG, by_frame=True)
    torch.nn.init.normal_(block.leave.weight)
    x, condition = torch.randn(1, 64, 5, 2, 2), torch.randn(1, 64, 9)
    assert not torch.allclose(block(x, condition), block(x, condition.flip(2)), atol=1e-4)
