import math

import torch

from openfoley.encoders.siglip_loss import SiglipLoss, siglip_loss


def test_the_loss_is_equation_1_written_out() -> None:
    torch.manual_seed(0)
    x = torch.nn.functional.normalize(torch.randn(4, 8), dim=-1)
    y = torch.nn.functional.normalize(torch.randn(4, 8), dim=-1)
    t, b = 7.0, 3.0
    expected = 0.0
    for i in range(4):
        for j in range(4):
            z = 1 if i == j else -1
            expected -= math.log(1 / (1 + math.exp(z * (-t * float(x[i] @ y[j]) + b)))) / 4
    loss = siglip_loss(x, y, 2 * torch.eye(4) - 1, torch.tensor(t), torch.tensor(b))
    assert abs(float(loss) - expected) < 1e-4


def test_pairs_labelled_zero_have_no_influence() -> None:
    x, y = torch.randn(3, 8), torch.randn(5, 8)
    pairs = 2 * torch.eye(3, 5) - 1
    pairs[0, 4] = 0
    changed = pairs.clone()
    loss = SiglipLoss()
    other = y.clone()
    other[4] = x[0] * 5
    only_first = torch.zeros_like(pairs)
    only_first[0] = changed[0]
    assert torch.equal(loss(x, y, only_first), loss(x, other, only_first))


def test_matched_features_lose_less_than_shuffled_ones() -> None:
    x = torch.randn(6, 32)
    pairs = 2 * torch.eye(6) - 1
    assert SiglipLoss()(x, x, pairs) < SiglipLoss()(x, x.roll(1, 0), pairs)
