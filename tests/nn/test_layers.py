"""Rotary positions, resampling matrices and modulation."""

import numpy as np
import torch
from scipy.interpolate import CubicHermiteSpline

from openfoley.nn.adaln import Modulation, modulate
from openfoley.nn.attention import HeadProjection, attend
from openfoley.nn.resampling import cubic_weights, fractional_index, linear_weights
from openfoley.nn.rope import rotary, rotate


def test_rotated_products_depend_on_time_differences_alone() -> None:
    query, key = torch.randn(1, 2, 5, 16), torch.randn(1, 2, 7, 16)
    query_time, key_time = torch.rand(1, 5) * 8, torch.rand(1, 7) * 8

    def products(shift: float) -> torch.Tensor:
        turned = rotate(query, *rotary(query_time + shift, 16)) @ rotate(key, *rotary(key_time + shift, 16)).mT
        return turned

    torch.testing.assert_close(products(0.0), products(3.21), atol=2e-3, rtol=1e-3)


def test_attention_does_not_care_about_token_order() -> None:
    heads = HeadProjection(32, 2)
    x, time, order = torch.randn(1, 9, 32), torch.rand(1, 9), torch.randperm(9)
    straight = attend(heads(x, *rotary(time, 16)))
    torch.testing.assert_close(attend(heads(x[:, order], *rotary(time[:, order], 16))), straight[:, order])


def test_attention_is_the_same_with_and_without_a_gradient() -> None:
    heads, x = HeadProjection(32, 2), torch.randn(2, 7, 32)
    at = rotary(torch.arange(7.0).expand(2, -1), 16, torch.float32)
    trained = attend(heads(x, *at))
    with torch.no_grad():
        torch.testing.assert_close(trained, attend(heads(x, *at)), atol=1e-5, rtol=1e-4)
    assert trained.requires_grad


def test_fractional_index_handles_irregular_times_and_clamps() -> None:
    source = torch.tensor([[0.0, 1.0, 3.0, 3.5]])
    target = torch.tensor([[-1.0, 0.0, 0.5, 2.0, 3.25, 3.5, 9.0]])
    torch.testing.assert_close(fractional_index(source, target), torch.tensor([[0.0, 0.0, 0.5, 1.5, 2.5, 3.0, 3.0]]))


def test_single_feature_is_held() -> None:
    index = fractional_index(torch.tensor([[0.3]]), torch.rand(1, 5))
    torch.testing.assert_close(cubic_weights(index, 1), torch.ones(1, 5, 1))


def test_linear_weights_read_a_line_exactly() -> None:
    index = torch.rand(1, 20) * 9
    line = torch.arange(10.0)[None, :, None]
    torch.testing.assert_close((linear_weights(index, 10) @ line)[..., 0], index)


def test_cubic_weights_are_the_catmull_rom_spline() -> None:
    values = np.random.default_rng(0).normal(size=12)
    slope = np.gradient(values)
    index = torch.rand(1, 50, dtype=torch.float64) * 9 + 1  # inside, where all four neighbours exist
    expected = CubicHermiteSpline(np.arange(12), values, slope)(index[0].numpy())
    got = (cubic_weights(index, 12) @ torch.from_numpy(values)[None, :, None])[0, :, 0]
    np.testing.assert_allclose(got.numpy(), expected, atol=1e-12)


def test_weights_sum_to_one_at_the_edges() -> None:
    index = torch.tensor([[0.0, 0.2, 8.7, 9.0]])
    for weights in (cubic_weights(index, 10), linear_weights(index, 10)):
        torch.testing.assert_close(weights.sum(-1), torch.ones(1, 4))


def test_modulation_starts_as_the_identity() -> None:
    for rank in (None, 4):
        shift, scale = Modulation(8, 2, rank)(torch.randn(2, 5, 8))
        x = torch.randn(2, 5, 8)
        assert torch.equal(modulate(x, shift, scale), x)
